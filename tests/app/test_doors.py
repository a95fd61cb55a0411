"""What an image that goes from tab to tab meets there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from app import build_demo
from app.library import Library
from app.tabs.auxiliary_answer import Held
from app.views.auxiliary import AuxiliaryVisit
from app.views.embeddings_visit import opening
from app.views.explain import ExplainVisit


@pytest.fixture(scope="module")
def demo(library: Library) -> gr.Blocks:
    return build_demo(library)


def on_select(demo: gr.Blocks, name: str) -> Any:
    """Return what the page does when a tab is turned to."""
    (tab,) = (block for block in demo.blocks.values() if isinstance(block, gr.Tab) and block.id == name)
    (found,) = (one.fn for one in demo.fns.values() if one.fn and (tab._id, "select") in one.targets)
    return found


@pytest.mark.parametrize("name", ["explain", "auxiliary", "embeddings"])
def test_an_image_that_is_handed_over_is_drawn_and_not_the_first_view(
    demo: gr.Blocks, library: Library, name: str
) -> None:
    """Turning to the tab and the offer arrive together: the first view must neither be drawn nor kept over it."""
    visits = {"embeddings": [opening(library)], "auxiliary": [AuxiliaryVisit(), Held()], "explain": [ExplainVisit()]}
    rest = [] if name == "embeddings" else [SimpleNamespace(query_params={})]
    selected = on_select(demo, name)
    assert selected(*visits[name], "cam3/0013/0001.jpg#1", *rest) == gr.skip()
    first = selected(*visits[name], "", *rest)
    assert first[0].turn == 1
    assert selected(first[0], *visits[name][1:], "", *rest) == gr.skip()
