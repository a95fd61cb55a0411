"""The images of a protocol: its queries, and the gallery of each trial."""

import random
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mun.data.inventory import PERMUTATION_FILE
from mun.data.listing import by_identity
from mun.evaluation.protocols import Protocol, dropped
from mun.structures import Modality, Sample

__all__ = ["GallerySampler", "Permutations", "draw_trials", "queries", "read_permutations", "sample_gallery"]
__all__ += ["uncounted"]

Permutations = Mapping[tuple[int, int], NDArray[np.int64]]  # (camid, pid) → image numbers from 1, (trials, n)


class GallerySampler(StrEnum):
    """Two ways to draw the gallery of a trial; on SYSU-MM01 they share about 5 % of their picks."""

    SEEDED = "seeded"
    OFFICIAL = "official"


def queries(protocol: Protocol, samples: Sequence[Sample]) -> list[Sample]:
    """Pick the queries, in ascending order of identity, camera, file name."""
    return _pick(samples, (protocol.query_modality,), protocol.query_cameras)


def draw_trials(
    protocol: Protocol,
    samples: Sequence[Sample],
    shots: int = 1,
    trials: int = 10,
    sampler: GallerySampler | str = GallerySampler.SEEDED,
    permutations: Permutations | None = None,
) -> tuple[list[Sample], list[list[Sample]]]:
    """Pick the queries and draw the gallery of every trial, as `queries` and `sample_gallery` do.

    Raises:
        ValueError: As in these; or `trials` is below 1, there is no query, no gallery image or match that counts, or
            the gallery is every image and `shots` or `sampler` asks for a draw.
    """
    if trials < 1:
        raise ValueError(f"expected at least one trial, got {trials}")
    query_samples = queries(protocol, samples)
    if not query_samples:
        raise misfit(protocol, f"{protocol.query_modality} queries", samples)
    if protocol.whole:
        if shots > 1 or sampler != GallerySampler.SEEDED:
            raise ValueError(f"expected no shots and no sampler for {protocol.name}, whose gallery is every image")
        trials = 1
    galleries = [sample_gallery(protocol, samples, shots, trial, sampler, permutations) for trial in range(trials)]
    if not galleries[0]:
        raise misfit(protocol, f"{protocol.gallery_modality} images in the gallery", samples)
    if not has_match(protocol, query_samples, galleries[0]):
        raise misfit(protocol, "a match that counts in the gallery of at least one query", samples)
    return query_samples, galleries


def misfit(protocol: Protocol, lacking: str, samples: Sequence[Sample]) -> ValueError:
    """Make the error for data that lack something the protocol needs; its message states the rule."""
    words = f"expected {lacking} for {protocol.name}, got none in {len(samples)} samples"
    return ValueError(f"{words}; its rule: {protocol.rule}")


def has_match(protocol: Protocol, queries: Sequence[Sample], gallery: Sequence[Sample]) -> bool:
    """Return whether the gallery has an image that counts as a match for at least one query."""
    seen: list[dict[int, set[int]]] = [defaultdict(set), defaultdict(set)]
    for side, images in zip(seen, (queries, gallery), strict=True):
        for sample in images:
            side[sample.pid].add(sample.camid)
    if protocol.mixed or protocol.other_instants:  # these leave out single images
        return any(pid in seen[1] for pid in seen[0])
    cameras = [sorted(set().union(*side.values())) for side in seen]
    nobody = [[0] * len(numbers) for numbers in cameras]
    mask = dropped(protocol, nobody[0], cameras[0], nobody[1], cameras[1])
    return any(
        not mask[cameras[0].index(query), cameras[1].index(shown)]
        for pid in seen[0].keys() & seen[1].keys()
        for query in seen[0][pid]
        for shown in seen[1][pid]
    )


def uncounted(protocol: Protocol, queries: Sequence[Sample], gallery: Sequence[Sample]) -> NDArray[np.bool_]:
    """Mark the gallery images that do not count for a query, bool, `(Q, G)`.

    Raises:
        ValueError: The protocol does not know the site of a camera.
    """
    numbers = [[getattr(sample, name) for sample in side] for side in (queries, gallery) for name in ("pid", "camid")]
    mask = dropped(protocol, *numbers)
    if protocol.other_instants:
        own, others = (np.array([f"{sample.pid} {sample.path.name}" for sample in side]) for side in (queries, gallery))
        mask |= own[:, None] == others
    if protocol.mixed or protocol.same_modality:  # a query must not find itself
        places = {sample: place for place, sample in enumerate(gallery)}
        rows = [(row, places[sample]) for row, sample in enumerate(queries) if sample in places]
        mask[tuple(np.array(rows, dtype=np.int64).reshape(-1, 2).T)] = True
    return mask


def sample_gallery(
    protocol: Protocol,
    samples: Sequence[Sample],
    shots: int,
    trial: int,
    sampler: GallerySampler | str = GallerySampler.SEEDED,
    permutations: Permutations | None = None,
) -> list[Sample]:
    """Draw the gallery of one trial: `shots` images of each identity by each gallery camera that saw it.

    If the protocol draws no gallery, the gallery is every image of its modalities, for any trial and shots.

    Identities ascend, and the cameras of one identity come in the protocol's order. `seeded` goes through them in this
    order with `random.Random(trial)` and files sorted by name: `choice` for one shot, which reproduces the draw of the
    published repositories (`random.seed(trial)`), and `sample` for more. `official` takes the first `shots` numbers of
    the permutation file's row `trial`; a number names the file, as `0007.jpg`.

    Args:
        protocol: Which cameras the gallery comes from.
        samples: All samples of the split; those of other cameras and of the queries' modality are skipped.
        shots: Images per identity and camera; the published settings are 1 and 10.
        trial: Number of the trial, from 0.
        sampler: `seeded` or `official`.
        permutations: The permutation file's content, for `official`.

    Raises:
        ValueError: `shots` is below 1 or `trial` below 0; an identity has fewer images by a camera than `shots`; the
            sampler is unknown; `official` without `permutations`, or with ones that lack this trial or do not fit the
            files.

    Source: `rand_perm_cam.mat` and the evaluation code of SYSU-MM01, Wu et al., ICCV 2017.
    """
    if sampler not in list(GallerySampler):
        raise ValueError(f"expected one of the samplers {', '.join(GallerySampler)}; got {sampler!r}")
    if shots < 1 or trial < 0:
        raise ValueError(f"expected `shots` of at least 1 and `trial` of at least 0, got {shots} and {trial}")
    if sampler == GallerySampler.OFFICIAL and permutations is None:
        raise ValueError(f"expected the content of {PERMUTATION_FILE} for the official sampler, got none")
    candidates = _pick(samples, protocol.gallery_modalities, protocol.gallery_cameras)
    if protocol.whole:
        return candidates
    groups: dict[tuple[int, int], list[Sample]] = defaultdict(list)
    for sample in candidates:
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
    numbers = rows[trial, :shots].tolist()
    for number in numbers:
        if number not in by_number:
            raise ValueError(f"expected image {number:04d} in {files[0].path.parent}, named by {PERMUTATION_FILE}")
    return [by_number[number] for number in numbers]


def read_permutations(root: Path) -> Permutations:
    """Read SYSU-MM01's official galleries, `exp/rand_perm_cam.mat` in the data set's folder.

    Returns:
        Image numbers from 1 by (camid, pid), int64, `(trials, n)`; an identity that a camera never saw is absent.

    Raises:
        FileNotFoundError: The file is not there; the data set's archive does not contain it, so the user must fetch it.
        ValueError: The file is not the expected MATLAB file.
    """
    path = root / PERMUTATION_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"expected SYSU-MM01's official galleries at {path}, found none; they are not in the data set's archive:"
            " fetch the file from the authors' evaluation code and put it there, or use the seeded sampler"
        )
    from scipy.io import loadmat  # imported here, because scoring arrays does not need SciPy, which loads slowly
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


def _pick(samples: Sequence[Sample], modalities: tuple[Modality, ...], cameras: tuple[int, ...]) -> list[Sample]:
    kept = (one for one in samples if one.modality in modalities and (not cameras or one.camid in cameras))
    return list(by_identity(kept))
