"""State that all visitors share (checkpoints, data sets, heavy results), and computations that several tabs use."""

from app.library.library import Library, open_library

__all__ = ["Library", "open_library"]
