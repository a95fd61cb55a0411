"""The server's side of a tab: pieces of HTML, one event that draws them, one that exports.

The browser holds the names and values of one request and sends all of them with every press; an answer depends on
nothing else. So the server stores nothing of a visit, a link is the request written as an address, and of the presses
made while one runs only the last is sent, with the changes of the others (`static/page.js` is the browser's side).
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
POLL, SOON = 500, 30  # milliseconds after which the page asks again: while work runs, for pieces drawn next
WAITING = Progress(words="waiting for its turn")


Values = Annotated[dict[str, Any], Field(max_length=60)]
Words = Annotated[str, Field(max_length=4000)]
Token = Annotated[str, Field(max_length=100)]
Url = Annotated[str, Field(pattern=r"^https?://[!#-&(-;=?-\[\]-_a-~]{1,180}$")]  # without unusual characters


@pydantic_dataclass(frozen=True)
class Press:
    """The data that the page sends with an event. Anyone can send them: an invalid part is replaced by its default.

    Attributes:
        values: The request's values by name, as the page has them.
        address: The address to open instead, as `?tab=…`; empty for none.
        do: Action besides drawing, for example `random`; empty for none.
        changed: Names of the values that this press has changed.
        chosen: Key of the image that the visitor has chosen in any tab.
        drawn: Keys of the pieces that the page shows now, by name.
        detail: Further data of the event, by name.
        tokens: Tokens that the visitor's browser keeps for this tab only, by name.
        url: Address of the page, for calls and captions.
        own: Token of the visitor's own features; empty for none.
        turn: Number of the press, which the answer repeats.
        visitor: The visitor: a network address, and the number of the page's session.
        before: Earlier values of the changed values, by name.
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
        """Read the data of an event, and make the visitor's own features visible to it."""
        data = getattr(event, "_data", None)
        press = PRESS.validate_python({**(data if isinstance(data, dict) else {}), "visitor": visitor})
        if press.own:
            guests.enter(press.own)
        return press

    @field_validator("*", mode="wrap")
    @classmethod
    def _said(cls, value: object, read: Callable[[object], Any], info: ValidationInfo[None]) -> Any:
        try:
            return read(value)
        except ValidationError:
            return getattr(cls(), str(info.field_name))  # the default

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
        """Make a result in the background for the visitor; stop or restart the work if the press says so.

        Args:
            library: Its cache keeps the result.
            key: Key of the result in the cache.
            make: Makes the result and puts it into the cache.
            begun: Progress before the work starts.
            kind: Results of one kind are made one at a time.
            fleeting: Whether the work is abandoned when no page asks for it any more.

        Returns:
            The progress.
        """
        job = Job(begun, make, lambda: key in library.cache, kind, fleeting)
        if self.do == "stop" and not job.ready():
            library.background.stop(key, self.visitor)
            return Progress(stopped=True)
        return library.background.ask(key, job, who=self.visitor, retry=self.do == "start")

    def wait_for_embeddings(
        self, library: Library, names: Sequence[str], data: str, corruption: Corruption | None = None
    ) -> tuple[Progress, str] | None:
        """Embed the images with some models in the background; stop or restart the work if the press says so.

        Returns:
            Progress of the first model that is not ready, and its HTML; `None` if all are ready.
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
    """A piece of the page; it is drawn only if `key`, which names all that it depends on, has changed."""

    key: object
    draw: Callable[[], str]

    @property
    def digest(self) -> str:
        """Hash of the key, which the page remembers."""
        return hashlib.sha256(repr(self.key).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Answer:
    """The changes of the page after an event.

    Attributes:
        request: The request that the page shows from now on.
        pieces: New HTML by the name of the piece; other pieces stay.
        say: Text for a screen reader.
        chosen: Key of the image that other tabs open on; empty to leave it.
        notice: A sentence above the tab.
        again: Milliseconds after which the page asks again; 0 for never.
        tokens: Tokens that the visitor's browser keeps for this tab, or forgets (`None`), by name.
        lacking: Whether the tab shows only the notice, because it needs a network.
        waiting: Whether the result is not ready yet; pieces that are not named still show the previous request.
        undone: Action of the press that could not be done yet; the page sends it again.
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
        """Return an answer that shows the progress; the page asks again until the work has ended."""
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
    """One entry of the export menu: title, name, formats; an entry without a title belongs to a button."""

    title: str
    name: str
    kinds: Sequence[str]


@dataclass(frozen=True)
class Export:
    """The export menu of a tab.

    Attributes:
        menus: Its entries.
        options: A request whose fields are the menu's controls.
        write: Makes the file from library, request, options, entry's name, format and press; a `ValueError` is shown.
    """

    menus: Sequence[Menu]
    options: type[Request]
    write: Callable[[Library, Any, Any, str, str, Press], File]


Asked = TypeVar("Asked", bound=Request)
Settings = Mapping[str, Sequence[str]]  # names of fields by their heading


@dataclass(frozen=True)
class Tab:
    """A tab that is being built.

    Attributes:
        page: The page of the tab.
        name: Its id, as in `?tab=retrieval`.
        head: Chips, notice, export menu; holds the data for the page's script.
        strip: Whether the image that the visitor has chosen is shown above the tab.
    """

    page: Page
    name: str
    head: gr.HTML
    strip: bool

    def piece(self, name: str, script: str = "") -> gr.HTML:
        """Make a piece; its id on the page is the name."""
        return self.page.piece(self.name, name, script=script)

    def tip(self, kind: type[Asked], draw: Callable[[Library, Asked, Press], str]) -> None:
        """Show a tip for the item under the mouse; the tab's script asks for it independently of presses.

        Args:
            kind: The request that the tab shows.
            draw: Makes HTML from library, request and the script's press; after a `ValueError` nothing is shown.
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
        """Connect the pieces: one event answers all presses in all of them, so that presses stay in order.

        The settings form in the drawer is drawn with them, if it has changed.

        Args:
            kind: The request that the tab shows.
            answer: Draws the request; a `ValueError` is shown instead of new pieces.
            pieces: Components by name, without head and settings: HTML, or another type that the answer gives.
            export: The export menu.
            settings: Names of the fields that are set in the drawer, by heading; a function if they depend on the data.
            chipped: Names of the fields that get a chip if they are not at their default.
            more_images: Images that a press may hold besides those in fields of the request.
        """
        page, library = self.page, self.page.library
        images = len(kind.files) + more_images  # that a call may hold; the guard checks it
        menu = Markup(html("menu.html", **menu_of(export, library)))

        def pressed(event: gr.EventData, client: gr.Request) -> dict[Any, Any]:
            address = getattr(client.client, "host", "")
            press = Press.of(event, library.guests, f"{address} {client.session_hash}")
            VISITOR.set(press.visitor)
            files = {name: press.values[name] for name in kind.files if name in press.values}  # an address has no files
            opened = {**files, **kind.of_address(press.address)} if press.address else press.values
            try:
                request, wrong = kind.repair(opened, library, press.before, press.changed)
            except ValueError as error:  # not even the defaults can be used
                raise gr.Error(as_sentence(error)) from None
            named = press.changed or kind.model_fields if press.address else press.changed
            refusals = [words for name, words in wrong.items() if name not in kind.follows or name in named]
            try:
                lacking = without_network(library, request, opened) if "checkpoint" in wrong else None
                answered = lacking or answer(library, request, press)
                chosen = answered.chosen or press.chosen if self.strip else ""
                common = page.common(chosen, str(getattr(request, "data", "")))
                if settings and not answered.lacking:
                    groups = settings(library, answered.request) if callable(settings) else settings
                    fields = {*SHARED, *chain.from_iterable(groups.values())}  # the choices depend on no others
                    drawn = partial(form, self.name, answered.request, library, groups)
                    common["settings"] = Piece(answered.request.model_dump(include=fields), drawn)
                news, keys = changes({**answered.pieces, **common}, press.drawn)
            except Exception as error:
                answered = Answer(request, {}, notice=as_sentence(sentence(self.name, error)))
                news, keys = changes(page.common(), press.drawn)
            words = [answered.notice] if answered.lacking else [*map(as_sentence, refusals), answered.notice]
            notice = " ".join(words).strip()
            shown = answered.request
            old = [name for name in pieces if name not in answered.pieces] if answered.waiting else []
            view = {name: getattr(answered, name) for name in ("say", "chosen", "again", "tokens", "lacking", "undone")}
            view |= {"values": shown.model_dump(), "link": shown.link(library, self.name), "turn": press.turn}
            view |= {"drawn": keys, "old": [pieces[name].elem_id for name in old]}
            changed, shown_menu = chips(shown, library, chipped), "" if answered.waiting else menu
            head = html("head.html", view=view, notice=notice, chips=changed, menu=shown_menu, settings=bool(settings))
            return {self.head: head, **{places[name]: one for name, one in news.items()}}

        places = {"header": page.header, "strip": page.strip, **pieces}
        if settings:
            with page.drawer:
                places["settings"] = page.piece(self.name, f"{self.name}-settings")
        pressed.takes_images = images  # type: ignore[attr-defined]
        pressed.asks = (self.name, kind, answer, tuple(pieces))  # type: ignore[attr-defined]
        failed = {"js": f"() => mun.failed({self.name!r})", "api_visibility": "private"}
        self.head.select(pressed, None, [self.head, *places.values()], **EVENT).failure(None, **failed)

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
        self.head.submit(exported, None, [page.file], **EVENT).failure(None, **failed)


def changes(pieces: Mapping[str, Any], drawn: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Draw the pieces of an answer that differ from those on the page.

    Args:
        pieces: By name: HTML, a `Piece`, or another value that its component takes.
        drawn: Keys of the pieces that the page shows, by name.

    Returns:
        The changed pieces by name, and the keys of all pieces.
    """
    keys = {name: one.digest if isinstance(one, Piece) else "" for name, one in pieces.items()}
    news = {name: one for name, one in pieces.items() if not keys[name] or drawn.get(name) != keys[name]}
    return {name: one.draw() if isinstance(one, Piece) else one for name, one in news.items()}, keys


def menu_of(export: Export, library: Library) -> dict[str, Any]:
    """List the entries and options of an export menu, for its template."""
    options = controls(export.options.read({}, library), library, list(export.options.model_fields))
    return {"menus": [menu for menu in export.menus if menu.title], "options": options}


def without_network(library: Library, request: Request, asked: Mapping[str, object]) -> Answer | None:
    """Return an answer that asks for a network if features of another method are chosen; else `None`."""
    name = str(asked.get("checkpoint", ""))
    entry = library.checkpoints.get(name)
    if entry is None or not entry.vectors:
        return None
    words = f"This tab needs a network, but {name} holds only features of another method: choose a checkpoint."
    data = next((one for one in library.collections if library.fits(name, one)), "")
    return Answer(request.model_copy(update={"checkpoint": name, "data": data}), {}, notice=words, lacking=True)


class Page:
    """The page that is being built: its header, drawer, strip, and a place for files.

    Args:
        library: State that all visitors share.
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
        """Make a piece of HTML that the page's script manages."""
        code = f"mun.piece(element, trigger, watch, {tab!r}, {name!r}, {list(shares)});" + script
        return gr.HTML(value, js_on_load=code, elem_id=name, apply_default_css=False)

    def common(self, key: str = "", data: str = "") -> dict[str, Piece]:
        """List the pieces that all tabs share.

        Args:
            key: Key of the image that the visitor has chosen in any tab; empty for none.
            data: Name of its data set.

        Returns:
            The header with the switchers of checkpoint and data, because finished runs add checkpoints; the strip.
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
        """Draw the chosen image; return an empty string if no image has its key."""
        collection = self.library.collections.get(data)
        if collection is None or key not in collection.rows:
            return ""
        sample = collection.samples[collection.rows[key]]
        return html("strip.html", uri=self.library.thumbnail(data, key, STRIP_HEIGHT), sample=sample)

    @contextmanager
    def tab(self, name: str, title: str, shares: Sequence[str] = SHARED, strip: bool = True) -> Iterator[Tab]:
        """Make a tab from the components that are built inside the block.

        Args:
            name: Its id.
            title: Its title on the page.
            shares: Values of its request that it shares with the other tabs.
            strip: Whether the chosen image is shown above it; a tab that shows the image large needs none.
        """
        with self.tabs, gr.Tab(title, id=name, elem_id=f"tab-{name}") as made:
            yield Tab(self, name, self.piece(name, f"{name}-head", shares), strip)
        made.select(None, js=f"() => mun.open({name!r})", api_visibility="private")
