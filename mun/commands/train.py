"""Train a network on a data set, or resume a run."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch

from mun.config import Config
from mun.data.sources import add_data_flags, named_folder, read_source, reading_of, say_passed
from mun.device import choose_device
from mun.distributed import is_first, together, wait
from mun.parser import add_config_flags, config_from, given_flags
from mun.structures import Split
from mun.training.run import FORMAT, RunSettings
from mun.training.trainer import start_run, train

__all__ = ["add_arguments", "run"]

KEPT = (
    "data",
    "layout",
    "trial",
    "train_on",
    "modality_names",
    "camera",
    "infrared_range",
    "skip_broken",
    "seed",
    "pretrained",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the run's own flags, and one flag for every field of the config."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out, as it was started")
    parser.add_argument(
        "--data", type=named_folder, metavar="[NAME=]DIR", help="folder of the data set, or a CSV, and what to call it"
    )
    add_data_flags(parser, training=True)
    parser.add_argument("--seed", type=int, help="decides every draw (default: 0)")
    parser.add_argument(
        "--pretrained",
        type=Path,
        metavar="FILE",
        help="begin with the weights of a ResNet with torchvision's names, as .safetensors, or with a checkpoint's"
        " model.safetensors, of the same --backbone and --width",
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default: auto)")
    parser.add_argument("--until", type=int, metavar="STEP", help="stop after this step; --resume goes on")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    add_config_flags(parser, Config)


def check_resume(options: argparse.Namespace) -> None:
    """Refuse flags that a run already started cannot follow.

    Raises:
        ValueError: There are some.
    """
    given = [f"--{name.replace('_', '-')}" for name in KEPT if getattr(options, name) is not None]
    if given := [*given, *given_flags(options)]:
        raise ValueError(
            f"expected --resume without {', '.join(given)}: a run keeps what it was started with, config.json in its"
            " folder"
        )


def run(options: argparse.Namespace) -> None:
    """Start or resume a run and train it to its end.

    Raises:
        FileNotFoundError: The data, the pretrained weights or the run to resume are not there.
        ValueError: A setting is out of range, `--out` is in use, or `--resume` comes with a setting.
    """
    with together(choose_device(options.device)) as device:
        run_here(options, device)


def run_here(options: argparse.Namespace, device: torch.device) -> None:
    """Start or resume a run in this process, one of several or alone; the first one writes and prints."""
    if options.until is not None and options.until < 1:
        raise ValueError(f"expected --until to be at least 1, got {options.until}")
    if options.resume:
        check_resume(options)
    else:
        if options.data is None:
            raise ValueError("expected --data DIR, the folder of the data set")
        seed = 0 if options.seed is None else options.seed
        if not 0 <= seed < 2**31:
            raise ValueError(f"expected --seed between 0 and {2**31 - 1}, got {seed}")
        pretrained = "" if options.pretrained is None else str(options.pretrained.resolve())
        name, folder = options.data
        reading = reading_of(options, name)
        source = read_source(options.layout or "", folder, reading, (Split.TRAIN, Split.VAL))
        say_passed(source.name, source.passed)
        layout = "synvi" if source.name == "synvi" else source.layout
        reading = replace(reading, name="" if source.name == layout else source.name)
        settings = RunSettings(
            FORMAT, config_from(options), layout, str(folder.resolve()), seed, pretrained, reading=reading
        )
        if is_first():
            start_run(options.out, settings)
        wait()
    finished = train(options.out, options.until, device, progress=not options.quiet and is_first())
    words = f"finished: {options.out}" if finished else f"stopped; go on with --resume --out {options.out}"
    if is_first():
        print(words, file=sys.stderr)
