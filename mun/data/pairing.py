"""Pairs of visible and infrared images for a generator, outside training."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle

import numpy as np

from mun.structures import Modality, Sample

__all__ = ["Pair", "Pairing", "pair_samples"]


class Pairing(StrEnum):
    """How the partner of a visible image is chosen; both ways read identity labels."""

    MATCHED = "matched"  # an infrared image of the same identity: what a generator is trained on
    MISMATCHED = "mismatched"  # an infrared image of another identity: the control


@dataclass(frozen=True, slots=True)
class Pair:
    """A visible image and its infrared partner."""

    visible: Sample
    infrared: Sample


def pair_samples(samples: Sequence[Sample], pairing: Pairing | str = Pairing.MATCHED, seed: int = 0) -> list[Pair]:
    """Give each visible image an infrared partner, drawn by a seed.

    Within an identity the infrared images are shuffled and used in turn, so that each is used about equally often. A
    mismatched identity gets the infrared images of one other identity, and no two identities get those of the same
    identity.

    Args:
        samples: Images of both modalities; identities seen in one modality only are left out.
        pairing: `matched` or `mismatched`.
        seed: Decides every draw.

    Returns:
        One pair per visible image, in the order of the samples.

    Raises:
        ValueError: No identity is seen in both modalities, or only one is and partners must be of another.
    """
    pairing = Pairing(pairing)
    infrared: dict[int, list[Sample]] = {}
    for sample in samples:
        if sample.modality is Modality.INFRARED:
            infrared.setdefault(sample.pid, []).append(sample)
    visible = [sample for sample in samples if sample.modality is Modality.VISIBLE and sample.pid in infrared]
    pids = sorted({sample.pid for sample in visible})
    if not pids:
        raise ValueError("expected an identity with visible and infrared images, got none")
    if pairing is Pairing.MISMATCHED and len(pids) < 2:
        raise ValueError("expected at least two identities for mismatched pairs, got one")
    draws = np.random.default_rng([seed, 3])
    partner = dict(zip(pids, pids, strict=True))
    if pairing is Pairing.MISMATCHED:
        ring = draws.permutation(np.asarray(pids)).tolist()
        partner = dict(zip(ring, ring[1:] + ring[:1], strict=True))
    turns = {}
    for pid in pids:
        images = infrared[partner[pid]]
        turns[pid] = cycle([images[row] for row in draws.permutation(len(images))])
    return [Pair(sample, next(turns[sample.pid])) for sample in visible]
