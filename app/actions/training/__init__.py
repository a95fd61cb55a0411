"""Small runs: asked for, watched, taken home."""
