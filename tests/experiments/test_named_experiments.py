"""The named experiments: rows, valid configs and equal trials; their tables in three formats; what a row costs."""

import csv
import io
from dataclasses import replace

import pytest

from mun.auxiliary.registry import AUXILIARIES
from mun.config import Config, ModelConfig, TrainConfig
from mun.experiments.cost import Cost, measure
from mun.experiments.report import to_csv, to_latex, to_markdown
from mun.experiments.results import RowResult
from mun.experiments.runs import config_of
from mun.experiments.statistics import METRICS, Paired, Summary
from mun.experiments.study import Study
from mun.experiments.tables import EXPERIMENTS, Row, Variant


def test_every_registry_name_of_images_is_a_rival() -> None:
    *rows, chosen = EXPERIMENTS["rivals"].rows
    assert [*(row.changes["auxiliary"] for row in rows), "feature-mean"] == list(AUXILIARIES)
    assert chosen.name == "chosen"


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
    search = study.runs({}, 1)
    assert [run.folder.name for run in search] == ["none-own-s0", "none-more-s0", "mun-own-s0", "mun-visible-s0"]
    part = study.runs({"none": "more"}, 1)
    assert [run.folder.name for run in part] == ["none-more-s0", "mun-own-s0", "mun-visible-s0"], (
        "none was chosen before"
    )
    table = study.runs({"none": "more", "mun": "visible"}, study.seeds)
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


def test_every_form_has_its_control() -> None:
    forms = {
        row.name: config_of(EXPERIMENTS["forms"], row, row.variants[0], Config()) for row in EXPERIMENTS["forms"].rows
    }
    for form in ("residual", "gate"):
        frozen, free = forms[f"{form}-frozen"].model, forms[form].model
        assert replace(frozen, auxiliary="mun") == free
    assert not forms["gate-constant"].model.generator.cml
    assert forms["gate-constant"].loss == forms["gate-unpaid"].loss


def test_a_row_that_changes_no_field_of_the_config_is_refused() -> None:
    with pytest.raises(ValueError, match="expected fields of the config, got colour"):
        config_of(EXPERIMENTS["rivals"], Row("red", "red", {"colour": 1}), Variant("only"), Config())


NAN = float("nan")

ROWS = (Row("none", "none", {}), Row("mun", "MUN_100% & more", {}), Row("x", "X", {}))


def results() -> list[RowResult]:
    first = {metric: Summary(0.5, NAN, 0.01) for metric in METRICS}
    second = {metric: Summary(0.5123, 0.0214, 0.0105) for metric in METRICS}
    against = {metric: Paired(0.0123, -0.001, 0.0256, 0.0078) for metric in METRICS}
    return [
        RowResult(ROWS[0], "own", 0.51, 2, 1, first, {}),
        RowResult(ROWS[1], "visible", 0.52, 2, 3, second, against),
    ]


COSTS = {"mun": Cost(1_234_567, 5000, 0.1234, 456_000_000, 96)}


def test_markdown() -> None:
    lines = to_markdown(ROWS, results(), COSTS).splitlines()
    assert lines[2].startswith("| none | own | 1 | 51.0 | 50.0 | 50.0 | 50.0 | \N{EN DASH} | 1.0 |")
    assert "| visible | 3 | 52.0 | 51.2 ± 2.1 |" in lines[3]
    assert "| +1.2 ± 0.8 [-0.1, +2.6] | 1.1 | 1,234,567 | 123 | 456 MB |" in lines[3]
    assert lines[4].startswith("| X | not run |")
    assert len({line.count("|") for line in lines}) == 1


def test_latex_is_escaped() -> None:
    text = to_latex(ROWS, results(), COSTS)
    assert r"MUN\_100\% \& more" in text
    assert r"51.2 $\pm$ 2.1" in text
    assert text.count(r"\\") == 4
    assert text.startswith(r"\begin{tabular}{ll")
    assert "\N{EN DASH}" not in text


def test_csv_has_plain_numbers() -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(ROWS, results(), COSTS))))
    assert [line["row"] for line in lines] == ["none", "mun", "x"]
    assert float(lines[1]["mean_ap_seed_sd"]) == pytest.approx(0.0214)
    assert float(lines[1]["rank1_low"]) == pytest.approx(-0.001)
    assert float(lines[1]["rank1_difference_seed_sd"]) == pytest.approx(0.0078)
    assert lines[0]["mean_ap_seed_sd"] == ""
    assert lines[2]["rank1"] == ""
    assert int(lines[1]["images_per_step"]) == 96


def test_a_frozen_generator_is_counted_but_not_as_learned() -> None:
    model, train = ModelConfig(width=0.125, height=64, image_width=32), TrainConfig(ids_per_batch=2, instances_per_id=1)
    names = ("none", "mun", "mun-frozen")
    configs = {name: Config(replace(model, auxiliary=name), train=train) for name in names}
    costs = dict(measure(configs, num_classes=4, device="cpu", threads=1))
    none, learned, frozen = (costs[name] for name in names)
    assert none.generator_parameters == 0
    assert learned.generator_parameters == frozen.generator_parameters > 0
    assert learned.parameters - frozen.parameters == learned.generator_parameters
    assert learned.images == frozen.images == 3 * none.images // 2
