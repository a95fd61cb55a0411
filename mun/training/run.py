"""The folder of a training run: settings, metrics, states and the best weights.

RUN/config.json                 settings; the data folder is named here and nowhere in the finished card
RUN/metrics.jsonl               one JSON object per line
RUN/step-000400/                model, criterion and optimiser as safetensors, state.json: enough to continue exactly
RUN/best-000300/                the weights that were best on validation identities
RUN/model.safetensors card.json the finished checkpoint
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mun.checkpoint import load_tensors, save_tensors
from mun.config import Config, from_json, to_json
from mun.data.source import Reading
from mun.distributed import is_first
from mun.files import read_json, remove, whole_folder, write_json, write_text

__all__ = ["MetricsFile", "RunSettings", "TrainState", "newest_state", "read_settings", "remove_unfinished"]
__all__ += ["write_settings"]

FORMAT = 1


@dataclass(frozen=True)
class RunSettings:
    """The settings of a run.

    Attributes:
        format: Version of the folder's layout.
        config: All settings of the run.
        dataset: Name of the layout.
        data: The data folder on this machine.
        seed: Decides every draw, together with the step.
        pretrained: File of the weights that the run starts from, on this machine; empty for none.
        pretrained_sha256: SHA-256 of this file; `start_run` sets it.
        reading: Options for reading the data.
    """

    format: int
    config: Config
    dataset: str
    data: str
    seed: int
    pretrained: str = field(default="", metadata={"later": True})
    pretrained_sha256: str = field(default="", metadata={"later": True})
    reading: Reading = field(default=Reading(), metadata={"later": True})


def write_settings(folder: Path, settings: RunSettings) -> None:
    """Start a run's folder.

    Raises:
        ValueError: The folder is there already and is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"expected a new or empty folder at {folder}, found something there; --resume continues a run")
    write_json(folder / "config.json", to_json(settings))


def read_settings(folder: Path) -> RunSettings:
    """Read the settings of a run.

    Raises:
        FileNotFoundError: There is no run in the folder.
        ValueError: The settings are broken or of another version.
    """
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"expected a training run at {folder}, found no config.json there")
    value = read_json(folder / "config.json")
    if value.get("format") != FORMAT:
        raise ValueError(f"expected {folder / 'config.json'} of format {FORMAT}, got {value.get('format')!r}")
    return from_json(RunSettings, value, "settings")


@dataclass
class TrainState:
    """Everything that determines the next steps, apart from settings and data.

    Attributes:
        step: Steps done.
        network: Weights and batch statistics.
        criterion: Prototypes.
        optimizer: Momentum.
        best: Best validation so far: `{"step", "scores"}`, or empty.
    """

    step: int
    network: nn.Module
    criterion: nn.Module
    optimizer: torch.optim.Optimizer
    best: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Write `step-N`, complete or not at all, then remove older states and bests; the first process does it."""
        if not is_first():
            return
        target = folder / f"step-{self.step:06d}"
        if not target.exists():
            with whole_folder(target) as partial:
                save_tensors(partial / "network.safetensors", self.network.state_dict())
                save_tensors(partial / "criterion.safetensors", self.criterion.state_dict())
                save_tensors(partial / "optimizer.safetensors", dict(optimizer_tensors(self.optimizer)))
                write_json(partial / "state.json", {"step": self.step, "best": self.best})
        remove_others(folder, "step-", self.step)
        remove_others(folder, "best-", self.best.get("step"))

    def load(self, folder: Path) -> None:
        """Continue from a `step-N` folder.

        Raises:
            ValueError: The state does not fit this run's settings, or its record is broken.
        """
        record = read_json(folder / "state.json")
        step, best = record.get("step"), record.get("best")
        if type(step) is not int or not isinstance(best, dict) or (best and not is_best(best)):
            raise ValueError(f"expected the step and the best validation of a run in {folder / 'state.json'}")
        self.step, self.best = step, best
        for name, module in (("network", self.network), ("criterion", self.criterion)):
            module.load_state_dict(load_tensors(folder / f"{name}.safetensors", module.state_dict()))
        load_optimizer(self.optimizer, load_tensors(folder / "optimizer.safetensors"))

    def keep_best(self, folder: Path, scores: Mapping[str, float]) -> None:
        """Keep the present weights as the best; the older best stays until the next state is saved."""
        target = folder / f"best-{self.step:06d}"
        if is_first() and not target.exists():
            with whole_folder(target) as partial:
                save_tensors(partial / "network.safetensors", self.network.state_dict())
        self.best = {"step": self.step, "scores": dict(scores)}


def is_best(value: Mapping[str, Any]) -> bool:
    """Return whether an object is a best validation: `{"step", "scores"}`."""
    return type(value.get("step")) is int and isinstance(value.get("scores"), dict)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    """Yield the optimiser's tensors as `parameter.quantity`."""
    for index, quantities in optimizer.state_dict()["state"].items():
        for name, value in quantities.items():
            if value is not None:
                yield f"{index}.{name}", value


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put tensors named by `optimizer_tensors` back, each laid out in memory as its parameter is."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        parameter = parameters[int(index)]
        fits = value.shape == parameter.shape
        state.setdefault(int(index), {})[name] = torch.empty_like(parameter).copy_(value) if fits else value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def step_of(path: Path) -> int:
    """Read the step from a name such as `step-000400`; −1 for a folder that was never completed."""
    number = path.name.split("-", 1)[-1]
    return int(number) if number.isdigit() else -1


def newest_state(folder: Path) -> Path | None:
    """Find the complete state with the most steps."""
    states = [path for path in folder.glob("step-*") if step_of(path) >= 0]
    return max(states, key=step_of, default=None)


def remove_others(folder: Path, prefix: str, keep: int | None) -> None:
    """Remove the folders of other steps, half-written ones too."""
    for path in folder.glob(f"{prefix}*"):
        if step_of(path) != keep:
            shutil.rmtree(path, ignore_errors=True)


def remove_unfinished(folder: Path) -> None:
    """Remove half-written files and folders of a killed run, which end in `.tmp`; the first process does it."""
    for path in folder.glob("*.tmp") if is_first() else ():
        remove(path)


class MetricsFile:
    """Metrics as JSON lines; lines that a killed run wrote after its last state are dropped when it resumes."""

    def __init__(self, path: Path, step: int, note: Callable[[Mapping[str, Any]], None] | None = None) -> None:
        self.path, self.note = path, note
        if not is_first():
            return
        kept = [line for line in self.lines(path) if line["step"] <= step]
        write_text(path, "".join(json.dumps(line) + "\n" for line in kept))

    @staticmethod
    def lines(path: Path) -> Iterator[dict[str, Any]]:
        """Read the whole lines of a metrics file; a line cut off by a kill is passed over.

        Raises:
            ValueError: A line is no JSON object with a step.
        """
        if not path.exists():
            return
        for text in path.read_text(encoding="utf-8").splitlines():
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                return
            if not isinstance(line, dict) or type(line.get("step")) is not int:
                raise ValueError(f"expected JSON objects with a step in {path}, got {text[:40]!r}")
            yield line

    def write(self, line: Mapping[str, Any]) -> None:
        """Append one object and hand it to the operating system; the first process does it."""
        if not is_first():
            return
        if self.note is not None:
            self.note(line)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
