"""What the Embeddings tab's events do, each from a visit and what came from the browser to an answer."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import gradio as gr

from app.actions.checks import known, switch, text, whole_number
from app.actions.embeddings import project
from app.actions.embeddings.jobs import Jobs, Status
from app.actions.embeddings.made import generated
from app.actions.embeddings.points import neighbors, points
from app.actions.embeddings.project import Request, Result
from app.actions.embeddings.request import select
from app.library import Library
from app.projector import shared_projector
from app.tabs.embeddings_answer import Answer, plainly
from app.tabs.embeddings_controls import chosen
from app.tabs.events import sent
from app.views import embeddings as embedding_views
from app.views import embeddings_numbers as embedding_numbers
from app.views.embeddings_plot import figure_json
from app.views.embeddings_visit import MAX_SELECTED, TAB, EmbeddingVisit, opening, read

__all__ = ["EmbeddingHandlers"]


@dataclass(frozen=True)
class EmbeddingHandlers:
    """What the tab's events do: from a visit and what came from the browser to an answer."""

    library: Library
    jobs: Jobs = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "jobs", Jobs(self.library))

    def open(self, visit: EmbeddingVisit, offer: object = "") -> Answer | None:
        """Answer the opening of the tab; `None` where it is drawn, or drawn just now for what another tab offers."""
        shared_projector().warm_up()
        return None if visit.turn or offer else self.draw(visit.next_turn())

    def load(self, visit: EmbeddingVisit, values: Mapping[str, object]) -> Answer | None:
        """Answer the opening of the page: draw the view of an address; `None` where that is not one of this tab."""
        if values.get("tab") != TAB:
            return None
        shared_projector().warm_up()
        try:
            visit = read(self.library, values)
        except ValueError as error:
            words = f"This link cannot be opened as it is: {error}. The page shows its first view instead."
            visit = replace(opening(self.library), notice=words)
        return replace(self.draw(replace(visit, turn=1)), controls=True)

    def change(self, visit: EmbeddingVisit, *values: object) -> Answer:
        """Answer a changed control."""
        try:
            changed = chosen(self.library, visit, values)
        except ValueError as error:
            return self.refused(visit, error)
        return self.draw(self.settled(visit, changed))

    def settled(self, visit: EmbeddingVisit, changed: EmbeddingVisit) -> EmbeddingVisit:
        """Forget what was chosen among other points."""
        if changed.requests == visit.requests:
            return changed
        return replace(changed, chosen=None, selected=(0, ()))

    def refused(self, visit: EmbeddingVisit, error: ValueError) -> Answer:
        """Say why something cannot be shown; the pictures stay, and what was under way is left."""
        self.leave(visit.joined)
        visit = replace(visit.next_turn(), joined=())
        return Answer(visit, status=embedding_views.error_html(str(error), visit), polling=False)

    def draw(self, visit: EmbeddingVisit) -> Answer:
        """Draw everything, or say how far it is."""
        try:
            requests = visit.checked(self.library)
            statuses = [self.jobs.join(request) for request in requests]
        except ValueError as error:
            return self.refused(visit, error)
        self.leave(visit.joined)
        waiting = [request for request, status in zip(requests, statuses, strict=True) if status.words]
        return self.shown(replace(visit, joined=tuple(waiting)), requests, statuses)

    def poll(self, visit: EmbeddingVisit) -> Answer:
        """Look how far the pictures are."""
        if not visit.joined:
            return Answer(visit, polling=False)
        visit = replace(visit, turn=visit.turn + 1)
        try:
            requests = visit.checked(self.library)
        except ValueError as error:
            return self.refused(visit, error)
        return self.shown(visit, requests, [self.jobs.look(request) for request in requests])

    def act(self, visit: EmbeddingVisit, event: gr.EventData) -> Answer:
        """Answer a button above the pictures: stop, or start again."""
        with plainly():
            action = known("action", text("action", sent(event, "action")) or "nothing", ["stop", "start"])
        if action == "start":
            return self.draw(visit.next_turn())
        self.leave(visit.joined)
        visit = replace(visit.next_turn(), joined=())
        return Answer(visit, status=embedding_views.working_html([Status(stopped=True)], visit), polling=False)

    def leave(self, requests: Sequence[Request]) -> None:
        """No longer wait for some pictures."""
        for request in requests:
            self.jobs.leave(request)

    def shown(self, visit: EmbeddingVisit, requests: Sequence[Request], statuses: Sequence[Status]) -> Answer:
        """Draw the pictures when all are there; until then say how far they are, or why they cannot be made."""
        if problem := next((status.problem for status in statuses if status.problem), ""):
            return self.refused(visit, ValueError(problem))
        results = [status.result for status in statuses if status.result is not None]
        if len(results) < len(statuses):
            stopped = any(status.stopped for status in statuses)
            visit = replace(visit, joined=()) if stopped else visit
            return Answer(visit, status=embedding_views.working_html(statuses, visit), polling=not stopped)
        seen = self.sought(replace(visit, joined=(), wanted=""), visit.wanted, results[0])
        visit = seen.visit
        self.warm(requests)
        beside = len(results) > 1
        try:
            numbers = embedding_numbers.numbers_html(self.library, results, visit)
        except ValueError as error:
            numbers = embedding_views.error_html(str(error), visit)
        heads = [embedding_views.head_html(result, visit.turn) for result in results]
        words = [embedding_views.words_html(result, visit.turn) for result in results]
        figures = [figure_json(result, visit) for result in results]
        return Answer(
            visit,
            embedding_views.status_html(results, visit),
            (heads[0], heads[1] if beside else ""),
            (figures[0], figures[1] if beside else None),
            (words[0], words[1] if beside else ""),
            beside,
            embedding_views.data_html(self.library, results, visit.turn),
            "" if visit.chosen is None else seen.panel,
            "" if not visit.selected[1] else None,
            numbers,
            seen.key,
            polling=False,
        )

    def sought(self, visit: EmbeddingVisit, key: str, result: Result) -> Answer:
        """Choose the point of an image that another tab has handed over, where there is one."""
        row = next((row for row, point in enumerate(result.points) if key and point.image == key), None)
        if row is None:
            return Answer(visit)
        try:
            return self.looked_at(replace(visit, chosen=(0, row)), result)
        except ValueError:  # the picture was made beforehand, and its points cannot be made now
            return Answer(visit)

    def warm(self, requests: Sequence[Request]) -> None:
        """Make the points of pictures that were made beforehand, so that a click need not wait for them."""

        def work() -> None:
            for request in requests:
                with suppress(ValueError):
                    points(self.library, request)

        threading.Thread(target=work, name="warm points", daemon=True).start()

    def picked(self, visit: EmbeddingVisit, event: gr.EventData) -> Answer:
        """Answer a click on a point, or a lasso round some."""
        with plainly():
            requests = visit.checked(self.library)
            side = whole_number("side", sent(event, "side"), 0, len(requests) - 1)
            result = project.run(self.library, requests[side])
            if (rows := sent(event, "points")) is not None:
                return self.lassoed(visit, side, result, rows)
            row = whole_number("point", sent(event, "point"), 0, len(result.points) - 1)
            return self.looked_at(replace(visit.next_turn(), chosen=(side, row)), result)

    def lassoed(self, visit: EmbeddingVisit, side: int, result: Result, rows: object) -> Answer:
        """Show the points inside a lasso."""
        if not isinstance(rows, list) or not 0 < len(rows) <= MAX_SELECTED:
            raise ValueError(f"expected 1 to {MAX_SELECTED} selected points, got something else")
        numbers = sorted({whole_number("point", row, 0, len(result.points) - 1) for row in rows})
        visit = replace(visit.next_turn(), selected=(side, tuple(numbers)))
        html = embedding_views.selection_html(self.library, result, numbers, visit.turn)
        return Answer(visit, selection=html)

    def looked_at(self, visit: EmbeddingVisit, result: Result) -> Answer:
        """Show the chosen point."""
        side, row = visit.chosen or (0, 0)
        near = neighbors(self.library, result.request, row)
        made = generated(self.library, result.request, row)
        html = embedding_views.chosen_html(self.library, result, side, row, near, made, visit.turn)
        return Answer(visit, panel=html, key=result.points[row].image)

    def offered(self, visit: EmbeddingVisit, offer: object) -> Answer:
        """Show an image that another tab hands over; its person joins the picture where they are not in it."""
        with plainly():
            key = text("image", offer).rpartition("#")[0]
            if not key:
                return Answer(visit)
            collection = self.library.collections[visit.request.data]
            if key not in collection.rows:
                raise ValueError("expected an image of the data that are shown here")
            visit = self.with_image(visit.next_turn(), key)
        return replace(self.draw(replace(visit, wanted=key)), controls=True)

    def with_image(self, visit: EmbeddingVisit, key: str) -> EmbeddingVisit:
        """Ask for enough people and images that an image is among those shown."""
        collection = self.library.collections[visit.request.data]
        sample, request = collection.samples[collection.rows[key]], visit.request
        shown = select(collection, request)
        if any(one.key == key for one in shown):
            return visit
        pids = list(dict.fromkeys(one.pid for one in shown))
        if sample.pid not in pids:
            people = ", ".join(map(str, [sample.pid, *pids[: max(1, len(pids) - 1)]]))
            request = replace(request, people=people)
        if not any(one.key == key for one in select(collection, request)):
            request = replace(request, images=50)
        return replace(visit, request=request, chosen=None, selected=(0, ()))

    def compared(self, visit: EmbeddingVisit, controls: object) -> Answer:
        """Put the numbers of the controls beside the others, or take them away."""
        with plainly():
            visit = replace(visit.next_turn(), controls=switch("controls", controls))
            results = [project.run(self.library, request) for request in visit.checked(self.library)]
            return Answer(visit, numbers=embedding_numbers.numbers_html(self.library, results, visit))
