"""What was found, the data it was found on, the method, the checkpoints, and what this may be used for."""
