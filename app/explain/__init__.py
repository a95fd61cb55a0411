"""The Explain tab: maps of where a network looks, and checks of these maps."""
