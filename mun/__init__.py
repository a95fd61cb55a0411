"""Modality Unifying Network: visible-infrared person re-identification with a generated auxiliary modality."""

__version__ = "0.1.0"
