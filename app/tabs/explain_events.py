"""What the Explain tab's events do, each from a visit and what came from the browser to an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr

from app.actions.checks import known, text, whole_number
from app.actions.explain import checks as explain_checks
from app.actions.explain import explain
from app.actions.explain.request import AGAINST, CHANGES, LAYERS, MAX_SEED, METHODS
from app.actions.explain.scale import SCALES
from app.errors import plain_errors
from app.library import Library
from app.tabs.explain_runs import STOPPED, Runs
from app.views import explain as pages
from app.views.explain import ExplainVisit
from mun.structures import Sample

__all__ = ["ANY", "CONTROLS", "SAME", "Answer", "ExplainHandlers"]

CONTROLS = (
    "checkpoint",
    "person",
    "camera",
    "against",
    "center",
    "method",
    "layers",
    "scale",
    "change",
    "seed",
)
ANY, SAME = "any", "the same person"
SLOW_NOTICE = "Score-CAM runs the network once per channel, so it is made for one layer at a time: stage 4 here."


@dataclass(frozen=True)
class Answer:
    """What an event changes on the page; `None` leaves a piece as it is.

    Attributes:
        visit: The visit from now on.
        images: HTML of the images to choose from.
        targets: HTML of the targets to choose from.
        row: HTML of the maps.
        truth: HTML of the truth.
        checks: HTML of the checks.
        chosen: Key of the image that other tabs may open.
        polling: Whether to ask again soon.
        controls: What the controls show, by name.
    """

    visit: ExplainVisit
    images: str | None = None
    targets: str | None = None
    row: str | None = None
    truth: str | None = None
    checks: str | None = None
    chosen: str | None = None
    polling: bool | None = None
    controls: Mapping[str, Any] = field(default_factory=dict)

    def outputs(self) -> list[Any]:
        """List the values of the components that the tab names."""
        pieces = (self.images, self.targets, self.row, self.truth, self.checks, self.chosen)
        timer = gr.skip() if self.polling is None else gr.Timer(active=self.polling)
        controls = [gr.update(value=self.controls[name]) if name in self.controls else gr.skip() for name in CONTROLS]
        return [self.visit, *(gr.skip() if piece is None else piece for piece in pieces), timer, *controls]


@dataclass(frozen=True)
class ExplainHandlers:
    """What the tab's events do."""

    library: Library
    runs: Runs = field(default_factory=Runs)

    def open(self, values: Mapping[str, object]) -> Answer:
        """Show the view of an address, or the first one, with a sentence where the address makes no sense."""
        visit = ExplainVisit(turn=1)
        if values.get("tab") == pages.TAB:
            try:
                visit = pages.read_link(self.library, values)
            except ValueError as error:
                words = f"This link cannot be opened as it is: {error}. The page shows its first view instead."
                visit = replace(visit, notice=words)
        return self.draw(visit)

    def change(self, visit: ExplainVisit, *values: object) -> Answer:
        """Answer a changed control."""
        with plain_errors():
            visit = self.changed(visit, dict(zip(CONTROLS, values, strict=True)))
        return self.draw(visit)

    def changed(self, visit: ExplainVisit, values: Mapping[str, object]) -> ExplainVisit:
        """Put the controls' values into a visit.

        Raises:
            ValueError: A value is not one that the page offers.
        """
        was, data = visit.request, visit.request.data or self.library.default_data
        samples = self.library.collections[data].samples
        scale = known("colour scale", values["scale"], SCALES)
        camid = numbered("camera", values["camera"], ANY, {sample.camid for sample in samples})
        pid = numbered("person", values["person"], "", {sample.pid for sample in samples})
        other = numbered("center", values["center"], SAME, {sample.pid for sample in samples})
        fields: dict[str, Any] = {
            "checkpoint": known("checkpoint", values["checkpoint"], self.library.usable),
            "against": known("against", values["against"], AGAINST),
            "method": known("method", values["method"], METHODS),
            "layers": known("layers", values["layers"], LAYERS),
            "change": known("change", values["change"], CHANGES),
            "seed": whole_number("seed", values["seed"], 0, MAX_SEED),
        }
        image = self.image_for(was.image, samples, pid, camid)
        target = "" if image != was.image or fields["against"] != was.against else was.target
        if fields["against"] == "center":
            target = str(other) if other else ""
        elif fields["checkpoint"] != was.checkpoint:
            target = ""
        notice = ""
        if fields["method"] == "score-cam" and fields["layers"] in LAYERS[:3]:
            fields["layers"], notice = "layer4", SLOW_NOTICE
        moved = visit.next(image=image, target=target, **fields)
        return replace(moved, scale=scale, camid=camid, notice=notice)

    def image_for(self, key: str, samples: tuple[Sample, ...], pid: int, camid: int) -> str:
        """Keep the image where it is of the person and camera, else choose the first one that is."""
        fits = [one.key for one in samples if pid in (0, one.pid) and camid in (0, one.camid)]
        if key in fits or not pid:
            return key
        others = [one.key for one in samples if one.pid == pid]
        return (fits or ([key] if key in others else others))[0]

    def pick(self, visit: ExplainVisit, key: object) -> Answer:
        """Look at another image, of anybody; the target is chosen anew."""
        with plain_errors():
            word = text("image", key).partition("#")[0]
            if word not in self.library.collections[visit.request.data or self.library.default_data].rows:
                raise ValueError("expected one of the images of the data, got another one; choose one from the list")
        return self.draw(replace(visit.next(image=word, target=""), focus="", camid=0))

    def aim(self, visit: ExplainVisit, key: object) -> Answer:
        """Compare to another image."""
        with plain_errors():
            target = text("target", key)
        return self.draw(visit.next(against="image", target=target))

    def act(self, visit: ExplainVisit, name: object, action: object) -> Answer:
        """Answer a click in the row: on a map, which is checked from now on, or on a button of a message."""
        with plain_errors():
            if action is not None:
                return self.embed(visit, known("action", text("action", action) or "nothing", ("stop", "start")))
            visit = replace(visit.next(), focus=text("map", name))
        drawn = self.draw(visit)
        return Answer(drawn.visit, row=drawn.row, checks="")

    def embed(self, visit: ExplainVisit, action: str) -> Answer:
        """Stop the embedding of the images, or start it again."""
        request = visit.request.checked(self.library)
        if action == "stop":
            self.library.stop(request.checkpoint, request.data)
        else:
            self.library.prepare(request.checkpoint, request.data, retry=True)
        return self.draw(visit.next())

    def poll(self, visit: ExplainVisit) -> Answer:
        """Look whether the images are embedded by now."""
        return self.draw(visit.next())

    def draw(self, visit: ExplainVisit) -> Answer:
        """Draw everything, or say what is missing."""
        try:
            request = visit.request.checked(self.library)
            visit = replace(visit, request=replace(visit.request, checkpoint=request.checkpoint, data=request.data))
            preparation = self.library.prepare(request.checkpoint, request.data)
            if not preparation.ready:
                going = not (preparation.problem or preparation.stopped)
                return Answer(visit, row=pages.waiting_html(preparation, visit), truth="", checks="", polling=going)
            result = explain.run(self.library, request)
            visit = replace(visit, request=result.request)
            return Answer(
                visit,
                pages.images_html(self.library, visit, result),
                pages.targets_html(self.library, visit, result),
                pages.row_html(self.library, visit, result),
                pages.truth_html(visit, result),
                "",
                result.image.image,
                False,
                self.controls(visit, result),
            )
        except ValueError as error:
            words = pages.message_html(str(error), visit)
            return Answer(visit, row=words, truth="", checks="", polling=False)

    def controls(self, visit: ExplainVisit, result: explain.Result) -> dict[str, Any]:
        """Say what every control shows."""
        request = visit.request
        own = request.against != "center" or request.target == str(result.image.pid)
        return {
            "checkpoint": request.checkpoint,
            "person": str(result.image.pid),
            "camera": str(visit.camid) if visit.camid else ANY,
            "against": request.against,
            "center": SAME if own else request.target,
            "method": request.method,
            "layers": request.layers,
            "scale": visit.scale,
            "change": request.change,
            "seed": request.seed,
        }

    def randomise(self, visit: ExplainVisit, session: str = "") -> Iterator[str]:
        """Make the network random step by step, once that was asked for."""
        return self.checked(visit, session, "randomise", explain_checks.randomise, pages.cascade_html)

    def delete(self, visit: ExplainVisit, session: str = "") -> Iterator[str]:
        """Delete and insert pixels step by step, once that was asked for."""
        return self.checked(visit, session, "delete", explain_checks.delete_and_insert, pages.curves_html)

    def stop(self, session: str) -> str | None:
        """End a visitor's check after the step in hand; of one that is still waiting, return what is shown at once."""
        return STOPPED if self.runs.end(session, STOPPED) else None

    def checked(
        self,
        visit: ExplainVisit,
        session: str,
        name: str,
        check: Callable[..., Iterator[Any]],
        show: Callable[..., str],
    ) -> Iterator[str]:
        """Show a check after each of its steps, until it is stopped or the view is another one."""
        run = self.runs.begin(session, name)
        if not run:
            yield self.runs.ended(session, run) or ""
            return
        try:
            if not visit.turn:
                raise ValueError("expected a map to check, but nothing was drawn yet")
            for checked, made in check(self.library, visit.request, visit.focus):
                if (words := self.runs.ended(session, run)) is not None:
                    yield words
                    return
                yield show(checked, made, visit.turn)
        except ValueError as error:
            yield pages.message_html(str(error), visit)


def numbered(name: str, value: object, none: str, numbers: set[int]) -> int:
    """Read a menu of numbers; 0 for the entry that stands for none, or nothing at all.

    Raises:
        ValueError: It is not one of them.
    """
    if value is None:
        return 0
    word = known(name, value, [none or "nobody", *map(str, sorted(numbers))]) if value != none else none
    return int(word) if word.isdigit() else 0
