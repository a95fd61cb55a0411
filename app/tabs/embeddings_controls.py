"""The controls of the Embeddings tab: how they are laid out, and how their values become a visit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from app.actions.checks import known, switch
from app.actions.embeddings.project import Request
from app.actions.embeddings.request import MAX_IMAGES
from app.library import Library
from app.views.embeddings_visit import COLOURINGS, EmbeddingVisit

__all__ = ["NAMES", "NONE", "build_options", "build_settings", "chosen", "values_of"]

NONE = "none"
MOST_PEOPLE = 100  # that the slider offers; an address or a call may ask for more
METHODS = [("t-SNE", "tsne"), ("UMAP", "umap"), ("PCA", "pca")]
SPACES = [("embeddings (after BN)", "embedding"), ("features (before BN)", "features")]
METRICS = [("cosine", "cosine"), ("Euclidean", "euclidean")]
PAIRINGS = [("one person", "matched"), ("two people (control)", "mismatched")]
# The order in which the page sends them.
REQUESTED = (
    "checkpoint",
    "data",
    "method",
    "space",
    "identities",
    "images",
    "people",
    "auxiliary",
    "pairing",
    "untrained",
    "perplexity",
    "neighbors",
    "min_dist",
    "metric",
    "seed",
)
NAMES = (*REQUESTED, "compare", "colour", "lines", "prototypes")


def build_settings(library: Library, visit: EmbeddingVisit) -> dict[str, Any]:
    """Lay out what is shown, above the pictures.

    Args:
        library: What all visitors share.
        visit: Whose values they show.
    """
    made: dict[str, Any] = {}
    request = visit.request
    people = min(MOST_PEOPLE, max(entry.num_identities for entry in library.collections.values()))
    names, data = library.usable, [(entry.title, name) for name, entry in library.collections.items()]
    with gr.Row(elem_classes="mun-settings"):
        made["checkpoint"] = gr.Dropdown(names, value=request.checkpoint, label="Checkpoint", scale=3, min_width=190)
        made["compare"] = gr.Dropdown(
            [NONE, *names], value=visit.compare or NONE, label="Beside it", scale=3, min_width=190
        )
        several = len(data) > 1
        made["data"] = gr.Dropdown(data, value=request.data, label="Data", visible=several, scale=2, min_width=120)
        made["method"] = gr.Dropdown(METHODS, value=request.method, label="Method", scale=2, min_width=110)
        made["space"] = gr.Dropdown(SPACES, value=request.space, label="Space", scale=3, min_width=200)
        made["identities"] = gr.Slider(1, people, request.identities, step=1, label="People", scale=2, min_width=150)
        colours = [(label, name) for name, label in COLOURINGS.items()]
        made["colour"] = gr.Dropdown(colours, value=visit.colour, label="Colour by", scale=2, min_width=130)
    return made


def build_options(visit: EmbeddingVisit) -> dict[str, Any]:
    """Lay out what few change, beside the pictures.

    Args:
        visit: Whose values they show.
    """
    made: dict[str, Any] = {}
    request = visit.request
    with gr.Group():
        made["lines"] = gr.Checkbox(visit.lines, label="Centers: visible → auxiliary → infrared")
        made["prototypes"] = gr.Checkbox(visit.prototypes, label="Modality prototypes")
        made["auxiliary"] = gr.Checkbox(request.auxiliary, label="Auxiliary points")
        made["untrained"] = gr.Checkbox(request.untrained, label="… of an untrained generator (control)")
        made["pairing"] = gr.Dropdown(PAIRINGS, value=request.pairing, label="… of pairs that show")
    with gr.Accordion("Parameters", open=False):
        made["perplexity"] = gr.Slider(2, 100, request.perplexity, step=1, label="Perplexity (t-SNE)")
        made["neighbors"] = gr.Slider(2, 100, request.neighbors, step=1, label="Neighbors (UMAP)")
        made["min_dist"] = gr.Slider(0, 0.99, request.min_dist, step=0.01, label="Minimal distance (UMAP)")
        made["metric"] = gr.Dropdown(METRICS, value=request.metric, label="Metric")
        made["seed"] = gr.Number(request.seed, label="Seed", precision=0, minimum=0)
        made["images"] = gr.Slider(1, MAX_IMAGES, request.images, step=1, label="Images per person and modality")
        made["people"] = gr.Textbox(
            request.people, label="People by number (empty: the first)", placeholder="3, 7, 12", max_length=200
        )
    return made


def chosen(library: Library, visit: EmbeddingVisit, values: Sequence[object]) -> EmbeddingVisit:
    """Put the controls' values into a visit.

    Args:
        library: What all visitors share.
        visit: What was chosen before.
        values: Of every control, in the order of `NAMES`.

    Raises:
        ValueError: A value is out of bounds or names nothing, or a checkpoint cannot show what is asked.
    """
    named: Mapping[str, Any] = dict(zip(NAMES, values, strict=True))
    request = Request(**{name: named[name] for name in REQUESTED})
    compare = known("checkpoint beside it", named["compare"], [NONE, *library.usable])
    changed = replace(
        visit.next_turn(),
        request=request,
        compare="" if compare in (NONE, request.checkpoint) else compare,
        colour=known("colouring", named["colour"], COLOURINGS),
        lines=switch("lines", named["lines"]),
        prototypes=switch("prototypes", named["prototypes"]),
    )
    changed.checked(library)
    return changed


def values_of(visit: EmbeddingVisit) -> list[Any]:
    """Return what the controls show of a visit, in the order of `NAMES`."""
    requested = [getattr(visit.request, name) for name in REQUESTED]
    return [*requested, visit.compare or NONE, visit.colour, visit.lines, visit.prototypes]
