"""Take the scores of the whole set home: their CMC curves as a figure. Bytes only; nothing is written to the disk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.actions.checks import known
from app.actions.provenance import DIRECTIONS, LOCAL, checkpoint_words, describe_data, shots_words
from app.actions.retrieval import evaluate
from app.actions.retrieval.export import safe_stem
from app.library import Library
from app.library.checkpoints import budget_note
from app.library.collection import Direction

__all__ = ["KINDS", "caption", "cmc_figure", "file_stem"]

KINDS = ("png", "pdf", "svg")
LONG = 60  # letters of a legend's entry that fit into one column


def cmc_figure(library: Library, scores: Sequence[evaluate.Result], kind: str, link: str = "") -> bytes:
    """Draw the CMC curves of one checkpoint or more, all on the same terms.

    Args:
        library: That made them.
        scores: One per checkpoint, 1 to 6.
        kind: One of `KINDS`.
        link: Of the view that shows them, as `?checkpoint=…`.

    Raises:
        ValueError: Another kind, or not 1 to 6 checkpoints.
    """
    from app.figures.cmc import CmcCurve, draw_cmc  # here: Matplotlib takes a second to load
    from app.figures.style import figure_bytes

    kind = known("kind", kind, KINDS)
    curves = [
        CmcCurve(
            one.checkpoint,
            np.array([one.mean["rank1"], *one.cmc[1:]]),  # rounded as the page does
            one.mean["mean_ap"],
            *((one.sd["rank1"], one.sd["mean_ap"]) if one.trials > 1 else ()),
        )
        for one in scores
    ]
    width = "two-column" if any(len(curve.label) > LONG for curve in curves) else "one-column"
    return figure_bytes(draw_cmc(curves, caption(library, scores, link), width=width), kind)


def caption(library: Library, scores: Sequence[evaluate.Result], link: str = "") -> str:
    """Write the sentences below the curves."""
    one = scores[0]
    way = DIRECTIONS[Direction(one.direction)]
    galleries = f"mean ± sd over {one.trials} galleries" if one.trials > 1 else f"gallery {one.trial} alone"
    distance = ", k-reciprocal re-ranked" if one.rerank else ""
    names = "; ".join(checkpoint_words(library, each.checkpoint) for each in scores)
    return " ".join(
        words
        for words in (
            f"CMC of {one.num_valid} queries against {one.gallery_size} gallery images, {way}:"
            f" {one.protocol}, {shots_words(one.shots)}{distance}, {galleries}.",
            f"Checkpoints: {names}." if len(scores) > 1 else f"Checkpoint: {names}.",
            budget_note(library.checkpoints[each.checkpoint] for each in scores) if len(scores) > 1 else "",
            f"Data: {describe_data(library, one.data)}.",
            one.note,
            "SynVI is synthetic: no evidence about real streets." if one.data == "synvi" else "",
            f"Shown, where the app runs, at {LOCAL}/{link}" if link else "",
        )
        if words
    )


def file_stem(scores: Sequence[evaluate.Result]) -> str:
    """Name the files: protocol and checkpoint in letters that every system allows."""
    who = scores[0].checkpoint if len(scores) == 1 else f"{len(scores)}-checkpoints"
    return safe_stem(f"cmc-{scores[0].protocol}-{who}")
