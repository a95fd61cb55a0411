"""Jobs in the background: begun once, reported, stopped, and given up when nobody asks any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from app.library import background
from app.library.background import AbandonedError, Background, Job, Progress, StoppedError
from app.library.turns import VISITOR, Turns


def until(holds: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


class Work:
    """A job of two steps that goes on when it is told to, and says how it ended."""

    def __init__(self, jobs: Background, key: str) -> None:
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

    def job(self, kind: str = "heavy", fleeting: bool = True) -> Job:
        return Job(Progress(0, 2), self, lambda: self.result, kind, fleeting)


@pytest.fixture
def jobs() -> Background:
    return Background()


def test_a_job_is_begun_once_and_forgotten_when_it_is_done(jobs: Background) -> None:
    work = Work(jobs, "a")
    assert jobs.ask("a", work.job()) == Progress(0, 2)
    work.begun.wait(20)
    assert jobs.ask("a", work.job()) == Progress(0, 2)
    work.go.set()
    until(lambda: not jobs._progress)
    assert (work.times, work.result) == (1, True)


def test_jobs_of_one_kind_are_done_one_at_a_time_and_others_beside_them(jobs: Background) -> None:
    first, second, lasting = (Work(jobs, key) for key in "abc")
    jobs.ask("a", first.job())
    assert first.begun.wait(20)
    jobs.ask("b", second.job())
    jobs.ask("c", lasting.job("", fleeting=False))
    assert lasting.begun.wait(20)
    assert not second.begun.wait(0.2)
    for work in (first, second, lasting):
        work.go.set()
    until(lambda: second.result and lasting.result and not jobs._progress)


def test_a_job_that_waits_for_its_turn_can_be_stopped_and_started_again(jobs: Background) -> None:
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
    jobs: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "PATIENCE", 0.05)
    forgotten, waiting, lasting = (Work(jobs, key) for key in "abc")
    jobs.ask("a", forgotten.job())
    assert forgotten.begun.wait(20)
    jobs.ask("b", waiting.job())
    jobs.ask("c", lasting.job("", fleeting=False))
    time.sleep(0.1)
    for work in (forgotten, waiting, lasting):
        work.go.set()
    until(lambda: not jobs._progress)
    assert forgotten.error == AbandonedError.__name__
    assert waiting.times == 0
    assert lasting.result
    again = Work(jobs, "a")
    again.go.set()
    assert jobs.ask("a", again.job()) == Progress(0, 2)
    until(lambda: again.result)


def test_who_waits_without_asking_keeps_a_job_alive(jobs: Background, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PATIENCE", 0.05)
    work = Work(jobs, "a")
    with jobs.wanted("a"):
        jobs.ask("a", work.job())
        assert work.begun.wait(20)
        time.sleep(0.1)
        work.go.set()
        until(lambda: work.result)
    assert not jobs._wanted


def test_a_failure_is_kept_until_somebody_tries_again(jobs: Background) -> None:
    def fail() -> None:
        raise ValueError("expected an image, got none")

    def crash() -> None:
        raise RuntimeError("/home/somebody/secret")

    for work, words in ((fail, "expected an image, got none"), (crash, "an unexpected error (RuntimeError)")):
        job = Job(Progress(0, 2), work, lambda: False)
        jobs.ask(words, job)
        until(lambda words=words, job=job: jobs.ask(words, job).problem)
        assert jobs.ask(words, job).problem.startswith(words)
        assert "secret" not in jobs.ask(words, job).problem
        assert not jobs.ask(words, job, retry=True).problem


def test_one_visitor_stops_a_job_for_himself_and_the_last_one_for_all(jobs: Background) -> None:
    work = Work(jobs, "a")
    jobs.ask("a", work.job(), who="first")
    jobs.ask("a", work.job(), who="second")
    assert work.begun.wait(20)
    jobs.stop("a", "first")
    jobs.stop("a", "somebody else")
    assert not jobs.ask("a", work.job(), who="second").stopped
    jobs.stop("a", "second")
    work.go.set()
    until(lambda: not jobs._running)
    assert work.error == StoppedError.__name__
    assert jobs.ask("a", work.job(), who="third").stopped
    assert not jobs._asked


def test_what_is_reported_is_told_and_what_is_not_named_stays(jobs: Background) -> None:
    work = Work(jobs, "a")
    jobs.ask("a", work.job(), who="first")
    assert work.begun.wait(20)
    jobs.report("a", 1, total=4, words="laying out", made="half")
    jobs.report("a", 2)
    assert jobs.ask("a", work.job()) == Progress(2, 4, words="laying out", made="half")
    jobs.report("b", 1)  # nobody's job: passed over
    work.go.set()
    until(lambda: work.result)
    assert jobs.ask("a", work.job()) == Progress(2, 2, ready=True)


def test_a_job_that_is_started_again_while_it_ends_can_still_be_stopped(jobs: Background) -> None:
    first, second = Work(jobs, "a"), Work(jobs, "a")
    jobs.ask("a", first.job())
    assert first.begun.wait(20)
    jobs.stop("a")
    jobs.ask("a", second.job(), retry=True)
    jobs.report("a", 1)
    first.go.set()
    assert second.begun.wait(20)
    jobs.stop("a")
    second.go.set()
    until(lambda: not jobs._running)
    assert (first.result, second.error) == (True, StoppedError.__name__)


def test_only_so_many_jobs_of_a_kind_wait(jobs: Background) -> None:
    jobs._turns["heavy"] = Turns(most=1)
    first, second, other = (Work(jobs, key) for key in "abc")
    jobs.ask("a", first.job())
    assert "many visitors" in jobs.ask("b", second.job(), who="another").problem
    assert not jobs.ask("c", other.job("another")).problem
    for work in (first, second, other):
        work.go.set()
    until(lambda: not jobs._running)
    assert not jobs.ask("b", second.job()).problem


def test_a_further_job_of_one_visitor_waits_outside_the_queue(jobs: Background) -> None:
    works = [Work(jobs, key) for key in "abc"]
    for work in works:
        work.go.set()
    works[0].go.clear()
    asked = [jobs.ask(work.key, work.job(), who="10.0.0.1 page") for work in works]
    assert asked[2] == Progress(0, 2, words="waiting for its turn")
    assert set(jobs._running) == {"a", "b"}
    works[0].go.set()
    until(lambda: not jobs._running)
    token = VISITOR.set("10.0.0.1 page")  # as the event in hand says
    jobs.ask("c", works[2].job())
    VISITOR.reset(token)
    until(lambda: works[2].result and not jobs._running)


def test_only_so_many_failures_are_remembered(jobs: Background, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "MAX_ENDED", 2)

    def fail() -> None:
        raise ValueError("no")

    for key in range(4):
        jobs.ask(key, Job(Progress(), fail, lambda: False))
        until(lambda: not jobs._running)
    assert len(jobs._progress) == 2
