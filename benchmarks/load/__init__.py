"""Many visitors at once: their requests, whether every answer is right, its time, and the server's memory and files."""
