"""Every field of every request refuses values of a wrong type, out of bounds or not offered; every link round-trips."""

import math
import random
from typing import Any

import pytest

import app.about.tab as about
import app.analysis.compute as analysis
import app.auxiliary.compare as auxiliary
import app.embeddings.request as embeddings
import app.explain.tab as explain
import app.retrieval.browse as retrieval
import app.train.request as train
from app.library import Library
from app.retrieval.own import RetrieveImage
from app.shared.request import Request, bounds

PAGES: dict[str, type[Request]] = {
    "retrieval": retrieval.Browse,
    "embeddings": embeddings.View,
    "auxiliary": auxiliary.Look,
    "explain": explain.Shown,
    "analysis": analysis.View,
    "train": train.Watch,
    "about": about.Look,
}
KINDS = [*PAGES.values(), RetrieveImage, train.Stop, train.Look]
FIELDS = [(kind, name) for kind in KINDS for name in kind.model_fields]
# Checked by the thing they name, or by a special rule; every other text has an offer, every other number has bounds.
FREE = {
    *("modality", "share", "query", "image", "target", "focus"),
    *("visible", "infrared", "people", "selected", "run", "token"),
}
NAN, INFINITE, HUGE = math.nan, math.inf, 10**30
WRONG = {
    int: (True, False, 2.5, NAN, INFINITE, "3", None, HUGE, [1], {"a": 1}),
    float: (True, False, NAN, INFINITE, "x", None, {"a": 1}),
    bool: (1, "yes", None),
    str: (5, None, True, ["a"], NAN),
}


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=lambda value: getattr(value, "__module__", value))
def test_a_value_that_is_not_of_the_field_is_refused_in_one_sentence(kind: type[Request], name: str, two) -> None:
    field = kind.model_fields[name]
    wrong: list[Any] = [*WRONG.get(field.annotation, (3, None, {"a": 1}))]
    low, high = bounds(field)
    if field.annotation is not bool and name not in (*kind.files, *FREE, "beside"):
        assert low is not None or name in kind.offers
    wrong += [bound + step for bound, step in ((low, -1), (high, 1)) if bound is not None]
    if field.annotation is str and name not in kind.files:
        wrong += ["x" * 201, *([] if name in FREE else ["nobody"])]
    for value in wrong:
        with pytest.raises(ValueError, match=f"^expected {name} to ") as refused:
            kind.read({name: value}, two)
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 300
        assert name in kind.repair({name: value}, two)[1]
    assert name != "checkpoint" or name not in kind.follows  # the page reports it, also a checkpoint deleted meanwhile


@pytest.mark.parametrize("tab", sorted(PAGES.keys() - {"embeddings", "train"}))  # they fill in fields
def test_an_address_leads_back_to_what_it_was_written_for(tab: str, two: Library) -> None:
    kind, draw = PAGES[tab], random.Random(tab)
    for _ in range(40):
        values = kind.repair({}, two)[0].model_dump()
        for name in draw.sample(list(values), draw.randint(1, len(values))):
            field = kind.model_fields[name]
            low, high = bounds(field)
            if field.annotation is bool:
                values[name] = draw.random() < 0.5
            elif low is not None:
                most = low + 30 if high is None else min(high, low + 30)
                values[name] = field.annotation(round(draw.uniform(low, most), 3))
            elif name in kind.offers and (offered := [one.value for one in kind.offers[name].choices(two, values)]):
                values[name] = draw.choice(offered) if field.annotation is str else (draw.choice(offered),)
        request, _ = kind.repair(values, two)
        link = request.link(two, tab)
        again, wrong = kind.repair(kind.of_address(link), two)
        assert (again.link(two, tab), wrong) == (link, {})


# Old addresses, and the values that they had when they were written.
OF_BEFORE = {
    "retrieval": (
        "?checkpoint=mun-tiny&data=synvi&direction=v2i&protocol=synvi-indoor&shots=2&trial=4&top_k=7&rerank=1"
        "&left_out=1&corruption=fog&severity=2&query=cam1/0013/0001.jpg&utm=x&__theme=dark",
        {"direction": "v2i", "protocol": "synvi-indoor", "shots": 2, "trial": 4, "top_k": 7, "rerank": True}
        | {"left_out": True, "corruption": "fog", "severity": 2, "query": "cam1/0013/0001.jpg"},
    ),
    "embeddings": (
        "?tab=embeddings&checkpoint=mun-tiny&compare=none&identities=3&perplexity=7&images=4&space=features"
        "&colour=correct&prototypes=1&lines=1&controls=1",
        {"compare": "none", "identities": 3, "perplexity": 7.0, "images": 4, "space": "features"}
        | {"colour": "correct", "prototypes": True, "lines": True, "controls": True},
    ),
    "explain": (
        "?tab=explain&image=cam3%2F0013%2F0001.jpg&against=center&target=14&method=layer-cam&change=hat&focus=x",
        {"image": "cam3/0013/0001.jpg", "against": "center", "target": "14", "method": "layer-cam"}
        | {"change": "hat", "focus": "x"},
    ),
}


@pytest.mark.parametrize("tab", OF_BEFORE)
def test_a_link_of_before_opens_what_it_opened(tab: str, two: Library) -> None:
    link, asked = OF_BEFORE[tab]
    assert PAGES[tab].repair(PAGES[tab].of_address(link), two) == (PAGES[tab].read(asked, two), {})
