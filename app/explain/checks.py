"""Checks of one map, step by step: delete and insert pixels in its order, make layers random from the top down.

Their results, together with the truth, become a sentence, the groups of a bar chart, and curves.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from app.explain.setting import Setting
from app.explain.subject import Subject
from app.explain.truth import Share
from app.library import Library
from app.library.maps import LayerMap
from app.shared.plots import Curve, Plot
from mun.explain import faithfulness
from mun.explain.cams import activation_maps, upsampled
from mun.models.network import Network
from mun.structures import Modality

__all__ = ["CURVES", "Bars", "CascadeStep", "Checked", "bars", "check", "plots", "verdict"]

CURVES = ("map", "centre prior", "random weights")
Floats = NDArray[np.float32]
Lines = Mapping[str, list[float | None]]  # by name


@dataclass(frozen=True)
class CascadeStep:
    """Similarity of the map to the trained network's map after a part, and all above it, were made random.

    Attributes:
        part: The part that was made random last.
        ranks: Spearman's correlation at the layer's resolution; `None` where a map is constant.
        structure: SSIM of the maps at the image's size, each scaled to a maximum of 1; `None` where a map is empty.
    """

    part: str
    ranks: float | None
    structure: float | None


@dataclass(frozen=True, eq=False)
class Checked:
    """The results so far of checking one map.

    Attributes:
        total: Number of steps in the whole check.
        curves: Cosine to the target while pixels are deleted or inserted, by the order of the pixels, one of `CURVES`.
        steps: Similarity of the map while the network becomes random; empty for a slow method.
    """

    total: int
    curves: Mapping[str, faithfulness.Curves] = field(default_factory=dict)
    steps: tuple[CascadeStep, ...] = ()

    @property
    def done(self) -> int:
        """Number of steps done."""
        return len(self.curves) + len(self.steps)


def check(library: Library, subject: Subject, layer_map: LayerMap) -> Iterator[Checked]:
    """Check a map; for a slow method, only delete and insert pixels in its own and in the centre prior's order.

    Args:
        library: The app's library, shared by all visitors.
        subject: The image, the target and the partner that the map explains.
        layer_map: The map; a map of the target image is checked as a map of that image towards the explained image.

    Yields:
        The results so far, after each step; the first are empty.

    Raises:
        ValueError: An image is broken or gone.
    """
    if layer_map.source == "target":
        subject = replace(subject, sample=subject.references[0], references=(subject.sample,))
        layer_map = replace(layer_map, source="image")
    setting, seed = Setting.of(library, subject), subject.request.seed
    orders: dict[str, Callable[[], Floats]] = {
        "map": lambda: enlarged(layer_map.values, setting),
        "centre prior": lambda: faithfulness.center_prior(setting.size),
        "random weights": lambda: enlarged(
            map_by(faithfulness.randomised(setting.network, seed), setting, layer_map), setting
        ),
    }
    names, skipped = faithfulness.cascade_names(setting.network), "auxiliary" if layer_map.source == "image" else ""
    parts = [] if layer_map.method.slow else [part for part in names if part != skipped]
    if layer_map.method.slow:
        del orders["random weights"]
    checked = Checked(len(orders) + len(parts))
    yield checked
    image, score = scored_picture(setting, layer_map)
    for name, order in orders.items():
        checked = replace(checked, curves={**checked.curves, name: faithfulness.curves(score, image, order())})
        yield checked
    for part, network in islice(faithfulness.cascade(setting.network, seed), len(parts)):
        step = compare(part, map_by(network, setting, layer_map), layer_map.values, setting)
        checked = replace(checked, steps=(*checked.steps, step))
        yield checked


def map_by(network: Network, setting: Setting, layer_map: LayerMap) -> Floats:
    """Compute the map of the same layer and method by a network with random layers, `(h, w)`."""
    other, wanted = setting.with_network(network), (layer_map.layer, layer_map.method)
    look = other.views.single if layer_map.source == "image" else other.views.pairs[layer_map.number]
    return activation_maps(network, look, [other.target], [wanted])[wanted].squeeze(0)


def enlarged(values: Floats, setting: Setting) -> Floats:
    """Enlarge a map to the size of the images."""
    return upsampled(values[None], setting.size).squeeze(0)


def compare(part: str, values: Floats, trained: Floats, setting: Setting) -> CascadeStep:
    """Compare the map of a network that is random down to a part with the map of the trained network."""
    ranks, structure = faithfulness.rank_correlation(values, trained), None
    if values.any() and trained.any():
        structure = faithfulness.structural_similarity(enlarged(values, setting), enlarged(trained, setting))
    return CascadeStep(part, None if math.isnan(ranks) else ranks, structure)


def scored_picture(setting: Setting, layer_map: LayerMap) -> tuple[Floats, Callable[[Floats], Floats]]:
    """Return the picture under a map, `(3, H, W)`, and a function: the cosine of changed versions to the target."""
    network, views, part, modality = setting.network, setting.views, slice(0), Modality.AUXILIARY
    if layer_map.source == "image":
        picture, modality = views.single.images[0], views.modality
    elif layer_map.over.startswith("auxiliary"):
        picture = views.auxiliary[layer_map.number]
    else:  # one image of the pair; the auxiliary image is generated again from the changed pair
        part = slice(3) if layer_map.over == "visible" else slice(3, 6)
        picture = views.pairs[0].images[0][part]

    def score(batch: Floats) -> Floats:
        with torch.inference_mode():
            images = torch.from_numpy(batch).to(network.mean.device)
            if part.stop:
                both = views.pairs[0].images.repeat(len(batch), 1, 1, 1)
                both[:, part] = images
                images = network.generate(both[:, :3], both[:, 3:])[layer_map.number]
            rows = network.embed(images, modality)
            reference = torch.nn.functional.normalize(setting.target.reference.to(rows), dim=0)
            similar: Floats = (rows @ reference).cpu().numpy()
            return similar

    return picture.cpu().numpy(), score


@dataclass(frozen=True)
class Bars:
    """One group of the bar chart: a map and its controls.

    Attributes:
        title: What is measured.
        hint: Whether more or less is better.
        values: Values of the map and of each control, by `CURVES`; `None` for an empty map.
        even: Value of an even map; `None` where that means nothing, because the values are no shares.
        top: Value of the longest bar.
    """

    title: str
    hint: str
    values: Mapping[str, float | None]
    even: float | None
    top: float


def bars(share: Share | None, even: float, checked: Checked | None) -> list[Bars]:
    """Return the groups of the bar chart from the results of a map so far."""
    groups = []
    if share is not None:
        inside = dict(zip(CURVES, (share.trained, share.prior, share.random), strict=True))
        top = max([even, *(value for value in inside.values() if value is not None)])
        groups.append(Bars("Energy in the changed region", "more is better", inside, even, top))
    if checked and checked.curves:
        titles = (("Cosine while its pixels are blurred", "less"), ("Cosine while its pixels are restored", "more"))
        for place, (title, which) in enumerate(titles):
            areas = {name: one.areas[place] for name, one in checked.curves.items()}
            groups.append(Bars(title, f"{which} is better", areas, None, max(*areas.values(), 1e-9)))
    return groups


def verdict(share: Share | None, even: float, checked: Checked | None, label: str) -> str:
    """Return a sentence that says whether a map is better than its controls; empty before there are results."""
    if share is not None and share.trained is not None:
        best = max(even, share.prior or 0, share.random or 0)
        points_to = "points" if share.trained > best else "does not point"
        return (
            f"The map of {label} has {100 * share.trained:.1f} % of its energy in the changed region, its best"
            f" control {100 * best:.1f} %: it {points_to} to the change."
        )
    if checked is None or len(checked.curves) < len(CURVES) - 1:
        return ""
    mine, *others = (one.areas[0] for one in checked.curves.values())
    return (
        f"Blurring the brightest pixels of the map of {label} first leaves a mean cosine of {mine:.3f},"
        f" {'less' if mine < min(others) else 'no less'} than in the order of its controls ({min(others):.3f})."
    )


def plots(checked: Checked) -> list[Plot]:
    """Return the plots of the details: deletion, insertion, and likeness while layers become random."""
    made = []
    for title in ("deletion", "insertion") if checked.curves else ():
        lines = {name: getattr(one, title).tolist() for name, one in checked.curves.items()}
        values = [value for line in lines.values() for value in line]
        low, high = min(values), max(*values, min(values) + 1e-6)
        made.append(plot(f"Cosine, {title}", lines, (low, high), ("no pixel", "all pixels")))
    if checked.steps:
        likeness = {
            "Spearman": [1.0, *(step.ranks for step in checked.steps)],
            "SSIM": [1.0, *(step.structure for step in checked.steps)],
        }
        ends, last = ("as trained", "all random"), checked.total - len(checked.curves)
        made.append(plot("Similarity while layers are randomised", likeness, (-1, 1), ends, last))
    return made


def plot(title: str, lines: Lines, bounds: tuple[float, float], ends: tuple[str, str], last: int = 0) -> Plot:
    """Plot values at 0, 1, …, up to `last`; unknown values are left out, and both ends have a name."""
    curves = tuple(
        Curve(name, tuple((place, value) for place, value in enumerate(line) if value is not None))
        for name, line in lines.items()
    )
    last = last or max(map(len, lines.values())) - 1
    return Plot(title, curves, bounds=bounds, ticks=((0.0, ends[0]), (float(last), ends[1])))
