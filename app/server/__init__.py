"""Protects the page from strangers: the guard, checks of calls, light sessions."""
