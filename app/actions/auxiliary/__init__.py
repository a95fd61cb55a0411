"""The third modality of one pair, beside its rivals."""
