"""The controls of the Retrieval tab: how they are laid out, and what a visitor's answer changes in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.actions.retrieval.compare import MAX_OTHERS
from app.menus import Menu

__all__ = ["NAMES", "Controls", "build_browser", "build_settings", "updates"]

SETTINGS = (
    *("checkpoint", "compare", "data", "direction", "protocol", "top_k", "shots", "trial", "rerank", "left_out"),
    *("corruption", "severity"),
)
FILTERS = ("order", "pid", "camid")
NAMES = (*SETTINGS, *FILTERS)  # the order in which the page sends them


@dataclass(frozen=True)
class Controls:
    """The components that visitors choose with, by name."""

    components: Mapping[str, Any]

    def inputs(self) -> list[Any]:
        """List the components in the order of `NAMES`."""
        return [self.components[name] for name in NAMES]

    def __getitem__(self, name: str) -> Any:
        return self.components[name]


def dropdown(menu: Menu, label: str, **options: Any) -> gr.Dropdown:
    """Make a menu."""
    return gr.Dropdown([*menu.choices], value=menu.value, label=label, **options)


def build_settings(menus: Mapping[str, Menu]) -> dict[str, Any]:
    """Lay out who ranks, and what is ranked; what few change is folded away."""
    made: dict[str, Any] = {}
    with gr.Row(elem_classes="mun-settings"):
        made["checkpoint"] = dropdown(menus["checkpoint"], "Checkpoint", scale=3, min_width=230)
        made["compare"] = dropdown(
            menus["compare"],
            "Compare with (up to three)",
            multiselect=True,
            max_choices=MAX_OTHERS,
            scale=3,
            min_width=230,
        )
        several = len(menus["data"].choices) > 1
        made["data"] = dropdown(menus["data"], "Data", visible=several, scale=2, min_width=130)
        made["direction"] = dropdown(menus["direction"], "Direction", scale=3, min_width=260)
        made["protocol"] = dropdown(menus["protocol"], "Protocol", scale=2, min_width=150)
        made["top_k"] = gr.Slider(1, 100, menus["top_k"].value, step=1, label="Top k", scale=2, min_width=160)
    with gr.Row(elem_classes="mun-settings mun-retrieval-corruption"):
        made["corruption"] = dropdown(
            menus["corruption"], "Corrupt the visible images", elem_id="corruption", scale=2, min_width=230
        )
        made["severity"] = gr.Radio(
            [*menus["severity"].choices],
            value=str(menus["severity"].value),
            label="Severity (mixed draws its own)",
            elem_id="severity",
            scale=3,
            min_width=230,
        )
    with gr.Accordion("Gallery, re-ranking, images left out", open=False), gr.Row(elem_classes="mun-settings"):
        made["shots"] = dropdown(menus["shots"], "Gallery images per person and camera", min_width=190)
        made["trial"] = gr.Slider(0, 9, menus["trial"].value, step=1, label="Gallery (trial)", min_width=170)
        made["rerank"] = gr.Checkbox(
            bool(menus["rerank"].value), label="Re-rank by k-reciprocal neighbours", min_width=190
        )
        made["left_out"] = gr.Checkbox(
            bool(menus["left_out"].value), label="Show images left out by the protocol", min_width=190
        )
    return made


def build_browser(menus: Mapping[str, Menu]) -> dict[str, Any]:
    """Lay out the order and the filters of the query browser."""
    made: dict[str, Any] = {}
    with gr.Row(elem_classes="mun-filters"):
        made["order"] = dropdown(menus["order"], "Order", min_width=260)
        made["pid"] = dropdown(menus["pid"], "Person", min_width=100)
        made["camid"] = dropdown(menus["camid"], "Camera", min_width=100)
    return made


def updates(shown: Mapping[str, Menu], wanted: Mapping[str, Menu]) -> list[Any]:
    """Say what changes in each control, in the order of `NAMES`; what shows the right thing is left alone.

    Args:
        shown: What the controls show now.
        wanted: What they are to show; what is not named is left alone too.
    """
    return [update(shown[name], wanted[name]) if name in wanted else gr.skip() for name in NAMES]


def update(shown: Menu, wanted: Menu) -> Any:
    """Say what changes in one control."""
    if shown == wanted:
        return gr.skip()
    if shown.choices == wanted.choices:
        return gr.update(value=wanted.value)
    return gr.update(value=wanted.value, choices=list(wanted.choices))


def named(values: Sequence[object]) -> dict[str, object]:
    """Name the controls' values, which come in the order of `NAMES`."""
    return dict(zip(NAMES, values, strict=True))
