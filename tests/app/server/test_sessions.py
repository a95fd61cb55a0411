"""What is kept of a visit: its states, nothing of the page, and no longer than the page says."""

from __future__ import annotations

import gradio as gr
from gradio.state_holder import StateHolder
from serving import no_training

from app import build_demo
from app.library import Library
from app.server.limits import KEEP_SECONDS
from app.server.sessions import LightSession, keep_sessions_light


def test_states_are_kept_apart_and_the_page_is_not_copied(monkeypatch) -> None:
    monkeypatch.setattr("gradio.state_holder.SessionState", gr.state_holder.SessionState)  # undone after the test
    keep_sessions_light()
    with gr.Blocks() as demo:
        state, shown = gr.State({"turn": 0}), gr.HTML("first")
    holder = StateHolder()
    holder.set_blocks(demo)
    first, second = holder["first"], holder["second"]
    assert isinstance(first, LightSession)
    assert first[state._id] == {"turn": 0}
    first[state._id] = {"turn": 1}
    first[shown._id] = gr.HTML("second", visible=False)
    first._update_config(shown._id)
    first._update_value_in_config(shown._id, "third")
    assert first[state._id] == {"turn": 1}
    assert first[shown._id].visible is False
    assert second[state._id] == {"turn": 0}
    assert second[shown._id].visible is True
    assert first.config_values == second.config_values == {}
    assert demo.blocks[shown._id].visible is True
    assert [value for _, value, _ in first.state_components] == [{"turn": 1}]


def test_a_temporary_file_lies_an_hour_at_most(library: Library) -> None:
    frequency, age = build_demo(library, no_training()).delete_cache
    assert frequency + age <= KEEP_SECONDS == 3600
