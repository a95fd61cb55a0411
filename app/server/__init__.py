"""What stands between strangers and the page: the guard, their files, limits, sessions."""
