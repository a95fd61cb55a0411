"""Score a checkpoint by a published protocol."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from mun.checkpoint import load_checkpoint, write_card
from mun.commands.train import choose_device
from mun.data.sources import read_source
from mun.embedding import embed_samples
from mun.evaluation.benchmark import benchmark
from mun.evaluation.galleries import GallerySampler, read_permutations
from mun.evaluation.protocols import get_protocol
from mun.files import write_json
from mun.structures import Split

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument("checkpoint", type=Path, help="folder with model.safetensors and card.json")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the data set")
    parser.add_argument("--dataset", default="synvi", help="loader: synvi or sysu (default: synvi)")
    parser.add_argument("--protocol", default="synvi-all", help="synvi-all, synvi-indoor, sysu-all or sysu-indoor")
    parser.add_argument("--trials", type=int, default=10, help="galleries drawn (default: 10)")
    parser.add_argument("--shots", type=int, default=1, help="gallery images per identity and camera (default: 1)")
    parser.add_argument(
        "--gallery",
        choices=[sampler.value for sampler in GallerySampler],
        default=GallerySampler.SEEDED.value,
        help="official: exp/rand_perm_cam.mat of SYSU-MM01; seeded: drawn with the trial's number (default)",
    )
    parser.add_argument("--flip", action="store_true", help="average the embeddings of image and mirror")
    parser.add_argument("--split", choices=[split.value for split in Split], default="test", help="default: test")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default: auto)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores there")
    parser.add_argument("--card", action="store_true", help="add the scores to the checkpoint's card")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> None:
    """Embed the split once, run the protocol's trials, print and write the scores.

    Raises:
        FileNotFoundError: Checkpoint, data or the official galleries are missing.
        ValueError: Any of them is not usable, or the protocol finds too few images.
    """
    protocol = get_protocol(options.protocol)
    if options.trials < 1 or options.shots < 1:
        raise ValueError(f"expected at least one trial and one shot, got {options.trials} and {options.shots}")
    network, card = load_checkpoint(options.checkpoint)
    source = read_source(options.dataset, options.data)
    samples = source.require(Split(options.split))
    permutations = read_permutations(source.root) if options.gallery == "official" else None
    network = network.to(choose_device(options.device))
    embeddings = embed_samples(network, samples, flip=options.flip, progress=not options.quiet)
    result = benchmark(
        protocol,
        samples,
        embeddings,
        data=source.name,
        shots=options.shots,
        trials=options.trials,
        sampler=options.gallery,
        flip=options.flip,
        permutations=permutations,
    ).to_json()
    if options.json is not None:
        write_json(options.json, result)
    if options.card:
        record = {**result, "split": options.split, "commands": commands(options, source.manifest)}
        record["identities"] = len({sample.pid for sample in samples})
        others = [score for score in card.scores if score.get("commands") != record["commands"]]
        write_card(options.checkpoint, dataclasses.replace(card, scores=[*others, record]))
    print(summary(result))


def commands(options: argparse.Namespace, manifest: Any) -> list[str]:
    """Write the commands that remake the scores, without folders of this machine."""
    words = [f"python -m mun evaluate CHECKPOINT --data OUT --dataset {options.dataset} --protocol {options.protocol}"]
    words += [f"--trials {options.trials} --shots {options.shots} --gallery {options.gallery} --split {options.split}"]
    words += ["--flip"] if options.flip else []
    made = [manifest["command"]] if manifest and "command" in manifest else []
    return [*made, " ".join(words)]


def summary(result: dict[str, Any]) -> str:
    """Say the scores in one line, percent, mean ± sd."""
    mean, sd = result["mean"], result["sd"]
    parts = [
        f"{label} {100 * mean[key]:.1f} ± {100 * sd[key]:.1f}"
        for label, key in (("rank-1", "rank1"), ("rank-10", "rank10"), ("mAP", "mean_ap"), ("mINP", "mean_inp"))
    ]
    return (
        f"{result['data']} {result['protocol']}, {result['shots']}-shot, {result['trials']} trials "
        f"({result['sampler']}), {result['num_valid']} queries: {', '.join(parts)} %"
    )
