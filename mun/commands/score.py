"""Score features from an .npz file by a published protocol; needs neither images nor a network."""

from __future__ import annotations

import argparse
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mun.evaluation.metrics import cosine_distances, rank_metrics
from mun.evaluation.protocols import PROTOCOLS, Protocol, dropped, get_protocol
from mun.features import unit_rows
from mun.files import write_json

__all__ = ["ARRAYS", "add_arguments", "read_arrays", "run"]

ARRAYS = ("query_features", "query_pids", "query_camids", "gallery_features", "gallery_pids", "gallery_camids")
UNREADABLE = (
    *(ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error),
    *(SyntaxError, tokenize.TokenError),  # of NumPy's reader, about a broken header
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("features", type=Path, metavar="FEATURES.npz", help=f"an .npz file with {', '.join(ARRAYS)}")
    parser.add_argument("--protocol", required=True, help=", ".join(PROTOCOLS))
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="where to write the scores; without it they are only printed"
    )


def run(options: argparse.Namespace) -> None:
    """Print the scores in one line and write them to `options.json`.

    Raises:
        FileNotFoundError: There is no such .npz file.
        ValueError: The protocol is unknown, or the arrays are missing, unreadable or do not fit one another.
    """
    protocol = get_protocol(options.protocol)
    arrays = read_arrays(options.features)
    query = unit_rows("query_features", arrays["query_features"])
    gallery = unit_rows("gallery_features", arrays["gallery_features"])
    if query.shape[1] != gallery.shape[1]:
        raise ValueError(f"expected `gallery_features` of shape (G, {query.shape[1]}), got {gallery.shape}")
    query_pids, gallery_pids = arrays["query_pids"], arrays["gallery_pids"]
    mask = dropped(protocol, query_pids, arrays["query_camids"], gallery_pids, arrays["gallery_camids"])
    warn_of_cameras(protocol, arrays)
    metrics = rank_metrics(
        cosine_distances(query, gallery),
        query_pids,
        gallery_pids,
        mask if mask.any() else None,
        protocol.distinct_identities,
    )
    scores = metrics.scores()
    if options.json is not None:
        record = {"protocol": protocol.name, "distance": "cosine", **scores, "num_valid": metrics.num_valid}
        write_json(options.json, record)
    percent = "  ".join(f"{name} {100 * value:.2f} %" for name, value in scores.items())
    print(f"{protocol.name} (cosine distance): {percent}  over {metrics.num_valid} valid of {len(query)} queries")


def warn_of_cameras(protocol: Protocol, arrays: dict[str, NDArray[Any]]) -> None:
    """Warn on stderr of cameras that the protocol does not search; their images are scored all the same."""
    for side, cameras in (("query", protocol.query_cameras), ("gallery", protocol.gallery_cameras)):
        others = sorted(set(np.ravel(arrays[f"{side}_camids"]).tolist()) - set(cameras))
        if cameras and others:
            text = (
                f"{protocol.name} has {side} cameras {list(cameras)}; the arrays also hold {others}, which are counted"
            )
            print(f"mun: note: {text}", file=sys.stderr)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read the six arrays of an .npz file; pickled objects are never loaded.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no .npz file, an array is missing, or one holds Python objects.
    """
    if not path.is_file():
        raise FileNotFoundError(f"expected an .npz file at {path}, found none")
    with path.open("rb") as file:
        try:
            archive = np.load(file, allow_pickle=False)
        except UNREADABLE:
            raise ValueError(f"expected an .npz file with numeric arrays at {path}, got something else") from None
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError(f"expected an .npz file with {', '.join(ARRAYS)} at {path}, got a single array")
        missing = [name for name in ARRAYS if name not in archive]
        if missing:
            raise ValueError(f"expected the arrays {', '.join(ARRAYS)} in {path}, missing: {', '.join(missing)}")
        return {name: _read_array(archive, name, path) for name in ARRAYS}


def _read_array(archive: Mapping[str, NDArray[Any]], name: str, path: Path) -> NDArray[Any]:
    try:
        return archive[name]
    except UNREADABLE as error:
        raise ValueError(f"expected `{name}` in {path} to be a numeric array, got: {error}") from None
