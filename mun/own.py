"""A model of your own: any PyTorch module that maps images of a modality to embeddings, usable as a network.

Your function returns an `OwnModel`; only the command line names it, by `--model NAME=package.module:function`.
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
PARALLEL = "module."  # prefix that DataParallel and DistributedDataParallel add to every name


@dataclass(frozen=True)
class OwnConfig(ModelConfig):
    """Config of a model of your own: only its images are known."""

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
        mean: Mean of red, green and blue in [0, 1], subtracted first. ImageNet's by default.
        std: Standard deviation to divide by afterwards. ImageNet's by default.
        layers: Names of submodules, as in `named_modules`, whose output is a map, `(N, C, h, w)`; "Why?" shows the
            last one.

    Raises:
        ValueError: A layer is no submodule, the size is out of bounds, or the module does not return such embeddings.
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
                rows = self.module(torch.zeros(2, 3, *self.config.size), modality)
            if not isinstance(rows, Tensor) or rows.ndim != 2 or len(rows) != 2:
                actual = f"shape {tuple(rows.shape)}" if isinstance(rows, Tensor) else f"a {type(rows).__name__}"
                raise ValueError(f"expected embeddings of shape (2, D) of two {modality} images, got {actual}")
            shapes.append(rows.shape[1])
        if shapes[0] != shapes[1]:
            raise ValueError(f"expected embeddings of one size for both modalities, got {shapes[0]} and {shapes[1]}")
        return int(shapes[0])

    @property
    def num_features(self) -> int:
        """Size D of the embeddings."""
        return self._num_features

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the layers that maps can explain."""
        return self.layers

    def features(self, images: Tensor, modality: Modality) -> Tensor:
        """Map images in [0, 1], `(N, 3, H, W)`, to the output of the module, `(N, D)`."""
        made: Tensor = self.module((images - self.mean) / self.std, modality)
        return made.float()

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """Map images in [0, 1], `(N, 3, H, W)`, to unit-length embeddings, float32, `(N, D)`."""
        return F.normalize(self.features(images, modality), dim=1)

    def explainable_layers(self) -> dict[str, nn.Module]:
        """Return the modules of `layers` by name."""
        return {name: self.module.get_submodule(name) for name in self.layers}

    def randomised(self, seed: int, parts: Sequence[str] = ("",)) -> OwnModel:
        """Copy the model and draw new weights for some submodules, or for all, where they have `reset_parameters`."""
        fresh = copy.deepcopy(self)
        with BUILDING, torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for name in parts:
                for part in fresh.module.get_submodule(name).modules():
                    if callable(reset := getattr(part, "reset_parameters", None)):
                        reset()
        return fresh

    def digest(self) -> str:
        """Hash the weights, the preprocessing of images, and the layers."""
        known = (self.config, self.mean.tolist(), self.std.tolist(), self.layers)
        digest = hashlib.sha256(repr(known).encode())
        for name, tensor in self.module.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        return digest.hexdigest()


def load_own(text: str) -> tuple[str, OwnModel]:
    """Build the model that `NAME=package.module:function` names; the current folder is searched for the package too.

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
    except Exception as error:  # any error of the user's code becomes one sentence
        if os.environ.get("MUN_DEBUG") == "1":
            raise
        raise ValueError(f"expected {place} to make a model, got {type(error).__name__}: {error}") from None
    if not isinstance(made, OwnModel):
        raise ValueError(f"expected {place} to return a mun.own.OwnModel, got {type(made).__name__}")
    return name, made


def own_card(name: str, text: str, model: OwnModel) -> Card:
    """Make the card of a model of your own; nothing is known about its training."""
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
    """Add the two arguments that name the network, `checkpoint` and `--model`; one is given, see `chosen_network`."""
    own = "a model of your own instead: a function that returns a mun.own.OwnModel; see docs/own-models.md"
    text = "folder with model.safetensors and card.json; none with --model"
    parser.add_argument("checkpoint", type=Path, nargs="?", help=text)
    parser.add_argument("--model", metavar="NAME=MODULE:FUNCTION", help=own)


def chosen_network(checkpoint: Path | None, model: str | None) -> tuple[Network, Card]:
    """Load a checkpoint, or build the model that `NAME=package.module:function` names; exactly one must be given.

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
    """Fill all tensors of a module from a safetensors file.

    Args:
        module: Your own module.
        path: The file.
        ignore: Prefixes of names that keep their values in the module and are ignored in the file, such as
            `("classifier.",)` if the file has another number of identities.
        prefix: Prefix of every name in the file, such as `module.`; it is removed.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is a pickle, a pointer of Git LFS or no whole safetensors file; or a tensor is missing, unknown
            or of another shape: the message names it, and mentions the prefix if all names begin with `module.`.
    """
    state = {name.removeprefix(prefix): tensor for name, tensor in load_tensors(Path(path)).items()}
    wanted = {name: tensor for name, tensor in module.state_dict().items() if not name.startswith(tuple(ignore))}
    given = {name: tensor for name, tensor in state.items() if not name.startswith(tuple(ignore))}
    if given and wanted and all(name.startswith(PARALLEL) for name in given) and not prefix:
        raise ValueError(
            f'expected names as {next(iter(wanted))} in {path}, all begin with "{PARALLEL}", as DataParallel writes'
            f' them; load_weights(..., prefix="{PARALLEL}") removes it'
        )
    for name in sorted(wanted.keys() | given.keys()):
        shapes = [f"shape {tuple(side[name].shape)}" if name in side else "none" for side in (wanted, given)]
        if shapes[0] == shapes[1] or (name not in given and name.endswith("num_batches_tracked")):
            continue
        message = f"expected {name} of {shapes[0]} in {path}, got {shapes[1]}".replace(" of none", " not to be")
        if any(word in name.lower() for word in ("classifier", "fc.", "logits")):
            message += (
                ": a classifier, which is for its training identities only and takes no part in embeddings;"
                f' load_weights(..., ignore=("{name.rpartition(".")[0]}.",)) leaves it out'
            )
        raise ValueError(message)
    module.load_state_dict(given, strict=False)
