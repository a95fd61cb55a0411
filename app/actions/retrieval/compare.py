"""Rank one query by two to four checkpoints and say what moved against the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.actions.checks import known, shown
from app.actions.retrieval import retrieve
from app.library import Library
from app.library.checkpoints import budget_note

__all__ = ["MAX_OTHERS", "Move", "Result", "Side", "known_others", "moves", "run"]

MAX_OTHERS = 3
WHAT = "checkpoint to compare with"


@dataclass(frozen=True)
class Move:
    """Where an image stands by the first checkpoint and by another; `None` where it is not ranked."""

    before: int | None
    after: int | None

    @property
    def step(self) -> int:
        """Places that the image has come nearer; negative where it has fallen back."""
        return 0 if self.before is None or self.after is None else self.before - self.after


@dataclass(frozen=True)
class Side:
    """A ranking by another checkpoint, against that by the first.

    Attributes:
        result: The ranking.
        moves: Of every image that either of the two shows, by its key.
        shared: How many images both show.
        gained: Matches that only this one shows, in its order.
        lost: Matches that only the first shows, in its order.
    """

    result: retrieve.Result
    moves: Mapping[str, Move]
    shared: int
    gained: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """Rankings of one query.

    Attributes:
        before: By the first checkpoint.
        sides: By the others, one to three.
        note: A sentence where the checkpoints have different budgets; else empty.
    """

    before: retrieve.Result
    sides: tuple[Side, ...]
    note: str = ""

    @property
    def results(self) -> tuple[retrieve.Result, ...]:
        """All rankings, that by the first checkpoint first."""
        return (self.before, *(side.result for side in self.sides))


def _shown(result: retrieve.Result) -> set[str]:
    return {ranked.image for ranked in result.results}


def _matches(result: retrieve.Result, without: set[str]) -> tuple[str, ...]:
    return tuple(ranked.image for ranked in result.results if ranked.match and ranked.image not in without)


def moves(before: Mapping[str, int], after: Mapping[str, int], images: set[str]) -> dict[str, Move]:
    """Pair the ranks of some images.

    Args:
        before: Rank of every image by the first checkpoint.
        after: Rank of every image by another.
        images: Which ones are of interest.
    """
    return {image: Move(before.get(image), after.get(image)) for image in sorted(images)}


def known_others(library: Library, checkpoint: str, others: object) -> tuple[str, ...]:
    """Return the checkpoints that a first one is compared with, each once and without the first.

    Args:
        library: What all visitors share.
        checkpoint: Name of the first.
        others: List of the names.

    Raises:
        ValueError: No list, a name that is none of a usable checkpoint, or more than three.
    """
    if not isinstance(others, list | tuple):
        raise ValueError(f"expected a list of checkpoints to compare with, got {shown(others)}")
    if len(others) > MAX_OTHERS + 1:  # one of them may be the first checkpoint
        raise ValueError(f"expected at most {MAX_OTHERS} checkpoints to compare with, got more")
    names = [known(WHAT, name, library.usable) for name in others]
    kept = tuple(name for name in dict.fromkeys(names) if name != checkpoint)
    if len(kept) > MAX_OTHERS:
        raise ValueError(f"expected at most {MAX_OTHERS} checkpoints to compare with, got {len(kept)}")
    return kept


def run(library: Library, request: retrieve.Request, others: Sequence[object]) -> Result:
    """Rank a query by the request's checkpoint and by others, all over their whole gallery.

    Args:
        library: What all visitors share.
        request: What is asked of the first.
        others: Names of the others, one to three.

    Raises:
        ValueError: The request is not valid, another is not a usable checkpoint, there are not one to three of them,
            or the data cannot be embedded.
    """
    first = request.checked(library)
    if not 1 <= len(others) <= MAX_OTHERS:
        raise ValueError(f"expected 1 to {MAX_OTHERS} checkpoints to compare with, got {len(others)}")
    names = [known(WHAT, other, library.usable) for other in others]
    ranking = retrieve.rank(library, first)
    before, ranks = retrieve.describe(first, ranking), ranking.ranks()
    sides = tuple(_side(library, before, ranks, replace(first, checkpoint=name)) for name in names)
    return Result(before, sides, budget_note(library.checkpoints[name] for name in (first.checkpoint, *names)))


def _side(library: Library, before: retrieve.Result, ranks: Mapping[str, int], request: retrieve.Request) -> Side:
    """Rank by another checkpoint and set it against the first."""
    ranking = retrieve.rank(library, request)
    after = retrieve.describe(request, ranking)
    mine, theirs = _shown(after), _shown(before)
    return Side(
        after,
        moves(ranks, ranking.ranks(), theirs | mine),
        len(theirs & mine),
        _matches(after, theirs),
        _matches(before, mine),
    )
