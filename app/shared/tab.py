"""The page's side of a tab: pieces of HTML, one event that draws them, one that exports.

The browser holds what is asked, as the names and values of one request, and sends all of it with every press; an answer
is a function of that alone. So nothing is kept of a visit, a link is the request written as an address, and of presses
that come while one is under way the last carries what the others changed (`static/page.js` is the other half).
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Annotated, Any, TypeVar

import gradio as gr
from markupsafe import Markup
from pydantic import Field, TypeAdapter, ValidationError, ValidationInfo, field_validator
from pydantic.dataclasses import dataclass as pydantic_dataclass

from app.library import Library
from app.library.background import Job, Progress, sentence
from app.library.guests import Guests
from app.library.thumbnails import STRIP_HEIGHT
from app.library.turns import VISITOR
from app.shared.export import LOCAL
from app.shared.html import as_sentence, chips, controls, form, html, prepared
from app.shared.request import Request
from mun.evaluation.corrupted import Corruption

__all__ = ["POLL", "SOON", "Answer", "Export", "File", "Menu", "Page", "Piece", "Press", "Tab"]

PART_BYTES = 8_000_000  # of a file in one answer; the page asks for the next part
SHARED = ("checkpoint", "data")  # values that tabs share by default
EVENT: dict[str, Any] = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
EVENT |= {"show_progress_on": [], "trigger_mode": "always_last"}
EXPORTS_AT_ONCE = 2
POLL, SOON = 500, 30  # milliseconds after which the page asks again: for what is under way, for what is drawn next
WAITING = Progress(words="waiting for its turn")


Values = Annotated[dict[str, Any], Field(max_length=60)]
Words = Annotated[str, Field(max_length=4000)]
Token = Annotated[str, Field(max_length=100)]
Url = Annotated[str, Field(pattern=r"^https?://[!#-&(-;=?-\[\]-_a-~]{1,180}$")]  # without anything odd in it


@pydantic_dataclass(frozen=True)
class Press:
    """What the page says with an event. Strangers send it too: a part that is nonsense counts as not said.

    Attributes:
        values: The request's values by name, as the page has them.
        address: The address to open instead, as `?tab=…`; empty for none.
        do: What is to be done besides drawing, as `random`; empty for nothing.
        changed: Names of the values that this press has changed.
        chosen: Key of the image that the visitor looks at, from whatever tab.
        drawn: What pieces show now: their keys by name.
        detail: What else is said, by name.
        tokens: What the visitor's browser keeps for this tab alone, by name.
        url: Address of the page, for calls and captions.
        own: Token of the features that the visitor has brought; empty for none.
        turn: Number of the press, which the answer repeats.
        visitor: Who asks: a network address, and the number of the page's session.
        before: What the changed values were before, by name.
    """

    values: Values = field(default_factory=dict)
    address: Words = ""
    do: Words = ""
    changed: Annotated[tuple[Words, ...], Field(max_length=60)] = ()
    chosen: Words = ""
    drawn: Annotated[dict[str, Words], Field(max_length=60)] = field(default_factory=dict)
    detail: Values = field(default_factory=dict)
    tokens: Annotated[dict[Token, Token], Field(max_length=60)] = field(default_factory=dict)
    own: Token = ""
    url: Url = LOCAL
    turn: Annotated[int, Field(ge=0, lt=2**31)] = 0
    visitor: Words = ""
    before: Values = field(default_factory=dict)

    @classmethod
    def of(cls, event: gr.EventData, guests: Guests, visitor: str = "") -> Press:
        """Read what came with an event, which sees the visitor's own features from now on."""
        said = getattr(event, "_data", None)
        press = PRESS.validate_python({**(said if isinstance(said, dict) else {}), "visitor": visitor})
        if press.own:
            guests.enter(press.own)
        return press

    @field_validator("*", mode="wrap")
    @classmethod
    def _said(cls, value: object, read: Callable[[object], Any], info: ValidationInfo[None]) -> Any:
        try:
            return read(value)
        except ValidationError:
            return getattr(cls(), str(info.field_name))  # as by default

    def wait_for(
        self,
        library: Library,
        key: Hashable,
        make: Callable[[], object],
        begun: Progress = WAITING,
        kind: str = "",
        *,
        fleeting: bool = True,
    ) -> Progress:
        """Have a result made in the background for the visitor, or stop that or start it again, as the press says.

        Args:
            library: Whose cache keeps the result.
            key: Names it there.
            make: Makes it and keeps it.
            begun: How it stands before anything is done.
            kind: Results of one kind are made one at a time.
            fleeting: Whether it is worth nothing once no page asks for it.

        Returns:
            How far it is.
        """
        job = Job(begun, make, lambda: key in library.cache, kind, fleeting)
        if self.do == "stop" and not job.ready():
            library.background.stop(key, self.visitor)
            return Progress(stopped=True)
        return library.background.ask(key, job, who=self.visitor, retry=self.do == "start")

    def wait_for_embeddings(
        self, library: Library, names: Sequence[str], data: str, corruption: Corruption | None = None
    ) -> tuple[Progress, str] | None:
        """Have the images embedded by some models in the background, or stop that or start it again, as the press says.

        Returns:
            How far the first is that is not ready, and that as HTML; `None` where all are.
        """
        for name in names if self.do == "stop" else ():
            library.stop(name, data, corruption)
        for name in names:
            progress = library.prepare(name, data, retry=self.do == "start", corruption=corruption)
            if not progress.ready:
                return progress, prepared(progress, name)
        return None


PRESS = TypeAdapter(Press)


@dataclass(frozen=True)
class Piece:
    """A piece of the page that is drawn only where it shows something else: `key` names all that it depends on."""

    key: object
    draw: Callable[[], str]

    @property
    def digest(self) -> str:
        """The key, as the page remembers it."""
        return hashlib.sha256(repr(self.key).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Answer:
    """What an event changes on the page.

    Attributes:
        request: What is shown from now on.
        pieces: New HTML by the name of the piece; what is not named stays.
        say: What a screen reader is told.
        chosen: Key of the image that other tabs open on; empty to leave it.
        notice: A sentence above the tab.
        again: Milliseconds after which the page asks again; 0 for never.
        tokens: What the visitor's browser is to keep for this tab, or to forget (`None`), by name.
        lacking: Whether the tab shows nothing but the notice, for want of a network.
        waiting: Whether what is asked is not there yet; pieces that are not named show what was asked before.
        undone: What the press wants done and could not be yet: the page asks for it again.
    """

    request: Request
    pieces: Mapping[str, str | Piece]
    say: str = ""
    chosen: str = ""
    notice: str = ""
    again: int = 0
    tokens: Mapping[str, str | None] = field(default_factory=dict)
    lacking: bool = False
    waiting: bool = False
    undone: str = ""

    @classmethod
    def late(cls, request: Request, progress: Progress, pieces: Mapping[str, str | Piece], undone: str = "") -> Answer:
        """Say how far what is asked for is; the page asks again until that has come to an end."""
        return cls(request, pieces, again=0 if progress.ended else POLL, waiting=True, undone=undone)


@dataclass(frozen=True)
class File:
    """A file for the visitor."""

    name: str
    data: bytes

    @classmethod
    def of(cls, stem: str, kind: str, data: bytes) -> File:
        """Name a file by its format."""
        return cls(f"{stem}.{'tex' if kind == 'latex' else kind}", data)

    @property
    def address(self) -> str:
        """The file as an address that a browser can show or save."""
        kind = mimetypes.guess_type(self.name)[0] or "application/octet-stream"
        return f"data:{kind};base64,{base64.b64encode(self.data).decode()}"


@dataclass(frozen=True)
class Menu:
    """One entry of the export menu: what, under which name, in which formats; one without a title is a button's."""

    title: str
    name: str
    kinds: Sequence[str]


@dataclass(frozen=True)
class Export:
    """The export menu of a tab.

    Attributes:
        menus: Its entries.
        options: A request whose fields are the menu's controls.
        write: From library, request, options, name of the entry, format, and press to a file; a `ValueError` is shown.
    """

    menus: Sequence[Menu]
    options: type[Request]
    write: Callable[[Library, Any, Any, str, str, Press], File]


Asked = TypeVar("Asked", bound=Request)
Settings = Mapping[str, Sequence[str]]  # names of fields by the heading that they stand under


@dataclass(frozen=True)
class Tab:
    """A tab that is being built.

    Attributes:
        page: Whose.
        name: Its id, as in `?tab=retrieval`.
        head: Chips, notice, export menu; carries what the page's script has to know.
        strip: Whether the image that the visitor has chosen stands above it.
    """

    page: Page
    name: str
    head: gr.HTML
    strip: bool

    def piece(self, name: str, script: str = "") -> gr.HTML:
        """Make a piece; its id on the page is the name."""
        return self.page.piece(self.name, name, script=script)

    def tip(self, kind: type[Asked], draw: Callable[[Library, Asked, Press], str]) -> None:
        """Show what the mouse rests on: the tab's script asks for it beside the presses; nothing else changes.

        Args:
            kind: The request that the tab shows.
            draw: From library, request and what the script says to HTML; a `ValueError` shows nothing.
        """
        library = self.page.library

        def asked(event: gr.EventData) -> str:
            press = Press.of(event, library.guests)
            try:
                return draw(library, kind.repair(press.values, library)[0], press)
            except ValueError:
                return ""

        piece = self.piece(f"{self.name}-tip", script=f"mun.tip({self.name!r}, element, trigger, watch);")
        piece.select(asked, None, [piece], **EVENT)

    def wire(
        self,
        kind: type[Asked],
        answer: Callable[[Library, Asked, Press], Answer],
        pieces: Mapping[str, Any],
        export: Export,
        settings: Settings | Callable[[Library, Any], Settings],
        chipped: Sequence[str] = (),
        more_images: int = 0,
    ) -> None:
        """Connect the pieces: any press in any of them is answered by one event, so that none overtakes another.

        The form of the settings in the drawer is drawn along with them, where what it shows has changed.

        Args:
            kind: The request that the tab shows.
            answer: Draws it; a `ValueError` is shown instead of the pieces' news.
            pieces: Components by name, head and settings left out: HTML, or whatever an answer gives.
            export: The export menu.
            settings: Names of the fields that are set in the drawer, by heading; a function where the data decide.
            chipped: Names of the fields that get a chip where they are not as by default.
            more_images: Images that a press may bring besides those in fields of the request.
        """
        page, library = self.page, self.page.library
        images = len(kind.files) + more_images  # that a call may hold; the guard looks
        menu = Markup(html("menu.html", **menu_of(export, library)))

        def pressed(event: gr.EventData, client: gr.Request) -> dict[Any, Any]:
            address = getattr(client.client, "host", "")
            press = Press.of(event, library.guests, f"{address} {client.session_hash}")
            VISITOR.set(press.visitor)
            files = {name: press.values[name] for name in kind.files if name in press.values}  # an address has none
            opened = {**files, **kind.of_address(press.address)} if press.address else press.values
            opened = agreed(library, dict(opened), press.changed)
            request, wrong = kind.repair(opened, library, press.before)
            named = press.changed or kind.model_fields if press.address else press.changed
            told = [words for name, words in wrong.items() if name not in kind.follows or name in named]
            try:
                lacking = without_network(library, request, opened) if "checkpoint" in wrong else None
                answered = lacking or answer(library, request, press)
                chosen = answered.chosen or press.chosen if self.strip else ""
                common = page.common(chosen, str(getattr(request, "data", "")))
                if settings and not answered.lacking:
                    groups = settings(library, answered.request) if callable(settings) else settings
                    fields = {*SHARED, *chain.from_iterable(groups.values())}  # what can be chosen depends on no others
                    drawn = partial(form, self.name, answered.request, library, groups)
                    common["settings"] = Piece(answered.request.model_dump(include=fields), drawn)
                news, keys = changes({**answered.pieces, **common}, press.drawn)
            except Exception as error:
                answered = Answer(request, {}, notice=as_sentence(sentence(self.name, error)))
                news, keys = changes(page.common(), press.drawn)
            words = [answered.notice] if answered.lacking else [*map(as_sentence, told), answered.notice]
            notice = " ".join(words).strip()
            shown = answered.request
            old = [name for name in pieces if name not in answered.pieces] if answered.waiting else []
            view = {name: getattr(answered, name) for name in ("say", "chosen", "again", "tokens", "lacking", "undone")}
            view |= {"values": shown.model_dump(), "link": shown.link(library, self.name), "turn": press.turn}
            view |= {"drawn": keys, "old": [pieces[name].elem_id for name in old]}
            changed, there = chips(shown, library, chipped), "" if answered.waiting else menu
            head = html("head.html", view=view, notice=notice, chips=changed, menu=there, settings=bool(settings))
            return {self.head: head, **{places[name]: one for name, one in news.items()}}

        places = {"header": page.header, "strip": page.strip, **pieces}
        if settings:
            with page.drawer:
                places["settings"] = page.piece(self.name, f"{self.name}-settings")
        pressed.takes_images = images  # type: ignore[attr-defined]
        pressed.asks = (self.name, kind, answer, tuple(pieces))  # type: ignore[attr-defined]
        self.head.select(pressed, None, [self.head, *places.values()], **EVENT)

        def exported(event: gr.EventData) -> str:
            press = Press.of(event, library.guests)
            try:
                request, _ = kind.repair(press.values, library)
                options, _ = export.options.repair(press.detail, library)
                what, form, part = (press.detail.get(name) for name in ("what", "kind", "part"))
                if not any(what == menu.name and form in menu.kinds for menu in export.menus):
                    raise ValueError("expected a format of the export menu, got another one")
                with page.exporting:
                    file = export.write(library, request, options, str(what), str(form), press)
            except Exception as error:
                return html("file.html", error=sentence(self.name, error), file=None, address="", part=0, more=False)
            part = part if isinstance(part, int) and 0 <= part <= len(file.data) // PART_BYTES else 0
            start, end = PART_BYTES * part, PART_BYTES * (part + 1)
            address = replace(file, data=file.data[start:end]).address
            return html("file.html", error="", file=file, address=address, part=part, more=end < len(file.data))

        exported.takes_images = images  # type: ignore[attr-defined]
        self.head.submit(exported, None, [page.file], **EVENT)


def changes(pieces: Mapping[str, Any], drawn: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Draw the pieces of an answer that show something else than the page does.

    Args:
        pieces: By name: HTML, a `Piece`, or whatever its component takes.
        drawn: Keys of what the page shows, by name.

    Returns:
        The news by name, and the keys of all pieces.
    """
    keys = {name: one.digest if isinstance(one, Piece) else "" for name, one in pieces.items()}
    news = {name: one for name, one in pieces.items() if not keys[name] or drawn.get(name) != keys[name]}
    return {name: one.draw() if isinstance(one, Piece) else one for name, one in news.items()}, keys


def menu_of(export: Export, library: Library) -> dict[str, Any]:
    """List the entries and options of an export menu, for its template."""
    options = controls(export.options.read({}, library), library, list(export.options.model_fields))
    return {"menus": [menu for menu in export.menus if menu.title], "options": options}


def agreed(library: Library, values: dict[str, object], changed: Sequence[str]) -> dict[str, object]:
    """Leave out the model where other data were chosen that it cannot be used on, or the data where it was chosen."""
    checkpoint, data = str(values.get("checkpoint")), str(values.get("data"))
    if checkpoint not in library.checkpoints or data not in library.collections or library.fits(checkpoint, data):
        return values
    left_out = "checkpoint" if "data" in changed and "checkpoint" not in changed else "data"
    return {name: value for name, value in values.items() if name != left_out}


def without_network(library: Library, request: Request, asked: Mapping[str, object]) -> Answer | None:
    """Say that a tab needs a network where features of another method are chosen that it does not offer."""
    name = str(asked.get("checkpoint", ""))
    entry = library.checkpoints.get(name)
    if entry is None or not entry.vectors:
        return None
    words = f"This tab looks into a network, and {name} holds features of another method alone: choose a checkpoint."
    data = next((one for one in library.collections if library.fits(name, one)), "")
    return Answer(request.model_copy(update={"checkpoint": name, "data": data}), {}, notice=words, lacking=True)


class Page:
    """The page that is being built: its header, drawer, strip, and a place for files.

    Args:
        library: What all visitors share.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self.exporting = threading.Semaphore(EXPORTS_AT_ONCE)
        self.header = self.piece("", "header", value=self.common()["header"].draw())
        self.strip = self.piece("", "strip")
        with gr.Column(elem_id="drawer") as self.drawer:
            self.piece("", "drawer-head", value=html("drawer.html"))
        self.file = self.piece("", "file")
        self.tabs = gr.Tabs(elem_id="tabs")

    def piece(
        self, tab: str, name: str, shares: Sequence[str] = SHARED, *, script: str = "", value: str | None = None
    ) -> gr.HTML:
        """Make a piece of HTML that the page's script looks after."""
        code = f"mun.piece(element, trigger, watch, {tab!r}, {name!r}, {list(shares)});" + script
        return gr.HTML(value, js_on_load=code, elem_id=name, apply_default_css=False)

    def common(self, key: str = "", data: str = "") -> dict[str, Piece]:
        """List the pieces that all tabs share.

        Args:
            key: Of the image that the visitor has chosen in any of them; empty for none.
            data: Of which data set.

        Returns:
            The header with the switchers of checkpoint and data, because runs that end bring checkpoints; the strip.
        """
        library = self.library
        entries = [library.checkpoints[name] for name in library.checkpoints.models]
        header = Piece(
            [(one.name, one.content) for one in entries],
            lambda: html(
                "header.html", entries=entries, data=library.collections, failed=library.failed, drawn=header.digest
            ),
        )
        strip = {"strip": Piece((data, key), lambda: self.draw_strip(data, key))} if key else {}
        return {"header": header, **strip}

    def draw_strip(self, data: str, key: str) -> str:
        """Draw the chosen image; nothing where there is none of its key."""
        collection = self.library.collections.get(data)
        if collection is None or key not in collection.rows:
            return ""
        sample = collection.samples[collection.rows[key]]
        return html("strip.html", uri=self.library.thumbnail(data, key, STRIP_HEIGHT), sample=sample)

    @contextmanager
    def tab(self, name: str, title: str, shares: Sequence[str] = SHARED, strip: bool = True) -> Iterator[Tab]:
        """Make a tab of what is built inside the block.

        Args:
            name: Its id.
            title: What the page calls it.
            shares: Values of its request that it has in common with the other tabs.
            strip: Whether the chosen image stands above it; a tab that shows it large needs none.
        """
        with self.tabs, gr.Tab(title, id=name, elem_id=f"tab-{name}") as made:
            yield Tab(self, name, self.piece(name, f"{name}-head", shares), strip)
        made.select(None, js=f"() => mun.open({name!r})", api_visibility="private")
