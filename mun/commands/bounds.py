"""Measure the bounds of a SynVI data set: how well its test images are matched without learning, and by checkpoints."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mun.checkpoint import load_checkpoint
from mun.data.source import read_sample
from mun.data.sources import read_source
from mun.distributed import choose_device
from mun.embedding import embed_pixels, embed_samples
from mun.evaluation import bounds
from mun.evaluation.benchmark import BenchmarkResult, benchmark
from mun.evaluation.galleries import queries
from mun.evaluation.protocols import PROTOCOLS, SAME_MODALITY, Protocol
from mun.experiments.report import markdown_table
from mun.files import check_file, write_json
from mun.images import resize
from mun.models.network import Network
from mun.progress import tracked
from mun.structures import PAIRED, Sample, Split
from mun.synvi import Plan, truth_of
from mun.synvi.render import render_background

__all__ = ["BACKGROUND", "Evidence", "Row", "add_arguments", "gather", "run", "untrained_rows"]

SIZE = (128, 64)  # of the images for grey pixels and HOG
LIKE = 12.0  # most mean grey levels between an image on disk and its new rendering; JPEG causes about two
ACROSS = PROTOCOLS["synvi-all"]
SEARCHES = (ACROSS, *SAME_MODALITY.values())
BACKGROUND = "background only"
HEAD = ("search", "bound", "may know", "rank-1", "mAP")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a bound, what it may know, and its scores.

    `record` is as `evaluate` writes it, with `standard_error` over identities; exact chance has `protocol` and `mean`.
    """

    bound: str
    knows: str
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The inputs of the bounds for N images, row by row; features are float32, `(N, D)`."""

    samples: Sequence[Sample]
    grey: NDArray[np.float32]
    hog: NDArray[np.float32]
    silhouette: NDArray[np.float32]
    attributes: NDArray[np.int64]  # as `attribute_codes`
    backgrounds: NDArray[np.uint8]  # the images without their people, `(N, H, W, 3)`


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m mun bounds`."""
    parser.add_argument("data", metavar="DATA", type=Path, help="folder of a SynVI data set with test identities")
    text = "checkpoints to score with the bounds: across modalities, within them, and on backgrounds alone"
    parser.add_argument("--checkpoint", type=Path, nargs="+", action="extend", default=[], metavar="DIR", help=text)
    parser.add_argument("--trials", type=int, default=10, metavar="N", help="galleries drawn (default: 10)")
    parser.add_argument("--device", default="auto", help="for the checkpoints: cpu, cuda or auto (default: auto)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all scores to this file")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> None:
    """Gather the inputs of the bounds, score them, print the table and write it.

    Raises:
        FileNotFoundError: DATA, its manifest or a checkpoint is missing.
        ValueError: DATA is not SynVI of this version, or has too few images or others than its manifest describes; a
            checkpoint is broken; or scikit-image is not installed.
    """
    if options.trials < 1:
        raise ValueError(f"expected at least one trial, got {options.trials}")
    check_file(options.json, "--json")
    source = read_source("synvi", options.data)
    plan = Plan.from_manifest(source.manifest)
    samples = source.require(Split.TEST)
    device = choose_device(options.device)
    networks = [(card.name, network.to(device)) for network, card in map(load_checkpoint, options.checkpoint)]
    evidence = gather(plan, samples, progress=not options.quiet)
    rows = untrained_rows(evidence, options.trials)
    for name, network in networks:
        embeddings = embed_samples(network, samples, progress=not options.quiet)
        rows += _trained_rows(name, network, embeddings, evidence, options.trials)
    names = [protocol.name for protocol in SEARCHES]
    rows.sort(key=lambda row: names.index(row.record["protocol"]))
    if options.json is not None:
        write_json(options.json, _report(plan, rows, options))
    print(_caption(plan, options.trials))
    table = [_cells(row) for row in rows]
    print(f"\n{markdown_table(HEAD, table)}" if options.markdown else _text([HEAD, *table]))
    chances = {row.record["protocol"]: row.record["mean"] for row in rows if "sd" not in row.record}
    for row in rows:
        if row.bound.startswith(BACKGROUND):
            print(_verdict(row, chances[row.record["protocol"]]))


def gather(plan: Plan, samples: Sequence[Sample], progress: bool = False) -> Evidence:
    """Read every image, and render its truth and its background again from the manifest.

    Args:
        plan: The plan of the data set.
        samples: N of its images.
        progress: Show a progress bar on stderr.

    Raises:
        ValueError: An image is broken or not in the plan, the first one differs from the plan's, or scikit-image is not
            installed.
    """
    rows: list[tuple[Any, ...]] = []
    for sample in tracked(samples, "bounds", "image", progress):
        recipe = plan.recipe_of(sample.key)
        stored = read_sample(sample)
        if not rows:
            _check_like(sample, stored, recipe.image())
        pixels, truth = resize(stored, *SIZE), truth_of(recipe)
        empty = render_background(recipe.identity, recipe.camera, recipe.scene, recipe.size, recipe.knobs)
        silhouette = bounds.silhouette_feature(truth.parts)
        rows.append((bounds.grey_feature(pixels), bounds.hog_feature(pixels), silhouette, truth.attributes, empty))
    grey, hog, silhouettes, attributes, backgrounds = zip(*rows, strict=True)
    codes = bounds.attribute_codes(attributes)
    return Evidence(samples, np.stack(grey), np.stack(hog), np.stack(silhouettes), codes, np.stack(backgrounds))


def _check_like(sample: Sample, stored: NDArray[np.uint8], rendered: NDArray[np.uint8]) -> None:
    """Refuse an image that differs from the one in the manifest by more than JPEG.

    Raises:
        ValueError: The size differs, or the pixels differ too much.
    """
    if stored.shape != rendered.shape or np.abs(stored.astype(float) - rendered).mean() > LIKE:
        raise ValueError(f"expected {sample.key} to be the image that manifest.json describes, got another one")


def untrained_rows(evidence: Evidence, trials: int = 10) -> list[Row]:
    """Score every bound that needs no checkpoint; the attribute oracle only across modalities.

    Raises:
        ValueError: There are too few images for the galleries, or no query has a match.
    """
    samples, codes = evidence.samples, evidence.attributes
    empty = np.stack([bounds.grey_feature(resize(image, *SIZE)) for image in evidence.backgrounds])
    features = (
        ("chance, random features", "nothing", bounds.random_features(len(samples))),
        (BACKGROUND, "grey pixels of the image without its person", empty),
        ("grey pixels", "every pixel, less the mean", evidence.grey),
        ("HOG", "edges, whatever their sign", evidence.hog),
        ("silhouette only", "the true mask of the person", evidence.silhouette),
    )
    rows = []
    for protocol in SEARCHES:
        exact = {"protocol": protocol.name, "mean": bounds.chance(protocol, samples)}
        rows += [Row("chance, exact", "nothing", exact), *_scored(protocol, samples, features, trials)]
    named: dict[str, Any] = {"data": "synvi", "name": "attribute disagreement", "trials": trials}
    oracle = bounds.benchmark_distances(
        ACROSS, samples, lambda asked, shown: bounds.disagreement(codes[asked], codes[shown]), **named
    )
    knows = "true names of what each image shows, no colour"
    return [*rows, Row("attribute oracle", knows, _record(oracle, ACROSS, samples))]


def _trained_rows(
    name: str, network: Network, embeddings: NDArray[np.float32], evidence: Evidence, trials: int
) -> list[Row]:
    """Score a checkpoint across modalities, within them, and on the backgrounds alone."""
    knows, empty = "what it learnt", _embed_backgrounds(network, evidence)
    features = (
        (name, knows, embeddings),
        (f"{BACKGROUND}, {name}", f"{knows}, of the image without its person", empty),
    )
    return [row for protocol in SEARCHES for row in _scored(protocol, evidence.samples, features, trials)]


def _scored(
    protocol: Protocol, samples: Sequence[Sample], features: Sequence[tuple[str, str, ArrayLike]], trials: int
) -> Iterator[Row]:
    """Score features, each with its name and what it may know, by one protocol."""
    for name, knows, values in features:
        result = benchmark(protocol, samples, values, data="synvi", trials=trials)
        yield Row(name, knows, _record(result, protocol, samples))


def _embed_backgrounds(network: Network, evidence: Evidence) -> NDArray[np.float32]:
    """Embed the images without their people, `(N, D)`."""
    embeddings = np.zeros((len(evidence.samples), network.num_features), np.float32)
    for modality in PAIRED:
        rows = [row for row, sample in enumerate(evidence.samples) if sample.modality is modality]
        pixels = np.stack([resize(evidence.backgrounds[row], *network.config.size) for row in rows])
        embeddings[rows] = embed_pixels(network, pixels, modality)
    return embeddings


def _record(result: BenchmarkResult, protocol: Protocol, samples: Sequence[Sample]) -> dict[str, Any]:
    pids = [sample.pid for sample in queries(protocol, samples)]
    return {**result.to_json(), "standard_error": bounds.standard_errors(result, pids)}


def _caption(plan: Plan, trials: int) -> str:
    """Return the caption of the table: data, seed, number of people."""
    level = f"{plan.level.name} {plan.level.version}".removesuffix(" 0")  # a custom level has no version
    people = f"{plan.test_ids} test identities, {plan.images_of(Split.TEST)} images per camera"
    return f"SynVI {level}, seed {plan.seed}, {people}, single-shot; percent, mean ± sd over {trials} galleries"


def _cells(row: Row) -> tuple[str, ...]:
    mean, sd = row.record["mean"], row.record.get("sd")
    scores = (f"{100 * mean[key]:.1f}" + (f" ± {100 * sd[key]:.1f}" if sd else "") for key in ("rank1", "mean_ap"))
    return (row.record["protocol"], row.bound, row.knows, *scores)


def _text(table: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(map(str.ljust, cells, widths)).rstrip() for cells in table)


def _verdict(row: Row, chance: dict[str, float]) -> str:
    """Return how far a background-only row is from chance, in standard errors."""
    mean, error = row.record["mean"], row.record["standard_error"]
    away = (
        f"{label} {(mean[key] - chance[key]) / max(error[key], 1e-12):+.1f}"
        for key, label in (("rank1", "rank-1"), ("mean_ap", "mAP"))
    )
    return f"{row.record['protocol']}, {row.bound}: {', '.join(away)} standard errors over identities from chance"


def _report(plan: Plan, rows: Sequence[Row], options: argparse.Namespace) -> dict[str, Any]:
    """Make the object of `--json`, without folders of this machine."""
    checkpoints = " CHECKPOINT" * len(options.checkpoint)
    words = f"python -m mun bounds OUT --trials {options.trials}{' --checkpoint' if checkpoints else ''}{checkpoints}"
    return {
        "data": "synvi",
        "level": plan.level.name,
        "level_version": plan.level.version,
        "level_hash": plan.level.hash,
        "seed": plan.seed,
        "identities": plan.test_ids,
        "images_per_camera": plan.images_of(Split.TEST),
        "commands": [plan.command, words],
        "rows": [{"bound": row.bound, "knows": row.knows, **row.record} for row in rows],
    }
