"""A model of your own: any PyTorch module that maps images of a modality to embeddings, used as a network is.

A function of yours returns an `OwnModel`; `--model NAME=package.module:function` names it, on the command line alone.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import importlib
import os
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mun.auxiliary.registry import build_auxiliary
from mun.checkpoint import BUILDING, FORMAT, WEIGHTS, Card, load_checkpoint, load_tensors
from mun.config import Config, GeneratorConfig, ModelConfig, option
from mun.models.network import MEAN, STD, Network
from mun.structures import PAIRED, Modality

__all__ = ["OwnConfig", "OwnModel", "add_model", "chosen_network", "load_own", "load_weights", "own_card"]
__all__ += ["weights_digest"]

NAME = re.compile(r"[\w.-]{1,60}")
PARALLEL = "module."  # what DataParallel and DistributedDataParallel write before every name


@dataclass(frozen=True)
class OwnConfig(ModelConfig):
    """What is known of a model of your own: the images it takes."""

    auxiliary: str = option("none", "a model of your own has no third modality here")
    backbone: str = option("own", "a model of your own")
    width: float = option(1.0, "of a model of your own, unused", (1, 1))


class OwnModel(Network):
    """Any module as a network: `module(images, modality)` gives embeddings.

    Args:
        module: Called in evaluation mode with normalised images, float32, `(N, 3, H, W)`, and a `Modality`, which
            equals `"visible"` or `"infrared"`; returns `(N, D)`, of any length. A row depends on its own image alone.
        height: Of the images, in pixels.
        image_width: Likewise.
        mean: Of red, green and blue in [0, 1]; taken away first. ImageNet's by default.
        std: What is divided by then. ImageNet's by default.
        layers: Names of submodules, as `named_modules` says them, whose output is a map, `(N, C, h, w)`; the last one
            is what "Why?" shows.

    Raises:
        ValueError: A layer is no submodule, the size is out of bounds, or the module does not give such embeddings.
    """

    def __init__(
        self,
        module: nn.Module,
        height: int,
        image_width: int,
        *,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
        layers: Sequence[str] = (),
    ) -> None:
        nn.Module.__init__(self)
        self.config = Config(model=OwnConfig(height=height, image_width=image_width)).model
        self.num_classes, self.layers = 0, tuple(layers)
        self.module = module.eval().requires_grad_(False)
        self.auxiliary = build_auxiliary("none", GeneratorConfig())
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32).view(3, 1, 1), persistent=False)
        known = [name for name, _ in module.named_modules() if name]
        if unknown := [name for name in self.layers if name not in known]:
            raise ValueError(f"expected layers among {', '.join(known[:8])}, …; got {unknown[0]!r}")
        self._num_features = self._probed()

    def _probed(self) -> int:
        """Run a grey image of each modality once, and return the size of the embeddings."""
        shapes = []
        for modality in PAIRED:
            with torch.inference_mode():
                made = self.module(torch.zeros(2, 3, *self.config.size), modality)
            if not isinstance(made, Tensor) or made.ndim != 2 or len(made) != 2:
                came = f"shape {tuple(made.shape)}" if isinstance(made, Tensor) else f"a {type(made).__name__}"
                raise ValueError(f"expected embeddings of shape (2, D) of two {modality} images, got {came}")
            shapes.append(made.shape[1])
        if shapes[0] != shapes[1]:
            raise ValueError(f"expected embeddings of one size for both modalities, got {shapes[0]} and {shapes[1]}")
        return int(shapes[0])

    @property
    def num_features(self) -> int:
        """Size D of the embeddings."""
        return self._num_features

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the layers that maps can be made of."""
        return self.layers

    def features(self, images: Tensor, modality: Modality) -> Tensor:
        """Map images in [0, 1], `(N, 3, H, W)`, to what the module gives, `(N, D)`."""
        made: Tensor = self.module((images - self.mean) / self.std, modality)
        return made.float()

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """Map images in [0, 1], `(N, 3, H, W)`, to unit-length embeddings, float32, `(N, D)`."""
        return F.normalize(self.features(images, modality), dim=1)

    def explainable_layers(self) -> dict[str, nn.Module]:
        """Return the modules that were named, each under its name."""
        return {name: self.module.get_submodule(name) for name in self.layers}

    def randomised(self, seed: int, parts: Sequence[str] = ("",)) -> OwnModel:
        """Copy the model and give new weights to some submodules, or to all: to what has `reset_parameters`."""
        fresh = copy.deepcopy(self)
        with BUILDING, torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for name in parts:
                for part in fresh.module.get_submodule(name).modules():
                    if callable(reset := getattr(part, "reset_parameters", None)):
                        reset()
        return fresh

    def digest(self) -> str:
        """Hash the weights, what is done to images, and the layers."""
        known = (self.config, self.mean.tolist(), self.std.tolist(), self.layers)
        digest = hashlib.sha256(repr(known).encode())
        for name, tensor in self.module.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        return digest.hexdigest()


def load_own(text: str) -> tuple[str, OwnModel]:
    """Make the model that `NAME=package.module:function` names; the package is looked for in the present folder too.

    Raises:
        ValueError: The text has another form, the function is not there, fails, or returns something else.
    """
    name, _, place = text.partition("=")
    package, _, function = place.partition(":")
    if not (NAME.fullmatch(name) and package and function.isidentifier()):
        raise ValueError(f"expected --model NAME=package.module:function, got {text[:80]!r}")
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    try:
        made = getattr(importlib.import_module(package), function)()
    except Exception as error:  # whatever the user's own code raises is told in a sentence
        if os.environ.get("MUN_DEBUG") == "1":
            raise
        raise ValueError(f"expected {place} to make a model, got {type(error).__name__}: {error}") from None
    if not isinstance(made, OwnModel):
        raise ValueError(f"expected {place} to return a mun.own.OwnModel, got {type(made).__name__}")
    return name, made


def own_card(name: str, text: str, model: OwnModel) -> Card:
    """Make the card of a model of your own: of its training nothing is known here."""
    return Card(
        format=FORMAT,
        name=name,
        config=Config(model=model.config),
        seed=0,
        steps=0,
        data={},
        selection={},
        scores=[],
        command=[f"--model {text}"],
        versions={"python": platform.python_version(), "torch": torch.__version__},
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Declare the two ways to name what embeds, of which one is given; see `chosen_network`."""
    own = "a model of your own instead: a function that returns a mun.own.OwnModel; see docs/own-models.md"
    text = "folder with model.safetensors and card.json, unless --model"
    parser.add_argument("checkpoint", type=Path, nargs="?", help=text)
    parser.add_argument("--model", metavar="NAME=MODULE:FUNCTION", help=own)


def chosen_network(checkpoint: Path | None, model: str | None) -> tuple[Network, Card]:
    """Load a checkpoint, or make the model that `NAME=package.module:function` names; there is one of both.

    Raises:
        FileNotFoundError: As `load_checkpoint`.
        ValueError: As `load_checkpoint` or `load_own`; or both are given, or neither.
    """
    if (checkpoint is None) == (model is None):
        raise ValueError("expected a checkpoint folder, or --model NAME=package.module:function, and not both")
    if checkpoint is not None:
        return load_checkpoint(checkpoint)
    name, network = load_own(str(model))
    return network, own_card(name, str(model), network)


def weights_digest(checkpoint: Path | None, network: Network) -> str:
    """Return the SHA-256 of a checkpoint's weights file, or the digest of a model of your own."""
    if isinstance(network, OwnModel) or checkpoint is None:
        return network.digest() if isinstance(network, OwnModel) else ""
    with (checkpoint / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_weights(module: nn.Module, path: Path | str, ignore: Sequence[str] = (), prefix: str = "") -> None:
    """Fill a module from a safetensors file, all of it.

    Args:
        module: Of your own.
        path: The file.
        ignore: Beginnings of names that stay as they are in the module and are passed over in the file, as
            `("classifier.",)` where the file has another number of identities.
        prefix: What every name in the file begins with, as `module.`; it is taken off.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is a pickle, a pointer of Git LFS or no whole safetensors file; or a tensor is missing, unknown
            or of another shape: the message names it, and says so where all names begin with `module.`.
    """
    state = {name.removeprefix(prefix): tensor for name, tensor in load_tensors(Path(path)).items()}
    wanted = {name: tensor for name, tensor in module.state_dict().items() if not name.startswith(tuple(ignore))}
    given = {name: tensor for name, tensor in state.items() if not name.startswith(tuple(ignore))}
    if given and wanted and all(name.startswith(PARALLEL) for name in given) and not prefix:
        raise ValueError(
            f'expected names as {next(iter(wanted))} in {path}, all begin with "{PARALLEL}", as DataParallel writes'
            f' them; load_weights(..., prefix="{PARALLEL}") takes it off'
        )
    for name in sorted(wanted.keys() | given.keys()):
        shapes = [f"shape {tuple(side[name].shape)}" if name in side else "none" for side in (wanted, given)]
        if shapes[0] == shapes[1] or (name not in given and name.endswith("num_batches_tracked")):
            continue
        words = f"expected {name} of {shapes[0]} in {path}, got {shapes[1]}".replace(" of none", " not to be")
        if any(word in name.lower() for word in ("classifier", "fc.", "logits")):
            words += (
                ": a classifier, which knows the people of its training alone and takes no part in embeddings;"
                f' load_weights(..., ignore=("{name.rpartition(".")[0]}.",)) leaves it out'
            )
        raise ValueError(words)
    module.load_state_dict(given, strict=False)
