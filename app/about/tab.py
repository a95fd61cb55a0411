"""The About tab: findings, data, method, model cards, use; one section is drawn at a time."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from app.about import method, status, synvi
from app.about.cards import COLUMNS as SCORES
from app.about.cards import model_card
from app.about.findings import COLUMNS, FOLDER, OURS, Table, forest, grid, main_of, points, read_tables, siblings
from app.library import Library
from app.library.checkpoints import by_budget
from app.shared.export import Options, csv_text, latex_table, safe_stem
from app.shared.html import form, html
from app.shared.request import Checkpoint, Choice, Data, Request, Text, Whole, one_of, option
from app.shared.tab import Answer, Export, File, Menu, Page, Piece, Press
from app.theme import script
from mun.config import Config
from mun.synvi.levels import LEVELS
from mun.synvi.sheet import contact_sheet

__all__ = ["MENUS", "Look", "Options", "answer", "build", "tables_of", "write"]

SECTIONS = (
    Choice("findings", "Findings"),
    Choice("data", "The data"),
    Choice("method", "The method"),
    Choice("models", "Model cards"),
    Choice("use", "Use, licence, versions"),
)
PIECES = ("about-nav", "about-body", "about-sheet", "about-knob", "about-change")
MENUS = (
    Menu("Forest plot", "forest", ("png", "pdf", "svg")),
    Menu("mAP over settings", "curves", ("png", "pdf", "svg")),
    Menu("Table", "table", ("csv", "latex")),
    Menu("Contact sheet", "sheet", ("png",)),
)
SOON = 30  # milliseconds
MAX_SEED, MAX_PERSON = 9999, 99
SHEET_PEOPLE = 8
NOBODY_REAL = "Synthetic data: no evidence about real streets."
Drawn = tuple[dict[str, str | Piece], bool]  # pieces, and whether there is more to come


def tables_of(library: Library) -> list[Table]:
    """Read the tables once; they do not change while the app runs.

    Raises:
        ValueError: A file is broken.
    """
    return library.cache.get(
        ("tables", FOLDER), lambda: read_tables(FOLDER), lambda all_: sum(len(one.text) for one in all_)
    )


def table_names(library: Library, values: Mapping[str, Any]) -> list[str]:  # noqa: ARG001
    """List the tables; an empty name alone where there are none, or one is broken."""
    try:
        return [table.name for table in tables_of(library)] or [""]
    except ValueError:
        return [""]


class Look(Request):
    """What the About tab shows."""

    checkpoint: Checkpoint = option("", "Checkpoint")
    data: Data = option("", "Data")
    section: Annotated[Text, one_of(SECTIONS)] = option("findings", "Section")
    table: Annotated[Text, one_of(table_names)] = option("", "Table")
    step: Whole = option(1, "Step", ge=1, le=method.STEPS)
    level: Annotated[Text, one_of(synvi.LEVEL_NAMES)] = option("standard", "Level")
    camera: Annotated[Text, one_of(synvi.CAMERA_NAMES)] = option(synvi.ALL, "Camera")
    seed: Whole = option(7, "Seed", ge=0, le=MAX_SEED)
    knob: Annotated[Text, one_of([Choice(name, name.replace("_", " ")) for name in synvi.KNOBS])] = option("", "Knob")
    person: Whole = option(9, "Person", ge=1, le=MAX_PERSON)
    change: Annotated[Text, one_of([Choice(name, made[0]) for name, made in synvi.CHANGES.items()])] = option(
        "", "Change"
    )

    @classmethod
    def of_address(cls, address: str) -> dict[str, object]:
        """Read an address; one that names a checkpoint and no section means its card."""
        values = super().of_address(address)
        return {"section": "models", **values} if "checkpoint" in values else values

    def said(self, library: Library) -> dict[str, Any]:
        """Return what is not as by default, and the section always."""
        return {"section": self.section, **super().said(library)}


def build(page: Page) -> None:
    """Build the tab."""
    with page.tab("about", "About") as tab:
        pieces = {name: tab.piece(name, script=script("about.js") if name == "about-body" else "") for name in PIECES}
        tab.wire(Look, answer, pieces, (), Export(MENUS, Options, write))


def answer(library: Library, request: Look, press: Press) -> Answer:
    """Draw the section that a press asks for.

    Raises:
        ValueError: A checkpoint or an image is gone.
    """
    if press.do == "others":
        request = request.model_copy(update={"seed": random.SystemRandom().randrange(MAX_SEED + 1)})
    title = next(one.label for one in SECTIONS if one.value == request.section)
    pieces, more = DRAW[request.section](library, request, press.do == "again")
    nav = Piece(request.section, lambda: html("about_nav.html", sections=SECTIONS, section=request.section))
    shown = ("about-sheet", "about-knob", "about-change") if request.section == "data" else ("about-body",)
    empty = {name: Piece("", str) for name in PIECES if name not in shown}
    return Answer(request, {**empty, "about-nav": nav, **pieces}, say=f"{title}.", again=SOON if more else 0)


def pictured(library: Library, request: Look) -> str:
    """Name the data set to show images of."""
    return request.data if library.collections[request.data].pictured else library.default_data


def draw_findings(library: Library, request: Look, later: bool) -> Drawn:
    """Draw one table: its forest plot, three sentences, its numbers, and the figure over settings."""
    tables, broken = [], ""
    try:
        tables = tables_of(library)
    except ValueError as error:
        broken = f"{error}"
    if not tables:
        return {"about-body": html("about_empty.html", broken=broken)}, False
    table = next(one for one in tables if one.name == request.table)
    family, key = siblings(tables, table), ("curves", table.experiment)
    several = len(family) > 1
    curves = several and (later or key in library.cache)

    def body() -> str:
        lines, ticks = forest(table)
        groups = {one.experiment: siblings(tables, one) for one in tables}
        return html(
            "about_findings.html",
            table=table,
            family=family,
            experiments=[
                (name, main_of(group).name, group[0].about["title"], name == table.experiment)
                for name, group in groups.items()
            ],
            settings=[(one.name, one.name, one.setting, one is table) for one in family],
            lines=lines,
            ticks=ticks,
            marked=OURS,
            columns=[(name, *COLUMNS[name][:2], table.best(name)) for name in table.columns],
            points=points,
            missing=[row.label for row in table.rows if row.score is None],
            grid=grid(family) if several else [],
            figure=curves_svg(library, tables, table) if curves else "",
        )

    return {"about-body": Piece((table.name, curves), body)}, several and not curves


def curves_svg(library: Library, tables: Sequence[Table], table: Table) -> str:
    """Draw mAP over the settings as the address of a picture that runs no script."""
    key = ("curves", table.experiment)
    file = library.cache.get(key, lambda: draw(tables, table, "curves", "svg", "two-column"), len)
    return File.of("curves", "svg", file).address


def draw_data(library: Library, request: Look, later: bool) -> Drawn:
    """Draw SynVI: people by cameras, a knob, a counterfactual, levels and bounds."""
    place = (request.level, request.camera, request.seed)
    ready = later or ("sheet", *place) in library.cache

    def fields(*names: str) -> str:
        return form("look", request, library, {"": names})

    def sheet() -> str:
        rows, level = synvi.sheet(library, *place) if ready else (), LEVELS[request.level]
        return html("about_sheet.html", rows=rows, level=level, seed=request.seed, fields=fields("level", "camera"))

    def knob() -> str:
        return html(
            "about_knob.html",
            pictures=synvi.knob(library, request.knob, request.person),
            name=request.knob,
            title=request.knob.replace("_", " "),
            words=synvi.KNOBS[request.knob],
            sides=("the person before", "the person") if request.knob == "lookalikes" else ("visible", "infrared"),
            fields=fields("knob", "person"),
        )

    def change() -> str:
        title, _, nothing = synvi.CHANGES[request.change]
        collection, (head, *lines) = library.collections[request.data], synvi.bounds()
        return html(
            "about_change.html",
            made=synvi.changed(library, request.change, request.person),
            title=title,
            nothing=nothing,
            fields=fields("change"),
            levels=synvi.levels(),
            knobs=[name.replace("_", " ") for name in synvi.KNOBS],
            head=head,
            lines=lines,
            synthetic=collection.synthetic,
            collection=collection.title,
        )

    pieces: dict[str, str | Piece] = {"about-sheet": Piece((*place, ready), sheet)}
    if ready:  # the people come first, then the rest of the page
        pieces["about-knob"] = Piece((request.knob, request.person), knob)
        pieces["about-change"] = Piece((request.change, request.person, request.data), change)
    return pieces, not ready


def draw_method(library: Library, request: Look, later: bool) -> Drawn:  # noqa: ARG001
    """Draw one step of the tour, and what the paper says beside what was chosen here."""
    made, problem = None, ""
    try:
        made = method.pictures(library, pictured(library, request))
    except ValueError as error:
        problem = f"{error}"
    values: dict[str, Any] = {"pictures": made, "problem": problem, "step": request.step, "steps": method.STEPS}
    key = tuple(values.values())
    return {
        "about-body": Piece(key, lambda: html("about_method.html", choices=method.choices(Config()), **values))
    }, False


def draw_models(library: Library, request: Look, later: bool) -> Drawn:  # noqa: ARG001
    """Draw a model card below the list of all checkpoints."""
    entries = library.checkpoints.values()
    named = library.default_checkpoint if library.checkpoints[request.checkpoint].vectors else request.checkpoint
    card = model_card(library, named)
    usable = by_budget(entry for entry in entries if entry.card)
    drawn = html(
        "about_models.html",
        card=card,
        headings=("protocol", "people", "queries", "galleries", *(heading for heading, _ in SCORES)),
        lines=[(one.name, *one.cells) for one in card.scores],
        settings=[(one.name, one.value, one.default if one.changed else "the same", one.text) for one in card.settings],
        changed=sum(one.changed for one in card.settings),
        entries=usable,
        broken=[entry for entry in entries if entry.reason],
        note=library.budget_note(one.name for one in usable),
    )
    return {"about-body": drawn}, False


def draw_use(library: Library, request: Look, later: bool) -> Drawn:  # noqa: ARG001
    """Say what this may be used for, whose images these are, how to cite, and what it runs on."""
    collection = library.collections[request.data]
    drawn = html(
        "about_use.html",
        synthetic=collection.synthetic,
        title=collection.title,
        bibtex=status.BIBTEX,
        facts=status.running_on(library),
        libraries=status.libraries_in_use(),
        licence=status.licence_text(),
    )
    return {"about-body": drawn}, False


DRAW: Mapping[str, Callable[[Library, Look, bool], Drawn]] = {
    "findings": draw_findings,
    "data": draw_data,
    "method": draw_method,
    "models": draw_models,
    "use": draw_use,
}


def write(library: Library, request: Look, options: Options, what: str, kind: str, press: Press) -> File:
    """Write a file of the export menu.

    Raises:
        ValueError: There is no table, or it has no such figure.
    """
    if what == "sheet":
        from io import BytesIO

        file = BytesIO()
        with synvi.RENDERING:
            contact_sheet(LEVELS[request.level], SHEET_PEOPLE, request.seed).save(file, "PNG")
        return File.of(safe_stem(f"synvi-{request.level}-{request.seed}"), kind, file.getvalue())
    tables = tables_of(library)
    table = next((one for one in tables if one.name == request.table), None)
    if table is None:
        raise ValueError("expected a table of results, found none among the assets")
    link = f"{press.url}{request.link(library, 'about')}"
    if what == "table":
        return File.of(safe_stem(table.name), kind, write_table(table, kind, link))
    stem = table.experiment if what == "curves" else f"forest-{table.name}"
    return File.of(safe_stem(stem), kind, draw(tables, table, what, kind, options.width, link))


def write_table(table: Table, kind: str, link: str) -> bytes:
    """Write a table: all its numbers as CSV, or what the page shows as LaTeX."""
    facts = [("table", table.title), ("measured", table.scope()), ("shown at", link)]
    facts += [("made by", command) for command in table.about["commands"]]
    if kind == "latex":
        rows = [(row.label, *(row.cell(name) for name in table.columns)) for row in table.run]
        return latex_table(facts, ("", *(COLUMNS[name][0] for name in table.columns)), rows).encode()
    first, *others = ((f"# {name}", words) for name, words in facts)
    return (csv_text(first, others) + table.text).encode()


def draw(tables: Sequence[Table], table: Table, what: str, kind: str, width: str, link: str = "") -> bytes:
    """Draw a figure of the findings.

    Raises:
        ValueError: The table has no such figure.
    """
    from app.about import figure  # here: Matplotlib takes a second to load
    from app.shared.figure import draw_plots, figure_bytes

    family, shown = siblings(tables, table), f" Shown at {link}" if link else ""
    if what == "forest":
        words = (
            f"{table.title}. Difference in mAP, points; line: 95 % interval over people; band: ± one standard deviation"
            f" over seeds; filled: neither explains the difference. {table.scope()}{shown}"
        )
        return figure_bytes(figure.draw_forest(table, words, width), kind)
    if len(family) < 2:
        raise ValueError(f"expected an experiment over several settings, {table.about['title']!r} has one")
    words = (
        f"{table.about['title']}. Mean ± one standard deviation over seeds; for differences the 95 % interval over"
        f" people. {table.scope()} {NOBODY_REAL}{shown}"
    )
    plots = figure.plots_of(family)
    return figure_bytes(draw_plots(plots, words, table.about["commands"], one_legend=True), kind)
