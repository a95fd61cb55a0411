"""What the page says about itself: the method, a checkpoint, versions."""
