"""The published protocols: cameras and modality of query and gallery, and the images that do not count."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mun.evaluation.metrics import integer_vector
from mun.structures import Modality

__all__ = ["OTHER_INSTANTS", "PROTOCOLS", "SAME_MODALITY", "DropRule", "Protocol", "dropped", "get_protocol"]

SYSU_SITES = (1, 2, 2, 4, 5, 6)  # of cameras 1 … 6, as in the official evaluation code of SYSU-MM01


class DropRule(StrEnum):
    """Which gallery images do not count for a query."""

    SITE = "site"  # images of anybody, from the site of the query's camera
    NOTHING = "nothing"
    SAME_ID_AND_CAMERA = "same id and camera"


@dataclass(frozen=True, slots=True)
class Protocol:
    """One published way to evaluate.

    Attributes:
        name: As on the command line.
        query_modality: The modality of the queries; the gallery has the other one, unless `same_modality`.
        query_cameras: Cameras of the queries; empty where the data set has no cameras to choose from.
        gallery_cameras: Cameras of the gallery, in the order of its images; empty likewise.
        drop_rule: Which gallery images do not count for a query.
        distinct_identities: Whether CMC counts distinct identities instead of images.
        sites: Site of camera 1, 2, …; empty unless `drop_rule` is `SITE`.
        sampled: Whether a gallery can be drawn from samples here; without it the protocol still scores arrays.
        same_modality: Whether the gallery has the queries' modality, which no published protocol of the field does.
        other_instants: Whether images of the query's identity under the query's file name do not count either: on SynVI
            those of its own instant, which show the same pose where misalignment is 0.
    """

    name: str
    query_modality: Modality
    query_cameras: tuple[int, ...]
    gallery_cameras: tuple[int, ...]
    drop_rule: DropRule
    distinct_identities: bool
    sites: tuple[int, ...] = ()
    sampled: bool = False
    same_modality: bool = False
    other_instants: bool = False

    @property
    def whole(self) -> bool:
        """Whether the gallery is every image of its modality, so that there is one alone."""
        return not self.gallery_cameras

    @property
    def gallery_modality(self) -> Modality:
        """The modality that is not the queries', unless both are of one."""
        if self.same_modality:
            return self.query_modality
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
        Protocol("whole", _INFRARED, (), (), DropRule.NOTHING, False, sampled=True),
    )
}

# No published protocols but bounds: how well the same people are found within one modality. Each
# image of a modality asks the gallery of the cameras of that modality at other sites: 1, 2, 4 and 5 the other three
# each, 3 the images of 6, and 6 those of 3. `get_protocol` does not know them, so that nothing offers them as the
# field's.
SAME_MODALITY: dict[str, Protocol] = {
    name: Protocol(name, modality, cameras, cameras, DropRule.SITE, True, SYSU_SITES, sampled=True, same_modality=True)
    for name, modality, cameras in (("synvi-v2v", _VISIBLE, (1, 2, 4, 5)), ("synvi-i2i", _INFRARED, (3, 6)))
}

# No published protocol either. Where misalignment is 0, the query's own instant would be the easiest match.
OTHER_INSTANTS = replace(PROTOCOLS["synvi-all"], name="synvi-all, other instants", other_instants=True)


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
