"""A model card as HTML: what a checkpoint is, what it scores, what it cannot show; without Gradio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from app.actions.about.about import Request, Result, Score, run
from app.cards import render, sentence
from app.library import Library

__all__ = ["TAB", "card_html", "write_link"]

TAB = "about"
SHOWN_HASH = 12  # hexadecimal digits
COLUMNS = (("rank-1", "rank1"), ("rank-10", "rank10"), ("mAP", "mean_ap"), ("mINP", "mean_inp"))
NO_NUMBER = "\N{EN DASH}"
PRODUCT = "\N{MULTIPLICATION SIGN}"
USES = (
    "Looking at how a network behaves that was trained with this auxiliary modality, or with none.",
    "Teaching and research on rendered people; a start for experiments of your own.",
    "Not for finding, following or identifying real people.",
)


def write_link(checkpoint: str) -> str:
    """Return the address of a checkpoint's card."""
    return "?" + urlencode({"tab": TAB, "checkpoint": checkpoint})


def card_html(library: Library, checkpoint: str, turn: int, *, opened: bool = False, notice: str = "") -> str:
    """Draw a model card, or say why there is none.

    Args:
        library: What all visitors share.
        checkpoint: Name.
        turn: Number of the answer.
        opened: Whether an address has asked for it, so that the browser goes there.
        notice: A sentence to say first.
    """
    try:
        card = run(library, Request(checkpoint))
    except ValueError as error:
        return render("about_broken.html", words=sentence(error), turn=turn, opened=opened)
    commands = dict.fromkeys([*card.commands, *(command for score in card.scores for command in score.commands)])
    return render(
        "about_card.html",
        card=card,
        turn=turn,
        opened=opened,
        notice=notice,
        link=write_link(card.checkpoint),
        say=f"Model card of {card.checkpoint}.",
        summary=summary_of(card),
        facts=facts_of(card),
        headings=("people", "queries", "galleries", *(heading for heading, _ in COLUMNS)),
        lines=[line_of(score) for score in card.scores],
        uses=USES,
        limits=limits_of(card),
        commands=list(commands),
        changed=sum(one.value != one.default for one in card.settings),
    )


def summary_of(card: Result) -> str:
    """Say in a sentence what a checkpoint is."""
    model, kind = card.config.model, card.config.model.auxiliary
    third = "without an auxiliary modality" if kind == "none" else f"with the auxiliary modality {kind}"
    trained = f"trained for {card.steps:,} steps" if card.steps else "with random weights, never trained,"
    return f"A {model.backbone.replace('resnet', 'ResNet-')} of width {model.width:g}, {trained} {third}."


def facts_of(card: Result) -> list[tuple[str, str]]:
    """List what a card knows, as label and words."""
    model, train = card.config.model, card.config.train
    own = {"own": "a stem of its own", "visible": "the visible stem"}[model.auxiliary_stem]
    third = "" if model.auxiliary == "none" else f"; the auxiliary image enters by {own}"
    batch = f"{train.ids_per_batch} people {PRODUCT} {train.instances_per_id} images of each modality per step"
    size = (
        "the file is gone"
        if card.file_bytes is None
        else f"{card.file_bytes / 1e6:.1f} MB, {card.parameters:,} numbers"
    )
    return [
        ("Trained on", data_words(card.data)),
        ("People", people_words(card.data)),
        ("Network", f"images of {model.height}{PRODUCT}{model.image_width} pixels{third}"),
        ("Budget", f"{card.steps:,} steps, {train.epochs} epochs asked for; {batch}"),
        ("Seed", f"{card.seed}, one run"),
        ("Weights", size),
        ("Chosen by", selection_words(card.selection)),
        ("Hash of card and weights", card.content[:SHOWN_HASH]),
        ("Made with", ", ".join(f"{name} {version}" for name, version in card.versions.items()) or "not said"),
    ]


def data_words(data: Mapping[str, Any]) -> str:
    """Say what a checkpoint was trained on."""
    name = data.get("name")
    if name != "synvi":
        return f"{name}" if isinstance(name, str) and name else "not said"
    words = ["SynVI (synthetic)"]
    if isinstance(data.get("level"), str):
        words.append(f"level {data['level']}")
    named = (("level_version", "version"), ("level_hash", "hash"), ("seed", "seed"))
    words += [f"{text} {data[key]}" for key, text in named if key in data]
    return ", ".join(words)


def people_words(data: Mapping[str, Any]) -> str:
    """Say how many people and images each split had."""
    splits, found = data.get("splits"), []
    for split, text in (("train", "to train on"), ("val", "to validate on")):
        counts = splits.get(split) if isinstance(splits, Mapping) else None
        people, images = (
            counts.get(name) if isinstance(counts, Mapping) else None for name in ("identities", "images")
        )
        if isinstance(people, int) and isinstance(images, int):
            found.append(f"{people:,} {text} ({images:,} images)")
    return ", ".join(found) or "not said"


def selection_words(selection: Mapping[str, Any]) -> str:
    """Say how the weights were chosen."""
    words = [str(selection.get("by") or "not said")]
    if isinstance(selection.get("protocol"), str):
        words.append(selection["protocol"])
    if isinstance(selection.get("identities"), int):
        words.append(f"{selection['identities']:,} people")
    if isinstance(selection.get("validations"), int):
        words.append(f"{selection['validations']} validations")
    scores = selection.get("scores")
    for heading, name in COLUMNS:
        value = scores.get(name) if isinstance(scores, Mapping) else None
        if isinstance(value, float):
            words.append(f"{heading} {100 * value:.1f} % there")
    return ", ".join(words)


def line_of(score: Score) -> tuple[str, list[str]]:
    """Write one line of the table: what was tested, then its cells."""
    shots = () if score.shots is None else ("1-shot" if score.shots == 1 else f"{score.shots}-shot",)
    name = ", ".join([score.protocol or "protocol not said", *shots, *score.notes])
    galleries = NO_NUMBER if score.trials is None else f"{score.trials} {score.sampler}".rstrip()
    cells = [NO_NUMBER if value is None else f"{value:,}" for value in (score.identities, score.queries)]
    return name, [*cells, galleries, *(percent(score, key) for _, key in COLUMNS)]


def percent(score: Score, name: str) -> str:
    """Write a score and its spread."""
    if name not in score.mean:
        return NO_NUMBER
    spread = f" ± {100 * score.sd[name]:.1f}" if name in score.sd and score.trials != 1 else ""
    return f"{100 * score.mean[name]:.1f}{spread}"


def limits_of(card: Result) -> list[str]:
    """List what a checkpoint cannot show, from what its card says."""
    model = card.config.model
    limits = []
    if not card.steps:
        limits.append("It was not trained: its weights are random.")
    if card.synthetic:
        seen = (
            "learned from other images, then from rendered people"
            if "pretrained" in card.data
            else "seen rendered people"
        )
        limits.append(f"It has {seen} only. How it does on photographs of real people is not known.")
    else:
        limits.append("It was trained on data that are not part of this project, under the terms of their owners.")
    if model.width < 1:
        limits.append(
            f"A narrow backbone (width {model.width:g} of 1) on images of {model.height}{PRODUCT}{model.image_width}"
            " pixels; what it shows need not hold for large ones."
        )
    limits.append("One run with one seed: another seed gives other weights and other scores.")
    limits.append("A checkpoint with another budget is no comparison of methods with this one.")
    limits.append("It always ranks somebody first, also when nobody in the gallery is the person asked for.")
    return limits
