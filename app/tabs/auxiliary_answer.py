"""What an event of the Auxiliary tab changes on the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from app.actions.auxiliary.bench import Bench
from app.actions.auxiliary.request import COLLECTION, OWN, RENDERED, Request
from app.library import Library
from app.library.eye import generator_names
from app.library.own_images import OwnImage
from app.views.auxiliary import AuxiliaryVisit

__all__ = ["CONTROLS", "Answer", "Held", "controls_for", "share_control"]

CONTROLS = ("checkpoint", "source", "person", "misalignment", "mixup", "share", "step")
GROUPS = (COLLECTION, RENDERED, OWN)  # what is shown of the controls, by where the pair comes from


@dataclass(frozen=True, eq=False, repr=False)  # Gradio hashes the text of a state, which would hold every picture
class Held:
    """The two images that one visitor has brought."""

    visible: OwnImage | None = None
    infrared: OwnImage | None = None


@dataclass(frozen=True)
class Answer:
    """What an event changes on the page; `None` leaves a piece as it is.

    Attributes:
        visit: The visit from now on.
        picker: HTML of the images to choose from.
        panel: HTML of the panel.
        compare: HTML of the comparison slider.
        bench: HTML of the generator taken apart.
        polling: Whether to ask again soon.
        chosen: Key of the image that other tabs may open.
        controls: New properties of controls, by name.
        regroup: Whether the controls that belong to the source of the pair are shown anew.
    """

    visit: AuxiliaryVisit
    picker: str | None = None
    panel: str | None = None
    compare: str | None = None
    bench: str | None = None
    polling: bool | None = None
    chosen: str | None = None
    controls: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    regroup: bool = False

    def outputs(self) -> list[Any]:
        """List the values of the components that the tab names."""
        pieces = [
            gr.skip() if piece is None else piece
            for piece in (self.picker, self.panel, self.compare, self.bench, self.chosen)
        ]
        timer = gr.skip() if self.polling is None else gr.Timer(active=self.polling)
        controls = [gr.update(**self.controls[name]) if name in self.controls else gr.skip() for name in CONTROLS]
        source = self.visit.request.source
        groups = [gr.update(visible=source == name) if self.regroup else gr.skip() for name in GROUPS]
        return [self.visit, *pieces, timer, *controls, *groups]


def share_control(taken: Bench) -> dict[str, Any]:
    """Say where the slider of the ratio stands, or that there is none."""
    if taken.share is None:
        return {"visible": False}
    return {"visible": True, "value": round(100 * taken.share)}


def controls_for(library: Library, request: Request, taken: Bench) -> dict[str, dict[str, Any]]:
    """Say what every control shows."""
    steps = len(taken.steps)
    choices = [(library.checkpoints[name].title, name) for name in generator_names(library)]  # training adds to them
    place = steps if taken.step is None else taken.steps.index(taken.step)
    return {
        "checkpoint": {"value": request.checkpoint, "choices": choices},
        "source": {"value": request.source},
        "person": {"value": str(request.person)} if request.person else {},
        "misalignment": {"value": request.misalignment},
        "mixup": {"value": request.mixup},
        "share": share_control(taken),
        "step": {"visible": bool(steps), "maximum": max(1, steps), "value": place},
    }
