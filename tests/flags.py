"""Command-line flags by name."""

from __future__ import annotations

__all__ = ["flags"]


def flags(**values: object) -> list[str]:
    """Write flags: `flags(train_ids=8)` is `["--train-ids", "8"]`."""
    return [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", str(value))]
