"""The Auxiliary tab: the third image of one pair, beside its rivals, and the generator that makes it."""
