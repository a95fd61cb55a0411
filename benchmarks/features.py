"""Time of a press in Retrieval on a features file of 10⁵ images, compared with the exact search alone."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from app.library import Library, open_library
from app.retrieval.browse import Browse
from app.retrieval.tab import answer
from app.shared.tab import Press, changes
from benchmarks.measure import Row, in_turn

DIMENSION = 512
BEYOND = 100.0  # milliseconds that a press may take beyond the search
ROOT = Path(__file__).parents[1]


def rows(short: bool) -> list[Row]:
    """Measure the rows of this suite."""
    count = 1000 if short else 100_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.npz"
        np.savez(path, **make_features(count))
        library = open_library(ROOT / "assets" / "synvi", ROOT / "checkpoints", features=[("made", path)])
        vectors, request = library.checkpoints["made"].vectors, Browse.repair({}, library)[0]
        assert vectors is not None
        query = vectors.rows([0])[0]
        drawn: dict[str, str] = {}
        press(library, request, drawn)  # galleries, lists and settings are drawn once
        search, pressed = in_turn(
            partial(vectors.similarities, query), partial(press, library, request, drawn), repeats=3 if short else 15
        )
    limit = 1e3 * search + BEYOND
    return [Row(f"a press on {count:,} features", 1e3 * pressed, "ms", limit, "search + 100 ms", most=1.0)]


def make_features(count: int) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    """Make features of people with 20 images each, a fifth of them infrared."""
    numbers = np.arange(count)
    return {
        "features": np.random.default_rng(0).standard_normal((count, DIMENSION), dtype=np.float32),
        "pids": numbers // 20,
        "modalities": np.where(numbers % 5 == 0, "infrared", "visible"),
        "keys": np.array([f"{number:07d}" for number in numbers]),
    }


def press(library: Library, request: Browse, drawn: dict[str, str]) -> None:
    """Choose another query and draw the pieces that the page does not show already."""
    repaired = Browse.repair(request.model_dump(), library)[0]
    drawn |= changes(answer(library, repaired, Press(do="random")).pieces, drawn)[1]
