"""Rank one query by two checkpoints and say what moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from app.actions import retrieve
from app.actions.checks import known
from app.library import Library

__all__ = ["Move", "Result", "moves", "run"]


@dataclass(frozen=True)
class Move:
    """Where an image stands by the first checkpoint and by the second; `None` where it is not ranked."""

    before: int | None
    after: int | None

    @property
    def step(self) -> int:
        """Places that the image has come nearer; negative where it has fallen back."""
        return 0 if self.before is None or self.after is None else self.before - self.after


@dataclass(frozen=True)
class Result:
    """Two rankings of one query.

    Attributes:
        before: By the first checkpoint.
        after: By the second.
        moves: Of every image that either of them shows, by its key.
    """

    before: retrieve.Result
    after: retrieve.Result
    moves: Mapping[str, Move]

    @property
    def shared(self) -> int:
        """How many images both show."""
        return len(_shown(self.before) & _shown(self.after))

    @property
    def gained(self) -> tuple[str, ...]:
        """Matches that only the second shows, in its order."""
        return _matches(self.after, _shown(self.before))

    @property
    def lost(self) -> tuple[str, ...]:
        """Matches that only the first shows, in its order."""
        return _matches(self.before, _shown(self.after))


def _shown(result: retrieve.Result) -> set[str]:
    return {ranked.image for ranked in result.results}


def _matches(result: retrieve.Result, without: set[str]) -> tuple[str, ...]:
    return tuple(ranked.image for ranked in result.results if ranked.match and ranked.image not in without)


def moves(before: Mapping[str, int], after: Mapping[str, int], images: set[str]) -> dict[str, Move]:
    """Pair the ranks of some images.

    Args:
        before: Rank of every image by the first checkpoint.
        after: Rank of every image by the second.
        images: Which ones are of interest.
    """
    return {image: Move(before.get(image), after.get(image)) for image in sorted(images)}


def run(library: Library, request: retrieve.Request, other: object) -> Result:
    """Rank a query by the request's checkpoint and by another, both over their whole gallery.

    Args:
        library: What all visitors share.
        request: What is asked of the first.
        other: Name of the second.

    Raises:
        ValueError: The request is not valid, the second is not a usable checkpoint, or the data cannot be embedded.
    """
    first = request.checked(library)
    second = replace(first, checkpoint=known("checkpoint to compare with", other, library.usable))
    rankings = [retrieve.rank(library, asked) for asked in (first, second)]
    before, after = (
        retrieve.describe(asked, ranking) for asked, ranking in zip((first, second), rankings, strict=True)
    )
    ranks = [ranking.ranks() for ranking in rankings]
    return Result(before, after, moves(ranks[0], ranks[1], _shown(before) | _shown(after)))
