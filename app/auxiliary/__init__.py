"""The Auxiliary tab: the auxiliary image of one pair, beside its rivals, and the generator that makes it."""
