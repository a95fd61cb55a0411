"""Embed images by a checkpoint and write the embeddings to an .npz file."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mun.data.listing import SUFFIXES, Listing, is_image
from mun.data.regdb import check_trial
from mun.data.source import Source
from mun.data.sources import add_data_flags, named_folder, only_whole, read_given, reading_of, report_passed
from mun.distributed import choose_device, is_first, together
from mun.embedding import embed_samples
from mun.files import check_file, whole_file
from mun.own import add_model, chosen_network, weights_digest
from mun.structures import PAIRED, Modality, Sample, Split

__all__ = ["add_arguments", "find_images", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    add_model(parser)
    text = "a folder, searched with all folders in it, or files; without --modality, one data set"
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGES", help=text)
    text = "modality of all these images; not for a data set, which states it"
    parser.add_argument("--modality", choices=[side.value for side in PAIRED], help=text)
    text = (
        "file for the arrays embeddings, names, modality, checkpoint, weights_sha256 and flip; for a data set features,"
        " pids, camids, modalities, keys and the last three, which `score` and `app.py --features` read"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.npz", help=text)
    splits = [split.value for split in Split]
    parser.add_argument("--split", choices=splits, default="test", help="split of a data set (default: test)")
    add_data_flags(parser)
    parser.add_argument("--flip", action="store_true", help="average the embeddings of image and mirror")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default: auto)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(options: argparse.Namespace) -> None:
    """Embed the images, by all processes together, and write one .npz file, whole or not at all.

    It holds `embeddings` (float32, unit length, `(N, D)`), `names` (text, `(N,)`, relative to the folder), and as
    single values `modality`, `checkpoint` (its name), `weights_sha256` (of its weights) and `flip`. For a data set
    it holds the arrays that `mun.features` reads (camera 0 if unknown) and the last three.

    Raises:
        FileNotFoundError: The checkpoint or an image is missing.
        ValueError: The checkpoint or an image is broken, or there is no image.
    """
    with together(choose_device(options.device)) as device:
        run_here(options, device)


def run_here(options: argparse.Namespace, device: torch.device) -> None:
    """Do this process's share of `run`; the first one writes."""
    check_file(options.out, "--out")
    if options.model and options.checkpoint is not None:  # the first image was parsed as the checkpoint
        options.images, options.checkpoint = [options.checkpoint, *options.images], None
    data = options.modality is None
    source = read_data(options) if data else None
    samples = source.require(Split(options.split)) if source else images_of(options)
    network, card = chosen_network(options.checkpoint, options.model)
    if source:
        check_trial(card.data, source)
    digest = weights_digest(options.checkpoint, network)
    network = network.to(device)
    embeddings = embed_samples(network, samples, flip=options.flip, progress=not options.quiet and is_first())
    if not is_first():
        return
    keys: Any = [sample.key for sample in samples]
    arrays: dict[str, Any] = {"embeddings": embeddings, "names": keys, "modality": options.modality}
    if data:
        arrays = {"features": embeddings, "keys": keys, "modalities": [sample.modality.value for sample in samples]}
        arrays |= {f"{name}s": [getattr(sample, name) for sample in samples] for name in ("pid", "camid")}
    arrays |= {"checkpoint": card.name, "weights_sha256": digest, "flip": options.flip}
    with whole_file(options.out) as partial, partial.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **{name: np.array(values) for name, values in arrays.items()})
    kind = source.name if source else options.modality
    print(f"{options.out}: {embeddings.shape[0]} {kind} embeddings of size {embeddings.shape[1]}")


def read_data(options: argparse.Namespace) -> Source:
    """Read the data set to embed."""
    if len(options.images) != 1:
        raise ValueError("expected --modality visible or infrared with several folders or files")
    options.data = named_folder(str(options.images[0]))
    try:
        return read_given(options, (Split(options.split),))
    except (ValueError, FileNotFoundError) as error:
        raise type(error)(f"{error}; for images that are no data set, add --modality") from None


def images_of(options: argparse.Namespace) -> tuple[Sample, ...]:
    """List the images of one modality; identity and camera are set to 0."""
    paths, names, listing = find_images(options.images)
    modality, reading = Modality(options.modality), reading_of(options)
    levels = reading.levels(modality)
    samples = tuple(Sample(path, 0, 0, modality, name, levels) for path, name in zip(paths, names, strict=True))
    if reading.skip_broken:
        samples = only_whole(samples, listing)
    report_passed("images", listing.passed)
    if not samples:
        raise ValueError("expected an image that can be decoded, got none")
    return samples


def find_images(places: Sequence[Path]) -> tuple[list[Path], list[str], Listing]:
    """List image files and their names.

    Args:
        places: Folders, each searched with all folders in it by the rule of `mun.data.listing`, and files.

    Returns:
        The files, each once, and their names relative to the folder (for several places, relative to the folder that
        holds them all), with `/` between the parts; ascending by name; and the record of what was passed over.

    Raises:
        FileNotFoundError: A place does not exist.
        ValueError: A file has no image suffix, or there is no image.
    """
    roots = [Path(os.path.abspath(place)) for place in places]  # `resolve` would follow links of images
    for place, root in zip(places, roots, strict=True):
        if not root.exists():
            raise FileNotFoundError(f"expected a folder or an image file at {place}, found none")
        if not root.is_dir() and not is_image(root.name):
            raise ValueError(f"expected an image file ({', '.join(SUFFIXES)}), got {place}")
    base = Path(os.path.commonpath([root if root.is_dir() else root.parent for root in roots]))
    listing = Listing(base)
    found = {path for root in roots for path in (listing.walk(root) if root.is_dir() else [root])}
    if not found:
        raise ValueError(f"expected images ({', '.join(SUFFIXES)}) in {', '.join(map(str, places))}, found none")
    paths = sorted(found, key=lambda path: path.relative_to(base).as_posix())
    return paths, [path.relative_to(base).as_posix() for path in paths], listing
