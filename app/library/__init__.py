"""What all visitors share: checkpoints, data sets, heavy results, and what several tabs compute of them."""

from app.library.library import Library, open_library

__all__ = ["Library", "open_library"]
