"""What the Auxiliary tab's events do, each from a visit and what came from the browser to an answer."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from app.actions.auxiliary.auxiliary import Panel, panel
from app.actions.auxiliary.bench import FINAL, LEARNED, Bench, bench, kept_steps
from app.actions.auxiliary.request import COLLECTION, MAX_SEED, OWN, RENDERED, SOURCES, Request, fraction, pair_of
from app.actions.checks import known, shown, text, whole_number
from app.cards import sentence
from app.errors import plain_errors
from app.library import Library
from app.library.eye import Eye, generator_names
from app.library.own_images import look_at
from app.library.pairs import ImagePair
from app.server.uploads import Allowance, take_uploads
from app.tabs.auxiliary_answer import Answer, Held, controls_for, share_control
from app.views import auxiliary as pages
from app.views.auxiliary import AuxiliaryVisit
from mun.structures import Modality

__all__ = ["MAX_HELD_BYTES", "AuxiliaryHandlers"]

MAX_HELD_BYTES = 64_000_000  # of all visitors' images in memory
MAX_DIGITS = 9
SNAP = 0.005  # a slider this near to the learned ratio means the learned ratio


@dataclass(frozen=True)
class AuxiliaryHandlers:
    """What the tab's events do."""

    library: Library
    allowance: Allowance = field(default_factory=lambda: Allowance(MAX_HELD_BYTES))

    def open(self, values: Mapping[str, object], held: Held) -> Answer:
        """Show the view of an address, or the first one with a sentence where the address makes no sense."""
        visit = AuxiliaryVisit(turn=1)
        if values.get("tab") == pages.TAB:
            try:
                request = pages.read_link(values).checked(self.library)
                eye = Eye(self.library, request.checkpoint, request.data, pair_of(self.library, request))
                bench(self.library, eye, request.share, request.step, wait=False)
                visit = AuxiliaryVisit(request, 1)
            except ValueError as error:
                words = f"This link cannot be opened as it is: {error}. The page shows its first view instead."
                visit = AuxiliaryVisit(turn=1, notice=words)
        return self.draw(visit, held)

    def change(self, visit: AuxiliaryVisit, held: Held, checkpoint: object, source: object, person: object) -> Answer:
        """Answer a change of what the pair is or who looks at it."""
        with plain_errors():
            chosen = known("checkpoint", checkpoint, generator_names(self.library))
            where = known("source", source, SOURCES)
            pid = person_number(person)
        was = visit.request
        again = {} if chosen == was.checkpoint else {"share": LEARNED, "step": FINAL}
        keys = {} if pid == was.person else {"visible": "", "infrared": ""}
        answer = self.draw(visit.next(checkpoint=chosen, source=where, person=pid, **again, **keys), held)
        # What was clicked shows it already; a radio that is told again while it is used may lose its mark.
        kept = {name: value for name, value in answer.controls.items() if name not in ("checkpoint", "source")}
        return replace(answer, controls=kept)

    def surprise(self, visit: AuxiliaryVisit, held: Held) -> Answer:
        """Show somebody else."""
        collection = self.library.collections[visit.request.data or self.library.default_data]
        seen: dict[int, set[Modality]] = {}
        for sample in collection.samples:
            seen.setdefault(sample.pid, set()).add(sample.modality)
        both = sorted(pid for pid, modalities in seen.items() if len(modalities) == 2)
        others = [pid for pid in both or sorted(seen) if pid != visit.request.person]
        pid = random.SystemRandom().choice(others or both or sorted(seen))
        source = visit.request.source if visit.request.source == RENDERED else COLLECTION
        return self.draw(visit.next(person=pid, visible="", infrared="", source=source), held)

    def pick(self, visit: AuxiliaryVisit, held: Held, key: object) -> Answer:
        """Put another image of the person, or of anybody whom another tab hands over, into the pair."""
        request = visit.request
        with plain_errors():
            data = known("data", request.data, self.library.collections)
            collection, word = self.library.collections[data], text("image", key).partition("#")[0]
            if word not in collection.rows:
                raise ValueError("expected one of the images of the data, got another one; choose one from the list")
        sample = collection.samples[collection.rows[word]]
        same = sample.pid == request.person and request.source == COLLECTION
        keys = {"visible": request.visible, "infrared": request.infrared} if same else {"visible": "", "infrared": ""}
        keys[str(sample.modality)] = word
        return self.draw(visit.next(source=COLLECTION, person=sample.pid, **keys), held)

    def take(self, visit: AuxiliaryVisit, held: Held, payload: object, modality: Modality) -> tuple[Held, None, Answer]:
        """Read an uploaded image of one modality; the file is deleted, and the drop zone is empty again."""
        problem = ""
        for name, data in take_uploads(payload):
            try:
                image = look_at(self.library, data, name, f"the {modality} image")
                self.allowance.claim(image, image.num_bytes)
                held = replace(held, **{str(modality): image})
            except ValueError as error:
                held, problem = replace(held, **{str(modality): None}), sentence(error)
        visit = visit.next(source=OWN)
        if problem:
            return held, None, self.problem(visit, problem)
        return held, None, self.draw(visit, held)

    def forget(self, visit: AuxiliaryVisit) -> tuple[Held, Answer]:
        """Drop the visitor's own images."""
        return Held(), self.draw(visit.next(source=COLLECTION), Held())

    def mix(self, visit: AuxiliaryVisit, held: Held, mixup: object) -> Answer:
        """Answer Mixup's slider: the panel alone is drawn anew."""
        return self.redraw(visit, held, "mixup", mixup, panels=True)

    def misalign(self, visit: AuxiliaryVisit, held: Held, misalignment: object) -> Answer:
        """Answer the slider of a rendered pair."""
        with plain_errors():
            request = replace(visit.request, misalignment=fraction("misalignment", misalignment), source=RENDERED)
        return replace(self.draw(AuxiliaryVisit(request, visit.turn + 1), held), controls={}, regroup=False)

    def other_draw(self, visit: AuxiliaryVisit, held: Held) -> Answer:
        """Draw another rectangle for CutMix and another channel."""
        return self.redraw(visit, held, "seed", (visit.request.seed + 1) % MAX_SEED, panels=True)

    def turn(self, visit: AuxiliaryVisit, held: Held, percent: object) -> Answer:
        """Answer the slider of the ratio: the bench alone is drawn anew."""
        value = percent / 100 if isinstance(percent, int | float) and not isinstance(percent, bool) else percent
        return self.redraw(visit, held, "share", value)

    def learned(self, visit: AuxiliaryVisit, held: Held) -> Answer:
        """Go back to the ratio that was learned."""
        return self.redraw(visit, held, "share", LEARNED)

    def replay(self, visit: AuxiliaryVisit, held: Held, place: object) -> Answer:
        """Answer the slider over training; its last place is the generator as it was kept."""
        steps, _ = kept_steps(self.library, visit.request.checkpoint)
        with plain_errors():
            at = whole_number("place in training", place, 0, len(steps))
        return self.redraw(visit, held, "step", steps[at] if at < len(steps) else FINAL)

    def poll(self, visit: AuxiliaryVisit, held: Held) -> Answer:
        """Look whether the ranks can be had by now."""
        answer = self.draw(AuxiliaryVisit(visit.request, visit.turn + 1), held)
        return replace(answer, controls={}, compare=None, regroup=False)

    def redraw(self, visit: AuxiliaryVisit, held: Held, name: str, value: object, *, panels: bool = False) -> Answer:
        """Draw one part of the page with one value changed."""
        try:
            visit = AuxiliaryVisit(replace(visit.request, **{name: value}).checked(self.library), visit.turn + 1)  # type: ignore[arg-type]
            made, taken = self.made(visit.request, held, panels=panels)
        except ValueError as error:
            return self.problem(visit, sentence(error))
        if made is not None:
            return Answer(visit, panel=pages.panel_html(self.library, made, visit), polling=made.preparing)
        assert taken is not None  # one of the two was made
        return self.benched(visit, taken, move=(value == LEARNED and name == "share") or name == "step")

    def benched(self, visit: AuxiliaryVisit, taken: Bench, *, move: bool) -> Answer:
        """Draw the bench; a ratio next to the learned one is the learned one."""
        request = visit.request
        if taken.learned is not None and abs(request.share - taken.learned) <= SNAP:
            visit = AuxiliaryVisit(replace(request, share=LEARNED), visit.turn)
        controls = {"share": share_control(taken)} if move else {}
        return Answer(visit, bench=pages.bench_html(taken, visit), controls=controls)

    def made(self, request: Request, held: Held, *, panels: bool) -> tuple[Panel | None, Bench | None]:
        """Make the panel, or the bench."""
        pair = self.pair(request, held)
        if panels:
            return panel(self.library, request, pair, wait=False), None
        eye = Eye(self.library, request.checkpoint, request.data, pair)
        return None, bench(self.library, eye, request.share, request.step, wait=False)

    def pair(self, request: Request, held: Held) -> ImagePair:
        """Return the two images that a checked request is about."""
        return pair_of(self.library, request, (held.visible, held.infrared))

    def draw(self, visit: AuxiliaryVisit, held: Held) -> Answer:
        """Draw everything."""
        try:
            request = visit.request.checked(self.library)
            pair = self.pair(request, held)
            request = named(request, pair)
            visit = replace(visit, request=request)
            shown = panel(self.library, request, pair, wait=False)
            eye = Eye(self.library, request.checkpoint, request.data, pair)
            taken = bench(self.library, eye, request.share, request.step, wait=False)
            picker = pages.picker_html(self.library, visit, request.person) if request.source == COLLECTION else ""
        except ValueError as error:
            return self.problem(visit, sentence(error))
        return Answer(
            visit,
            picker,
            pages.panel_html(self.library, shown, visit),
            pages.compare_html(shown, visit.turn),
            pages.bench_html(taken, visit),
            shown.preparing,
            pair.sources[0].key if pair.sources else "",
            controls_for(self.library, request, taken),
            regroup=True,
        )

    def problem(self, visit: AuxiliaryVisit, words: str) -> Answer:
        """Say in place of everything what is wrong; the controls show what was asked for."""
        source = visit.request.source
        controls = {"source": {"value": source}} if source in SOURCES else {}
        return Answer(visit, "", pages.message_html(words, visit), "", "", False, "", controls, regroup=True)


def person_number(value: object) -> int:
    """Read what the menu of persons sends; 0 where nobody was chosen.

    Raises:
        ValueError: It is no number.
    """
    word = text("person", value or "0")
    if not (word.isascii() and word.isdigit() and len(word) <= MAX_DIGITS):
        raise ValueError(f"expected person to be a number, got {shown(word)}")
    return int(word)


def named(request: Request, pair: ImagePair) -> Request:
    """Put the pair that was chosen into the request, so that its link names it."""
    if request.source == COLLECTION:
        visible, infrared = pair.sources
        return replace(request, visible=visible.key, infrared=infrared.key, person=visible.pid)
    if request.source == RENDERED and pair.pid is not None:
        return replace(request, person=pair.pid)
    return request
