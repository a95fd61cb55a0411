"""Training runs that outlive a page, a stop, a crash and a restart, and the tab that starts and watches them."""
