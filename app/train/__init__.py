"""Training runs that survive a closed page, a stop, a crash and a restart, and the tab that starts and shows them."""
