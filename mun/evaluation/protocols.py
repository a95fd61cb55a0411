"""The protocols, published and for any data: queries, gallery, and the images that do not count."""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mun.data import llcm
from mun.data.source import TITLES, Source
from mun.data.sysu import CAMERAS, SITES
from mun.evaluation.metrics import integer_vector
from mun.structures import Modality

__all__ = ["OTHER_INSTANTS", "PROTOCOLS", "SAME_MODALITY", "DropRule", "Protocol", "dropped", "get_protocol"]
__all__ += ["protocol_of", "protocols_of"]


class DropRule(StrEnum):
    """Which gallery images do not count for a query."""

    SITE = "site"  # images of any person, from the site of the query's camera
    NOTHING = "nothing"
    SAME_ID_AND_CAMERA = "same id and camera"
    CAMERA = "camera"  # images of any person, by the query's camera or one at its site, where the camera is known


@dataclass(frozen=True)
class Protocol:
    """One way to evaluate.

    Attributes:
        name: As on the command line.
        query_modality: The modality of the queries; the gallery has the other one, unless `same_modality`.
        query_cameras: Cameras of the queries; empty where the data set has no cameras to choose from.
        gallery_cameras: Cameras of the gallery, in the order of its images; empty likewise.
        drop_rule: Which gallery images do not count for a query.
        distinct_identities: Whether CMC counts distinct identities instead of images.
        sites: Groups of cameras that watch one site, for the rules `SITE` and `CAMERA`.
        data: Name of the published data that the protocol belongs to; empty for a protocol for any data.
        whole: Whether the gallery is every image, in one trial, instead of drawn ones.
        mixed: Whether the gallery has images of both modalities, without the query itself.
        same_modality: Whether the gallery has the queries' modality, which no published protocol of the field does.
        other_instants: Whether images of the query's identity with the query's file name do not count either: on SynVI
            these show the query's own instant, with the same pose where misalignment is 0.
    """

    name: str
    query_modality: Modality
    query_cameras: tuple[int, ...]
    gallery_cameras: tuple[int, ...]
    drop_rule: DropRule
    distinct_identities: bool
    sites: tuple[tuple[int, ...], ...] = ()
    data: str = ""
    whole: bool = False
    mixed: bool = False
    same_modality: bool = False
    other_instants: bool = False

    @cached_property
    def gallery_modality(self) -> Modality:
        """The modality of the gallery: not that of the queries, unless `same_modality`."""
        if self.same_modality:
            return self.query_modality
        return Modality.VISIBLE if self.query_modality is Modality.INFRARED else Modality.INFRARED

    @cached_property
    def published(self) -> bool:
        """Whether the protocol is published: then it belongs to published data."""
        return bool(self.data)

    @property
    def gallery_modalities(self) -> tuple[Modality, ...]:
        """The modalities of the gallery."""
        return (_VISIBLE, _INFRARED) if self.mixed else (self.gallery_modality,)

    @property
    def rule(self) -> str:
        """The rule in a sentence."""
        queries = f"every {self.query_modality} image{_by(self.query_cameras)} is a query"
        what = "images of both modalities" if self.mixed else f"{self.gallery_modality} images"
        drawn = f"{what} drawn for each person and camera{_by(self.gallery_cameras)}"
        gallery = f"all {what}{_by(self.gallery_cameras)} are the gallery" if self.whole else f"{drawn} are the gallery"
        words = ", ".join(f"cameras {_listed(group)} watch one site" for group in self.sites if len(group) > 1)
        sites = f" ({words})" if words else ""
        left_out = {
            DropRule.SITE: f"images from the site of the query's camera do not count{sites}",
            DropRule.CAMERA: f"images by the query's camera or at its site do not count{sites}",
            DropRule.SAME_ID_AND_CAMERA: "images of the same person by the same camera do not count",
            DropRule.NOTHING: "every image counts",
        }[self.drop_rule]
        itself = ", nor does the query itself" if self.mixed and self.drop_rule is not DropRule.NOTHING else ""
        itself = " except the query itself" if self.mixed and self.drop_rule is DropRule.NOTHING else itself
        counts = "people" if self.distinct_identities else "images"
        return f"{queries}; {gallery}; {left_out}{itself}; CMC counts {counts}"


def _listed(numbers: tuple[int, ...]) -> str:
    words = [str(number) for number in numbers]
    if len(numbers) > 2 and numbers == tuple(range(numbers[0], numbers[-1] + 1)):
        return f"{words[0]} to {words[-1]}"
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _by(cameras: tuple[int, ...]) -> str:
    return f" by camera{'s' if len(cameras) > 1 else ''} {_listed(cameras)}" if cameras else ""


def _sysu(data: str, search: str, gallery_cameras: tuple[int, ...]) -> Protocol:
    """Describe a search in the layout of SYSU-MM01: infrared queries, visible gallery."""
    rule, name = DropRule.SITE, f"{data}-{search}"
    return Protocol(name, Modality.INFRARED, (3, 6), gallery_cameras, rule, True, SITES, data=data)


_VISIBLE, _INFRARED = Modality.VISIBLE, Modality.INFRARED
_LLCM_VISIBLE, _LLCM_INFRARED = llcm.CAMERAS[_VISIBLE], llcm.CAMERAS[_INFRARED]
_NOTHING, _LLCM, _OWN = DropRule.NOTHING, DropRule.SAME_ID_AND_CAMERA, DropRule.CAMERA

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        _sysu("synvi", "all", (1, 2, 4, 5)),
        _sysu("synvi", "indoor", (1, 2)),
        _sysu("sysu", "all", (1, 2, 4, 5)),
        _sysu("sysu", "indoor", (1, 2)),
        Protocol("regdb-v2i", _VISIBLE, (), (), _NOTHING, False, data="regdb", whole=True),
        Protocol("regdb-i2v", _INFRARED, (), (), _NOTHING, False, data="regdb", whole=True),
        Protocol("llcm-v2i", _VISIBLE, _LLCM_VISIBLE, _LLCM_INFRARED, _LLCM, True, data="llcm"),
        Protocol("llcm-i2v", _INFRARED, _LLCM_INFRARED, _LLCM_VISIBLE, _LLCM, True, data="llcm"),
        Protocol(
            "whole", _INFRARED, (), (), _NOTHING, False, data="features", whole=True
        ),  # of features without samples
        # For any data, not published: across the modalities, and against a gallery of both.
        Protocol("cross-i2v", _INFRARED, (), (), _OWN, False, whole=True),
        Protocol("cross-v2i", _VISIBLE, (), (), _OWN, False, whole=True),
        Protocol("mixed-infrared", _INFRARED, (), (), _OWN, False, whole=True, mixed=True),
        Protocol("mixed-visible", _VISIBLE, (), (), _OWN, False, whole=True, mixed=True),
    )
}

# Not published protocols but bounds: how well the same people are found within one modality. The gallery of a query has
# the images of its modality from other sites: of the other three cameras for 1, 2, 4 and 5, of 6 for 3, and of 3 for 6.
# `get_protocol` does not know these protocols, so that they are not offered as published ones.
SAME_MODALITY: dict[str, Protocol] = {
    name: Protocol(name, modality, cameras, cameras, DropRule.SITE, True, SITES, same_modality=True)
    for name, modality, cameras in (("synvi-v2v", _VISIBLE, (1, 2, 4, 5)), ("synvi-i2i", _INFRARED, (3, 6)))
}

# Not a published protocol either. Where misalignment is 0, the query's own instant would be the easiest match.
OTHER_INSTANTS = replace(PROTOCOLS["synvi-all"], name="synvi-all, other instants", other_instants=True)


def get_protocol(name: str) -> Protocol:
    """Return a protocol by name.

    Raises:
        ValueError: There is no protocol of this name; the message lists all names.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"expected one of the protocols {', '.join(PROTOCOLS)}; got {name!r}")
    return PROTOCOLS[name]


def protocols_of(source: Source) -> tuple[Protocol, ...]:
    """List the protocols that fit a data set, the default first, with the sites of its cameras.

    Protocols of its layout come first; those across modalities (`cross`) and against both (`mixed`) fit any data.
    """
    data = "synvi" if source.name == "synvi" else source.layout
    published = [protocol for protocol in PROTOCOLS.values() if protocol.data == data]
    rule = DropRule.NOTHING if data == "regdb" else DropRule.CAMERA  # RegDB's cameras stand side by side
    free = [replace(one, drop_rule=rule, sites=source.sites) for one in PROTOCOLS.values() if not one.data]
    return (*published, *free)


def protocol_of(source: Source, name: str = "") -> Protocol:
    """Return a protocol of a data set by name; without a name, its default protocol.

    Raises:
        ValueError: There is no protocol of this name, or it belongs to other data; the message states its rule.
    """
    fitting = {protocol.name: protocol for protocol in protocols_of(source)}
    if not name:
        return next(iter(fitting.values()))
    if name not in fitting:
        other = get_protocol(name)
        title = TITLES.get(other.data, ("", other.data))[1]
        raise ValueError(
            f"expected {title} for {name}, got {source.title}, used with {', '.join(fitting)}; the rule of {name}:"
            f" {other.rule}"
        )
    return fitting[name]


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
        ValueError: Not integer vectors of these lengths, or the protocol does not know the site of a camera.
    """
    query_ids = integer_vector("query_pids", query_pids)
    query_cameras = integer_vector("query_camids", query_camids, len(query_ids))
    gallery_ids = integer_vector("gallery_pids", gallery_pids)
    gallery_cameras = integer_vector("gallery_camids", gallery_camids, len(gallery_ids))
    if protocol.drop_rule is DropRule.NOTHING:
        return np.zeros((len(query_ids), len(gallery_ids)), np.bool_)
    if protocol.drop_rule in (DropRule.SITE, DropRule.CAMERA):
        query_sites = _sites(protocol, "query_camids", query_cameras)
        return _same(query_sites, _sites(protocol, "gallery_camids", gallery_cameras)) & (query_sites > 0)[:, None]
    return _same(query_ids, gallery_ids) & _same(query_cameras, gallery_cameras)


def _same(query: NDArray[np.integer[Any]], gallery: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = query[:, None] == gallery  # (Q, G)
    return equal


def _sites(protocol: Protocol, name: str, cameras: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Return the first camera at the site of each camera; the rule `SITE` knows only the cameras of SYSU-MM01."""
    unknown = cameras[(cameras < 1) | (cameras > len(CAMERAS))]
    if protocol.drop_rule is DropRule.SITE and unknown.size:
        raise ValueError(f"expected `{name}` in [1, {len(CAMERAS)}] for {protocol.name}, got {unknown[0]}")
    sites = np.array(cameras)
    for group in protocol.sites:
        sites[np.isin(cameras, group)] = min(group)
    return sites
