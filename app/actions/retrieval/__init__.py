"""Rank, compare, browse and score, with bundled images or one's own."""
