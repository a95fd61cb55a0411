"""README and docs say what the shipped files and the declarations say: no number in them was typed."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app import build_demo
from app.library import open_library
from benchmarks.documents import commands_page, http_page
from mun.config import Config, from_json
from mun.experiments.pipeline import answer_claims, claims_to_markdown, every_test
from mun.experiments.runs import PlannedRun, config_of
from mun.experiments.tables import EXPERIMENTS, Claim
from mun.experiments.validations import validations_to_csv, validations_to_markdown
from mun.training.run import MetricsFile, read_settings

ROOT = Path(__file__).parents[1]

RESULTS = ROOT / "assets" / "results"

SCORES = {"rank-1": "rank1", "mAP": "mean_ap", "mINP": "mean_inp"}

ALONE = [name for name, made in EXPERIMENTS.items() if len(made.settings) == 1 and made.reads_test]

Line = dict[str, str]


def shipped(name: str) -> tuple[dict[str, Line], dict]:
    """The lines of a shipped table by the label of their row, and what it says of itself."""
    about = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    with (RESULTS / f"{name}.csv").open(encoding="utf-8") as file:
        return {about["rows"][line["row"]]: line for line in csv.DictReader(file) if line["seeds"]}, about


def pages() -> str:
    """README and docs, one after another."""
    return "\n\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")))
    )


def tables() -> Iterator[tuple[list[str], dict[str, list[str]]]]:
    """Every table: its heading, and its lines by their first cell."""
    for block in pages().split("\n\n"):
        lines = [[cell.strip(" *") for cell in line.strip("| ").split(" | ")] for line in block.splitlines()]
        if len(lines) > 2 and block.startswith("|"):
            yield lines[0], {line[0]: line[1:] for line in lines[2:]}


def written(name: str, first: str) -> tuple[list[str], dict[str, list[str]]]:
    """The table with these rows, told from others by its first heading."""
    labels = set(shipped(name)[0])
    (found,) = [(head, lines) for head, lines in tables() if labels <= set(lines) and head[0] == first]
    return found


def percent(value: str) -> str:
    return f"{100 * float(value):.1f}"


def spread(line: Line, score: str) -> str:
    return f"{percent(line[score])} ± {percent(line[f'{score}_seed_sd'])}"


def signed(mean: float, sd: float, low: float, high: float) -> str:
    words = f"{100 * mean:+.1f} ± {100 * sd:.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
    return words.replace("-", "\N{MINUS SIGN}")


def difference(line: Line) -> str:
    names = ("difference", "difference_seed_sd", "low", "high")
    return signed(*(float(line[f"mean_ap_{name}"]) for name in names)) if line["mean_ap_difference"] else "\N{EN DASH}"


def expected(heading: str, line: Line) -> str:
    """What a cell under a heading has to say."""
    if heading in SCORES:
        return spread(line, SCORES[heading])
    if heading.startswith("mAP against"):
        return difference(line)
    return {
        "variant": line["variant"],
        "chosen": line["variant"].replace("-", " "),
        "validation": percent(line["validation_mean_ap"]),
        "galleries": percent(line["mean_ap_gallery_sd"]),
        "learned": f"{float(line['parameters']) / 1e6:.2f} M",
        "ms/step": f"{1000 * float(line['step_seconds']):.0f}",
        "memory": f"{float(line['peak_bytes']) / 1e6:.0f} MB",
    }[heading]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("rivals", "auxiliary modality, in short"),
        ("rivals", "auxiliary modality"),
        ("rivals-400x48", "400 people \N{MULTIPLICATION SIGN} 48 images"),
        ("ablation", "1,000 steps, visible stem"),
        ("alignment", "third modality"),
    ],
)
def test_a_table_is_the_shipped_one(name: str, first: str) -> None:
    head, lines = written(name, first)
    rows, _ = shipped(name)
    assert list(lines) == list(rows)
    for label, cells in lines.items():
        assert cells == [expected(heading, rows[label]) for heading in head[1:]], label


def test_every_table_is_written() -> None:
    assert ALONE == ["rivals", "ablation", "alignment"], "a new table needs its line above"


def test_the_table_over_knobs_is_the_shipped_one() -> None:
    head, lines = written("misalignment-m1-c0.5", "misalignment, correlation")
    for place, heading in enumerate(head[1:]):
        misalignment, correlation = heading.split(", ")
        rows, about = shipped(f"misalignment-m{misalignment}-c{correlation}")
        for label, line in rows.items():
            assert lines[label][place] == spread(line, "mean_ap"), (label, heading)
        made = about["contrasts"][0]["mean_ap"]
        cell = signed(made["mean"], made["seed_sd"], made["low"], made["high"])
        assert lines["MUN \N{MINUS SIGN} pixel mean"][place] == cell, heading


def flags(command: str) -> set[str]:
    """The parts of a command, in any order; how many runs go side by side changes no number."""
    first, *others = command.strip().split(" --")
    return {first, *(part for part in others if not part.startswith("jobs "))}


TABLES = sorted(set(RESULTS.glob("*.json")) - set(RESULTS.glob("*-claims.json")))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_the_commands_of_a_table_are_written(path: Path) -> None:
    written = [flags(line) for line in pages().splitlines()]
    for command in json.loads(path.read_text(encoding="utf-8"))["commands"]:
        assert flags(command) in written, command


def test_the_bounds_of_synvi_are_the_shipped_ones() -> None:
    with (ROOT / "assets" / "synvi-bounds.csv").open(encoding="utf-8") as file:
        head, *lines = csv.reader(file)
    found = {first: cells for head_, table in tables() if head_[1:] == head[2:] for first, cells in table.items()}
    for search, bound, *cells in lines:
        name = bound if search == "infrared \N{RIGHTWARDS ARROW} visible" else f"{search}, {bound}"
        assert found[name] == cells, name


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    for page in (ROOT / "README.md", *ROOT.glob("docs/*.md")):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


FEW = RESULTS / "few"

PAGE = (ROOT / "docs" / "third-modality.md").read_text(encoding="utf-8").splitlines()

FORMS = EXPERIMENTS["forms"]

PEOPLE = RESULTS / "people"

PRETRAINED = ("none", "pixel-mean", "chosen")

SPANS = ((20, 60), (80, 120), (160, 200), (460, 500), (1160, 1200))


@pytest.mark.parametrize(("tables", "seeds"), [(FEW, 1), (FEW / "seeds", 3)], ids=["one seed", "three seeds"])
def test_the_tables_of_forms_are_those_of_the_kept_runs(tables: Path, seeds: int) -> None:
    runs, files = [], {}
    lines = csv.DictReader((tables / "forms.csv").read_text(encoding="utf-8").splitlines())
    for row in [FORMS.row(line["row"]) for line in lines if line["seeds"]]:
        names = [f"{row.name}-only-s{seed}" for seed in range(seeds)]
        files[row.name] = [FEW / "validations" / f"{name}.npz" for name in names]
        for seed, folder in enumerate(FEW / "runs" / name for name in names):
            runs.append(PlannedRun(folder, FORMS.settings[0], row, row.variants[0], seed, read_settings(folder)))
    for ending, write in (("csv", validations_to_csv), ("md", validations_to_markdown)):
        kept = (tables / f"forms.{ending}").read_text(encoding="utf-8")
        assert write(FORMS.rows, runs, files, FORMS.reference) == kept
    shown = [line for line in kept.splitlines() if "not run" not in line]
    assert len(shown) > 3
    assert set(shown) <= set(PAGE)
    assert set(json.loads((tables / "forms.json").read_text(encoding="utf-8"))["commands"]) <= set(PAGE)


@pytest.mark.parametrize(("folder", "name", "ran"), [(PEOPLE, "people", 27), (PEOPLE / "second", "people-second", 11)])
def test_what_was_asked_of_people_against_images_is_answered_by_the_kept_tests(
    folder: Path, name: str, ran: int
) -> None:
    experiment, choice = EXPERIMENTS["people"], json.loads((PEOPLE / "choice.json").read_text(encoding="utf-8"))
    answers = answer_claims(experiment.claims, every_test(folder, experiment, choice))
    assert answers == json.loads((RESULTS / f"{name}-claims.json").read_text(encoding="utf-8"))["claims"]
    shown = [one for one in answers if one["ran"]]
    assert len(shown) == ran
    assert set(claims_to_markdown(shown).splitlines()) <= set(PAGE)


def test_what_was_looked_at_besides_is_answered_by_the_kept_tests() -> None:
    experiment, choice = EXPERIMENTS["people"], json.loads((PEOPLE / "choice.json").read_text(encoding="utf-8"))
    others = {"300x48": ("none-more", "copy"), "1200x12": ("none-more", "copy", "pixel-mean", "frozen")}
    others["1200x48"] = ("pixel-mean", "frozen")
    looked = [Claim("exploratory", "chosen", other, setting) for setting, rows in others.items() for other in rows]
    looked += [Claim("exploratory", "chosen", "none", "1200x48", minus="1200x12")]
    answers = answer_claims(looked, every_test(PEOPLE, experiment, choice))
    assert set(claims_to_markdown(answers).splitlines()) <= set(PAGE)


def test_how_networks_of_another_processor_score_is_in_the_ledgers() -> None:
    names = ("row", "variant", "setting", "seed")
    first, again = (
        {tuple(line[name] for name in names): line["mean_ap"] for line in MetricsFile.lines(folder / "ledger.jsonl")}
        for folder in (PEOPLE, PEOPLE / "second")
    )
    apart = [100 * (first[run] - score) for run, score in again.items()]
    less = f"{np.mean(apart):.1f} points less in the mean ({sum(one > 0 for one in apart)} of them less)"
    assert f"these {len(apart)} score {less}" in " ".join(PAGE)
    scores = [
        100 * np.mean([score for run, score in again.items() if run[0] == row and run[2] == "300x48"])
        for row in ("chosen", "pixel-mean")
    ]
    assert "48, {:.1f} against {:.1f}".format(*scores) in " ".join(PAGE)


def test_what_a_pretrained_start_gives_is_in_the_cards() -> None:
    cards = [json.loads((FEW / "pretrained" / f"{name}.json").read_text(encoding="utf-8")) for name in PRETRAINED]
    assert f"| {' | '.join(percent(card['selection']['scores']['mean_ap']) for card in cards)} |" in PAGE
    assert {command for card in cards for command in card["command"]} <= set(PAGE)


def evenness(lines: list[dict[str, float]]) -> str:
    return f"{100 * np.mean([1 - (line['cml_pattern'] / line['cml_energy']) ** 2 for line in lines]):.0f}"


def opening(lines: list[dict[str, float]]) -> str:
    mean, spread = (np.mean([line[name] for line in lines]) for name in ("gate_mean", "gate_pattern"))
    return f"{mean:.2f}, {spread:.3f}"


@pytest.mark.parametrize(
    ("form", "logged", "cell"),
    [("sum", "cml_energy", evenness), ("residual", "cml_energy", evenness), ("gate", "gate_mean", opening)],
)
@pytest.mark.parametrize(("losses", "ending"), [("all losses", ""), ("alignment alone", "-unpaid")])
def test_how_even_the_branch_is_and_how_far_the_gate_opens_was_logged(
    form: str, logged: str, cell: Callable[[list[dict[str, float]]], str], losses: str, ending: str
) -> None:
    (path,) = FEW.glob(f"*/{form}{ending}-only-s0/metrics.jsonl")
    lines = [line for line in MetricsFile.lines(path) if logged in line]
    spans = [[line for line in lines if first <= line["step"] <= last] for first, last in SPANS]
    cells = [cell(span) if span else "\N{EN DASH}" for span in spans]
    assert f"| {form}, trained by {losses} | {' | '.join(cells)} |" in PAGE


@pytest.mark.parametrize("folder", sorted(FEW.glob("*/*-s?")), ids=lambda path: path.name)
def test_kept_runs_are_those_of_the_experiment(folder: Path) -> None:
    """Whoever goes on from the kept folder must not be told that its runs have other settings."""
    kept, row = read_settings(folder), FORMS.row(folder.name.partition("-only-s")[0])
    base = json.loads((FEW / "forms.json").read_text(encoding="utf-8"))["config"]
    assert kept.config == config_of(FORMS, row, row.variants[0], from_json(Config, base))
    assert kept.data == ""


def test_the_page_of_commands_is_as_declared() -> None:
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == commands_page()


def test_the_page_of_http_functions_is_as_declared(tiny_synvi: Path, tiny_checkpoint: Path) -> None:
    written = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
    assert written == http_page(build_demo(open_library(tiny_synvi, tiny_checkpoint)))
