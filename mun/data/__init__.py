"""Data sets on disk, their cache, the sampler of batches, and the augmentations."""
