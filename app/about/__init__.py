"""The About tab: findings, data, method, checkpoints, and terms of use."""
