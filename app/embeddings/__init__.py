"""Features of all modalities in a plane."""
