"""Where a network looks, and how far that can be believed."""
