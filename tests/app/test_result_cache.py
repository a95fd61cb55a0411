from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.library.cache import Cache


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


def test_the_oldest_results_leave_when_the_bytes_run_out() -> None:
    cache = Cache(100)
    for key in "abc":
        cache.get(key, lambda: "x", lambda _: 40)
    assert "a" not in cache
    assert "b" in cache
    assert "c" in cache
    assert cache.num_bytes == 80


def test_a_used_result_is_young_again() -> None:
    cache = Cache(100)
    cache.get("a", lambda: 1, lambda _: 40)
    cache.get("b", lambda: 2, lambda _: 40)
    assert cache.get("a", lambda: 3, lambda _: 40) == 1
    cache.get("c", lambda: 4, lambda _: 40)
    assert "a" in cache
    assert "b" not in cache


def test_a_result_heavier_than_the_cache_is_returned_and_not_kept() -> None:
    cache = Cache(100)
    assert cache.get("big", lambda: "big", lambda _: 101) == "big"
    assert "big" not in cache
    assert cache.num_bytes == 0


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
