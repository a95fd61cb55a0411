"""The Analysis tab: where a model fails, and why."""
