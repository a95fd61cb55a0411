"""The page's side of a tab: pieces of HTML, one event that draws them, one that exports.

The browser holds what is asked, as the names and values of one request, and sends all of it with every press; an answer
is a function of that alone. So nothing is kept of a visit, a link is the request written as an address, and of presses
that come while one is under way the last carries what the others changed (`static/page.js` is the other half).
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import gradio as gr

from app.library import Library
from app.library.turns import VISITOR
from app.shared.api import sentence, takes_images, visitor
from app.shared.export import LOCAL, MIMES
from app.shared.html import chips, controls, html
from app.shared.request import Request, is_file

__all__ = ["Answer", "Export", "File", "Menu", "Page", "Piece", "Press", "Tab"]

MAX_NAMES, MAX_ADDRESS, MAX_TURN = 60, 4000, 2**31
MAX_TOKEN = 100  # characters of a token and of its name
PART_BYTES = 8_000_000  # of a file in one answer; the page asks for the next part
SHARED = ("checkpoint", "data")  # values that tabs share by default
EVENT: dict[str, Any] = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
EXPORTS_AT_ONCE = 2


@dataclass(frozen=True)
class Press:
    """What the page says with an event; everything in it may be nonsense, for strangers send it too.

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
        turn: Number of the press, which the answer repeats.
        visitor: Who asks: a network address, and the number of the page's session.
    """

    values: Mapping[str, object] = field(default_factory=dict)
    address: str = ""
    do: str = ""
    changed: tuple[str, ...] = ()
    chosen: str = ""
    drawn: Mapping[str, str] = field(default_factory=dict)
    detail: Mapping[str, object] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict)
    url: str = LOCAL
    turn: int = 0
    visitor: str = ""

    @classmethod
    def of(cls, said: object, visitor: str = "") -> Press:
        """Read what came with an event; parts that are nonsense count as not said."""
        parts = said if isinstance(said, Mapping) else {}
        changed, turn = parts.get("changed"), parts.get("turn")
        return cls(
            _named(parts.get("values")),
            _words(parts.get("address")),
            _words(parts.get("do")),
            tuple(_words(name) for name in changed[:MAX_NAMES]) if isinstance(changed, list) else (),
            _words(parts.get("chosen")),
            {name: _words(key) for name, key in _named(parts.get("drawn")).items()},
            _named(parts.get("detail")),
            {
                name: token
                for name, token in _named(parts.get("tokens")).items()
                if isinstance(token, str) and len(name) < MAX_TOKEN and len(token) < MAX_TOKEN
            },
            _address(parts.get("url")),
            turn if isinstance(turn, int) and 0 <= turn < MAX_TURN else 0,
            visitor,
        )


def _named(value: object) -> dict[str, object]:
    """Read an object of the page; arrays become tuples, as a request holds them."""
    items = list(value.items())[:MAX_NAMES] if isinstance(value, Mapping) else []
    return {str(name): tuple(part) if isinstance(part, list) else part for name, part in items}


def _words(value: object) -> str:
    return value[:MAX_ADDRESS] if isinstance(value, str) else ""


def _address(value: object) -> str:
    """Read an address of the web without anything odd in it; nonsense gives the usual one."""
    good = isinstance(value, str) and value.isprintable() and len(value) < 200 and not set(value) & set(" '\"\\<>`")
    return str(value) if good and str(value).startswith(("http://", "https://")) else LOCAL


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
    """

    request: Request
    pieces: Mapping[str, str | Piece]
    say: str = ""
    chosen: str = ""
    notice: str = ""
    again: int = 0
    tokens: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class File:
    """A file for the visitor."""

    name: str
    mime: str
    data: bytes

    @classmethod
    def of(cls, stem: str, kind: str, data: bytes) -> File:
        """Name a file by its format."""
        return cls(f"{stem}.{'tex' if kind == 'latex' else kind}", MIMES[kind], data)

    @property
    def address(self) -> str:
        """The file as an address that a browser can show or save."""
        return f"data:{self.mime};base64,{base64.b64encode(self.data).decode()}"


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
        options: A request whose fields are the menu's controls; `None` for none.
        write: From library, request, options, name of the entry, format, and press to a file; a `ValueError` is shown.
    """

    menus: Sequence[Menu]
    options: type[Request] | None
    write: Callable[[Library, Any, Any, str, str, Press], File]


Asked = TypeVar("Asked", bound=Request)


@dataclass(frozen=True)
class Tab:
    """A tab that is being built.

    Attributes:
        page: Whose.
        name: Its id, as in `?tab=retrieval`.
        head: Chips, notice, export menu; carries what the page's script has to know.
    """

    page: Page
    name: str
    head: gr.HTML

    def piece(self, name: str, **options: Any) -> gr.HTML:
        """Make a piece; its id on the page is the name."""
        return self.page.piece(self.name, name, **options)

    def settings(self) -> gr.HTML:
        """Make the piece of the settings drawer that belongs to this tab."""
        with self.page.drawer:
            return self.page.piece(self.name, f"{self.name}-settings")

    def ask_aside(self, piece: gr.HTML, kind: type[Asked], draw: Callable[[Library, Asked, Press], str]) -> None:
        """Let a piece's own script ask for what it shows, beside the presses of the tab; nothing else changes.

        Args:
            piece: Of this tab.
            kind: The request that the tab shows.
            draw: From library, request and what the script says to HTML; a `ValueError` leaves the piece empty.
        """
        library = self.page.library

        def asked(event: gr.EventData) -> str:
            press = Press.of(getattr(event, "_data", None))
            try:
                return draw(library, kind.repair(press.values, library)[0], press)
            except ValueError:
                return ""

        piece.select(asked, None, [piece], trigger_mode="always_last", show_progress_on=[], **EVENT)

    def wire(
        self,
        kind: type[Asked],
        answer: Callable[[Library, Asked, Press], Answer],
        pieces: Mapping[str, Any],
        settings: Sequence[str] = (),
        export: Export | None = None,
        more_images: int = 0,
    ) -> None:
        """Connect the pieces: any press in any of them is answered by one event, so that none overtakes another.

        Args:
            kind: The request that the tab shows.
            answer: Draws it; a `ValueError` is shown instead of the pieces' news.
            pieces: Components by name, the head left out: HTML, or whatever an answer gives.
            settings: Names of the fields that get a chip where they are not as by default.
            export: The export menu.
            more_images: Images that a press may bring besides those in fields of the request.
        """
        page, library = self.page, self.page.library
        images = takes_images(sum(map(is_file, kind.model_fields.values())) + more_images)

        @images
        def pressed(event: gr.EventData, client: gr.Request) -> dict[Any, Any]:
            press = Press.of(getattr(event, "_data", None), f"{visitor()} {client.session_hash}")
            VISITOR.set(press.visitor)
            opened = {**kind.files(press.values), **kind.of_address(press.address)} if press.address else press.values
            request, wrong = kind.repair(opened, library)
            named = press.changed or kind.model_fields if press.address else press.changed
            notices = [words for name, words in wrong.items() if name not in kind.follows or name in named]
            try:
                answered = answer(library, request, press)
                news = {name: one for name, one in answered.pieces.items() if not shows(press, name, one)}
                changes = {pieces[name]: one.draw() if isinstance(one, Piece) else one for name, one in news.items()}
            except Exception as error:
                answered, changes = Answer(request, {}, notice=sentence(self.name, error)), {}
            keys = {name: one.digest if isinstance(one, Piece) else "" for name, one in answered.pieces.items()}
            common = {"header": (page.header, page.header_of())}
            if answered.chosen:
                common["strip"] = (page.strip, page.strip_of(answered))
            for name, (component, piece) in common.items():
                keys[name] = piece.digest
                if not shows(press, name, piece):
                    changes[component] = piece.draw()
            notice = " ".join([*notices, answered.notice]).strip()
            changes[self.head] = draw_head(
                self, library, press, replace(answered, notice=notice), keys, settings, export
            )
            return changes

        pressed.asks = (self.name, kind, answer, tuple(pieces))  # type: ignore[attr-defined]
        outputs = [self.head, page.header, page.strip, *pieces.values()]
        self.head.select(pressed, None, outputs, trigger_mode="always_last", show_progress_on=[], **EVENT)
        if export is None:
            return
        offered = export

        @images
        def exported(event: gr.EventData) -> str:
            press = Press.of(getattr(event, "_data", None))
            try:
                request, _ = kind.repair(press.values, library)
                options = offered.options.repair(_named(press.detail), library)[0] if offered.options else None
                what, form = str(press.detail.get("what", "")), str(press.detail.get("kind", ""))
                if not any(what == menu.name and form in menu.kinds for menu in offered.menus):
                    raise ValueError("expected a format of the export menu, got another one")
                with page.exporting:
                    file = offered.write(library, request, options, what, form, press)
            except Exception as error:
                return html("file.html", error=sentence(self.name, error), file=None, address="", part=0, more=False)
            part = press.detail.get("part")
            start = PART_BYTES * (part if isinstance(part, int) and 0 <= part < MAX_TURN else 0)
            piece, more = file.data[start : start + PART_BYTES], start + PART_BYTES < len(file.data)
            address = replace(file, data=piece).address
            return html("file.html", error="", file=file, address=address, part=start // PART_BYTES, more=more)

        self.head.submit(exported, None, [page.file], trigger_mode="always_last", show_progress_on=[], **EVENT)


def shows(press: Press, name: str, piece: str | Piece) -> bool:
    """Say whether the page shows a piece as it is already."""
    return isinstance(piece, Piece) and press.drawn.get(name) == piece.digest


def draw_head(
    tab: Tab,
    library: Library,
    press: Press,
    answered: Answer,
    keys: Mapping[str, str],
    settings: Sequence[str],
    export: Export | None,
) -> str:
    """Draw the head of a tab: chips, notice, menus, and what the page's script has to know."""
    request = answered.request
    view = {
        "values": request.model_dump(),
        "link": request.link(library, tab.name),
        "say": answered.say,
        "chosen": answered.chosen,
        "again": answered.again,
        "tokens": answered.tokens,
        "drawn": keys,
        "turn": press.turn,
    }
    options = None
    if export and export.options:
        default = export.options.read({}, library)
        options = controls(default, library, list(export.options.model_fields))
    return html(
        "head.html",
        tab=tab.name,
        view=view,
        notice=answered.notice,
        chips=chips(request, library, settings),
        menus=[menu for menu in export.menus if menu.title] if export else (),
        options=options or (),
        settings=bool(settings),
    )


class Page:
    """The page that is being built: its header, drawer, strip, and a place for files.

    Args:
        library: What all visitors share.
        header: The header.
        follow: Draws the image that was chosen, from library, data set and key.
    """

    def __init__(
        self, library: Library, header: Callable[[Library], Piece], follow: Callable[[Library, str, str], str]
    ) -> None:
        self.library, self.follow = library, follow
        self.exporting = threading.Semaphore(EXPORTS_AT_ONCE)
        self.header_of: Callable[[], Piece] = lambda: header(library)
        self.header = self.piece("", "header", value=self.header_of().draw())
        self.strip = self.piece("", "strip")
        with gr.Column(elem_id="drawer") as self.drawer:
            self.piece("", "drawer-head", value=html("drawer.html"))
        self.file = self.piece("", "file")
        self.tabs = gr.Tabs(elem_id="tabs")

    def piece(self, tab: str, name: str, shares: Sequence[str] = SHARED, **options: Any) -> gr.HTML:
        """Make a piece of HTML that the page's script looks after."""
        script = options.pop("script", "")
        code = f"mun.piece(element, trigger, watch, {tab!r}, {name!r}, {list(shares)});" + script
        return gr.HTML(js_on_load=code, elem_id=name, apply_default_css=False, **options)

    def strip_of(self, answered: Answer) -> Piece:
        """Draw the chosen image."""
        data = str(answered.request.model_dump().get("data", ""))
        return Piece((data, answered.chosen), lambda: self.follow(self.library, data, answered.chosen))

    @contextmanager
    def tab(self, name: str, title: str, shares: Sequence[str] = SHARED) -> Iterator[Tab]:
        """Make a tab of what is built inside the block; it takes the values of all tabs that `shares` names."""
        with self.tabs, gr.Tab(title, id=name, elem_id=f"tab-{name}") as made:
            yield Tab(self, name, self.piece(name, f"{name}-head", shares))
        made.select(None, js=f"() => mun.open({name!r})", api_visibility="private")
