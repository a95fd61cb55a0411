"""Configs: JSON both ways, ranges, and configs of another version."""

import dataclasses
import json

import pytest

from mun.config import Config, GeneratorConfig, LossConfig, ModelConfig, TrainConfig, from_json, to_json


def test_json_round_trip() -> None:
    config = Config(ModelConfig(width=0.25, generator=GeneratorConfig(kernels=(3,))), LossConfig(margin=1.0))
    assert from_json(Config, json.loads(json.dumps(to_json(config)))) == config


def test_every_field_says_why() -> None:
    for kind in (GeneratorConfig, ModelConfig, LossConfig, TrainConfig):
        for item in dataclasses.fields(kind):
            assert item.type is GeneratorConfig or len(item.metadata["text"]) > 20


def edited(**changes) -> dict:
    value = to_json(Config())
    value["loss"].update(changes)
    return value


def test_a_field_that_came_later_may_be_absent() -> None:
    value = to_json(Config())
    del value["train"]["shared_geometry"]
    assert from_json(Config, value) == Config()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (edited(new_idea=1), "unknown field 'new_idea'"),
        ({**to_json(Config()), "loss": {"margin": 0.3}}, "is missing"),
        (edited(margin="big"), "config.loss.margin to be of type float"),
        (edited(margin=True), "of type float"),
        (edited(alignment="sideways"), "one of bridge, direct"),
        (edited(ramp_start=0.5, ramp_end=0.1), "ramp_end between 0.5 and 1"),
        (edited(margin=10**400), "expected config.loss.margin within the range of a float, got 100000000000000…"),
        ([], "config to be an object"),
    ],
)
def test_bad_values_get_one_sentence(value, message) -> None:
    with pytest.raises(ValueError, match=message):
        from_json(Config, value)


@pytest.mark.parametrize(
    "generator",
    [
        {"kernels": (2,)},
        {"kernels": ()},
        {"bins": ((0, 1),)},
        {"iml": False, "cml": False},
        {"channels": 0},
        {"form": "gate", "iml": False},
        {"kernels": (3,) * 65},
        {"bins": ((1, 1),) * 65},
        {"bins": ((32, 32), (1, 1))},
    ],
)
def test_bad_generators(generator) -> None:
    with pytest.raises(ValueError, match="expected"):
        Config(model=ModelConfig(generator=GeneratorConfig(**generator)))


@pytest.mark.parametrize(
    ("kind", "part"),
    [(GeneratorConfig, "generator"), (ModelConfig, "model"), (LossConfig, "loss"), (TrainConfig, "train")],
)
def test_every_number_has_its_range(kind, part) -> None:
    """NaN, infinity and an integer beyond all floats are refused in one sentence, by name."""
    for item in dataclasses.fields(kind):
        if isinstance(item.default, bool) or not isinstance(item.default, int | float):
            continue
        real = [float("nan"), float("inf")] if isinstance(item.default, float) else []
        for value in (10**400, -(10**400), *real):
            group = kind(**{item.name: value})
            groups = {"model": ModelConfig(generator=group)} if part == "generator" else {part: group}
            with pytest.raises(ValueError, match=rf"^expected {item.name} between \S+ and \S+, got \S+$"):
                Config(**groups)
