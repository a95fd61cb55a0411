"""Points of all modalities in a plane."""
