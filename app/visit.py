"""What one visitor has chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.library.collection import SEVERITY, Direction, Terms, corruption_of

__all__ = ["Step", "Visit"]

MAX_STEPS = 50


@dataclass(frozen=True)
class Step:
    """A query that was looked at, and what it was asked of."""

    query: str
    direction: Direction
    protocol: str


@dataclass(frozen=True)
class Visit:
    """One visitor's choices: names and numbers only; everything heavy is in the library.

    Attributes:
        checkpoint: Name of the checkpoint.
        data: Name of the data set.
        protocol: Name of the protocol.
        query: Key of the query image, as `cam3/0007/0001.jpg`; empty until one is chosen for who has not chosen.
        trial: Number of the gallery, from 0.
        top_k: How many ranked images to show.
        direction: Who asks whom.
        shots: Gallery images per identity and camera.
        rerank: Whether distances are re-ranked.
        left_out: Whether the images that the protocol leaves out are shown too.
        compare: Names of up to three other checkpoints, each once and none of them `checkpoint`.
        order: Order of the query browser, as `app.actions.retrieval.browse.Order`.
        pid: Only queries of this identity are offered; `None` offers all.
        camid: Only queries of this camera are offered; `None` offers all.
        page: Page of the query browser, from 0.
        past: Queries looked at before, the last one last.
        future: Queries that going back has left, the next one first.
        notice: A sentence to say once, above the ranking.
        turn: Grows with every answer, so that no two pieces of the page are alike and the browser draws each anew.
        corruption: What is done to the visible images; empty for nothing.
        severity: How strongly, 1 … 5.
    """

    checkpoint: str
    data: str
    protocol: str
    query: str = ""
    trial: int = 0
    top_k: int = 10
    direction: Direction = Direction.INFRARED_TO_VISIBLE
    shots: int = 1
    rerank: bool = False
    left_out: bool = False
    compare: tuple[str, ...] = ()
    order: str = "person"
    pid: int | None = None
    camid: int | None = None
    page: int = 0
    past: tuple[Step, ...] = ()
    future: tuple[Step, ...] = ()
    notice: str = ""
    turn: int = 0
    corruption: str = ""
    severity: int = SEVERITY

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """Names of all checkpoints that rank, the first one first."""
        return (self.checkpoint, *self.compare)

    @property
    def terms(self) -> Terms:
        """The terms of the ranking."""
        corruption = corruption_of(self.corruption, self.severity)
        return Terms(self.protocol, self.trial, self.direction, self.shots, self.rerank, corruption)

    @property
    def step(self) -> Step:
        """Where the visit stands."""
        return Step(self.query, self.direction, self.protocol)

    def next_turn(self) -> Visit:
        """Begin the next answer: what was to be said once has been said."""
        return replace(self, turn=self.turn + 1, notice="")

    def go(self, query: str, direction: Direction | None = None) -> Visit:
        """Look at another query; the way back leads here."""
        past = (*self.past, self.step)[-MAX_STEPS:] if self.query else self.past
        return replace(self, query=query, direction=direction or self.direction, past=past, future=())

    def back(self) -> Visit:
        """Return to the query before; stay where there is none."""
        if not self.past:
            return self
        return replace(self._at(self.past[-1]), past=self.past[:-1], future=(self.step, *self.future))

    def forward(self) -> Visit:
        """Undo `back`; stay where there is nothing to undo."""
        if not self.future:
            return self
        return replace(self._at(self.future[0]), past=(*self.past, self.step), future=self.future[1:])

    def _at(self, step: Step) -> Visit:
        return replace(self, query=step.query, direction=step.direction, protocol=step.protocol)
