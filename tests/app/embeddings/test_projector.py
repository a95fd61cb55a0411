"""The projector: the same pictures as the function, in another process that can be stopped."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from app.embeddings import projector as projector_module
from app.embeddings.projector import Projector, answer_of
from app.library.background import StoppedError
from mun.projection import Method, Settings, project


@pytest.fixture(scope="module")
def projector() -> Iterator[Projector]:
    made = Projector()
    yield made
    made.close()


def points(count: int = 60) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 6)).astype(np.float32)


def test_what_is_refused_is_refused_here_too(projector: Projector) -> None:
    with pytest.raises(ValueError, match="for a perplexity of 30, got 60"):
        projector.project(points(), Settings(Method.TSNE))
    with pytest.raises(ValueError, match="these features are constant"):
        projector.project(np.ones((60, 3), dtype=np.float32), Settings(Method.TSNE, perplexity=5))


class Listener:
    """Record the reports, and stop the work once `stop` is set."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int, str]] = []
        self.stopped = threading.Event()
        self.ended = 0.0

    def __call__(self, done: int = 0, *, total: int = 0, words: str = "") -> None:
        self.told.append((done, total, words))
        if self.stopped.is_set():
            raise StoppedError("stopped")

    def lay_out(self, projector: Projector, count: int) -> threading.Thread:
        def work() -> None:
            with pytest.raises(StoppedError):
                projector.project(points(count), Settings(Method.TSNE, perplexity=5), self)
            self.ended = time.monotonic()

        thread = threading.Thread(target=work)
        thread.start()
        return thread


def test_a_stopped_picture_ends_at_once_and_the_next_one_comes(projector: Projector) -> None:
    settings = Settings(Method.TSNE, perplexity=5)
    projector.project(points(), settings)  # warm
    first, second = Listener(), Listener()
    working = first.lay_out(projector, 4000)
    while not first.told or first.told[-1][2] == "waiting for its turn":
        time.sleep(0.01)
    waiting = second.lay_out(projector, 60)
    second.stopped.set()
    waiting.join(20)
    assert second.ended  # a request that waits for its turn can be stopped, too
    assert second.told[-1][2] == "waiting for its turn"
    assert not first.ended
    first.stopped.set()
    working.join(20)
    assert first.ended
    assert projector.project(points(), settings).coordinates.shape == (60, 2)


@pytest.mark.parametrize("method", [Method.TSNE, pytest.param(Method.UMAP, marks=pytest.mark.slow)])
def test_steps_are_reported_and_change_nothing(projector: Projector, method: Method) -> None:
    listener, settings = Listener(), Settings(method, perplexity=20, seed=1)
    made = projector.project(points(400), settings, listener)
    steps = [(done, total) for done, total, _ in listener.told if total]
    assert steps
    assert all(0 <= done <= total for done, total in steps)
    assert sorted(steps) == steps
    assert {words for _, _, words in listener.told} == {"laying out 400 points"}
    np.testing.assert_allclose(made.coordinates, project(points(400), settings).coordinates, rtol=1e-3, atol=1e-3)
    pca = projector.project(points(), Settings(Method.PCA))
    np.testing.assert_array_equal(pca.coordinates, project(points(), Settings(Method.PCA)).coordinates)


def test_a_process_that_dies_is_a_sentence_and_not_the_end(projector: Projector) -> None:
    settings = Settings(Method.TSNE, perplexity=5)
    projector.project(points(), settings)
    projector._process.kill()
    projector._process.join()
    projector._process.is_alive = lambda: True  # as if the process had died just after the check
    with pytest.raises(ValueError, match="ended unexpectedly"):
        projector.project(points(), settings)
    assert projector.project(points(), settings).coordinates.shape == (60, 2)


def test_an_unexpected_failure_becomes_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector_module, "project", lambda *_: 1 / 0)
    assert answer_of(points(), Settings()) == "the projection failed (ZeroDivisionError); try other parameters"


def test_its_process_does_without_torch() -> None:
    """Torch would be half of the memory of the process."""
    program = "import sys, app.embeddings.projector; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
