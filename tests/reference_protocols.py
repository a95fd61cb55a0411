"""Slow, obvious versions of the protocols: for each query, one gallery image after another is kept or left out."""

from __future__ import annotations

import random

from reference import query_scores

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


def scores(name, samples, rows, trial, groups=()):
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
