"""What the Training tab's events do, each from a view and what came from the browser to an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from app.actions.checks import text
from app.actions.training import status as train_status
from app.actions.training import train
from app.actions.training.panels import MOST_RUNS
from app.cards import sentence
from app.errors import plain_errors
from app.jobs.watching import read_frames
from app.library import Library
from app.tabs.events import sent
from app.tabs.training_form import request_of
from app.tabs.training_tokens import MOST_TOKENS
from app.views import training as views

__all__ = ["Answer", "TrainHandlers", "View"]


@dataclass(frozen=True)
class View:
    """What one page looks at.

    Attributes:
        run: The run that is watched; empty for none.
        compared: Runs laid over one another.
        state: Of the run, when the page was last told.
        frames: Of the run, likewise.
        known: Checkpoints that the page's menus offer, those too that are gone.
        sure: Whether the visitor has pressed "Delete" once.
        turn: Grows with every answer, so that the browser draws each anew.
    """

    run: str = ""
    compared: tuple[str, ...] = ()
    state: str = ""
    frames: int = -1
    known: tuple[str, ...] = ()
    sure: bool = False
    turn: int = 0


@dataclass(frozen=True)
class Answer:
    """What an event changes on the page; `None` leaves a piece as it is.

    Attributes:
        view: From now on.
        run: HTML of the run.
        film: HTML of the auxiliary image.
        curves: HTML of the run's charts.
        runs: HTML of the list.
        overlay: HTML of the runs over one another.
        polling: Whether to ask again soon.
        status: Of the run, for the buttons.
        mine: Whether the visitor holds the run's token.
        tokens: What changes among those that the browser keeps: a run's token, or `None` where the run is gone.
        menus: Whether the menus of checkpoints are to be brought up to date.
    """

    view: View
    run: str | None = None
    film: str | None = None
    curves: str | None = None
    runs: str | None = None
    overlay: str | None = None
    polling: bool | None = None
    status: train_status.Status | None = None
    mine: bool = False
    tokens: dict[str, str | None] | None = None
    menus: bool = False

    def outputs(self) -> list[Any]:
        """List the values of the components that `build_training` names, but for the menus."""
        pieces = (self.run, self.film, self.curves, self.runs, self.overlay)
        html = [gr.skip() if piece is None else piece for piece in pieces]
        timer = gr.skip() if self.polling is None else gr.Timer(active=self.polling)
        tokens = gr.skip() if self.tokens is None else self.tokens
        return [self.view, *html, timer, tokens, gr.update(visible=bool(self.view.run)), *self.buttons()]

    def buttons(self) -> list[Any]:
        """Say which of stop, resume, delete and download can be pressed."""
        if self.status is None:
            return [gr.skip()] * 4
        over, mine = self.status.over, self.mine
        able = (
            mine and not over and not self.status.stopping,
            mine and self.status.resumable,
            mine and over,
            mine and self.status.state == "finished",
        )
        stop, resume, delete, download = (gr.update(interactive=each) for each in able)
        delete = gr.update(interactive=able[2], value="Really delete?" if self.view.sure else "Delete")
        return [stop, resume, delete, download]


@dataclass(frozen=True)
class TrainHandlers:
    """What the tab's events do."""

    library: Library

    def open(self, values: Mapping[str, object], tokens: object) -> Answer:
        """Answer the opening of the page: the run of its address, or the visitor's newest."""
        view, kept = View(turn=1), self.cleaned(tokens)
        if values.get("tab") == "train" and values.get("run"):
            try:
                return self.draw(
                    replace(view, run=train_status.status(self.library, values["run"]).run), kept, menus=True
                )
            except ValueError as error:
                return replace(self.draw(view, kept, menus=True), run=views.message_html(sentence(error), view.turn))
        run = next((run.run for run in reversed(self.library.jobs.records()) if run.run in kept), "")
        return self.draw(replace(view, run=run), kept, menus=True)

    def start(self, view: View, tokens: object, *values: object) -> Answer:
        """Start a run, and watch it."""

        def act() -> Answer:
            started = train.start(self.library, request_of(values))
            new = {started.run: started.token}
            answer = self.draw(replace(view, run=started.run, frames=-1), {**self.cleaned(tokens), **new})
            return replace(answer, tokens={**new})

        return self.plainly(act)

    def poll(self, view: View, tokens: object) -> Answer:
        """Look how the run is; what has not changed is not sent again."""
        view = replace(view, turn=view.turn + 1)
        try:
            status = train_status.status(self.library, view.run)
        except ValueError as error:  # its owner has deleted it elsewhere
            return replace(self.gone(view, tokens), run=views.message_html(sentence(error), view.turn))
        return self.draw(view, self.cleaned(tokens), status=status)

    def stop(self, view: View, tokens: object) -> Answer:
        """Stop the run."""
        return self.as_owner(view, tokens, train.stop)

    def resume(self, view: View, tokens: object) -> Answer:
        """Let the run go on."""
        return self.as_owner(view, tokens, train.resume)

    def delete(self, view: View, tokens: object) -> Answer:
        """Delete the run at the second press."""
        if not view.sure:
            return self.draw(replace(view, sure=True, turn=view.turn + 1), self.cleaned(tokens))

        def act() -> Answer:
            kept = self.cleaned(tokens)
            train.delete(self.library, view.run, kept.get(view.run, ""))
            said = views.message_html("The run and its model are deleted.", view.turn, error=False)
            return replace(self.gone(view, kept), run=said, tokens={view.run: None})

        return self.plainly(act)

    def archive(self, view: View, tokens: object) -> tuple[str, bytes]:
        """Pack the run's model for its owner.

        Raises:
            ValueError: There is no such run, it is not finished, or not the visitor's.
        """
        return train.archive(self.library, view.run, self.cleaned(tokens).get(view.run, ""))

    def select(self, view: View, tokens: object, event: gr.EventData) -> Answer:
        """Answer a click in the list: watch a run, or lay it over others."""

        def act() -> Answer:
            kept = self.cleaned(tokens)
            if run := sent(event, "run"):
                status = train_status.status(self.library, run)
                fresh = View(status.run, view.compared, known=view.known, turn=view.turn + 1)
                return self.draw(fresh, kept, status=status)
            name = train_status.status(self.library, text("run", sent(event, "compare"))).run
            compared = tuple(other for other in view.compared if other != name)
            if len(compared) == len(view.compared):
                if len(compared) >= MOST_RUNS:
                    raise ValueError(f"at most {MOST_RUNS} runs are laid over one another: take one away first")
                compared = (*compared, name)
            return self.draw(replace(view, compared=compared, state="", turn=view.turn + 1), kept)

        return self.plainly(act)

    def as_owner(self, view: View, tokens: object, do: Callable[..., train_status.Status]) -> Answer:
        """Do something with the run that only its owner may."""

        def act() -> Answer:
            kept = self.cleaned(tokens)
            status = do(self.library, view.run, kept.get(view.run, ""))
            return self.draw(replace(view, state="", turn=view.turn + 1, sure=False), kept, status=status)

        return self.plainly(act)

    def gone(self, view: View, tokens: object) -> Answer:
        """Show the page without the run it was about."""
        compared = tuple(run for run in view.compared if run != view.run)
        fresh = View("", compared, known=view.known, turn=view.turn + 1)
        return replace(self.draw(fresh, self.cleaned(tokens)), film="", curves="", polling=False)

    def draw(
        self, view: View, tokens: dict[str, str], *, status: train_status.Status | None = None, menus: bool = False
    ) -> Answer:
        """Draw what a view shows; the list and the film only where they have changed."""
        answer = Answer(view)
        if view.run:
            status = status or train_status.status(self.library, view.run)
            answer = self.draw_run(view, status, view.run in tokens)
        known = tuple(dict.fromkeys((*view.known, *self.library.usable)))
        menus = menus or known != view.known
        view = replace(answer.view, known=known)
        if not view.run or view.state != (status.state if status else ""):
            compared = self.compared(view)
            view = replace(view, compared=tuple(run.run for run in compared), state=status.state if status else "")
            listed = train_status.overview(self.library)
            answer = replace(
                answer,
                runs=views.runs_html(listed, view.run, view.compared, tokens, view.turn),
                overlay=views.overlay_html(compared, view.turn),
            )
        return replace(answer, view=view, menus=menus)

    def draw_run(self, view: View, status: train_status.Status, mine: bool) -> Answer:
        """Draw the watched run."""
        count = len(read_frames(self.library.jobs.root / status.run))
        film = None
        if count != view.frames or status.state != view.state:
            film = views.film_html(views.film_of(self.library, status.run), status, view.turn)
        run = views.run_html(status, view.turn, mine=mine)
        view = replace(view, frames=count)
        curves = views.curves_html(status, view.turn)
        return Answer(view, run, film, curves, polling=not status.over, status=status, mine=mine)

    def compared(self, view: View) -> list[train_status.Status]:
        """Look up the runs that are laid over one another; deleted ones are forgotten."""
        found = []
        for run in view.compared:
            with suppress(ValueError):
                found.append(train_status.status(self.library, run))
        return found

    def cleaned(self, tokens: object) -> dict[str, str]:
        """Keep of what the browser has stored what can be tokens."""
        if not isinstance(tokens, Mapping):
            return {}
        pairs = ((run, token) for run, token in tokens.items() if isinstance(run, str) and isinstance(token, str))
        return {run: token for run, token in list(pairs)[-MOST_TOKENS:] if len(run) < 100 and len(token) < 100}

    def plainly(self, act: Callable[[], Answer]) -> Answer:
        """Show a refusal as one plain sentence."""
        with plain_errors(sentence):
            return act()
