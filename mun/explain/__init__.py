"""Where a network looks: class-activation maps, and how far they can be believed."""
