"""What stands between strangers and the page: the guard, calls that are checked, light sessions."""
