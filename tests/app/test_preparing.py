"""Jobs in the background: begun once, reported, stopped, and given up when nobody asks any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from app.library import background as preparing
from app.library.background import AbandonedError, Job, Preparation, Preparations, StoppedError


def until(holds: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


class Work:
    """A job of two steps that goes on when it is told to, and says how it ended."""

    def __init__(self, jobs: Preparations, key: str) -> None:
        self.jobs, self.key = jobs, key
        self.begun, self.go = threading.Event(), threading.Event()
        self.times, self.error, self.result = 0, "", False

    def __call__(self) -> None:
        self.times += 1
        try:
            self.jobs.report(self.key, 0)
            self.begun.set()
            assert self.go.wait(20)
            self.jobs.report(self.key, 1)
        except StoppedError as error:
            self.error = type(error).__name__
            raise
        self.result = True

    def job(self, fleeting: bool = True) -> Job:
        return Job(Preparation(0, 2), self, lambda: self.result, fleeting)


@pytest.fixture
def jobs() -> Preparations:
    return Preparations()


def test_a_job_is_begun_once_and_forgotten_when_it_is_done(jobs: Preparations) -> None:
    work = Work(jobs, "a")
    assert jobs.ask("a", work.job()) == Preparation(0, 2)
    work.begun.wait(20)
    assert jobs.ask("a", work.job()) == Preparation(0, 2)
    work.go.set()
    until(lambda: not jobs._progress)
    assert (work.times, work.result) == (1, True)


def test_fleeting_jobs_are_done_one_at_a_time_and_others_beside_them(jobs: Preparations) -> None:
    first, second, lasting = (Work(jobs, key) for key in "abc")
    jobs.ask("a", first.job())
    assert first.begun.wait(20)
    jobs.ask("b", second.job())
    jobs.ask("c", lasting.job(fleeting=False))
    assert lasting.begun.wait(20)
    assert not second.begun.wait(0.2)
    for work in (first, second, lasting):
        work.go.set()
    until(lambda: second.result and lasting.result and not jobs._progress)


def test_a_job_that_waits_for_its_turn_can_be_stopped_and_started_again(jobs: Preparations) -> None:
    first, second = Work(jobs, "a"), Work(jobs, "b")
    jobs.ask("a", first.job())
    assert first.begun.wait(20)
    jobs.ask("b", second.job())
    jobs.stop("b")
    until(lambda: not jobs._stopping)
    assert jobs.ask("b", second.job()).stopped
    assert second.times == 0
    assert not jobs.ask("b", second.job(), retry=True).stopped
    for work in (first, second):
        work.go.set()
    until(lambda: second.result)


def test_a_job_that_nobody_asks_for_is_given_up_without_a_word(
    jobs: Preparations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "PATIENCE", 0.05)
    forgotten, waiting, lasting = (Work(jobs, key) for key in "abc")
    jobs.ask("a", forgotten.job())
    assert forgotten.begun.wait(20)
    jobs.ask("b", waiting.job())
    jobs.ask("c", lasting.job(fleeting=False))
    time.sleep(0.1)
    for work in (forgotten, waiting, lasting):
        work.go.set()
    until(lambda: not jobs._progress)
    assert forgotten.error == AbandonedError.__name__
    assert waiting.times == 0
    assert lasting.result
    again = Work(jobs, "a")
    again.go.set()
    assert jobs.ask("a", again.job()) == Preparation(0, 2)
    until(lambda: again.result)


def test_who_waits_without_asking_keeps_a_job_alive(jobs: Preparations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "PATIENCE", 0.05)
    work = Work(jobs, "a")
    with jobs.wanted("a"):
        jobs.ask("a", work.job())
        assert work.begun.wait(20)
        time.sleep(0.1)
        work.go.set()
        until(lambda: work.result)
    assert not jobs._wanted


def test_a_failure_is_kept_until_somebody_tries_again(jobs: Preparations) -> None:
    def fail() -> None:
        raise ValueError("expected an image, got none")

    def crash() -> None:
        raise RuntimeError("/home/somebody/secret")

    for work, words in ((fail, "expected an image, got none"), (crash, "an unexpected error (RuntimeError)")):
        job = Job(Preparation(0, 2), work, lambda: False)
        jobs.ask(words, job)
        until(lambda words=words, job=job: jobs.ask(words, job).problem)
        assert jobs.ask(words, job).problem.startswith(words)
        assert "secret" not in jobs.ask(words, job).problem
        assert not jobs.ask(words, job, retry=True).problem
