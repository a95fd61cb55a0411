"""Trained networks on disk: `model.safetensors` and `card.json` in one folder.

A checkpoint holds the parts that retrieval needs (generator, stems, trunk, neck), without the training classifier;
parameters are in half precision, batch statistics in float32. The card says how it was made and what it scores. A file
from outside is checked against its card (names, shapes, types, sizes) before memory is allocated for it; pickle files
are never opened. The folder may also hold states of the generator during training.
"""

import json
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mun.config import Config, from_json, to_json
from mun.files import read_json, whole_file, write_json
from mun.models.network import Network

__all__ = ["CARD", "FORMAT", "SNAPSHOTS", "WEIGHTS", "Card", "build_network", "load_checkpoint", "load_tensors"]
__all__ += ["read_card", "read_snapshots", "save_checkpoint", "save_tensors", "write_card", "write_snapshots"]

FORMAT = 1
WEIGHTS, CARD, SNAPSHOTS = "model.safetensors", "card.json", "snapshots.safetensors"
LFS_POINTER = b"version h"  # first bytes of the text file that Git LFS stores instead of a large file
MAX_BYTES = 1_000_000_000
MAX_HEADER_BYTES = 4_000_000  # room for 40,000 tensors; ours have hundreds
MAX_MESSAGE = 300  # characters of an error about a card, which may quote the card
MAX_DIGITS = 9  # of a step number
BUILDING = threading.Lock()  # initial weights are drawn from torch's single global generator
DTYPES = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "I64": torch.int64, "BOOL": torch.bool}


@dataclass(frozen=True)
class Card:
    """Where a checkpoint comes from and what it scores.

    Attributes:
        format: Version of this layout.
        name: Name of the checkpoint.
        config: All settings of the run.
        seed: Seed of the run.
        steps: Steps trained when these weights were kept.
        data: The training data, without folder names of the machine; for a run with pretrained weights, also the name
            and SHA-256 of their file.
        selection: How the weights were chosen, and the validation scores.
        scores: Test scores, each as `evaluate` writes it; reported, never used to choose weights.
        command: The commands that made it, starting from an empty folder.
        versions: Versions of Python, torch and this project; in newer cards also device and precision.
    """

    format: int
    name: str
    config: Config
    seed: int
    steps: int
    data: dict[str, Any]
    selection: dict[str, Any]
    scores: list[dict[str, Any]]
    command: list[str]
    versions: dict[str, str]

    def check(self) -> None:
        """Check what the field types cannot express, so that code that uses a loaded card need not check it.

        Raises:
            ValueError: A number is not finite, or `data` or a score has another form than `train` and `evaluate` write.
        """
        try:
            json.dumps([self.data, self.selection, self.scores], allow_nan=False)
        except ValueError:
            raise ValueError("expected finite numbers in card, got NaN or infinity") from None
        if not isinstance(self.data.get("name", ""), str):
            raise ValueError("expected card.data.name to be text")
        splits = self.data.get("splits", {})
        if not isinstance(splits, dict) or not all(map(_is_numbers, splits.values())):
            raise ValueError("expected card.data.splits to be the numbers of identities and images of each split")
        if not _is_numbers(self.selection.get("scores", {})):
            raise ValueError("expected card.selection.scores to be numbers by name")
        for place, score in enumerate(self.scores):
            if not (_is_score(score) and _is_score(score.get("corrupted", {}))):
                raise ValueError(f"expected card.scores[{place}] to have mean and sd as numbers by name")
            if not isinstance(score.get("commands", []), list):
                raise ValueError(f"expected card.scores[{place}] to have a list of commands")


def _is_numbers(value: object) -> bool:
    """Return whether a JSON value is an object of numbers."""
    return isinstance(value, dict) and all(type(number) in (int, float) for number in value.values())


def _is_score(value: object) -> bool:
    """Return whether a JSON value is an object whose mean and sd, if present, are numbers by name."""
    return isinstance(value, dict) and all(_is_numbers(value.get(name, {})) for name in ("mean", "sd"))


def build_network(config: Config, num_classes: int, seed: int = 0) -> Network:
    """Build a network whose initial weights depend only on the seed; torch's global generator is not changed."""
    with BUILDING, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(config.model, num_classes)


def read_card(folder: Path) -> Card:
    """Read the card of a checkpoint.

    Raises:
        FileNotFoundError: The folder or its card is missing.
        ValueError: The card is broken or of another version.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"expected a checkpoint folder at {folder}, found none")
    for name in (CARD, WEIGHTS):
        if (folder / name).is_symlink():
            raise ValueError(f"expected a file at {folder / name}, got a link; copy what it points to")
    value = read_json(folder / CARD)
    if value.get("format") != FORMAT:
        raise ValueError(f"expected {folder / CARD} of format {FORMAT}, got {repr(value.get('format'))[:40]}")
    try:
        card = from_json(Card, value, "card")
        card.check()
    except ValueError as error:
        raise ValueError(f"{folder / CARD}: {str(error)[:MAX_MESSAGE]}") from None
    return card


def write_card(folder: Path, card: Card) -> None:
    """Write the card, whole."""
    write_json(folder / CARD, to_json(card))


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors, whole.

    Raises:
        OSError: The file cannot be written, as on a full disk.
    """
    with whole_file(path) as partial:
        try:
            save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, partial)
        except SafetensorError as error:  # safetensors raises its own error class
            raise OSError(f"{path.name} cannot be written: {error}") from None
        partial.chmod(0o644)  # safetensors writes files that only their owner may read


def load_tensors(path: Path, expected: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """Read safetensors; the header is checked first.

    Args:
        path: The file.
        expected: Tensors (on any device, also meta) whose names, shapes and kinds of number the file must have; floats
            may have another precision.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no whole safetensors file (a pickle, say), too large, or not as expected.
    """
    if not path.is_file():
        raise FileNotFoundError(f"expected weights at {path}, found none")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"expected {path} to have at most {MAX_BYTES // 1_000_000} MB, got {path.stat().st_size}")
    check_start(path, conversion(path) if expected is None else "")
    try:
        with safe_open(path, framework="pt") as file:
            if expected is not None:
                check_header(path, file, expected)
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"expected whole safetensors in {path}, got a broken or half-written file ({error})") from None


def check_start(path: Path, advice: str = "") -> None:
    """Check the first bytes: the file is no pickle and no Git LFS pointer, and its header is at most 4 MB.

    The format is 8 bytes with the header's length, little-endian, then JSON of this length.
    """
    with path.open("rb") as file:
        start = file.read(9)
    length = int.from_bytes(start[:8], "little")
    if start == LFS_POINTER:
        raise ValueError(f"expected safetensors in {path}, got a pointer of Git LFS; `git lfs pull` fetches the file")
    if start[:4] == b"PK\3\4" or (start[:1] == b"\x80" and start[8:] != b"{"):
        raise ValueError(f"expected safetensors in {path}, got a pickle, which is never opened{advice}")
    if len(start) == 9 and MAX_HEADER_BYTES < length <= path.stat().st_size:
        most = MAX_HEADER_BYTES // 1_000_000
        raise ValueError(f"expected a header of at most {most} MB in {path}, got {length / 1e6:.1f} MB")


def conversion(path: Path) -> str:
    """Return advice with the command that converts a trusted pickle of weights to safetensors."""
    return (
        '; if you trust it, convert it: python -c "import sys, torch; from safetensors.torch import save_file;'
        " d = torch.load(sys.argv[1], 'cpu', weights_only=True); d = d.get('state_dict', d.get('net', d));"
        ' save_file({k: v.contiguous() for k, v in d.items() if torch.is_tensor(v)}, sys.argv[2])"'
        f" {path} {path.with_suffix('.safetensors')}"
    )


def check_header(path: Path, file: Any, expected: Mapping[str, Tensor]) -> None:
    """Compare the header of an open safetensors file with the tensors that the card describes."""
    names = set(file.keys())
    if difference := sorted(names ^ set(expected)):
        side = "lacks" if difference[0] in expected else "has the unknown tensor"
        raise ValueError(f"expected {path} to fit its card; it {side} {difference[0]} ({len(difference)} differ)")
    for name, tensor in expected.items():
        view = file.get_slice(name)
        shape, dtype = tuple(view.get_shape()), DTYPES.get(view.get_dtype())
        if shape != tuple(tensor.shape):
            raise ValueError(f"expected {name} in {path} of shape {tuple(tensor.shape)}, got {shape}")
        if dtype is None or dtype.is_floating_point != tensor.dtype.is_floating_point:
            raise ValueError(f"expected {name} in {path} to be like {tensor.dtype}, got {view.get_dtype()}")


def retrieval_state(network: Network) -> dict[str, Tensor]:
    """Choose the tensors to ship: no classifier; parameters in half precision, batch statistics in float32."""
    parameters = dict(network.named_parameters())
    return {
        name: tensor.half() if name in parameters else tensor
        for name, tensor in network.state_dict().items()
        if not name.startswith("neck.classifier.")
    }


def save_checkpoint(folder: Path, network: Network, card: Card) -> None:
    """Write a checkpoint: weights first, then the card, so that a folder with a card is complete.

    Raises:
        ValueError: A weight is not finite in half precision.
    """
    state = retrieval_state(network)
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ValueError(f"expected finite weights in half precision, {name} is not")
    folder.mkdir(parents=True, exist_ok=True)
    save_tensors(folder / WEIGHTS, state)
    write_card(folder, card)


def load_checkpoint(folder: Path) -> tuple[Network, Card]:
    """Load a checkpoint on the CPU, in float32, in evaluation mode, without gradients.

    Raises:
        FileNotFoundError: The folder, its card or its weights are missing.
        ValueError: Card or weights are broken, of another version, or do not fit each other.
    """
    card = read_card(folder)
    with torch.device("meta"):
        expected = Network(card.config.model, num_classes=0).state_dict()
    state = load_tensors(folder / WEIGHTS, expected)
    for name, tensor in state.items():
        if tensor.is_floating_point() and not math.isfinite(float(tensor.float().abs().sum())):
            raise ValueError(f"expected finite weights in {folder / WEIGHTS}, {name} is not")
    network = build_network(card.config, num_classes=0)
    network.load_state_dict(state)
    network.eval().requires_grad_(False)
    return network, card


def write_snapshots(folder: Path, states: Mapping[int, Mapping[str, Tensor]]) -> None:
    """Write states as `<step>/<name>` into one file, whole or not at all.

    Args:
        folder: Of the checkpoint; it exists.
        states: By the number of steps trained, each the generator's tensors by name (parameters, and buffers such as
            batch statistics).

    Raises:
        ValueError: A step is negative, or there is nothing to write.
    """
    if not any(states.values()) or min(states) < 0:
        raise ValueError(f"expected states by steps from 0, got the steps {sorted(states)[:8]}")
    named = {f"{step}/{name}": tensor.clone() for step, state in states.items() for name, tensor in state.items()}
    save_tensors(folder / SNAPSHOTS, named)


def read_snapshots(folder: Path) -> dict[int, dict[str, Tensor]]:
    """Read the states that a checkpoint keeps, in ascending order of their steps; none where there is no file.

    Args:
        folder: Of the checkpoint.

    Returns:
        The generator's tensors by name, for each step.

    Raises:
        ValueError: The file is a link, no whole safetensors file, or a name in it is not `<step>/<name>`.
    """
    path = folder / SNAPSHOTS
    if path.is_symlink():
        raise ValueError(f"expected a file named {SNAPSHOTS}, got a link; copy what it points to")
    if not path.is_file():
        return {}
    states: dict[int, dict[str, Tensor]] = {}
    for key, tensor in load_tensors(path).items():
        step, slash, name = key.partition("/")
        if not (slash and name and step.isascii() and step.isdigit() and len(step) <= MAX_DIGITS):
            raise ValueError(f"expected tensors named <step>/<name> in {SNAPSHOTS}, got {key[:60]!r}")
        states.setdefault(int(step), {})[name] = tensor
    return dict(sorted(states.items()))
