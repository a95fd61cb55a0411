"""Who asks, who answers, and what is left out: the published protocols as values."""

from __future__ import annotations

import random
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mun.evaluation.metrics import integer_vector
from mun.structures import Modality, Sample

__all__ = [
    "PERMUTATION_FILE",
    "PROTOCOLS",
    "DropRule",
    "GallerySampler",
    "Permutations",
    "Protocol",
    "dropped",
    "get_protocol",
    "queries",
    "read_permutations",
    "sample_gallery",
]

PERMUTATION_FILE = "exp/rand_perm_cam.mat"
SYSU_SITES = (1, 2, 2, 4, 5, 6)  # of cameras 1 … 6, as in the official evaluation code of SYSU-MM01

Permutations = Mapping[tuple[int, int], NDArray[np.int64]]  # (camid, pid) → image numbers from 1, (trials, n)


class DropRule(StrEnum):
    """Which gallery images do not count for a query."""

    SITE = "site"  # images of anybody, from the site of the query's camera
    NOTHING = "nothing"
    SAME_ID_AND_CAMERA = "same id and camera"


class GallerySampler(StrEnum):
    """Two ways to draw the gallery of a trial; on SYSU-MM01 they share about 5 % of their picks."""

    SEEDED = "seeded"
    OFFICIAL = "official"


@dataclass(frozen=True, slots=True)
class Protocol:
    """One published way to evaluate.

    Attributes:
        name: As on the command line.
        query_modality: The modality of the queries; the gallery has the other one.
        query_cameras: Cameras of the queries; empty where the data set has no cameras to choose from.
        gallery_cameras: Cameras of the gallery, in the order of its images; empty likewise.
        drop_rule: Which gallery images do not count for a query.
        distinct_identities: Whether CMC counts distinct identities instead of images.
        sites: Site of camera 1, 2, …; empty unless `drop_rule` is `SITE`.
        sampled: Whether a gallery can be drawn from samples here; without it the protocol still scores arrays.
    """

    name: str
    query_modality: Modality
    query_cameras: tuple[int, ...]
    gallery_cameras: tuple[int, ...]
    drop_rule: DropRule
    distinct_identities: bool
    sites: tuple[int, ...] = ()
    sampled: bool = False

    @property
    def gallery_modality(self) -> Modality:
        """The modality that is not the queries'."""
        return Modality.VISIBLE if self.query_modality is Modality.INFRARED else Modality.INFRARED


def _sysu(name: str, gallery_cameras: tuple[int, ...]) -> Protocol:
    """Describe a search in the layout of SYSU-MM01: infrared queries, visible gallery."""
    return Protocol(name, Modality.INFRARED, (3, 6), gallery_cameras, DropRule.SITE, True, SYSU_SITES, sampled=True)


_VISIBLE, _INFRARED = Modality.VISIBLE, Modality.INFRARED
_LLCM_VISIBLE, _LLCM_INFRARED = tuple(range(1, 10)), (1, 2, 4, 5, 6, 7, 8, 9)  # there is no infrared camera 3

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        _sysu("synvi-all", (1, 2, 4, 5)),
        _sysu("synvi-indoor", (1, 2)),
        _sysu("sysu-all", (1, 2, 4, 5)),
        _sysu("sysu-indoor", (1, 2)),
        Protocol("regdb-v2i", _VISIBLE, (), (), DropRule.NOTHING, False),
        Protocol("regdb-i2v", _INFRARED, (), (), DropRule.NOTHING, False),
        Protocol("llcm-v2i", _VISIBLE, _LLCM_VISIBLE, _LLCM_INFRARED, DropRule.SAME_ID_AND_CAMERA, True),
        Protocol("llcm-i2v", _INFRARED, _LLCM_INFRARED, _LLCM_VISIBLE, DropRule.SAME_ID_AND_CAMERA, True),
    )
}


def get_protocol(name: str) -> Protocol:
    """Return a protocol by name.

    Raises:
        ValueError: There is none of this name; the message lists them.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"expected one of the protocols {', '.join(PROTOCOLS)}; got {name!r}")
    return PROTOCOLS[name]


def dropped(
    protocol: Protocol,
    query_pids: ArrayLike,
    query_camids: ArrayLike,
    gallery_pids: ArrayLike,
    gallery_camids: ArrayLike,
) -> NDArray[np.bool_]:
    """Mark the gallery images that do not count for a query.

    Args:
        protocol: The rule.
        query_pids: Integers, `(Q,)`.
        query_camids: Camera numbers from 1, `(Q,)`.
        gallery_pids: Integers, `(G,)`.
        gallery_camids: Camera numbers from 1, `(G,)`.

    Returns:
        True where the image is left out, bool, `(Q, G)`.

    Raises:
        ValueError: Not integer vectors of these lengths, or a camera of which the protocol knows no site.
    """
    query_ids = integer_vector("query_pids", query_pids)
    query_cameras = integer_vector("query_camids", query_camids, len(query_ids))
    gallery_ids = integer_vector("gallery_pids", gallery_pids)
    gallery_cameras = integer_vector("gallery_camids", gallery_camids, len(gallery_ids))
    if protocol.drop_rule is DropRule.NOTHING:
        return np.zeros((len(query_ids), len(gallery_ids)), np.bool_)
    if protocol.drop_rule is DropRule.SITE:
        return _same(
            _sites(protocol, "query_camids", query_cameras), _sites(protocol, "gallery_camids", gallery_cameras)
        )
    return _same(query_ids, gallery_ids) & _same(query_cameras, gallery_cameras)


def _same(query: NDArray[np.integer[Any]], gallery: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = query[:, None] == gallery  # (Q, G)
    return equal


def _sites(protocol: Protocol, name: str, cameras: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    unknown = cameras[(cameras < 1) | (cameras > len(protocol.sites))]
    if unknown.size:
        raise ValueError(f"expected `{name}` in [1, {len(protocol.sites)}] for {protocol.name}, got {unknown[0]}")
    sites: NDArray[np.integer[Any]] = np.array(protocol.sites)[cameras - 1]
    return sites


def queries(protocol: Protocol, samples: Sequence[Sample]) -> list[Sample]:
    """Pick the queries, in ascending order of identity, camera, file name.

    Raises:
        ValueError: The protocol's data set cannot be sampled yet.
    """
    _check_sampled(protocol)
    return _pick(samples, protocol.query_modality, protocol.query_cameras)


def sample_gallery(
    protocol: Protocol,
    samples: Sequence[Sample],
    shots: int,
    trial: int,
    sampler: GallerySampler | str = GallerySampler.SEEDED,
    permutations: Permutations | None = None,
) -> list[Sample]:
    """Draw the gallery of one trial: `shots` images of each identity by each gallery camera that saw it.

    Identities ascend, and the cameras of one identity come in the protocol's order. `seeded` goes through them in this
    order with `random.Random(trial)` and files sorted by name: `choice` for one shot, which reproduces the draw of the
    published repositories (`random.seed(trial)`), and `sample` for more. `official` takes the first `shots` numbers of
    the permutation file's row `trial`; a number names the file, as `0007.jpg`.

    Args:
        protocol: Which cameras the gallery comes from.
        samples: All samples of the split; those of other cameras and of the queries' modality are passed over.
        shots: Images per identity and camera; the published settings are 1 and 10.
        trial: Number of the trial, from 0.
        sampler: `seeded` or `official`.
        permutations: The permutation file's content, for `official`.

    Raises:
        ValueError: The protocol's data set cannot be sampled yet; `shots` is below 1 or `trial` below 0; an identity
            has fewer images by a camera than `shots`; the sampler is unknown; `official` without `permutations`, or
            with ones that lack this trial or do not fit the files.

    Source: `rand_perm_cam.mat` and the evaluation code of SYSU-MM01, Wu et al., ICCV 2017.
    """
    _check_sampled(protocol)
    if sampler not in list(GallerySampler):
        raise ValueError(f"expected one of the samplers {', '.join(GallerySampler)}; got {sampler!r}")
    if shots < 1 or trial < 0:
        raise ValueError(f"expected `shots` of at least 1 and `trial` of at least 0, got {shots} and {trial}")
    if sampler == GallerySampler.OFFICIAL and permutations is None:
        raise ValueError(f"expected the content of {PERMUTATION_FILE} for the official sampler, got none")
    groups: dict[tuple[int, int], list[Sample]] = defaultdict(list)
    for sample in _pick(samples, protocol.gallery_modality, protocol.gallery_cameras):
        groups[sample.pid, sample.camid].append(sample)
    generator = random.Random(trial)
    gallery: list[Sample] = []
    for pid, camid in sorted(groups, key=lambda group: (group[0], protocol.gallery_cameras.index(group[1]))):
        files = groups[pid, camid]
        if len(files) < shots:
            raise ValueError(f"expected {shots} images of identity {pid} by camera {camid}, found {len(files)}")
        if sampler == GallerySampler.OFFICIAL and permutations is not None:
            gallery += _official(files, shots, trial, permutations)
        else:
            gallery += [generator.choice(files)] if shots == 1 else generator.sample(files, shots)
    return gallery


def _official(files: Sequence[Sample], shots: int, trial: int, permutations: Permutations) -> list[Sample]:
    """Take the files that the permutation names for one identity and camera."""
    pid, camid = files[0].pid, files[0].camid
    rows = permutations.get((camid, pid), np.zeros((0, 0), np.int64))
    if trial >= rows.shape[0] or shots > rows.shape[1]:
        raise ValueError(
            f"expected {shots} images of identity {pid} by camera {camid} for trial {trial} in {PERMUTATION_FILE},"
            f" found {rows.shape[0]} trials of {rows.shape[1]} images"
        )
    by_number = {int(file.path.stem): file for file in files if file.path.stem.isdecimal()}
    numbers = [int(number) for number in rows[trial, :shots]]
    for number in numbers:
        if number not in by_number:
            raise ValueError(f"expected image {number:04d} in {files[0].path.parent}, named by {PERMUTATION_FILE}")
    return [by_number[number] for number in numbers]


def read_permutations(root: Path) -> Permutations:
    """Read SYSU-MM01's official galleries, `exp/rand_perm_cam.mat` in the data set's folder.

    Returns:
        Image numbers from 1 by (camid, pid), int64, `(trials, n)`; an identity that a camera never saw is absent.

    Raises:
        FileNotFoundError: The file is not there; it is no part of the data set's archive, so the user has to bring it.
        ValueError: The file is not the expected MATLAB file.
    """
    path = root / PERMUTATION_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"expected SYSU-MM01's official galleries at {path}, found none; they are not in the data set's archive:"
            " fetch the file from the authors' evaluation code and put it there, or use the seeded sampler"
        )
    from scipy.io import loadmat  # here, because scoring arrays needs no SciPy and would wait for it
    from scipy.io.matlab import MatReadError

    try:
        cameras = np.ravel(loadmat(path)["rand_perm_cam"])
        entries = {
            (camid, pid): np.atleast_2d(np.asarray(entry, dtype=np.int64))
            for camid, cell in enumerate(cameras, start=1)
            for pid, entry in enumerate(np.ravel(cell), start=1)
        }
    except (LookupError, TypeError, ValueError, NotImplementedError, OSError, zlib.error, MatReadError) as error:
        raise ValueError(f"expected a MATLAB file with cells `rand_perm_cam` at {path}, got: {error}") from None
    return {key: rows for key, rows in entries.items() if rows.size}


def _pick(samples: Sequence[Sample], modality: Modality, cameras: tuple[int, ...]) -> list[Sample]:
    chosen = [sample for sample in samples if sample.modality is modality and sample.camid in cameras]
    return sorted(chosen, key=lambda sample: (sample.pid, sample.camid, sample.path.name))


def _check_sampled(protocol: Protocol) -> None:
    if not protocol.sampled:
        names = ", ".join(name for name, known in PROTOCOLS.items() if known.sampled)
        raise ValueError(f"expected a protocol whose data set can be sampled ({names}), got {protocol.name!r}")
