"""Background work, turns and cache: work is started once, reported, stopped, and limited per visitor."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from made import until
from serving import serve

from app.embeddings import project
from app.library import Library, background
from app.library.background import AbandonedError, Background, Job, Progress, StoppedError
from app.library.cache import Cache
from app.library.turns import VISITOR, BusyError, Turns
from app.shared.api import HEAVY


class Work:
    """A job of two steps that waits for `go` between them, and records how it ended."""

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
    until(lambda: second.result and lasting.result and not jobs._running)


def test_a_job_that_waits_for_its_turn_can_be_stopped_and_started_again(jobs: Background) -> None:
    first, second = Work(jobs, "a"), Work(jobs, "b")
    jobs.ask("a", first.job())
    assert first.begun.wait(20)
    jobs.ask("b", second.job())
    jobs.stop("b")
    until(lambda: "b" not in jobs._running)
    assert jobs.ask("b", second.job()).stopped
    assert second.times == 0
    assert not jobs.ask("b", second.job(), retry=True).stopped
    for work in (first, second):
        work.go.set()
    until(lambda: second.result)


def test_at_the_end_of_the_app_all_jobs_stop_and_are_waited_for(jobs, monkeypatch) -> None:
    first, second, stuck = (Work(jobs, key) for key in "abc")
    for key, work in zip("ab", (first, second), strict=True):
        jobs.ask(key, work.job())
    assert first.begun.wait(20)
    threading.Timer(0.1, first.go.set).start()
    jobs.close()
    assert first.error == StoppedError.__name__
    assert second.times == 0
    monkeypatch.setattr(background, "CLOSE_SECONDS", 0.05)
    jobs.ask("c", stuck.job())
    assert stuck.begun.wait(20)
    jobs.close()
    assert not stuck.result
    stuck.go.set()


def test_a_job_that_nobody_asks_for_is_given_up_without_a_word(jobs, monkeypatch) -> None:
    monkeypatch.setattr(background, "PATIENCE", 0.05)
    forgotten, waiting, lasting = (Work(jobs, key) for key in "abc")
    jobs.ask("a", forgotten.job())
    assert forgotten.begun.wait(20)
    jobs.ask("b", waiting.job())
    jobs.ask("c", lasting.job("", fleeting=False))
    time.sleep(0.1)
    for work in (forgotten, waiting, lasting):
        work.go.set()
    until(lambda: not jobs._running)
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


@pytest.mark.parametrize("fleeting", [False, True])
def test_one_visitor_stops_a_job_for_himself_and_the_last_one_for_all(jobs: Background, fleeting: bool) -> None:
    work = Work(jobs, "a")
    jobs.ask("a", work.job(fleeting=fleeting), who="first")
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
    assert not jobs._running


def test_a_job_is_begun_once_tells_what_it_reports_and_is_forgotten_when_it_is_done(jobs: Background) -> None:
    work = Work(jobs, "a")
    assert jobs.ask("a", work.job(), who="first") == Progress(0, 2)
    assert work.begun.wait(20)
    jobs.report("a", 1, total=4, words="laying out", made="half")
    jobs.report("a", 2)
    assert jobs.ask("a", work.job()) == Progress(2, 4, words="laying out", made="half")  # other fields stay
    jobs.report("b", 1)  # there is no such job: ignored
    work.go.set()
    until(lambda: work.result and not jobs._running)
    assert jobs.ask("a", work.job()) == Progress(2, 2, ready=True)
    assert work.times == 1


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
    token = VISITOR.set("10.0.0.1 page")  # as the current event sets it
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
    assert len(jobs._ended) == 2


def test_work_goes_round_by_visitor_and_by_address() -> None:
    turns, done, first = Turns(each=9, most=40), [], threading.Event()

    def work(who: str) -> None:
        ticket = turns.take(who)

        def run() -> None:
            with turns.turn(ticket):
                done.append(who)
                assert first.wait(20)

        pool.submit(run)

    with ThreadPoolExecutor(20) as pool:
        work("a 1")
        until(lambda: done)
        for who in ("a 1", "a 1", "a 1", "a 2", "a 2", "b 1", "c", "c"):
            work(who)
        first.set()
    assert done == ["a 1", "b 1", "c", "a 2", "c", "a 1", "a 2", "a 1", "a 1"]
    assert (turns._tickets, turns._served) == ([], {})


def test_a_visitor_an_address_and_the_queue_have_bounds() -> None:
    turns = Turns(at_once=2, each=2, most=8)
    for who in ("a 1", "a 1", "a 2", "a 2"):
        turns.take(who)
    for who, words in (("a 1", "2 of your calls"), ("a 3", "4 calls from your address")):
        with pytest.raises(BusyError, match=rf"^busy: {words} .*; try again in \d+ s$") as caught:
            turns.take(who)
        assert caught.value.own
    waiting = [turns.take(who) for who in ("b", "b", "c", "d")]
    with pytest.raises(BusyError, match="^busy: many visitors are asking") as caught:
        turns.take("e")
    assert not caught.value.own
    turns._leave(waiting[0])
    turns.take("e")


def test_thirty_layouts_of_one_address_hold_nobody_else_up(library, tmp_path, monkeypatch) -> None:
    """Count, instead of time, the computations between another visitor's call and its answer."""
    order: list[str] = []
    begun, go = threading.Event(), threading.Event()
    answer = project.answer

    def recorded(library: Library, request: project.Project) -> object:
        order.append(VISITOR.get())
        begun.set()
        assert go.wait(60)
        return answer(library, request)

    monkeypatch.setattr(project, "answer", recorded)
    with serve(library, tmp_path / "gradio") as served, ThreadPoolExecutor(32) as pool:

        def ask(address: str, seed: int) -> str:
            data = ["", "", "tsne", "embedding", 3, "", 2, True, "matched", False, 5, 5, 0.1, "cosine", seed]
            outcome = served.call("project", data, {"x-forwarded-for": address})
            return outcome.event if outcome.event == "complete" else str(outcome.words)

        many = [pool.submit(ask, "10.0.0.1", seed) for seed in range(30)]
        until(lambda: sum(one.done() for one in many) == 30 - HEAVY)
        assert begun.wait(20)
        other = pool.submit(ask, "10.0.0.2", 99)
        go.set()
        assert other.result() == "complete"
        answers = [one.result() for one in many]
    assert answers.count("complete") == HEAVY
    assert all(words.startswith("busy: 2 of your calls") for words in answers if words != "complete")
    assert sorted(order) == ["10.0.0.1"] * HEAVY + ["10.0.0.2"]


def test_a_result_is_computed_once_however_many_ask() -> None:
    cache, calls, gate = Cache(1000), [], threading.Event()

    def compute() -> str:
        calls.append(1)
        gate.wait(5)
        return "heavy"

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(cache.get, "key", compute, len) for _ in range(8)]
        while not calls:
            pass
        gate.set()
        assert {answer.result() for answer in answers} == {"heavy"}
    assert len(calls) == 1


def test_what_was_used_least_recently_leaves_and_what_is_too_heavy_is_not_kept() -> None:
    cache = Cache(100)
    for key in ("a", "b", "a", "c"):
        assert cache.get(key, lambda key=key: key, lambda _: 40) == key
    assert cache.get("big", lambda: "big", lambda _: 101) == "big"
    assert [key for key in ("a", "b", "c", "big") if key in cache] == ["a", "c"]
    assert cache.num_bytes == 80


def test_a_failure_reaches_everybody_who_waits_and_is_not_kept() -> None:
    cache, started, gate = Cache(100), threading.Event(), threading.Event()

    def fail() -> str:
        started.set()
        gate.wait(5)
        raise ValueError("broken")

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(cache.get, "key", fail, len)
        assert started.wait(5)
        others = [pool.submit(cache.get, "key", fail, len) for _ in range(3)]
        gate.set()
        for answer in (first, *others):
            with pytest.raises(ValueError, match="broken"):
                answer.result()
    assert cache.get("key", lambda: "whole", len) == "whole"
