"""Checkpoint folders as Hugging Face model repositories: write their README.md, and fetch one from the Hub."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mun.checkpoint import CARD, SNAPSHOTS, WEIGHTS, Card, read_card
from mun.files import write_text

__all__ = ["HUB", "METRICS", "README", "fetch", "readme_of", "write_readme"]

HUB, README = "hf://", "README.md"
PLACE = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")
FILES = (WEIGHTS, CARD, SNAPSHOTS, README)
METRICS = {"rank1": "rank-1", "rank10": "rank-10", "mean_ap": "mAP", "mean_inp": "mINP"}


def readme_of(card: Card) -> str:
    """Return a checkpoint's model card: metadata for the Hub, then the content of the card in sentences."""
    model, synthetic = card.config.model, card.data.get("name") == "synvi"
    third = "without an auxiliary modality" if model.auxiliary == "none" else f"auxiliary modality {model.auxiliary}"
    metadata: dict[str, Any] = {
        "library_name": "mun",
        "pipeline_tag": "image-feature-extraction",
        "tags": ["person-re-identification", "visible-infrared", "image-retrieval", "safetensors"],
        **({"license": "mit"} if synthetic else {}),
    }
    if card.scores:
        metadata["model-index"] = [{"name": card.name, "results": [result_of(score) for score in card.scores]}]
    front = "".join(f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in metadata.items())
    trained = "SynVI, rendered people alone: no evidence about real ones" if synthetic else card.data.get("name", "")
    lines = [f"---\n{front}---", "", f"# {card.name}", ""]
    lines += [
        f"{model.backbone.replace('resnet', 'ResNet-')} of width {model.width:g} for visible-infrared person"
        f" re-identification, {third}, images of {model.height}x{model.image_width} pixels, {card.steps:,} steps."
        f" Trained on {trained or 'data that its card does not name'}.",
        "",
    ]
    if card.scores:
        lines += ["Percent, mean ± standard deviation over the trials.", ""]
        lines += [f"| protocol | {' | '.join(METRICS.values())} |", "|---|" + "---|" * len(METRICS)]
        lines += [f"| {protocol_words(score)} | {' | '.join(cells(score))} |" for score in card.scores]
        lines += [""]
    scoring = [str(command) for score in card.scores for command in score.get("commands", [])]
    lines += ["```", *dict.fromkeys([*card.command, *scoring]), "```", ""]
    lines += ["Everything else stands in `card.json`. `python app.py --checkpoints hf://USER/REPO` shows it.", ""]
    return "\n".join(lines)


def protocol_words(score: Mapping[str, Any]) -> str:
    """Return the protocol of a score in words: `sysu-all, 1-shot, 10 trials (seeded)`; a whole gallery is not drawn."""
    words, sampler = score.get("protocol", ""), score.get("sampler", "")
    if score.get("shots") == 0:
        return f"{words}, against {sampler}"
    return f"{words}, {score.get('shots', '')}-shot, {score.get('trials', '')} trials ({sampler})"


def cells(score: Mapping[str, Any]) -> list[str]:
    """Write the scores of a record in percent."""
    mean, sd = score.get("mean", {}), score.get("sd", {})
    return [f"{100 * mean[name]:.1f} ± {100 * sd.get(name, 0):.1f}" if name in mean else "" for name in METRICS]


def result_of(score: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a record of scores in the form of the Hub's `model-index`."""
    mean = score.get("mean", {})
    return {
        "task": {"type": "image-retrieval", "name": "Visible-infrared person re-identification"},
        "dataset": {"type": str(score.get("data", "")), "name": protocol_words(score)},
        "metrics": [
            {"type": name, "name": words, "value": round(100 * mean[name], 2)}
            for name, words in METRICS.items()
            if name in mean
        ],
    }


def write_readme(folder: Path) -> None:
    """Write the README.md of a checkpoint from its card, whole."""
    write_text(folder / README, readme_of(read_card(folder)))


def fetch(place: str, folder: Path) -> Path:
    """Fetch the checkpoint, or the folders of checkpoints, of a repository on the Hugging Face Hub.

    Args:
        place: `hf://USER/REPO` or `hf://USER/REPO@REVISION`.
        folder: Where the files are kept, so that they are fetched only once.

    Returns:
        The folder of this repository and revision, with the name of the repository.

    Raises:
        ValueError: The place has another form, or there is no such repository, revision or checkpoint in it.
        ConnectionError: The Hub cannot be reached, and nothing was fetched before.
    """
    named = PLACE.fullmatch(place.removeprefix(HUB))
    if named is None or ".." in place:
        raise ValueError(f"expected hf://USER/REPO or hf://USER/REPO@REVISION, got {place[:80]!r}")
    import huggingface_hub as hub  # here: the import takes a second, and only this needs it
    from huggingface_hub import errors

    repo, revision = named["repo"], named["revision"] or "main"
    target = folder / "hub" / revision.replace("/", "-") / repo.replace("/", "--")
    patterns, endpoint = [f"{parent}{name}" for parent in ("", "*/") for name in FILES], os.environ.get("HF_ENDPOINT")
    try:
        hub.snapshot_download(repo, revision=revision, local_dir=target, allow_patterns=patterns, endpoint=endpoint)
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
        raise ValueError(f"expected a model repository {repo} with the revision {revision}, found none") from None
    except Exception as error:  # of any HTTP client; all mean that the Hub did not answer
        words = f"expected the Hugging Face Hub to answer for {repo}, it did not ({type(error).__name__})"
        raise ConnectionError(f"{words}; offline, name a folder of checkpoints instead") from None
    if not any(target.glob(CARD)) and not any(target.glob(f"*/{CARD}")):
        raise ValueError(f"expected {WEIGHTS} and {CARD} in {repo}, found none")
    return target
