"""Findings: the tables of results that the project ships, their summary in sentences, and their layout as plots."""

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from scipy.special import stdtrit

from mun.experiments.statistics import Paired
from mun.experiments.tables import EXPERIMENTS
from mun.experiments.validations import COLUMNS as VALIDATED
from mun.files import read_json
from mun.synvi.levels import Knobs

__all__ = ["COLUMNS", "FOLDER", "OURS", "Claim", "Line", "Row", "Table", "families", "forest", "grid", "main_of"]
__all__ += ["points", "read_tables"]

FOLDER = Path(__file__).parents[2] / "assets" / "results"
LEVEL = 0.05  # significance level: a claim holds at a smaller p-value
PAIRED = tuple(Paired.__dataclass_fields__)
DASH, MINUS, TIMES = "\N{EN DASH}", "\N{MINUS SIGN}", " \N{MULTIPLICATION SIGN} "
LABELS = {"none (two modalities)": "two modalities (baseline)"}  # wording of the page
OURS = ("mun", "all", "chosen")  # rows that are MUN itself
STEPS = (0.5, 1, 2, 5, 10, 20)  # points between two ticks
MAX_TICKS = 8


class Column(NamedTuple):
    """A column that a table may have: its heading, what it means, and how a number is written.

    Attributes:
        title: The heading.
        meaning: What its numbers are.
        form: Format specification, as `format` takes it.
        factor: Factor on a number before it is written.
    """

    title: str
    meaning: str
    form: str = ".1f"
    factor: float = 100


SCORES = {"rank1": "rank-1", "mean_ap": "mAP", "mean_inp": "mINP"}
COLUMNS: dict[str, Column] = {  # by the name of the CSV's column
    **{name: Column(title, "percent, mean ± sd over seeds") for name, title in SCORES.items()},
    "mean_ap_difference": Column("Δ mAP", "points against the reference, ± sd over seeds [95 % over people]"),
    "seeds": Column("seeds", "runs that differ by their seed alone", ",.0f", 1),
    "mean_ap_gallery_sd": Column("galleries", "sd of mAP over galleries, points"),
    "validation_mean_ap": Column("validation", "mAP of the chosen variant on validation people, percent"),
    **{
        name: Column(title, "at the end of training", *((".2f", 1) if name.startswith("identity") else ()))
        for name, title in VALIDATED.items()
    },
    "parameters": Column("learned", "numbers learned, without the classifier", ",.0f", 1),
    "step_seconds": Column("ms/step", "forward and backward, alone on the machine", ".0f", 1e3),
    "peak_bytes": Column("memory, MB", "most at once while training a step", ".0f", 1e-6),
}
RENAMED = {  # columns of a table that has validation people only
    "difference": "mean_ap_difference",
    "low": "mean_ap_low",
    "high": "mean_ap_high",
    "difference_seed_sd": "mean_ap_difference_seed_sd",
}


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        name: Name of the row.
        label: Label in the table.
        values: Numbers by the names of the CSV's columns, fractions; empty where nothing was run.
        variant: Which variant was chosen on validation identities.
        corrected: The p-value of the difference, corrected for the number of comparisons; `None` without correction.
    """

    name: str
    label: str
    values: Mapping[str, float]
    variant: str = ""
    corrected: float | None = None

    @property
    def score(self) -> float | None:
        """mAP, of test or else of validation people; `None` where nothing was run."""
        return self.values.get("mean_ap")

    @property
    def difference(self) -> Paired | None:
        """The difference in mAP from the reference; the interval is NaN where it was not measured."""
        if "mean_ap_difference" not in self.values:
            return None
        return Paired(*(self.values.get(name, math.nan) for name in RENAMED.values()))

    @property
    def clear(self) -> bool:
        """Whether the difference is significant: by the corrected p-value or, without one, over people and seeds."""
        if self.corrected is not None:
            return self.corrected < LEVEL
        made, seeds = self.difference, int(self.values.get("seeds", 0))
        if made is None or seeds < 2 or math.isnan(made.seed_sd) or made.low <= 0 <= made.high:
            return False
        return abs(made.mean) > float(stdtrit(seeds - 1, 0.975)) / math.sqrt(seeds) * made.seed_sd

    def cell(self, name: str) -> str:
        """Write one number."""
        if name == "mean_ap_difference" and self.difference is not None:
            return points(self.difference)
        value, column, sd = self.values.get(name), COLUMNS[name], self.values.get(f"{name}_seed_sd")
        if value is None:
            return DASH
        return f"{column.factor * value:{column.form}}" + ("" if sd is None else f" ± {100 * sd:.1f}")


class Claim(NamedTuple):
    """A difference that an experiment tests, and its result; `words` is its role, with its p-value if there is one."""

    label: str
    paired: Paired | None
    words: str = ""

    @property
    def other(self) -> bool:
        """Whether it is one of many claims that are corrected for their number."""
        return self.words.startswith("other")


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        name: Name of its files.
        about: Its description, as `experiment` writes it.
        rows: In the order of the file.
        text: The CSV file.
        claims: Differences that the experiment tests besides those from the reference.
    """

    name: str
    about: Mapping[str, Any]
    rows: Sequence[Row]
    text: str
    claims: Sequence[Claim]

    @property
    def experiment(self) -> str:
        """Name of the experiment that the table belongs to."""
        return self.name.partition("-")[0]

    @property
    def title(self) -> str:
        """The headline, with the setting."""
        return f"{self.about['title']} ({self.setting})"

    @property
    def setting(self) -> str:
        """Values of the knobs of its data or, without knobs, training people and images of each."""
        knobs = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in self.about["knobs"].items())
        people, images = (self.about["train"]["splits"]["train"][name] for name in ("identities", "images"))
        return knobs or f"{people:,}{TIMES}{images // people}"

    @property
    def reference(self) -> str:
        """Label of the row that the others are compared with."""
        return LABELS.get(self.about["reference"], str(self.about["reference"]))

    @property
    def columns(self) -> list[str]:
        """Names of the columns that any row has a number for."""
        return [name for name in COLUMNS if any(name in row.values for row in self.rows)]

    @property
    def run(self) -> list[Row]:
        """The rows that were run."""
        return [row for row in self.rows if row.score is not None]

    @property
    def seeds(self) -> int:
        """Number of seeds of the row with the most."""
        return int(max((row.values.get("seeds", 1) for row in self.run), default=1))

    def row(self, name: str) -> Row | None:
        """Find a row that was run."""
        return next((row for row in self.run if row.name == name), None)

    def score_of(self, name: str) -> tuple[float, float, float] | None:
        """MAP of a row, and one standard deviation over seeds to either side; `None` where it was not run."""
        if (row := self.row(name)) is None or row.score is None:
            return None
        sd = row.values.get("mean_ap_seed_sd", 0.0)
        return row.score, row.score - sd, row.score + sd

    def answer(self) -> tuple[float, float, float] | None:
        """The first difference that the experiment tests, and both ends of its interval."""
        made = self.claims[0].paired if self.claims else None
        return (made.mean, made.low, made.high) if made else None

    def gain(self, name: str) -> tuple[float, float, float] | None:
        """Difference in mAP of a row from the reference, and both ends of its interval; `None` where there is none."""
        made = row.difference if (row := self.row(name)) else None
        return (made.mean, made.low, made.high) if made else None

    def best(self, name: str) -> str:
        """Name of the row with the highest score of a column; empty where the column is no score."""
        scored = {row.name: row.values[name] for row in self.run if name in row.values and name in SCORES}
        return max(scored, key=lambda row: scored[row], default="")

    @property
    def corrected(self) -> bool:
        """Whether p-values are corrected for the number of comparisons."""
        return any(row.corrected is not None for row in self.rows)

    @property
    def criterion(self) -> str:
        """What a filled mark of the forest plot means."""
        if self.corrected:
            return "significant after correction for the number of comparisons"
        return "neither people nor seeds explain the difference"

    def sentences(self) -> list[str]:
        """Summarise the table in three sentences."""
        compared = [row for row in self.run if row.difference is not None]
        base = next((row for row in self.run if row.label == self.reference), None)
        ours = next((row for name in reversed(OURS) for row in compared if row.name == name), None)
        ahead = [row.label for row in compared if row.clear and row.values["mean_ap_difference"] > 0]
        behind = [row.label for row in compared if row.clear and row.values["mean_ap_difference"] < 0]
        said = []
        if ours is not None and base is not None and ours.score is not None and base.score is not None:
            made = ours.values["mean_ap_difference"]
            way = "more" if made > 0 else "less"
            why = "other people or seeds may explain the difference"
            if self.corrected:
                why = f"the difference is {'' if ours.clear else 'not '}{self.criterion}"
            elif ours.clear:
                why = "neither other people nor other seeds explain the difference"
            said.append(
                f"{ours.label} reaches {100 * ours.score:.1f} % mAP, {100 * abs(made):.1f} points {way} than"
                f" {self.reference} at {100 * base.score:.1f} %; {why}."
            )
        elif self.claims and (asked := self.claims[0].paired) is not None:
            said.append(f"{self.claims[0].label}: {points(asked)} points of mAP.")
        rest = " The others cannot be told apart from it." if len(ahead) + len(behind) < len(compared) else ""
        better, worse = ("; ".join(labels) or "none" for labels in (ahead, behind))
        said.append(f"Clearly better than {quoted(self.reference)}: {better}. Clearly worse: {worse}.{rest}")
        return [*said, self.scope()]

    def scope(self) -> str:
        """Say how many people and seeds it was measured on, and what it does not cover."""
        splits = {part: self.about[part]["splits"] for part in ("train", "test")}
        tested = splits["test"].get("test") if "rank1" in self.columns else splits["train"]["val"]
        words = (
            f"{self.seeds} seeds, trained on {splits['train']['train']['identities']:,} synthetic people, scored on"
            f" {tested['identities']:,} others: nothing here is about the paper's network or real streets."
        )
        return " ".join(filter(None, (words, self.about.get("note"))))


class Line(NamedTuple):
    """One line of a forest plot; positions in percent of its width."""

    row: Row
    words: str
    at: float
    low: float
    high: float
    left: float
    right: float


def forest(table: Table) -> tuple[list[Line], list[tuple[float, str]]]:
    """Lay out the differences from the reference, the largest first.

    Returns:
        The lines, and the ticks as position and text; both empty where no row has a difference.
    """
    placed = [(row, row.difference, ends(row.difference)) for row in table.run if row.difference is not None]
    if not placed:
        return [], []
    values = [0.0, *(value for *_, made in placed for value in made)]
    low, high = min(values), max(values)
    pad = 0.04 * (high - low or 0.01)
    low, high = low - pad, high + pad

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    step = next((one for one in STEPS if 100 * (high - low) / one <= MAX_TICKS), STEPS[-1])
    first, last = math.ceil(100 * low / step), math.floor(100 * high / step)
    ticks = [(place(number * step / 100), signed(number * step)) for number in range(first, last + 1)]
    placed.sort(key=lambda line: -line[1].mean)
    return [Line(row, points(one), *map(place, made)) for row, one, made in placed], ticks


def ends(made: Paired) -> tuple[float, float, float, float, float]:
    """Return a difference, both ends of its interval, and one standard deviation over seeds to either side."""
    sd = 0.0 if math.isnan(made.seed_sd) else made.seed_sd
    low, high = (made.mean, made.mean) if math.isnan(made.low) else (made.low, made.high)
    return made.mean, low, high, made.mean - sd, made.mean + sd


def signed(value: float) -> str:
    """Write a number of points with its sign."""
    return f"{value:+g}".replace("-", MINUS) if value else "0"


def points(made: Paired) -> str:
    """Write a difference in points, with its spread over seeds and its interval over people, as far as known."""
    words = str(made).partition(" [nan")[0]
    return words.replace("-", MINUS)


def quoted(label: str) -> str:
    """Put a row's label in quotation marks where its punctuation could be confused with the sentence around it."""
    return f"\N{LEFT DOUBLE QUOTATION MARK}{label}\N{RIGHT DOUBLE QUOTATION MARK}" if {*",+:"} & {*label} else label


def families(tables: Sequence[Table]) -> dict[str, list[Table]]:
    """Group tables by experiment; the tables of one experiment differ by their data."""
    return {name: [one for one in tables if one.experiment == name] for name in (one.experiment for one in tables)}


def main_of(tables: Sequence[Table]) -> Table:
    """Choose the table of an experiment to show first: all knobs at their defaults, if any, and the most seeds."""
    usual = asdict(Knobs())
    plain = [table for table in tables if all(usual[knob] == value for knob, value in table.about["knobs"].items())]
    return max(plain or tables, key=lambda table: table.seeds)


def grid(tables: Sequence[Table]) -> list[tuple[str, list[tuple[str, float | None]]]]:
    """List mAP of every row over the settings, then the first difference that the experiment tests."""
    lines: list[tuple[str, list[tuple[str, float | None]]]] = []
    for name, label in {row.name: row.label for table in tables for row in table.run}.items():
        found = [table.row(name) for table in tables]
        lines.append((label, [(row.cell("mean_ap"), row.score) if row else (DASH, None) for row in found]))
    asked = [table.claims[0] for table in tables if table.claims]
    made = [one.paired for one in asked if one.paired is not None]
    if len(made) == len(tables) and len({one.label for one in asked}) == 1:
        lines.append((tables[0].claims[0].label, [(points(one), one.mean) for one in made]))
    return lines


def read_tables(folder: Path = FOLDER) -> list[Table]:
    """Read every table of a folder, in the order of `EXPERIMENTS`; none where there is no folder.

    Raises:
        ValueError: A file is broken.
    """
    tables = []
    for path in sorted(folder.glob("*.json"), key=place):
        if path.stem.endswith("-claims"):
            continue
        about = read_json(path)
        try:
            text = path.with_suffix(".csv").read_text(encoding="utf-8")
            experiment, _, setting = path.stem.partition("-")
            asked = folder / f"{experiment}-claims.json"
            claims, corrected = read_claims(about, asked), corrected_of(about, setting, asked)
            rows = [read_row(about["rows"], line, corrected) for line in csv.DictReader(text.splitlines())]
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"expected a table of results in {path.stem}.csv, got: {error}") from None
        tables.append(Table(path.stem, about, rows, text, claims))
    return tables


def place(path: Path) -> tuple[int, int, str]:
    """Return the sort key of a table: its experiment, then its setting, then its name."""
    experiment, _, setting = path.stem.partition("-")
    if experiment not in EXPERIMENTS:
        return len(EXPERIMENTS), 0, path.stem
    settings = [one.name for one in sorted(EXPERIMENTS[experiment].settings, key=lambda one: [*one.knobs.values()])]
    return [*EXPERIMENTS].index(experiment), settings.index(setting) if setting in settings else 0, path.stem


def read_row(labels: Mapping[str, str], line: Mapping[str, str], corrected: Mapping[str, float]) -> Row:
    """Read one line of the CSV file."""
    words, label = {"row", "variant", "device"}, labels[line["row"]]
    values = {RENAMED.get(name, name): float(value) for name, value in line.items() if name not in words and value}
    return Row(line["row"], LABELS.get(label, label), values, line.get("variant", ""), corrected.get(line["row"]))


def read_claims(about: Mapping[str, Any], path: Path) -> list[Claim]:
    """Read the claims of an experiment: differences of two rows in one table, and those over all its tables.

    Where a claim was tested again on a second set of test people, that result follows; a primary or secondary claim is
    confirmed where that result has the same sign and a p-value over seeds below 0.05.
    """
    rows = {name: quoted(LABELS.get(label, label)) for name, label in about["rows"].items()}
    claims = [
        Claim(f"{rows[made['row']]} {MINUS} {rows[made['against']]}", Paired(**made["mean_ap"]))
        for made in about.get("contrasts", ())
    ]
    second = path.with_name(path.name.replace("-claims", "-second-claims"))
    first, repeated = (read_json(one)["claims"] if one.is_file() else [] for one in (path, second))
    for number, made in enumerate(first):
        where = made["setting"] + (f" {MINUS} {made['minus']}" if made["minus"] else "")
        where = re.sub(r"\b(\d)(?=\d{3}\b)", r"\1,", where.replace("x", TIMES))  # as `Table.setting`
        paired, words = claim_result(made)
        if number < len(repeated) and paired and repeated[number]["ran"]:
            other, chance = claim_result(repeated[number])
            words += f"; on other people {points(other)}{chance.removeprefix(made['role'])}"
            if made["role"] != "other":
                same = paired.mean * other.mean > 0 and other.p_value < LEVEL
                words += ": confirmed" if same else ": not confirmed"
        claims.append(Claim(f"{rows[made['first']]} {MINUS} {rows[made['second']]}, {where}", paired, words))
    return claims


def corrected_of(about: Mapping[str, Any], setting: str, path: Path) -> dict[str, float]:
    """Return the corrected p-values of differences from the reference in one setting, by row."""
    claims = read_json(path)["claims"] if path.is_file() else []
    here = [one for one in claims if one["setting"] == setting and not one["minus"] and "corrected" in one]
    return {one["first"]: one["corrected"] for one in here if about["rows"][one["second"]] == about["reference"]}


def claim_result(made: Mapping[str, Any]) -> tuple[Any, str]:
    """Read the result of a claim, `None` where it was not run, and its role with its p-value."""
    paired = Paired(**{name: made[name] for name in PAIRED if name in made}) if made["ran"] else None
    chance = made.get("corrected", made.get("p_value"))
    return paired, made["role"] if chance is None else f"{made['role']}, p {chance:.3f}"
