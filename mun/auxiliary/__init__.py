"""The third modality: one interface, one registry."""
