"""The projector: the same pictures as the function, in another process that can be stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from app.projector import Cancelled, Projector, answer_of
from mun.projection import Method, Settings, project


@pytest.fixture(scope="module")
def projector() -> Iterator[Projector]:
    made = Projector()
    yield made
    made.close()


def points(count: int = 60) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 6)).astype(np.float32)


def test_pictures_are_those_of_the_function(projector: Projector) -> None:
    settings = Settings(Method.TSNE, perplexity=5, seed=2)
    made = projector.project(points(), settings)
    np.testing.assert_allclose(made.coordinates, project(points(), settings).coordinates, rtol=1e-3, atol=1e-3)
    pca = projector.project(points(), Settings(Method.PCA))
    np.testing.assert_array_equal(pca.coordinates, project(points(), Settings(Method.PCA)).coordinates)


def test_what_is_refused_is_refused_here_too(projector: Projector) -> None:
    with pytest.raises(ValueError, match="for a perplexity of 30, got 60"):
        projector.project(points(), Settings(Method.TSNE))
    with pytest.raises(ValueError, match="these features are constant"):
        projector.project(np.ones((60, 3), dtype=np.float32), Settings(Method.TSNE, perplexity=5))


def test_a_stopped_picture_ends_at_once_and_the_next_one_comes(projector: Projector) -> None:
    settings = Settings(Method.TSNE, perplexity=5)
    projector.project(points(), settings)  # warm
    stopped, ended = threading.Event(), []

    def work() -> None:
        try:
            projector.project(points(4000), Settings(Method.TSNE, perplexity=50), stopped)
        except Cancelled as error:
            ended.append((time.monotonic(), str(error)))

    thread = threading.Thread(target=work)
    thread.start()
    waiting, gave_up = threading.Event(), []

    def wait() -> None:
        try:
            projector.project(points(), settings, waiting)
        except Cancelled:
            gave_up.append(True)

    second = threading.Thread(target=wait)
    second.start()
    waiting.set()
    second.join(10)
    assert gave_up  # who waits for their turn can leave, too
    begun = time.monotonic()
    stopped.set()
    thread.join(20)
    assert ended
    assert ended[0][0] - begun < 3
    assert projector.project(points(), settings).coordinates.shape == (60, 2)


def test_a_process_that_dies_is_a_sentence_and_not_the_end(projector: Projector) -> None:
    settings = Settings(Method.TSNE, perplexity=5)
    projector.project(points(), settings)
    projector._process.kill()
    projector._process.join()
    projector._process.is_alive = lambda: True  # it died a moment after it was looked at
    with pytest.raises(ValueError, match="unexpected end"):
        projector.project(points(), settings)
    assert projector.project(points(), settings).coordinates.shape == (60, 2)


def test_an_unexpected_failure_becomes_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.projector.project", lambda *_: 1 / 0)
    assert answer_of(points(), Settings()) == "the projection failed (ZeroDivisionError); try other parameters"
