"""Score a checkpoint by a published protocol."""

import argparse
import dataclasses
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mun.checkpoint import Card, write_card
from mun.data.regdb import check_trial
from mun.data.source import Source
from mun.data.sources import add_data, read_given, reading_of
from mun.distributed import choose_device, is_first, together
from mun.embedding import embed_samples
from mun.evaluation.benchmark import BenchmarkResult, benchmark, check_suffix, ranked_rows, write_rows
from mun.evaluation.corrupted import CorruptedTest, Corruption, Order, embed_corrupted
from mun.evaluation.galleries import GallerySampler, draw_trials, read_permutations
from mun.evaluation.protocols import PROTOCOLS, protocol_of
from mun.files import check_file, write_json
from mun.hub import METRICS, write_readme
from mun.own import add_model, chosen_network
from mun.structures import Split
from mun.training.card import describe_data

__all__ = ["add_arguments", "run"]

RANKED = 20  # images per query in a file of ranked lists


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    add_model(parser)
    add_data(parser)
    parser.add_argument("--protocol", default="", help=f"{', '.join(PROTOCOLS)} (default: the usual one of the data)")
    parser.add_argument("--trials", type=int, default=10, help="galleries drawn (default: 10)")
    parser.add_argument("--shots", type=int, default=1, help="gallery images per identity and camera (default: 1)")
    text = "official: exp/rand_perm_cam.mat of SYSU-MM01; seeded: drawn with the trial's number (default)"
    samplers = [sampler.value for sampler in GallerySampler]
    parser.add_argument("--gallery", choices=samplers, default=GallerySampler.SEEDED.value, help=text)
    parser.add_argument("--flip", action="store_true", help="average the embeddings of image and mirror")
    parser.add_argument(
        "--corrupt",
        choices=[order.value for order in Order],
        help="also score corrupted visible images, each with one of 20 corruptions at a severity from 1 to 5; "
        "peer: resize to the network's size, then corrupt, as the public code does; native: corrupt the file's own "
        "pixels, then resize; with infrared queries the gallery is corrupted",
    )
    parser.add_argument("--passes", type=int, default=5, help="number of corrupted galleries to average (default: 5)")
    parser.add_argument("--severity", type=int, help="severity of corruption, 1 to 5 (default: drawn for each image)")
    parser.add_argument("--corrupt-seed", type=int, default=0, help="seed of the corruptions, from 0 (default: 0)")
    text = "also score each corruption alone, in the same number of passes"
    parser.add_argument("--per-corruption", action="store_true", help=text)
    parser.add_argument("--split", choices=[split.value for split in Split], default="test", help="default: test")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default: auto)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores to this file")
    text = f"write the first {RANKED} images of every query in the first gallery, with their paths, to this .csv or"
    parser.add_argument("--ranked", type=Path, metavar="FILE", help=f"{text} .json")
    text = "add the scores to the checkpoint's card; corrupted scores go into the record of the clean command,"
    parser.add_argument("--card", action="store_true", help=f"{text} which is replaced as a whole")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> None:
    """Embed the split once, by all processes together, run the protocol's trials, print and write the scores.

    Raises:
        FileNotFoundError: Checkpoint, data or the official galleries are missing.
        ValueError: Any of them is not usable, the protocol finds too few images, or a flag is out of bounds.
    """
    if options.trials < 1 or options.shots < 1:
        raise ValueError(f"expected at least one trial and one shot, got {options.trials} and {options.shots}")
    check_file(options.json, "--json")
    if options.ranked is not None:
        check_suffix(options.ranked)
    if options.card and options.model:
        raise ValueError("expected --card with a checkpoint, a model of your own has no card; --json writes the scores")
    with together(choose_device(options.device)) as device:
        run_here(options, device)


def run_here(options: argparse.Namespace, device: torch.device) -> None:
    """Do this process's share of `run`; the first one prints and writes."""
    test = corrupted_test(options)
    network, card = chosen_network(options.checkpoint, options.model)
    split = Split(options.split)
    source = read_given(options, (split,))
    protocol = protocol_of(source, options.protocol)
    check_trial(card.data, source)
    samples = source.require(split)
    permutations = read_permutations(source.root) if options.gallery == "official" else None
    drawn: dict[str, Any] = {"shots": options.shots, "trials": options.trials, "sampler": options.gallery}
    drawn["permutations"] = permutations
    asked, galleries = draw_trials(protocol, samples, **drawn)  # fails before the work
    network = network.to(device)
    how = {"flip": options.flip, "progress": not options.quiet and is_first()}
    embeddings = embed_samples(network, samples, **how)

    def score(rows: NDArray[np.float32]) -> BenchmarkResult:
        return benchmark(protocol, samples, rows, data=source.name, flip=options.flip, **drawn)

    def score_corrupted(corruption: Corruption) -> BenchmarkResult:
        return score(embed_corrupted(network, samples, embeddings, corruption, Order(options.corrupt), **how))

    result = score(embeddings).to_json() | ({"trial": source.trial} if source.trial else {})
    if test is not None:
        result["corrupted"] = {"size": list(network.config.size), **test.run(score_corrupted)}
    if not is_first():
        return
    if options.json is not None:
        write_json(options.json, result)
    if options.ranked is not None:
        write_rows(options.ranked, ranked_rows(protocol, samples, embeddings, asked, galleries[0], RANKED))
    if options.card:
        record = {**result, "split": options.split, "commands": commands(options, protocol.name, source)}
        record["identities"] = len({sample.pid for sample in samples})
        add_to_card(options.checkpoint, card, record, test)
    print(summary(result))
    if test is not None:
        print("\n".join(corrupted_summary(result["corrupted"])))


def add_to_card(folder: Path, card: Card, record: dict[str, Any], test: CorruptedTest | None) -> None:
    """Add scores to the card, replacing the scores of the same commands."""
    if test is not None:
        record["corrupted"] = {**record["corrupted"], "command": corrupted_command(record["commands"][-1], test)}
    others = [score for score in card.scores if score.get("commands") != record["commands"]]
    write_card(folder, dataclasses.replace(card, scores=[*others, record]))
    write_readme(folder)


def corrupted_test(options: argparse.Namespace) -> CorruptedTest | None:
    """Read the flags about corrupted images; `None` where there are none."""
    if options.corrupt is not None:
        return CorruptedTest(
            Order(options.corrupt), options.passes, options.severity, options.corrupt_seed, options.per_corruption
        )
    if options.severity is not None or options.per_corruption or options.passes != 5 or options.corrupt_seed:
        raise ValueError("expected --corrupt with --passes, --severity, --corrupt-seed or --per-corruption")
    return None


def commands(options: argparse.Namespace, protocol: str, source: Source) -> list[str]:
    """Write the commands that reproduce the scores, without folders of this machine."""
    layout = "synvi" if source.name == "synvi" else source.layout
    data = "OUT" if source.name == layout else shlex.quote(f"{source.name}=OUT")
    words = [f"python -m mun evaluate CHECKPOINT --data {data} --dataset {layout} --protocol {protocol}"]
    words += [f"--trials {options.trials} --shots {options.shots} --gallery {options.gallery} --split {options.split}"]
    words += reading_of(options).words()
    words += ["--flip"] if options.flip else []
    made = describe_data(source).get("command")
    return [*([made] if made else []), " ".join(words)]


def corrupted_command(clean: str, test: CorruptedTest) -> str:
    """Write the command that reproduces the corrupted scores with the clean ones."""
    words = [clean, f"--corrupt {test.order} --passes {test.passes} --corrupt-seed {test.seed}"]
    words += [] if test.severity is None else [f"--severity {test.severity}"]
    return " ".join([*words, *(["--per-corruption"] if test.each else [])])


def summary(result: dict[str, Any]) -> str:
    """Format the scores as one line, percent, mean ± sd."""
    drawn = f"{result['shots']}-shot, {result['trials']} trials ({result['sampler']})"
    drawn = drawn if result["shots"] else f"against {result['sampler']}"
    trial = f" trial {result['trial']}" if "trial" in result else ""
    queries = f"{result['num_valid']} queries: {percentages(result)}"
    return f"{result['data']}{trial} {result['protocol']}, {drawn}, {queries}"


def corrupted_summary(corrupted: dict[str, Any]) -> list[str]:
    """Format the corrupted scores as one line, and one more for each corruption that was tested alone."""
    height, width = corrupted["size"]
    steps = {"peer": f"resized to {height}x{width}, then corrupted", "native": "corrupted, then resized"}
    first = (
        f"  visible images corrupted ({corrupted['order']}: {steps[corrupted['order']]}), severity "
        f"{corrupted['severity']}, {corrupted['passes']} passes, seed {corrupted['seed']}: {percentages(corrupted)}"
    )
    return [first, *(f"    {name:<18} {percentages(spread)}" for name, spread in corrupted["per_corruption"].items())]


def percentages(spread: dict[str, Any]) -> str:
    """Format scores in percent, mean ± sd."""
    mean, sd = spread["mean"], spread["sd"]
    parts = [f"{label} {100 * mean[key]:.1f} ± {100 * sd[key]:.1f}" for key, label in METRICS.items()]
    return f"{', '.join(parts)} %"
