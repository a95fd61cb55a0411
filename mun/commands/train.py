"""Train a network on a data set, or resume a run."""

import argparse
import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from mun.config import PRESETS
from mun.data.source import Reading
from mun.data.sources import add_data, read_given, reading_of
from mun.distributed import choose_device, is_first, together, wait
from mun.parser import add_config_flags, config_from, given_values
from mun.structures import Split
from mun.training.pretrained import filling_words
from mun.training.run import FORMAT, RunSettings
from mun.training.trainer import start_run, train

__all__ = ["add_arguments", "run"]

KEPT = ("data", "layout", *(item.name for item in fields(Reading) if item.metadata), "seed", "pretrained", "preset")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the run's own flags, and one flag for every field of the config."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out, with its settings")
    add_data(parser, training=True)
    parser.add_argument("--seed", type=int, help="seed of all random numbers (default: 0)")
    text = "the field's recipe for a data set: ResNet-50, 288x144, 8 people with 4 + 4 images, two phases, warm-up;"
    text += " other flags override it; best with --pretrained"
    parser.add_argument("--preset", choices=tuple(PRESETS), help=text)
    text = "start from the weights of torchvision's ResNet-18, -34 or -50, as .safetensors, or from a checkpoint's"
    text += " model.safetensors, of the same --backbone and --width"
    parser.add_argument("--pretrained", type=Path, metavar="FILE", help=text)
    text = "also write the metrics to tensorboard/ in --out; needs TensorBoard"
    parser.add_argument("--tensorboard", action="store_true", help=text)
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default: auto)")
    parser.add_argument("--until", type=int, metavar="STEP", help="stop after this step; --resume continues")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    add_config_flags(parser)


def board_kind() -> Any:
    """Return TensorBoard's class of writers.

    Raises:
        ValueError: TensorBoard is not installed.
    """
    try:
        return importlib.import_module("torch.utils.tensorboard").SummaryWriter
    except ImportError:
        raise ValueError("expected TensorBoard, which is not installed: pip install tensorboard") from None


@contextlib.contextmanager
def board(folder: Path) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Open TensorBoard's file of a run; yield the function that writes a line of metrics into it."""
    writer = board_kind()(str(folder))

    def note(line: Mapping[str, Any]) -> None:
        for name, value in line.items():
            parts = {f"/{part}": one for part, one in value.items()} if isinstance(value, dict) else {"": value}
            for part, number in parts.items():
                writer.add_scalar(f"{name}{part}", number, line["step"])

    try:
        yield note
    finally:
        writer.close()


def check_resume(options: argparse.Namespace) -> None:
    """Refuse flags that cannot change a run that has already started.

    Raises:
        ValueError: Such a flag is given.
    """
    given = [*(name for name in KEPT if getattr(options, name) is not None), *given_values(options)]
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ValueError(
            f"expected --resume without {flags}: a run keeps the settings in the config.json of its folder"
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
    if options.tensorboard:
        board_kind()  # before anything is written
    if options.resume:
        check_resume(options)
    else:
        if options.data is None:
            raise ValueError("expected --data DIR, the folder of the data set")
        seed = 0 if options.seed is None else options.seed
        if not 0 <= seed < 2**31:
            raise ValueError(f"expected --seed between 0 and {2**31 - 1}, got {seed}")
        pretrained = "" if options.pretrained is None else str(options.pretrained.resolve())
        source = read_given(options, (Split.TRAIN, Split.VAL))
        layout = "synvi" if source.name == "synvi" else source.layout
        reading = reading_of(options, "" if source.name == layout else source.name)
        config = config_from(options, PRESETS.get(options.preset))
        place = str(options.data[1].resolve())
        settings = RunSettings(FORMAT, config, layout, place, seed, pretrained, reading=reading)
        if is_first():
            start_run(options.out, settings)
            if pretrained:
                print(f"pretrained: {filling_words(settings)}", file=sys.stderr)
        wait()
    with contextlib.ExitStack() as stack:
        note = stack.enter_context(board(options.out / "tensorboard")) if options.tensorboard and is_first() else None
        finished = train(options.out, options.until, device, not options.quiet and is_first(), note=note)
    words = f"finished: {options.out}" if finished else f"stopped; continue with --resume --out {options.out}"
    if is_first():
        print(words, file=sys.stderr)
