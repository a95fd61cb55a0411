"""The Retrieval tab: a query, the other modality ranked for it."""
