"""Sessions keep nothing of the page, so that many sessions take no more memory."""

import contextvars
import gc
import os
import secrets
from pathlib import Path

import pytest
from serving import serve

from app.library import Library
from app.server import sessions
from app.server.sessions import ADDRESS, Answers
from app.start import MAX_SESSIONS

PRESSES = 2000
MARGIN = 10_000_000  # bytes


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is measured through /proc")
def test_two_thousand_presses_of_other_sessions_hold_memory_flat(library: Library, tmp_path: Path) -> None:
    """The first half fills all caches; the second half takes no more memory."""
    with serve(library, tmp_path / "gradio") as served:
        number = served.events()["about-head", "select"]

        def press(count: int) -> int:
            for _ in range(count):
                assert served.press(number, {"do": "open"}, secrets.token_hex(5)).event == "complete"
            gc.collect()
            return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        first, second = press(PRESSES // 2), press(PRESSES // 2)
        kept = served.sessions()
    print(f"{first / 1e6:.1f} MB, then {second / 1e6:.1f} MB, {len(kept)} sessions")
    assert second - first < MARGIN
    assert len(kept) <= MAX_SESSIONS
    assert not any(session.state_data or session.config_values for session in kept)


def test_nothing_is_kept_of_a_visit_that_another_could_push_out(library: Library, tmp_path: Path) -> None:
    with serve(library, tmp_path / "gradio") as served:
        kinds = {one["type"] for one in served.client.get(f"{served.url}config").json()["components"]}
        assert "state" not in kinds
        before = served.open("retrieval")
        served.app.state_holder.session_data.clear()
        assert served.open("retrieval") == before
        assert not list(served.temporary.rglob("*"))


def test_an_address_pushes_out_its_own_answers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "EACH", 3)
    pending: dict[str, set[str]] = {}
    answers = Answers(pending)

    def call(who: str, session: str) -> None:
        ADDRESS.set(who)
        answers.setdefault(session, session)
        answers[session] = session
        pending[session] = {session}

    contextvars.Context().run(call, "a", "waits")
    for number in range(50):
        contextvars.Context().run(call, "b", f"b{number}")
    pending["b49"].clear()  # it has been read
    contextvars.Context().run(call, "b", "b50")
    assert list(answers) == list(pending) == ["waits", "b47", "b48", "b50"]
    answers["b0"].put_nowait("for nobody")
    del answers["b0"]


def test_a_flood_of_calls_takes_nobodys_answer(library: Library, tmp_path: Path) -> None:
    with serve(library, tmp_path / "gradio") as served:
        url = f"{served.url}gradio_api/call"
        event = served.client.post(f"{url}/retrieve", json={"data": []}).json()["event_id"]
        for _ in range(2 * sessions.EACH):
            flood = served.client.post(f"{url}/nothing", json={"data": []}, headers={"x-forwarded-for": "192.0.2.1"})
            assert flood.status_code == 404
            served.client.post(f"{url}/status", json={"data": []}, headers={"x-forwarded-for": "192.0.2.1"})
        queue = served.app.get_blocks()._queue
        assert len(queue.pending_messages_per_session) == len(queue.pending_event_ids_session) == sessions.EACH + 1
        assert "event: complete" in served.client.get(f"{url}/retrieve/{event}").text
