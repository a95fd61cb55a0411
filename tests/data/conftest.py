"""What the tests of data share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def remove_the_next(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have the next file that NumPy opens removed right before, as another job may do."""
    load = np.load

    def remove_then_load(path: Path, **words: str) -> np.ndarray:
        monkeypatch.setattr(np, "load", load)
        path.unlink()
        return load(path, **words)

    return lambda: monkeypatch.setattr(np, "load", remove_then_load)
