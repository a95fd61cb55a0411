"""Where a model fails, and why: queries, slices, distances, what embeddings know, curves."""
