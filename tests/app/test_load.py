"""Many visitors at once, in all tabs: no error, right answers for each visitor, promised times, no growth of memory."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from attacker import Attacker, attack

from app import build_demo
from app.library import open_library
from benchmarks.load.choices import CHANGING, Choices, differs
from benchmarks.load.crowd import Crowd, hurry, visit, warm
from benchmarks.load.page import REFUSALS, Page, PageError, call, new_client, post
from benchmarks.load.server import Server, start
from benchmarks.load.table import Log, WrongError
from benchmarks.load.visitor import RETRIEVALS, Visitor

ROOT = Path(__file__).resolve().parents[2]
MARGIN = 30_000_000  # bytes that the app may hold more after 1,000 further answers
MOST_MEMORY = 2_500_000_000  # bytes of the app with the bundled data, and of all its processes
MOST_REFUSED = 5.0  # seconds for which a visitor is told to try again
MOST_FILES, MOST_FILE_BYTES = 200, 50_000_000
LIMIT = 3.0  # seconds, 95th percentile of a retrieval


@pytest.fixture(scope="module")
def choices(tiny_synvi: Path, two_checkpoints: Path) -> Choices:
    library = open_library(tiny_synvi, two_checkpoints)
    return Choices(library, 18, library.checkpoints.usable)


@pytest.fixture(scope="module")
def server(tiny_synvi: Path, two_checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    flags = ["--data", str(tiny_synvi), "--checkpoints", str(two_checkpoints)]
    # One thread, as in this process; otherwise last bits differ (which is tolerated), and the crowd is slower.
    with start(tmp_path_factory.mktemp("app"), flags, {"OMP_NUM_THREADS": "1", "MUN_TRAIN": "on"}) as running:
        yield running


def test_everybody_gets_their_own_right_answers(server: Server, choices: Choices) -> None:
    asyncio.run(warm(server, choices))
    measured = asyncio.run(visit(server, choices, Crowd(visitors=8, seconds=12, think=0.5, tour=True)))
    print(measured.summary())
    assert measured.log.problems == []
    kinds = {one.name for one in measured.log.answers}
    public = httpx.get(f"{server.url}gradio_api/info").json()["named_endpoints"]
    assert kinds >= set(public) - {f"/{name}" for name in CHANGING}
    assert kinds >= {f"page: {name}" for name in choices.tabs}
    assert measured.files[-1][0] <= MOST_FILES


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_attacker_gets_clean_answers_and_changes_nobody_elses(server: Server, choices: Choices) -> None:
    """Do each act once; then visitors get right answers while all acts continue; no times are checked."""

    async def live() -> Attacker:
        attacker = Attacker(server.url, hold=0.5)
        for act in attacker.acts.values():
            await act()
        measured = await visit(server, choices, Crowd(visitors=4, seconds=10, think=0.5, tour=True), attacker.live)
        assert measured.log.problems == []
        assert len(measured.log.answers) > 40
        return attacker

    attacker = asyncio.run(live())
    print(dict(attacker.done))
    assert attacker.problems == []
    assert {act for act, _ in attacker.done} == attacker.acts.keys()
    assert {status for act, status in attacker.done if act == "structure"} <= {400, 404, 413, 415, 503}


def test_somebody_elses_answer_is_noticed(server: Server, choices: Choices) -> None:
    """Test the crowd's own check: if the answer of another request is expected, every answer is wrong."""
    alike = {"status", "train_status", "train"}  # the same answer for all visitors
    swapped = {}
    for name, asks in {**choices.public, **{f"page: {tab}": one for tab, one in choices.tabs.items()}}.items():
        other = next((one for one in asks if one.expected != asks[0].expected), None)
        if other is None:
            assert name.removeprefix("page: ") in alike, name
        else:
            swapped[name] = replace(asks[0], expected=other.expected)

    async def look(log: Log) -> None:
        async with new_client() as client:
            visitor = Visitor(client, server.url, choices, log, 0)
            await visitor.page.open(files=False)
            for ask in swapped.values():
                await visitor.ask(ask)

    log = Log()
    asyncio.run(look(log))
    assert [one.name for one in log.answers if not one.problem.startswith(WrongError.__name__)] == []
    assert len(log.answers) == len(swapped)


def test_an_answer_does_not_depend_on_what_was_asked_before(tiny_synvi: Path, tiny_checkpoint: Path) -> None:
    """Functions share heavy results through one cache, so they must all compute the same results."""
    answers = []
    for turn in (1, -1):
        library = open_library(tiny_synvi, tiny_checkpoint)
        runs = {
            function.api_name: function.fn.asks
            for function in build_demo(library).fns.values()
            if len(getattr(function.fn, "asks", ())) == 2
        }
        names = [name for name in ("retrieve", "evaluate", "auxiliary", "explain") if name in runs]
        made = {name: runs[name][1](library, runs[name][0].read({}, library)) for name in names[::turn]}
        answers.append([json.loads(json.dumps(made[name])) for name in names])
    assert differs(*answers) == ""


def test_errors_are_counted_and_named(server: Server) -> None:
    async def ask() -> None:
        async with new_client() as client:
            with log.timed("/retrieve"):
                await call(client, server.url, "retrieve", ["nobody"])
            page = Page(client, server.url)
            with log.timed("page"):
                await page.open(files=False)
            with pytest.raises(PageError, match="404"):
                await post(client, f"{server.url}gradio_api/run/predict", {"data": [], "fn_index": 10**6})

    log = Log()
    asyncio.run(ask())
    assert [one.name for one in log.answers if one.problem] == ["/retrieve"]
    assert "expected checkpoint to be one of" in log.problems[0]
    row = log.row(["/retrieve", "page"])
    assert (row.count, row.errors) == (2, 1)


@pytest.mark.parametrize(
    ("got", "expected", "same"),
    [
        ({"a": [1.0, "x"]}, {"a": [1.00001, "x"]}, True),
        ({"a": [1.0, "x"]}, {"a": [1.01, "x"]}, False),
        ({"a": 1}, {"b": 1}, False),
        ([1, 2], [1], False),
        (True, 1.00001, False),
        ("data:image/png;base64,", "x", False),
        (None, "x", False),
    ],
)
def test_only_last_bits_may_differ(got: object, expected: object, same: bool) -> None:
    assert (differs(got, expected) == "") is same


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_memory_stays_flat(tiny_synvi: Path, two_checkpoints: Path, choices: Choices, tmp_path: Path) -> None:
    """After as many visits as the app keeps, 1,000 further answers of all kinds take no more memory."""
    flags = ["--data", str(tiny_synvi), "--checkpoints", str(two_checkpoints)]
    log, held = Log(), []
    with start(tmp_path, flags, {"OMP_NUM_THREADS": "1", "MUN_TRAIN": "on"}) as server:
        asyncio.run(warm(server, choices))
        for answers in (1200, 500, 500):
            asyncio.run(hurry(server, choices, answers, 4, log))
            held.append(server.memory().app)
        files = server.files()
    print(log.table(), [f"{size / 1e6:.1f} MB" for size in held], files)
    assert log.problems == []
    assert held[2] - held[0] <= MARGIN
    count, size = files
    assert count <= MOST_FILES
    assert size <= MOST_FILE_BYTES


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("attacked", [False, True])
def test_fifty_visitors_while_a_run_trains(tmp_path: Path, attacked: bool) -> None:
    data, folder = ROOT / "assets" / "synvi", ROOT / "checkpoints"
    library = open_library(data, folder)
    choices = Choices(library, 60, library.checkpoints.usable[:2])
    flags = ["--data", str(data), "--checkpoints", str(folder)]
    attacks: list[tuple[Counter[tuple[str, int]], list[str]]] = []
    with start(tmp_path, flags, {"MUN_TRAIN": "on"}) as running:
        asyncio.run(warm(running, choices))

        async def beside(seconds: float) -> None:
            attacks.append(await attack(running.url, seconds))

        REFUSALS.set(MOST_REFUSED)
        crowd = Crowd(visitors=50, seconds=300, think=15, minutes=15)
        measured = asyncio.run(visit(running, choices, crowd, beside if attacked else None))
    print(attacks, f"load {os.getloadavg()}")
    assert [problems for _, problems in attacks] == [[]] * attacked
    print(measured.summary())
    assert measured.log.problems == []
    assert measured.trained > 0
    retrievals = measured.log.row(RETRIEVALS, "retrievals")
    print(retrievals)
    assert retrievals.p95 <= LIMIT
    assert max(one.family for one in measured.memory) <= MOST_MEMORY
    assert measured.files[-1][0] <= MOST_FILES
    assert measured.files[-1][1] <= MOST_FILE_BYTES
