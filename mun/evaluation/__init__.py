"""Score embeddings as the field does: metrics, the protocols they are computed under, and means over trials."""
