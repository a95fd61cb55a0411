"""Many visitors at once: what they do, whether every answer is right, how long it takes, what the server holds."""
