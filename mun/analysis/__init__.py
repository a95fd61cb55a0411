"""Where a model fails, and why: queries, slices, distances, probes of embeddings, curves."""
