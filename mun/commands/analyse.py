"""Show where one or two models fail, and why: per query, in slices, by distances, probes and curves."""

import argparse
import csv
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mun.analysis.curves import KNOBS, Curve, corruption_curve, knob_curves
from mun.analysis.facts import Facts, column_facts, synvi_facts
from mun.analysis.probes import Probe, pixel_rows, probes
from mun.analysis.report import Analysis, analyse, tables
from mun.checkpoint import load_checkpoint
from mun.data.corruptions import CORRUPTIONS
from mun.data.pairing import pair_samples
from mun.data.regdb import check_trial
from mun.data.source import Source
from mun.data.sources import add_data, read_given
from mun.distributed import choose_device
from mun.embedding import embed_pairs, embed_samples
from mun.evaluation.benchmark import BenchmarkResult, benchmark
from mun.evaluation.galleries import draw_trials
from mun.evaluation.protocols import PROTOCOLS, protocol_of
from mun.features import read_arrays
from mun.files import check_unused, whole_folder
from mun.models.network import Network
from mun.progress import Progress
from mun.structures import Sample, Split
from mun.synvi import Plan

__all__ = ["add_arguments", "read_features", "run"]

Embeddings = NDArray[np.float32]
ALL = "all"
KNOWN = ("features", "embeddings", "keys", "names")  # that `embed` writes, for a data set and for single images


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    what = "folder of a checkpoint, or an .npz file with the arrays features and keys"
    parser.add_argument("model", metavar="FEATURES.npz|CHECKPOINT", type=Path, help=what)
    parser.add_argument("--against", type=Path, metavar="MODEL", help="a second model, to compare with the first")
    add_data(parser)
    parser.add_argument("--protocol", default="", help=f"{', '.join(PROTOCOLS)} (default: the usual one of the data)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder for JSON, CSV and figures")
    parser.add_argument("--trials", type=int, default=10, help="galleries drawn (default: 10)")
    parser.add_argument("--shots", type=int, default=1, help="gallery images per identity and camera (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="seed of intervals and auxiliary pairs (default: 0)")
    parser.add_argument("--probes", action="store_true", help="also probe which facts the embeddings contain")
    curves = {
        "corruptions": "also measure curves over the severity of these corruptions; all for all 20",
        "knobs": f"also measure curves over these knobs of SynVI: {', '.join(KNOBS)}, all",
    }
    for name, text in curves.items():
        parser.add_argument(f"--{name}", nargs="+", default=[], metavar="NAME", help=text)
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default: auto)")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> None:
    """Analyse, write `analysis.json`, a CSV file per table and a figure per view, and print the slices that stand out.

    Raises:
        FileNotFoundError: A model or the data are missing.
        ValueError: A model or the data cannot be used, two models have other images, or a flag is out of bounds.
    """
    check_unused(options.out)
    corruptions, knobs = chosen(options.corruptions, CORRUPTIONS), chosen(options.knobs, KNOBS)
    source = read_given(options, (Split.TEST,))
    protocol = protocol_of(source, options.protocol)
    samples = source.require(Split.TEST)
    draw_trials(protocol, samples, options.shots, options.trials)  # fails before the work
    models, networks = read_models(options, source, samples)
    facts = facts_of(source, samples)
    how = {"data": source.name, "shots": options.shots, "trials": options.trials}
    made = analyse(protocol, samples, facts, models, **how, seed=options.seed)

    def score(rows: Embeddings) -> BenchmarkResult:
        return benchmark(protocol, samples, rows, **how)

    if networks.keys() != models.keys() and (corruptions or knobs):
        raise ValueError("expected checkpoints for curves, got features: they cannot embed other images")
    found = {name: probe(options, samples, facts, rows, networks.get(name)) for name, rows in models.items()}
    shown = not options.quiet
    curves = {
        "corruptions": [
            corruption_curve(kind, name, network, samples, models[name], score, progress=shown)
            for kind in corruptions
            for name, network in networks.items()
        ],
        "knobs": [one for knob in knobs for one in along(knob, networks, shown)],
    }
    with whole_folder(options.out) as out:
        write(out, made, {name: each for name, each in found.items() if each}, curves)
    print("\n".join([summary(made), *standing_out(made)]))


def chosen(names: Sequence[str], known: Iterable[str]) -> list[str]:
    """Check a list of names; `all` stands for all known names.

    Raises:
        ValueError: A name is unknown.
    """
    listed = list(known)
    for name in names:
        if name not in (*listed, ALL):
            raise ValueError(f"expected some of {', '.join(listed)}, {ALL}; got {name!r}")
    return listed if ALL in names else list(dict.fromkeys(names))


def read_models(
    options: argparse.Namespace, source: Source, samples: Sequence[Sample]
) -> tuple[dict[str, Embeddings], dict[str, Network]]:
    """Return the features of each model by name, embedded or read from a file, and the networks of checkpoints by name.

    Raises:
        ValueError: A checkpoint was trained on another trial, or both models have one name.
    """
    models: dict[str, Embeddings] = {}
    networks: dict[str, Network] = {}
    for path in (options.model, options.against):
        if path is None:
            continue
        if path.suffix == ".npz":
            name, rows = path.stem, read_features(path, samples)
        else:
            network, card = load_checkpoint(path)
            check_trial(card.data, source)
            name, network = card.name, network.to(choose_device(options.device))
            rows = embed_samples(network, samples, progress=not options.quiet)
        if name in models:
            raise ValueError(f"expected two models of different names, got {name} twice")
        models[name] = rows
        if path.suffix != ".npz":
            networks[name] = network
    return models, networks


def read_features(path: Path, samples: Sequence[Sample]) -> Embeddings:
    """Read the features of samples by their keys, in the order of the samples.

    Args:
        path: An .npz file with `features` (or `embeddings`), real, `(M, D)`, and `keys` (or `names`), `(M,)`.
        samples: N images, each of which must be among the keys.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file has another form, or an image is missing.
    """
    arrays = read_arrays(path, KNOWN, optional=KNOWN)
    rows, keys = (
        arrays.get(name, arrays.get(other)) for name, other in (("features", "embeddings"), ("keys", "names"))
    )
    if rows is None or keys is None:
        raise ValueError(
            f"expected the arrays features and keys in {path}, got {', '.join(arrays) or 'none'}: the keys say which"
            " image each row belongs to"
        )
    if rows.ndim != 2 or rows.dtype.kind not in "fiu" or keys.shape != (len(rows),):
        raise ValueError(f"expected features (N, D) and N keys in {path}, got {rows.shape} and {keys.shape}")
    place = {str(key): row for row, key in enumerate(keys)}
    if missing := [sample.key for sample in samples if sample.key not in place]:
        raise ValueError(
            f"expected features of all {len(samples)} images of the test split in {path}, {len(missing)} are missing,"
            f" the first is {missing[0]}"
        )
    return np.asarray(rows[[place[sample.key] for sample in samples]], dtype=np.float32)


def facts_of(source: Source, samples: Sequence[Sample]) -> Facts:
    """Return the known facts of the images: from the plan of SynVI, for other data from the columns of a CSV."""
    if source.name != "synvi":
        return column_facts(source.columns, samples)
    return synvi_facts(Plan.from_manifest(source.manifest), samples)


def probe(
    options: argparse.Namespace, samples: Sequence[Sample], facts: Facts, rows: Embeddings, network: Network | None
) -> list[Probe]:
    """Probe one model, and its auxiliary images if it generates some; return nothing without `--probes`."""
    if not options.probes:
        return []
    auxiliary = None
    if network is not None and network.auxiliary.num_images:
        pairs = pair_samples(samples, seed=options.seed)
        auxiliary = ([pair.visible for pair in pairs], embed_pairs(network, pairs)[:, 0])
    return probes(samples, facts, rows, pixel_rows(samples), auxiliary)


def along(knob: str, networks: Mapping[str, Network], shown: bool) -> list[Curve]:
    """Measure the curves along a knob, with a progress bar; the data sets rendered for it are removed."""
    with Progress(None, knob, "image", shown) as bar, tempfile.TemporaryDirectory() as folder:
        return knob_curves(knob, networks, Path(folder), lambda done, _: bar.update(done - bar.done))


def write(
    out: Path, made: Analysis, found: Mapping[str, Sequence[Probe]], curves: Mapping[str, Sequence[Curve]]
) -> None:
    """Write everything into a folder."""
    import matplotlib as mpl  # here: it takes a second to load

    from mun.analysis import figures

    probed = {name: [asdict(one) for one in each] for name, each in found.items()}
    lined = {name: [asdict(one) for one in each] for name, each in curves.items()}
    record = {**made.to_json(), "probes": probed, **lined}
    (out / "analysis.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    named = tables(record) | {f"probes-{name}": each for name, each in probed.items()}
    named |= {name: [spread(one) for one in each] for name, each in lined.items() if each}
    for name, rows in named.items():
        with (out / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
            writer.writeheader()
            writer.writerows(rows)
    with mpl.rc_context({"font.size": 7.0, "legend.frameon": False, "axes.linewidth": 0.6}):
        drawn = {
            "queries": figures.queries_figure(made),
            "slices": figures.slices_figure(made),
            "distances": figures.distances_figure(made),
            **{f"probes-{name}": figures.probes_figure(each) for name, each in found.items()},
            **{name: figures.curves_figure(lines) for name, lines in curves.items() if lines},
        }
        for name, figure in drawn.items():
            for kind in ("png", "pdf"):
                figure.savefig(out / f"{name}.{kind}", dpi=200)


def spread(curve: Mapping[str, Any]) -> dict[str, Any]:
    """Write a curve as a row: a column per value."""
    scores = zip(curve["values"], curve["mean_ap"], strict=True)
    return {"name": curve["name"], "model": curve["model"], **{f"mAP at {value:g}": score for value, score in scores}}


def summary(made: Analysis) -> str:
    """Return the scores of each model in one line."""
    scores = [
        f"{name} mAP {100 * one.mean_ap:.1f} %, rank-1 {100 * float(np.nanmean(one.rank1)):.1f} %"
        for name, one in zip(made.names, made.models, strict=True)
    ]
    first = made.models[0]
    return f"{made.data} {first.protocol.name}, {int(first.valid.sum())} queries: {'; '.join(scores)}"


def standing_out(made: Analysis) -> list[str]:
    """List the slices that stand out, the weakest first."""
    found = [
        (one.stands_out[number], f"  {name}: {one.axis} = {one.name}: mAP {100 * one.mean_ap[number].mean:.1f} %,"
         f" {100 * (one.stands_out[number] or 0):+.1f} against the rest")
        for number, name in enumerate(made.names)
        for one in made.slices
        if one.stands_out[number] is not None
    ]  # fmt: skip
    return [words for _, words in sorted(found, key=lambda one: one[0] or 0.0)]
