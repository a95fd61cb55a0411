"""What the Retrieval tab's events do, each from a visit and what came from the browser to an answer."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr

from app.actions.checks import known, text, whole_number
from app.errors import plain_errors
from app.library import Library
from app.library.collection import Direction
from app.menus import Menu, choose, menus
from app.tabs.events import sent
from app.tabs.retrieval_controls import named, updates
from app.views import retrieval as views
from app.visit import Visit

__all__ = ["Answer", "Handlers"]

ACTIONS = ("back", "forward", "stop", "start")


@dataclass(frozen=True)
class Answer:
    """What an event changes on the page; `None` leaves a piece as it is.

    Attributes:
        visit: The visit from now on.
        shown: What the controls show when the answer arrives.
        wanted: What they are to show.
        header: HTML of the header.
        strip: HTML of the query browser.
        results: HTML of the ranking.
        polling: Whether to ask again soon.
    """

    visit: Visit
    shown: dict[str, Menu] = field(default_factory=dict)
    wanted: dict[str, Menu] = field(default_factory=dict)
    header: str | None = None
    strip: str | None = None
    results: str | None = None
    polling: bool | None = None

    def outputs(self) -> list[Any]:
        """List the values of the components that `build_retrieval` names."""
        pieces = [gr.skip() if piece is None else piece for piece in (self.header, self.strip, self.results)]
        timer = gr.skip() if self.polling is None else gr.Timer(active=self.polling)
        return [self.visit, *pieces, timer, self.visit.query, *updates(self.shown, self.wanted)]


@dataclass(frozen=True)
class Handlers:
    """What the tab's events do: from a visit and what came from the browser to an answer."""

    library: Library

    def open(self, values: Mapping[str, object]) -> Answer:
        """Answer the opening of the page, by the values of its address."""
        first = views.first_visit(self.library)
        return self._draw(replace(views.open_link(self.library, values), turn=1), menus(self.library, first))

    def change(self, visit: Visit, *values: object) -> Answer:
        """Answer a changed control.

        Raises:
            gr.Error: A value is not one that the page offers.
        """
        chosen, shown = self._chosen(visit, values)
        return self._draw(chosen, shown, fresh=chosen.order != visit.order)

    def surprise(self, visit: Visit, *values: object) -> Answer:
        """Pick a query at random among those that the filters let through."""
        chosen, shown = self._chosen(visit, values)
        chosen = self._settled(chosen)
        if items := views.offered(self.library, chosen).items:
            chosen = chosen.go(random.SystemRandom().choice(items).sample.key)
        return self._draw(chosen, shown)

    def select(self, visit: Visit, event: gr.EventData) -> Answer:
        """Answer a click in the query browser: on a thumbnail, or on the pager."""
        visit = visit.next_turn()
        if (page := sent(event, "page")) is not None:
            with _plainly():
                visit = replace(visit, page=whole_number("page", page, 0, 1_000_000))
                return Answer(visit, strip=views.show_queries(self.library, visit))
        with _plainly():
            query = text("query", sent(event, "query"))
        if query not in self._asked(visit):
            raise gr.Error("This image is not one of the queries; choose one from the list.", print_exception=False)
        visit = visit.go(query) if query != visit.query else visit
        results, waiting = views.show_results(self.library, visit)
        return Answer(visit, results=results, polling=waiting)

    def act(self, visit: Visit, event: gr.EventData) -> Answer:
        """Answer a click in the ranking: on an image, which becomes the next query, or on a button."""
        shown, visit = menus(self.library, visit), visit.next_turn()
        with _plainly():
            if (image := sent(event, "image")) is not None:
                return self._draw(self._follow(visit, text("image", image)), shown)
            action = known("action", text("action", sent(event, "action")) or "nothing", ACTIONS)
        if action == "stop":
            with _plainly():
                for checkpoint in visit.checkpoints:
                    self.library.stop(checkpoint, visit.data, visit.terms.corruption)
        if action in ("stop", "start"):
            return self._draw(visit, shown, retry=action == "start")
        visit = visit.back() if action == "back" else visit.forward()
        if visit.query not in self._asked(visit):  # its page may be filtered away, its data set may not
            raise gr.Error("There is no such query in these data any more.", print_exception=False)
        return self._draw(replace(visit, pid=None, camid=None), shown)

    def poll(self, visit: Visit) -> Answer:
        """Look whether the embeddings are there; the timer stops when they are, or when they cannot be had."""
        visit = replace(visit, turn=visit.turn + 1)
        results, waiting = views.show_results(self.library, visit)
        try:
            if waiting and not views.ready(self.library, visit):
                return Answer(visit, results=results, polling=True)
            return self._draw(visit, menus(self.library, visit))
        except (gr.Error, ValueError):  # the checkpoint is gone: the ranking says so, and goes on saying it
            return Answer(visit, results=views.show_results(self.library, visit)[0], polling=False)

    def offered(self, visit: Visit, offer: object) -> Answer:
        """Ask with an image that another tab hands over, the way round that its modality allows."""
        with _plainly():
            key = text("image", offer).partition("#")[0]
            if not key:
                return Answer(visit)
            shown, visit = menus(self.library, visit), self._hand(visit.next_turn(), key)
        return self._draw(visit, shown)

    def _hand(self, visit: Visit, key: str) -> Visit:
        """Look at an image, by the visit's protocol where that asks with it, else by the first that does."""
        collection = self.library.collections[visit.data]
        if key not in collection.rows:
            raise ValueError("expected an image of the data that are shown here, got another one")
        modality = collection.samples[collection.rows[key]].modality
        direction = next(way for way in Direction if way.query_modality is modality)
        names = dict.fromkeys((visit.protocol, *collection.protocols))
        protocol = next((name for name in names if key in collection.asked(name, direction).rows), None)
        if protocol is None:
            raise ValueError("expected an image that a protocol of these data asks with, got another one")
        words = f"This image came from another tab: it is the query now, by {protocol}."
        moved = visit.go(key, direction) if key != visit.query else visit
        return replace(moved, protocol=protocol, pid=None, camid=None, notice=words)

    def scores(self, visit: Visit) -> str:
        """Draw the scores of the whole set."""
        return views.show_scores(self.library, visit)

    def _follow(self, visit: Visit, image: str) -> Visit:
        """Ask with an image of the gallery: the other way round."""
        other = visit.direction.other
        asked = self.library.collections[visit.data].asked(visit.protocol, other)
        if image not in asked.rows:
            raise ValueError("expected one of the ranked images, got another one; click one of the list")
        words = (
            f"You clicked a {other.query_modality} image: it is the query now, and {other.gallery_modality} images are"
        )
        extra = "" if other.published else ". This way round is not a published protocol"
        visit = visit.go(image, other)
        return replace(visit, pid=None, camid=None, notice=f"{words} ranked for it{extra}.")

    def _asked(self, visit: Visit) -> Any:
        return self.library.collections[visit.data].asked(visit.protocol, visit.direction).rows

    def _chosen(self, visit: Visit, values: tuple[object, ...]) -> tuple[Visit, dict[str, Menu]]:
        """Put the controls' values into a visit, and say what the controls show now."""
        with _plainly():
            chosen = choose(self.library, visit.next_turn(), named(values))
        if chosen.data != visit.data:
            chosen = replace(chosen, query="", past=(), future=())
        offered = menus(self.library, visit)
        shown = {name: replace(offered[name], value=value) for name, value in named(values).items()}
        return chosen, shown

    def _settled(self, visit: Visit, *, fresh: bool = False) -> Visit:
        with _plainly():
            return views.settle(self.library, visit, fresh=fresh)

    def _draw(self, visit: Visit, shown: dict[str, Menu], *, fresh: bool = False, retry: bool = False) -> Answer:
        """Draw everything but the scores."""
        visit = self._settled(visit, fresh=fresh)
        results, waiting = views.show_results(self.library, visit, retry=retry)
        return Answer(
            visit,
            shown,
            menus(self.library, visit),
            views.show_header(self.library, visit),
            views.show_queries(self.library, visit),
            results,
            waiting,
        )


@contextmanager
def _plainly() -> Iterator[None]:
    """Show a value that is not valid as one plain sentence."""
    with plain_errors():
        yield
