"""The named experiments: every registry name has a row, every row is a valid config, every row has as many trials."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mun.auxiliary.registry import AUXILIARIES
from mun.config import Config
from mun.experiments.runs import config_of
from mun.experiments.study import Study
from mun.experiments.tables import EXPERIMENTS, Row, Variant


def test_every_registry_name_is_a_rival() -> None:
    assert [row.changes["auxiliary"] for row in EXPERIMENTS["rivals"].rows] == list(AUXILIARIES)


BASE = replace(Config(), train=replace(Config().train, evaluate_every=2))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_rows_are_valid_and_equal_in_trials(name) -> None:
    experiment = EXPERIMENTS[name]
    assert experiment.row(experiment.reference)
    assert len({row.name for row in experiment.rows}) == len(experiment.rows)
    assert len({len(row.variants) for row in experiment.rows}) == 1
    configs = [config_of(experiment, row, variant, BASE) for row in experiment.rows for variant in row.variants]
    assert len(set(configs)) == len(configs), "no two runs are the same"


def test_misalignment_keeps_pairs_aligned() -> None:
    experiment = EXPERIMENTS["misalignment"]
    config = config_of(experiment, experiment.rows[0], experiment.rows[0].variants[0], Config())
    assert config.train.shared_geometry
    assert config.train.same_instant
    assert {setting.knobs["misalignment"] for setting in experiment.settings} == {0.0, 0.5, 1.0}


def test_plan_searches_at_the_first_seed_and_reports_the_choice_at_all(tmp_path) -> None:
    study = Study("rivals", ("none", "mun"), None, BASE, 3, tmp_path, None, tmp_path / "out")
    search = study.runs()
    assert [run.folder.name for run in search] == ["none-own-s0", "none-more-s0", "mun-own-s0", "mun-visible-s0"]
    table = study.runs({"none": "more", "mun": "visible"})
    assert [run.folder.name for run in table] == [
        f"{row}-s{s}" for s in range(3) for row in ("none-more", "mun-visible")
    ]
    assert {run.settings.config.model.auxiliary_stem for run in table if run.row.name == "mun"} == {"visible"}


def test_the_baseline_may_have_the_images_of_the_others() -> None:
    experiment = EXPERIMENTS["rivals"]
    row = experiment.row("none")
    plain, more = (config_of(experiment, row, variant, BASE).train for variant in row.variants)
    assert more.ids_per_batch * 2 == plain.ids_per_batch * 3
    assert more.epochs * 2 == plain.epochs * 3
    assert more.epochs // more.evaluate_every == plain.epochs // plain.evaluate_every, "as many validations"


def test_a_variant_that_could_not_have_as_many_steps_is_refused() -> None:
    message = r"expected --evaluate-every to stay a whole number times 1\.5, as a variant or a setting asks, got 1"
    with pytest.raises(ValueError, match=message):
        Study("rivals", None, None, Config(), 1, Path(), None, Path())


def test_at_misalignment_zero_the_querys_own_instant_is_no_answer() -> None:
    assert EXPERIMENTS["misalignment"].protocol.other_instants
    assert not any(EXPERIMENTS[name].protocol.other_instants for name in EXPERIMENTS if name != "misalignment")


def test_every_point_of_people_has_as_many_steps_and_equal_images_where_it_says_so() -> None:
    experiment = EXPERIMENTS["people"]
    base = replace(Config(), train=replace(Config().train, epochs=8, evaluate_every=8, ids_per_batch=16))
    steps, validations, images = set(), set(), {}
    for setting in experiment.settings:
        people, each = setting.counts["train_ids"], setting.counts["images"]
        images[setting.name] = 6 * people * each
        for name in ("none", "chosen"):
            row = experiment.row(name)
            train = config_of(experiment, row, row.variants[0], base, setting).train
            steps.add(train.epochs * 4 * people * each // (train.ids_per_batch * train.instances_per_id))
            validations.add(train.epochs // train.evaluate_every)
        more = experiment.row("none-more")
        for variant in more.variants:
            assert config_of(experiment, more, variant, base, setting).train.ids_per_batch == 24
    assert len(steps) == len(validations) == 1
    assert len({images[name] for name in ("100x144", "300x48", "1200x12")}) == 1


def test_what_people_asks_is_written_down() -> None:
    """The first claim is the primary one: how the gain over two modalities changes from few people to many."""
    experiment = EXPERIMENTS["people"]
    first, second, *others = experiment.claims
    assert (first.role, first.first, first.second, first.setting, first.minus) == (
        "primary", "chosen", "none", "1200x12", "100x144",
    )  # fmt: skip
    assert (second.role, second.first, second.second, second.setting) == ("secondary", "chosen", "pixel-mean", "300x48")
    assert {claim.role for claim in others} == {"other"}
    places = {setting.name for setting in experiment.settings}
    for claim in experiment.claims:
        assert experiment.row(claim.first) != experiment.row(claim.second)
        assert {claim.setting, claim.minus} <= places | {""}


def test_every_form_has_its_control() -> None:
    forms = {
        row.name: config_of(EXPERIMENTS["forms"], row, row.variants[0], Config()) for row in EXPERIMENTS["forms"].rows
    }
    for form in ("residual", "gate"):
        frozen, free = forms[f"{form}-frozen"].model, forms[form].model
        assert replace(frozen, auxiliary="mun") == free
    assert not forms["gate-constant"].model.generator.cml
    assert forms["gate-constant"].loss == forms["gate-unpaid"].loss


def test_unknown_field_and_row() -> None:
    experiment = EXPERIMENTS["rivals"]
    with pytest.raises(ValueError, match="expected fields of the config, got colour"):
        config_of(experiment, Row("red", "red", {"colour": 1}), Variant("only"), Config())
    with pytest.raises(ValueError, match="expected rows among none, copy"):
        EXPERIMENTS["rivals"].row("magic")
