"""Slow, obvious versions, written from the definitions alone: metrics, protocols, re-ranking, losses, augmentation."""

import math
import random

import numpy as np
from numpy.typing import NDArray

from mun.config import TrainConfig
from mun.data.augment import FILL


def kept_order(distances, dropped):
    """Gallery indices that are kept, by (distance, index)."""
    kept = [j for j in range(len(distances)) if not dropped[j]]
    return sorted(kept, key=lambda j: (distances[j], j))


def query_scores(distances, query_pid, gallery_pids, dropped):
    """(AP, INP, place of the first match, place of the query's identity), or None for a query without a match."""
    ranked_pids = [gallery_pids[j] for j in kept_order(distances, dropped)]
    places = [place for place, pid in enumerate(ranked_pids, start=1) if pid == query_pid]
    if not places:
        return None
    precision = sum(k / place for k, place in enumerate(places, start=1)) / len(places)
    identities = []
    for pid in ranked_pids:
        if pid not in identities:
            identities.append(pid)
    return precision, len(places) / places[-1], places[0], identities.index(query_pid) + 1


def metrics(distances, query_pids, gallery_pids, dropped, distinct_identities, max_rank=20):
    """(cmc, mean AP, mean INP, number of valid queries, per-query scores or None)."""
    scores = [
        query_scores(row, pid, gallery_pids, mask)
        for row, pid, mask in zip(distances, query_pids, dropped, strict=True)
    ]
    valid = [score for score in scores if score is not None]
    places = [score[3] if distinct_identities else score[2] for score in valid]
    cmc = [sum(place <= k for place in places) / len(valid) for k in range(1, max_rank + 1)]
    mean_ap = sum(score[0] for score in valid) / len(valid)
    mean_inp = sum(score[1] for score in valid) / len(valid)
    return cmc, mean_ap, mean_inp, len(valid), scores


def centers(features, labels):
    """Map each label to the mean of its rows."""
    return {int(j): np.mean([f for f, l in zip(features, labels, strict=True) if l == j], axis=0) for j in set(labels)}


def identity_alignment(features, labels, margin):
    """L_ia by loops; `features` and `labels` are dictionaries over modalities."""
    by_modality = {m: centers(features[m], labels[m]) for m in features}
    losses = []
    for m, own in by_modality.items():
        for j, center in own.items():
            positives = [np.linalg.norm(center - other[j]) for n, other in by_modality.items() if n != m and j in other]
            negatives = [np.linalg.norm(center - other[k]) for other in by_modality.values() for k in other if k != j]
            if positives and negatives:
                losses.append(max(0.0, margin + max(positives) - min(negatives)))
    return float(np.mean(losses)) if losses else 0.0


def prototype(features, labels):
    """The mean over identities of the mean unit feature."""
    unit = [f / np.linalg.norm(f) for f in features]
    return np.mean(list(centers(unit, labels).values()), axis=0)


def batch_hard_triplet(features, labels, margin):
    """The batch-hard triplet by loops."""
    losses = []
    for fa, la in zip(features, labels, strict=True):
        positive = max(np.linalg.norm(fa - fb) for fb, lb in zip(features, labels, strict=True) if la == lb)
        negative = min(np.linalg.norm(fa - fb) for fb, lb in zip(features, labels, strict=True) if la != lb)
        losses.append(max(0.0, margin + positive - negative))
    return float(np.mean(losses))


def augmented(image: NDArray[np.float32], settings: TrainConfig, uniform: list[float]) -> NDArray[np.float64]:
    """Augment one image, `(3, H, W)`, from its nine draws."""
    flip, down, right, bright, contrast, erase, area, ratio, place = uniform
    _, height, width = image.shape
    steps = 2 * settings.pad + 1
    moved = np.empty(image.shape, np.float64)
    for row in range(height):
        for column in range(width):
            across = width - 1 - column if flip < settings.flip else column
            source_row = min(max(row + math.floor(down * steps) - settings.pad, 0), height - 1)
            source_column = min(max(across + math.floor(right * steps) - settings.pad, 0), width - 1)
            moved[:, row, column] = image[:, source_row, source_column]
    if settings.jitter:
        mean = moved.mean()
        gain = 1 + settings.jitter * (2 * contrast - 1)
        moved = np.clip((moved - mean) * gain + mean + settings.jitter * (bright - 0.5), 0, 1)
    if erase < settings.erase:
        pixels = (0.02 + area * (settings.erase_area - 0.02)) * height * width
        aspect = 0.3 * (3.3 / 0.3) ** ratio
        tall = max(1, min(height, round(math.sqrt(pixels * aspect))))
        wide = max(1, min(width, round(math.sqrt(pixels / aspect))))
        places = (height - tall + 1) * (width - wide + 1)
        top, left = divmod(min(math.floor(place * places), places - 1), width - wide + 1)
        moved[:, top : top + tall, left : left + wide] = np.array(FILL)[:, None, None]
    return moved


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def rerank(query, gallery, k1, k2, original_weight):
    """The re-ranked distances as a list of rows."""
    images = [*query, *gallery]
    count = len(images)
    d = [
        [0.0 if i == j else max(0.0, 2 - 2 * cosine(images[i], images[j])) for j in range(count)] for i in range(count)
    ]
    d = [[value / (max(row) or 1.0) for value in row] for row in d]
    nearest = [sorted(range(count), key=lambda j: (row[j], j)) for row in d]

    def reciprocal(i, k):
        return {j for j in nearest[i][: k + 1] if i in nearest[j][: k + 1]}

    encoded = []
    for i in range(count):
        members = reciprocal(i, k1)
        expanded = set(members)
        for j in members:
            half = reciprocal(j, round(k1 / 2))
            if 3 * len(half & members) > 2 * len(half):
                expanded |= half
        total = sum(math.exp(-d[i][j]) for j in expanded)
        encoded.append([math.exp(-d[i][j]) / total if j in expanded else 0.0 for j in range(count)])

    def average(i):
        near = nearest[i][:k2]
        return [sum(encoded[n][j] for n in near) / len(near) for j in range(count)]

    encoded = [average(i) for i in range(count)]

    def jaccard(i, j):
        least = sum(min(a, b) for a, b in zip(encoded[i], encoded[j], strict=True))
        most = sum(max(a, b) for a, b in zip(encoded[i], encoded[j], strict=True))
        return 1 - least / most

    return [
        [
            (1 - original_weight) * jaccard(i, len(query) + g) + original_weight * d[i][len(query) + g]
            for g in range(len(gallery))
        ]
        for i in range(len(query))
    ]


SITE = {1: 1, 2: 2, 3: 2, 4: 4, 5: 5, 6: 6}  # SYSU-MM01


def drawn(images, cameras, trial):
    """One image of each person by each camera, people ascending, cameras in the order given."""
    draws = random.Random(trial)
    gallery = []
    for pid in sorted({image.pid for image in images}):
        for camid in cameras:
            mine = sorted(
                (one for one in images if (one.pid, one.camid) == (pid, camid)), key=lambda one: one.path.name
            )
            if mine:
                gallery.append(draws.choice(mine))
    return gallery


def sides(name, samples, trial):
    """The queries and the gallery of a trial."""
    visible = [one for one in samples if one.modality == "visible"]
    infrared = [one for one in samples if one.modality == "infrared"]
    order = lambda images: sorted(images, key=lambda one: (one.pid, one.camid, one.path.name, one.key))  # noqa: E731
    nine, eight = (1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 4, 5, 6, 7, 8, 9)
    return {
        "sysu-all": lambda: (order(infrared), drawn(visible, (1, 2, 4, 5), trial)),
        "sysu-indoor": lambda: (order(infrared), drawn(visible, (1, 2), trial)),
        "regdb-v2i": lambda: (order(visible), order(infrared)),
        "regdb-i2v": lambda: (order(infrared), order(visible)),
        "llcm-v2i": lambda: (order(visible), drawn(infrared, eight, trial)),
        "llcm-i2v": lambda: (order(infrared), drawn(visible, nine, trial)),
        "cross-i2v": lambda: (order(infrared), order(visible)),
        "cross-v2i": lambda: (order(visible), order(infrared)),
        "mixed-infrared": lambda: (order(infrared), order(samples)),
        "mixed-visible": lambda: (order(visible), order(samples)),
    }[name]()


def left_out(name, query, shown, groups=()):
    """Whether a gallery image does not count for a query."""
    if name.startswith("sysu"):
        return SITE[query.camid] == SITE[shown.camid]
    if name.startswith("regdb"):
        return False
    if name.startswith("llcm"):
        return (query.pid, query.camid) == (shown.pid, shown.camid)
    if query is shown:
        return True
    if 0 in (query.camid, shown.camid):
        return False
    return query.camid == shown.camid or any({query.camid, shown.camid} <= set(group) for group in groups)


def protocol_scores(name, samples, rows, trial, groups=()):
    """(rank-1, mAP, mINP, number of valid queries); rows are of unit length."""
    asked, gallery = sides(name, samples, trial)
    row_of = {id(sample): row for sample, row in zip(samples, rows, strict=True)}
    people = name.startswith(("sysu", "llcm"))
    found = []
    for query in asked:
        mine = row_of[id(query)]
        distances = [-sum(a * b for a, b in zip(mine, row_of[id(one)], strict=True)) for one in gallery]
        mask = [left_out(name, query, one, groups) for one in gallery]
        found.append(query_scores(distances, query.pid, [one.pid for one in gallery], mask))
    valid = [one for one in found if one is not None]
    rank1 = sum((one[3] if people else one[2]) == 1 for one in valid) / len(valid)
    return rank1, sum(one[0] for one in valid) / len(valid), sum(one[1] for one in valid) / len(valid), len(valid)


# Printed by the evaluation functions of AGW and its successors on the inputs of `benchmarks/evaluation.py`. The number
# of valid queries is counted from the layout: no gallery image shows id 96 (20 queries), indoors none ids above 56.
PARITY = {
    "sysu-all": ([0.237906, 0.546920, 0.707639, 0.849590], 0.231894819815, 0.105846674822, (3803, 301), 3783),
    "sysu-indoor": ([0.267786, 0.593460, 0.740610, 0.893504], 0.357021486669, 0.298252429649, (3803, 112), 2263),
    "regdb-v2i": ([0.215049, 0.496602, 0.641748, 0.767476], 0.108717469219, 0.015849931182, (2060, 2060), 2060),
}
