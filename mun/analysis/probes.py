"""Linear probes of embeddings, tested on people they have not seen, against a constant guess and against pixels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mun.analysis.facts import UNKNOWN, Facts
from mun.data.source import read_sample
from mun.images import resize
from mun.structures import PAIRED, Sample

__all__ = ["FOLDS", "INPUTS", "Probe", "pixel_rows", "probe", "probes"]

FOLDS = 5
PENALTY = 10.0  # of the ridge; inputs are standardised and divided by √D, so that it has the same effect for every D
UNPROBED = {"colour and infrared", "look-alike", "occlusion", "yaw"}  # not traits of a person that one image shows
PIXELS = (24, 12)  # rows and columns of the images for the pixel baseline
INPUTS = ("visible", "infrared", "visible pixels", "infrared pixels", "auxiliary")
Report = Callable[[int, int], object]  # called with steps done and all steps; raises an error if the work is stopped


@dataclass(frozen=True)
class Probe:
    """How well one fact can be read from one kind of input, over people that the probe has not seen.

    Attributes:
        fact: Name of the fact.
        source: Name of the input: one of `INPUTS`, or `both` modalities together.
        measure: `accuracy` of a word, or `R²` of numbers (1: exact, 0: no better than the mean).
        count: Number of images.
        people: Number of people on them.
        mean: Over the folds.
        sd: Sample standard deviation over the folds.
        nothing: The same measure of a constant guess: the most frequent word, or the mean, of the training folds.
    """

    fact: str
    source: str
    measure: str
    count: int
    people: int
    mean: float
    sd: float
    nothing: float


def probe(fact: str, source: str, rows: ArrayLike, values: ArrayLike, people: ArrayLike) -> Probe | None:
    """Fit and test a linear probe in five folds that share no person.

    Words are read by a ridge classifier, numbers by ridge regression, on inputs standardised by the training folds.

    Args:
        fact: Name of the fact.
        source: Name of the input.
        rows: Inputs, real, `(N, D)`.
        values: Words, `(N,)`, empty where unknown; or numbers, `(N,)` or `(N, K)`, NaN where unknown.
        people: Identities, `(N,)`.

    Returns:
        The probe; `None` if the fact is known of fewer than five people, or is the same for all.
    """
    from sklearn.dummy import DummyClassifier, DummyRegressor  # here: it takes a second to load
    from sklearn.linear_model import Ridge, RidgeClassifier
    from sklearn.model_selection import GroupKFold

    inputs, target, groups = np.asarray(rows, dtype=np.float64), np.asarray(values), np.asarray(people)
    numeric = target.dtype.kind == "f"
    known = ~np.isnan(target).reshape(len(target), -1).any(axis=1) if numeric else target != UNKNOWN
    inputs, target, groups = inputs[known], target[known], groups[known]
    if len(np.unique(groups)) < FOLDS or len(np.unique(target, axis=0)) < 2:
        return None
    scores, nothing = [], []
    for train, test in GroupKFold(FOLDS).split(inputs, target, groups):
        mean, spread = inputs[train].mean(axis=0), inputs[train].std(axis=0)
        scaled = (inputs - mean) / (np.where(spread > 0, spread, 1.0) * np.sqrt(inputs.shape[1]))
        usual = (DummyRegressor() if numeric else DummyClassifier()).fit(scaled[train], target[train])
        nothing.append(usual.score(scaled[test], target[test]))
        if len(np.unique(target[train], axis=0)) < 2:
            scores.append(nothing[-1])
            continue
        reader = (Ridge if numeric else RidgeClassifier)(alpha=PENALTY).fit(scaled[train], target[train])
        scores.append(reader.score(scaled[test], target[test]))
    reached = float(np.mean(scores)), float(np.std(scores, ddof=1)), float(np.mean(nothing))
    return Probe(fact, source, "R²" if numeric else "accuracy", len(target), len(np.unique(groups)), *reached)


def probes(
    samples: Sequence[Sample],
    facts: Facts,
    embeddings: NDArray[np.floating],
    pixels: NDArray[np.floating] | None = None,
    auxiliary: tuple[Sequence[Sample], NDArray[np.floating]] | None = None,
    report: Report = lambda _done, _of: None,
) -> list[Probe]:
    """Probe for modality, camera and every known fact, in each kind of input.

    Args:
        samples: N images.
        facts: Of those images.
        embeddings: Of those images, `(N, D)`.
        pixels: Of those images, as `pixel_rows` makes them; `None` without images.
        auxiliary: The visible images of P pairs, and the embeddings of their auxiliary images, `(P, D)`.
        report: Called with the numbers of finished probes and of all probes.

    Returns:
        A probe per fact and input; those that cannot be fitted are left out.

    Raises:
        ValueError: There are fewer than five people.
    """
    people, modality = (np.array([getattr(one, name) for one in samples]) for name in ("pid", "modality"))
    if len(np.unique(people)) < FOLDS:
        raise ValueError(f"expected at least {FOLDS} people for probes in {FOLDS} folds, got {len(np.unique(people))}")
    row_of = {sample: row for row, sample in enumerate(samples)}
    inputs: dict[str, tuple[NDArray[np.int64], NDArray[np.floating]]] = {}
    for side in PAIRED:
        chosen = np.flatnonzero(modality == side)
        inputs[side.value] = (chosen, embeddings[chosen])
        if pixels is not None:
            inputs[f"{side} pixels"] = (chosen, pixels[chosen])
    if auxiliary is not None:
        inputs["auxiliary"] = (np.array([row_of[one] for one in auxiliary[0]]), auxiliary[1])
    every = np.arange(len(samples))
    values: Mapping[str, NDArray[np.generic]] = {
        "camera": np.array([str(one.camid) for one in samples]),
        **{name: np.array(words) for name, words in facts.columns.items() if name not in UNPROBED},
        **{name: number for name, number in facts.numbers.items() if name not in UNPROBED},
    }
    work = [("modality", "both", every, embeddings, modality.astype(str))]
    work += [("modality", "both pixels", every, pixels, modality.astype(str))] if pixels is not None else []
    work += [
        (fact, name, rows, inputs[name][1], known[rows])
        for fact, known in values.items()
        for name in INPUTS
        if name in inputs and not (fact == "camera" and name == "auxiliary")
        for rows in (inputs[name][0],)
    ]
    fitted = []
    for number, (fact, name, rows, data, known) in enumerate(work):
        report(number, len(work))
        fitted.append(probe(fact, name, data, known, people[rows]))
    return [one for one in fitted if one is not None]


def pixel_rows(samples: Sequence[Sample]) -> NDArray[np.float32]:
    """Read images at a small size, RGB, float32, [0, 1], `(N, 24·12·3)`: the input of the pixel baseline.

    Raises:
        FileNotFoundError: An image is gone.
        ValueError: An image is broken.
    """
    rows = np.stack([resize(read_sample(one), *PIXELS).ravel() for one in samples])
    return np.divide(rows, 255, dtype=np.float32)
