"""Embed images by a checkpoint and write the embeddings to an .npz file."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mun.device import choose_device
from mun.embedding import embed_samples
from mun.files import whole_file
from mun.own import MODEL_HELP, chosen_network, weights_digest
from mun.structures import Modality, Sample

__all__ = ["add_arguments", "find_images", "run"]

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument(
        "checkpoint", type=Path, nargs="?", help="folder with model.safetensors and card.json, unless --model"
    )
    parser.add_argument("--model", metavar="NAME=MODULE:FUNCTION", help=MODEL_HELP)
    parser.add_argument(
        "images", type=Path, nargs="+", metavar="IMAGES", help="a folder, searched with all folders in it, or files"
    )
    parser.add_argument(
        "--modality",
        choices=(Modality.VISIBLE.value, Modality.INFRARED.value),
        required=True,
        help="modality of all these images",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE.npz",
        help="where to write the arrays embeddings, names, modality, checkpoint, weights_sha256 and flip",
    )
    parser.add_argument("--flip", action="store_true", help="average the embeddings of image and mirror")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default: auto)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(options: argparse.Namespace) -> None:
    """Embed the images and write one .npz file, whole or not at all.

    It holds `embeddings` (float32, unit length, `(N, D)`), `names` (text, `(N,)`, relative to the folder), and as
    single values `modality`, `checkpoint` (its name), `weights_sha256` (of its weights) and `flip`.

    Raises:
        FileNotFoundError: The checkpoint or an image is missing.
        ValueError: The checkpoint or an image is broken, or there is no image.
    """
    if options.out.is_dir():
        raise ValueError(f"expected a file name after --out, got the folder {options.out}")
    if options.model and options.checkpoint is not None:  # the first image stands where the checkpoint would
        options.images, options.checkpoint = [options.checkpoint, *options.images], None
    paths, names = find_images(options.images)
    network, card = chosen_network(options.checkpoint, options.model)
    digest = weights_digest(options.checkpoint, network)
    samples = [Sample(path, 0, 0, Modality(options.modality)) for path in paths]  # the identity plays no part here
    network = network.to(choose_device(options.device))
    embeddings = embed_samples(network, samples, flip=options.flip, progress=not options.quiet)
    with whole_file(options.out) as partial, partial.open("wb") as stream:
        np.savez(
            stream,
            embeddings=embeddings,
            names=np.array(names),
            modality=np.array(options.modality),
            checkpoint=np.array(card.name),
            weights_sha256=np.array(digest),
            flip=np.array(options.flip),
        )
    print(f"{options.out}: {embeddings.shape[0]} {options.modality} embeddings of size {embeddings.shape[1]}")


def find_images(places: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """List image files and how they are called.

    Args:
        places: Folders, each searched with all folders in it (hidden files and folders are passed over), and files.

    Returns:
        The files, each once, and their names relative to the folder (where there are several places, relative to the
        folder that holds them all), with `/` between the parts; ascending by name.

    Raises:
        FileNotFoundError: A place is not there.
        ValueError: A file has no image suffix, or there is no image.
    """
    found: set[Path] = set()
    for place in places:
        root = Path(os.path.abspath(place))  # `resolve` would follow a linked image to a folder that was not given
        if root.is_dir():
            found |= {path for path in root.rglob("*") if path.is_file() and is_image(path.relative_to(root))}
        elif not root.is_file():
            raise FileNotFoundError(f"expected a folder or an image file at {place}, found none")
        elif not is_image(Path(root.name)):
            raise ValueError(f"expected an image file ({', '.join(SUFFIXES)}), got {place}")
        else:
            found.add(root)
    if not found:
        raise ValueError(f"expected images ({', '.join(SUFFIXES)}) in {', '.join(map(str, places))}, found none")
    roots = [Path(os.path.abspath(place)) for place in places]
    base = Path(os.path.commonpath([root if root.is_dir() else root.parent for root in roots]))
    paths = sorted(found, key=lambda path: path.relative_to(base).as_posix())
    return paths, [path.relative_to(base).as_posix() for path in paths]


def is_image(path: Path) -> bool:
    """Return whether a relative path names an image that is not hidden."""
    return path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in path.parts)
