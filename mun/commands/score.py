"""Score features from an .npz file by a published protocol; needs neither images nor a network."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mun.evaluation.metrics import BLOCK, cosine_distances, rank_blocks
from mun.evaluation.protocols import PROTOCOLS, DropRule, Protocol, dropped, get_protocol
from mun.features import ARRAYS as FILE_ARRAYS
from mun.features import FeatureSet, integers, read_arrays, read_features, unit_rows
from mun.files import write_json
from mun.structures import PAIRED, Modality, Sample

__all__ = ["ARRAYS", "add_arguments", "run"]

ARRAYS = ("query_features", "query_pids", "query_camids", "gallery_features", "gallery_pids", "gallery_camids")
Floats = NDArray[np.floating[Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    what = f"an .npz file with {', '.join(ARRAYS)}; or one that `embed` wrote for a data set"
    parser.add_argument("features", type=Path, metavar="FEATURES.npz", help=what)
    parser.add_argument("--protocol", required=True, help=", ".join(PROTOCOLS))
    what = "write the scores to this file, not only to the terminal"
    parser.add_argument("--json", type=Path, metavar="FILE", help=what)


def run(options: argparse.Namespace) -> None:
    """Print the scores in one line and write them to `options.json`.

    If the file holds all images of a data set and the protocol draws galleries, they are the galleries of `evaluate`.

    Raises:
        FileNotFoundError: There is no such .npz file.
        ValueError: The protocol is unknown, or the arrays are missing, unreadable or do not fit each other.
    """
    protocol = get_protocol(options.protocol)
    known, without_cameras = (*ARRAYS, "features", "camids"), protocol.drop_rule is DropRule.NOTHING
    arrays = read_arrays(options.features, known, optional=known)
    if "features" in arrays:
        if "camids" not in arrays and not without_cameras:
            raise ValueError(f"expected `camids` for {protocol.name} in {options.features}, found none")
        found = read_features(options.features)
        if not protocol.whole or protocol.mixed:
            score_galleries(options, protocol, found)
            return
        arrays = sides(protocol, found)
    optional = ("query_camids", "gallery_camids") if without_cameras else ()
    if missing := [name for name in ARRAYS if name not in arrays and name not in optional]:
        words = f"{', '.join(ARRAYS)} (or {', '.join(FILE_ARRAYS)}) in {options.features}"
        raise ValueError(f"expected the arrays {words}, missing: {', '.join(missing)}")
    query, gallery = (unit_rows(f"{side}_features", arrays[f"{side}_features"]) for side in ("query", "gallery"))
    if query.shape[1] != gallery.shape[1]:
        raise ValueError(f"expected `gallery_features` of shape (G, {query.shape[1]}), got {gallery.shape}")
    numbers = {
        f"{side}_{kind}": integers(f"{side}_{kind}", arrays.get(f"{side}_{kind}", np.ones(len(rows))), len(rows))
        for side, rows in (("query", query), ("gallery", gallery))
        for kind in ("pids", "camids")
    }
    blocks = in_blocks(protocol, query, gallery, numbers)
    metrics = rank_blocks(blocks, numbers["gallery_pids"], protocol.distinct_identities)
    warn_of_cameras(protocol, numbers)
    scores = metrics.scores()
    if options.json is not None:
        record = {"protocol": protocol.name, "distance": "cosine", **scores, "num_valid": metrics.num_valid}
        write_json(options.json, record)
    percent = "  ".join(f"{name} {100 * value:.2f} %" for name, value in scores.items())
    print(f"{protocol.name} (cosine distance): {percent}  over {metrics.num_valid} valid of {len(query)} queries")


def score_galleries(options: argparse.Namespace, protocol: Protocol, found: FeatureSet) -> None:
    """Score a file with all images of a data set as `evaluate` does, over ten galleries.

    Raises:
        ValueError: As `benchmark`.
    """
    from mun.evaluation.benchmark import benchmark  # here: most files have separate query and gallery

    columns = zip(found.keys, found.pids.tolist(), found.camids.tolist(), found.infrared.tolist(), strict=True)
    samples = [Sample(Path(key), pid, camid, PAIRED[infrared], key) for key, pid, camid, infrared in columns]
    result = benchmark(protocol, samples, found.features, data=options.features.name)
    if options.json is not None:
        write_json(options.json, result.to_json())
    mean, sd = result.mean(), result.sd()
    percent = "  ".join(f"{name} {100 * mean[name]:.2f} ± {100 * sd[name]:.2f} %" for name in mean)
    over = f"{len(result.per_trial)} galleries: {percent}  over {result.num_valid} valid queries"
    print(f"{protocol.name} (cosine distance), {over}")


def sides(protocol: Protocol, found: FeatureSet) -> dict[str, NDArray[Any]]:
    """Split a file with all images of a data set into the queries and the gallery of a protocol."""
    arrays: dict[str, NDArray[Any]] = {}
    for side, modality, cameras in (
        ("query", protocol.query_modality, protocol.query_cameras),
        ("gallery", protocol.gallery_modality, protocol.gallery_cameras),
    ):
        rows = found.infrared == (modality is Modality.INFRARED)
        rows &= np.isin(found.camids, cameras) if cameras else True
        values = {"features": found.features, "pids": found.pids, "camids": found.camids}
        arrays |= {f"{side}_{name}": array[rows] for name, array in values.items()}
    return arrays


def in_blocks(
    protocol: Protocol, query: Floats, gallery: Floats, numbers: dict[str, NDArray[np.int64]]
) -> Iterator[tuple[Floats, NDArray[np.int64], NDArray[np.bool_] | None]]:
    """Yield the distances of some queries at a time, their identities and the dropped pairs, for `rank_blocks`."""
    size = max(1, BLOCK // len(gallery))
    for start in range(0, len(query), size):
        part = slice(start, start + size)
        asked = numbers["query_pids"][part], numbers["query_camids"][part]
        mask = dropped(protocol, *asked, numbers["gallery_pids"], numbers["gallery_camids"])
        yield cosine_distances(query[part], gallery), asked[0], mask if mask.any() else None


def warn_of_cameras(protocol: Protocol, arrays: dict[str, NDArray[Any]]) -> None:
    """Warn on stderr about cameras that are not in the protocol; their images are scored anyway."""
    for side, cameras in (("query", protocol.query_cameras), ("gallery", protocol.gallery_cameras)):
        others = sorted(set(np.ravel(arrays[f"{side}_camids"]).tolist()) - set(cameras))
        if cameras and others:
            text = f"{protocol.name} has {side} cameras {list(cameras)}; the arrays also hold {others}"
            print(f"mun: note: {text}, which are scored too", file=sys.stderr)
