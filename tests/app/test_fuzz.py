"""Malformed calls to every public function and every event of the page get clean errors; later answers are right."""

import base64
import random

import pytest
from fuzz import NAMES, addresses, bodies, fuzz_event, fuzz_name, is_clean, right_answer
from hostile_images import broken_images, greedy_images, image_bomb
from serving import Served

CALLS, SOAK_CALLS = 100, 1000
EVENT_CALLS = 12  # of each event of the page


def test_every_public_name_is_fuzzed(served: Served) -> None:
    public = served.client.get(f"{served.url}gradio_api/info").json()["named_endpoints"]
    assert {name.removeprefix("/") for name in public} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_malformed_calls_get_clean_errors(served: Served, name: str) -> None:
    fuzz_name(served, name, CALLS)


def test_every_broken_image_gets_a_sentence(served: Served) -> None:
    expected = right_answer(served, "retrieve_image")
    for kind, data in {**broken_images(), "bomb": image_bomb(), **greedy_images()}.items():
        outcome = served.call("retrieve_image", ["", "", base64.b64encode(data).decode(), "infrared", 10, "", 0])
        assert outcome.event == "error", kind
        assert not is_clean(outcome), kind
    assert right_answer(served, "retrieve_image") == expected


@pytest.mark.parametrize("name", NAMES)
def test_bodies_that_are_no_call_are_refused_without_a_log(served: Served, name: str, caplog) -> None:
    expected = right_answer(served, name)
    for body in bodies(random.Random(1)):
        outcome = served.post(name, body)
        assert not is_clean(outcome), body[:50]
        assert outcome.event in ("refused", "error") or name == "status", body[:50]
    assert not caplog.records
    assert right_answer(served, name) == expected


def test_no_address_but_its_own_runs_a_function(served: Served) -> None:
    """The call is invalid even at its own address: its function waits in the queue, and it names no session."""
    config = served.client.get(f"{served.url}config").json()["dependencies"]
    number = next(entry["id"] for entry in config if entry["api_name"] == "retrieve")
    for address in addresses(random.Random(2), 600):
        answer = served.client.post(served.url + address, json={"fn_index": number, "data": []})
        assert answer.status_code in (400, 404), address
        assert "Traceback" not in answer.text, address


@pytest.mark.timeout(900)
def test_malformed_presses_are_clean(served: Served, caplog, capfd) -> None:
    """Every tab gives an answer or one sentence, and writes nothing to the log."""
    expected = {name: right_answer(served, name) for name in NAMES}
    events = served.events()
    tabs = {piece.partition("-")[0] for piece, _ in events}
    assert tabs >= {"retrieval", "embeddings", "auxiliary", "explain", "train"}
    for piece, kind in events:
        fuzz_event(served, piece, kind, EVENT_CALLS)
    assert "Traceback" not in capfd.readouterr().err
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]
    assert {name: right_answer(served, name) for name in NAMES} == expected


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
def test_a_thousand_malformed_calls(served: Served, name: str) -> None:
    fuzz_name(served, name, SOAK_CALLS, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_thousand_malformed_presses(served: Served) -> None:
    for piece, kind in served.events():
        fuzz_event(served, piece, kind, SOAK_CALLS // 4, seed=1)
