"""The About tab: findings, data, method, model cards, use; one section is drawn at a time."""

import random
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Annotated, Any

from markupsafe import Markup

from app.about import method, status, synvi
from app.about.cards import COLUMNS as SCORES
from app.about.cards import model_card
from app.about.findings import COLUMNS, FOLDER, OURS, Table, families, forest, grid, main_of, points, read_tables
from app.library import Library
from app.library.checkpoints import by_budget
from app.shared.export import SYNTHETIC, Options, csv_text, latex_table, safe_stem
from app.shared.html import form, html
from app.shared.request import Choice, OfModel, Text, Whole, one_of, option
from app.shared.tab import SOON, Answer, Export, File, Menu, Page, Piece, Press
from app.theme import script
from mun.config import Config
from mun.synvi.levels import LEVELS
from mun.synvi.sheet import contact_sheet

__all__ = ["Look", "answer", "build", "tables_of", "write"]

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
MAX_SEED, MAX_PERSON = 9999, 99
SHEET_PEOPLE = 8
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
    """List the names of the tables, the main one first; a single empty name if there are none, or one is broken."""
    try:
        tables = tables_of(library)
    except ValueError:
        tables = []
    main = [main_of(group) for group in families(tables).values()][:1]
    return list(dict.fromkeys(table.name for table in (*main, *tables))) or [""]


class Look(OfModel):
    """What the About tab shows."""

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
        """Read an address; one with a checkpoint and without a section opens the model card."""
        values = super().of_address(address)
        return {"section": "models", **values} if "checkpoint" in values else values

    def changed_fields(self, library: Library) -> dict[str, Any]:
        """Return the fields that differ from their defaults, and always the section."""
        return {"section": "", **super().changed_fields(library)}


def build(page: Page) -> None:
    """Build the tab."""
    with page.tab("about", "About") as tab:
        pieces = {name: tab.piece(name, script=script("about.js") if name == "about-body" else "") for name in PIECES}
        tab.wire(Look, answer, pieces, Export(MENUS, Options, write), settings={})


def answer(library: Library, request: Look, press: Press) -> Answer:
    """Draw the section that a press asks for.

    Raises:
        ValueError: A checkpoint or an image is gone.
    """
    if press.do == "others":
        request = request.model_copy(update={"seed": random.SystemRandom().randrange(MAX_SEED + 1)})
    section, later, more = request.section, press.do == "again", False
    pieces: dict[str, str | Piece] = {}
    if section in SLOW:
        pieces, more = SLOW[section](library, request, later)
    else:
        pieces["about-body"] = PLAIN[section](library, request)
    nav = html("nav.html", label="Sections of About", name="section", choices=SECTIONS, chosen=section)
    shown = ("about-sheet", "about-knob", "about-change") if section == "data" else ("about-body",)
    empty = {name: Piece("", str) for name in PIECES if name not in shown}
    said = f"{dict(SECTIONS)[section]}."
    drawn = {**empty, "about-nav": Piece(section, lambda: nav), **pieces}
    return Answer(request, drawn, say=said, again=SOON if more else 0)


def draw_findings(library: Library, request: Look, later: bool) -> Drawn:
    """Draw one table: its forest plot, three sentences, its numbers, and the figure over settings."""
    try:
        tables, broken = tables_of(library), ""
    except ValueError as error:
        tables, broken = [], f"{error}"
    if not tables:
        return {"about-body": html("about_empty.html", broken=broken)}, False
    table, grouped = next(one for one in tables if one.name == request.table), families(tables)
    family, key = grouped[table.experiment], ("curves", table.experiment)
    several = len(family) > 1
    drawn = several and (later or key in library.cache)

    def figure() -> str:
        file = library.cache.get(key, lambda: draw(family, table, "curves", "svg", "two-column"), len)
        return File.of("curves", "svg", file).address

    def body() -> str:
        lines, ticks = forest(table)
        return html(
            "about_findings.html",
            table=table,
            family=family,
            experiments=[table if group is family else main_of(group) for group in grouped.values()],
            lines=lines,
            ticks=ticks,
            marked=OURS,
            columns={name: COLUMNS[name] for name in table.columns},
            points=points,
            left=sum(one.paired is None for one in table.claims),
            missing=[row.label for row in table.rows if row.score is None],
            grid=grid(family) if several else [],
            figure=figure() if drawn else "",
        )

    return {"about-body": Piece((table.name, drawn), body)}, several and not drawn


def draw_data(library: Library, request: Look, later: bool) -> Drawn:
    """Draw SynVI: people by cameras, a knob, a counterfactual, levels and bounds."""
    place = (request.level, request.camera, request.seed)
    ready = later or ("sheet", *place) in library.cache

    def drawn(template: str, *fields: str, **values: Any) -> str:
        controls = form("look", request, library, {"": fields})
        return html(template, request=request, fields=Markup(controls), **values)

    def sheet() -> str:
        rows = synvi.sheet(library, *place) if ready else ()
        return drawn("about_sheet.html", "level", "camera", rows=rows, level=LEVELS[request.level])

    def knob() -> str:
        pictures = synvi.knob(library, request.knob, request.person)
        return drawn("about_knob.html", "knob", "person", pictures=pictures, words=synvi.KNOBS[request.knob])

    def change() -> str:
        title, _, nothing = synvi.CHANGES[request.change]
        head, *lines = synvi.bounds()
        return drawn(
            "about_change.html",
            "change",
            made=synvi.changed(library, request.change, request.person),
            title=title,
            nothing=nothing,
            levels=synvi.levels(),
            knobs=[name.replace("_", " ") for name in synvi.KNOBS],
            head=head,
            lines=lines,
            collection=library.collections[request.data],
        )

    pieces: dict[str, str | Piece] = {"about-sheet": Piece((*place, ready), sheet)}
    if ready:  # the people come first, then the rest of the page
        pieces["about-knob"] = Piece((request.knob, request.person), knob)
        pieces["about-change"] = Piece((request.change, request.person, request.data), change)
    return pieces, not ready


def draw_method(library: Library, request: Look) -> str:
    """Draw one step of the tour, and the table of the paper's choices beside ours."""
    data = request.data if library.collections[request.data].pictured else library.default_data
    made, problem = None, ""
    try:
        made = method.pictures(library, data)
    except ValueError as error:
        problem = f"{error}"
    chosen = method.choices(Config())
    return html(
        "about_method.html", choices=chosen, pictures=made, problem=problem, step=request.step, steps=method.STEPS
    )


def draw_models(library: Library, request: Look) -> str:
    """Draw a model card below the list of all checkpoints."""
    entries = library.checkpoints.values()
    named = library.default_checkpoint if library.checkpoints[request.checkpoint].vectors else request.checkpoint
    usable = by_budget(entry for entry in entries if entry.card)
    return html(
        "about_models.html",
        card=model_card(library, named),
        columns=[heading for heading, _ in SCORES],
        entries=usable,
        broken=[entry for entry in entries if entry.reason],
        note=library.budget_note(one.name for one in usable),
    )


def draw_use(library: Library, request: Look) -> str:
    """Draw the terms of use, the origin of the images, the citation, and the versions in use."""
    return html(
        "about_use.html",
        collection=library.collections[request.data],
        bibtex=status.BIBTEX,
        facts=status.running_on(library),
        libraries=status.libraries_in_use(),
        licence=status.licence_text(),
    )


SLOW = {"findings": draw_findings, "data": draw_data}
PLAIN = {"method": draw_method, "models": draw_models, "use": draw_use}


def write(library: Library, request: Look, options: Options, what: str, kind: str, press: Press) -> File:
    """Write a file of the export menu.

    Raises:
        ValueError: There is no table, or it has no such figure.
    """
    if what == "sheet":
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
    figure = draw(families(tables)[table.experiment], table, what, kind, options.width, link)
    return File.of(safe_stem(stem), kind, figure)


def write_table(table: Table, kind: str, link: str) -> bytes:
    """Write a table: all its numbers as CSV, or what the page shows as LaTeX."""
    facts = [("table", table.title), ("measured", table.scope()), ("shown at", link)]
    facts += [("made by", command) for command in table.about["commands"]]
    if kind == "latex":
        head = ("", *(COLUMNS[name].title for name in table.columns))
        return latex_table(facts, head, [(row.label, *map(row.cell, table.columns)) for row in table.run]).encode()
    first, *others = ((f"# {name}", words) for name, words in facts)
    return (csv_text(first, others) + table.text).encode()


def draw(family: Sequence[Table], table: Table, what: str, kind: str, width: str, link: str = "") -> bytes:
    """Draw a figure of the findings.

    Raises:
        ValueError: The table has no such figure.
    """
    from app.about import figure  # here: Matplotlib takes a second to load
    from app.shared.figure import draw_plots, figure_bytes

    shown = f" Shown at {link}" if link else ""
    if what == "forest":
        words = (
            f"{table.title}. Difference in mAP, points; line: 95 % interval over people; band: ± one standard deviation"
            f" over seeds; filled: {table.criterion}. {table.scope()}{shown}"
        )
        return figure_bytes(figure.draw_forest(table, words, width), kind)
    if len(family) < 2:
        raise ValueError(f"expected an experiment over several settings, {table.about['title']!r} has one")
    commands = list(dict.fromkeys(command for one in family for command in one.about["commands"]))
    scopes = {one.scope() for one in family}
    words = (
        f"{table.about['title']}. Mean ± one standard deviation over seeds; for differences the 95 % interval over"
        f" people. {f'{scopes.pop()} ' if len(scopes) == 1 else ''}{SYNTHETIC}{shown}"
    )
    plots = figure.plots_of(family)
    return figure_bytes(draw_plots(plots, words, commands, width, one_legend=True), kind)
