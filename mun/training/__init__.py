"""Step-exact training: a run is a folder, and can be stopped and resumed at any moment."""
