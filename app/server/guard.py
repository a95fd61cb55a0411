"""What stands before Gradio's routes: no route that is not used, requests of a bounded size, a packed page."""

from __future__ import annotations

import logging
import os
import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from starlette._utils import get_route_path
from starlette.concurrency import run_in_threadpool
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse

from app.server.calls import CALL, NOTHING, Refusal, checked
from app.server.limits import Caps, Ceiling
from app.server.uploads import Arrivals

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["MAX_CALL_BYTES", "Guard", "PackedPage"]

MAX_CALL_BYTES = 24_000_000  # an image of 16 MB in base64, and its fellow arguments

# What the page, its scripts and `gradio_client` read; whatever else Gradio offers is not there. Among that are routes
# that fetch an address for anybody, keep what they are sent, or serve features that this app does not have.
READ = re.compile(
    r"|".join(
        (
            r"/?|/config/?|/theme\.css|/favicon\.ico|/(?:assets|static)/.+",
            r"/gradio_api/(?:info/?|app_id|startup-events|queue/data|upload_progress|heartbeat/[^/]+)",
            r"/gradio_api/call/(?:v2/)?[A-Za-z0-9_]+/[0-9a-f]+",
            r"/gradio_api/file=(?:/(?!/)|[A-Za-z]:[\\/]).+",
        )
    )
)
UPLOAD = "/gradio_api/upload"


class PackedPage:
    """An ASGI middleware that packs the page itself; Gradio packs its scripts, and leaves the page as it is.

    Nothing else goes through it: it would hold the head of a stream of events back until the first of them.

    Args:
        app: What comes behind.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.packing = app, GZipMiddleware(app, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        page = scope["type"] == "http" and get_route_path(scope) in ("", "/", "/config")
        await (self.packing if page else self.app)(scope, receive, send)


class Guard:
    """An ASGI middleware in front of Gradio.

    - Routes are those of a list, below the root path, as the router itself reads them; all others are not there.
    - A body has at most 24 MB, an upload at most 256 MB, or as the caps say, and no more than the temporary folder may
      hold; older temporary files make room for it.
    - Each uploaded file gets a place of its own, so that two visitors may bring the same.
    - A call has 64 kB besides the images of those functions that take some, and is checked whole by `app.server.calls`:
      it is for a function that is there, names no file that nobody uploaded, and has all its arguments.

    Args:
        app: What comes behind.
        ceiling: Bounds the temporary files.
        upload_bytes: Bounds one upload; 0 closes uploads.
    """

    def __init__(self, app: ASGIApp, ceiling: Ceiling, upload_bytes: int = Caps.upload_bytes) -> None:
        self.app, self.ceiling, self.upload_bytes = app, ceiling, upload_bytes
        self.folder = Path(os.path.abspath(ceiling.folder))
        self.arrivals = Arrivals(ceiling.folder.resolve())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it in one sentence."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._answer(scope, receive, watched)
        except Exception:
            if begun or scope["type"] != "http":
                raise
            logging.getLogger(__name__).exception("a request failed")
            await refuse(500, "This request could not be understood.", scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close"})  # nothing here speaks over one
            return
        path, method = get_route_path(scope), scope["method"]
        if method in ("GET", "HEAD") and READ.fullmatch(path):
            await self.app(scope, receive, send)
        elif method == "POST" and path == UPLOAD:
            await self._upload(scope, receive, send)
        elif method == "POST" and (route := CALL.fullmatch(path)):
            await self._call(route, scope, receive, send)
        else:
            await refuse(404, NOTHING, scope, receive, send)

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an upload on, once there is room for it."""
        most = min(self.upload_bytes, self.ceiling.max_bytes)
        if not most:
            await refuse(403, "Images of your own cannot be uploaded here.", scope, receive, send)
            return
        length = min(declared(scope, most), most + 1)
        if length > most:
            await too_large(most, scope, receive, send)
            return
        with ExitStack() as stack:
            if not await run_in_threadpool(stack.enter_context, self.ceiling.room_for(length)):
                words = "Many visitors are uploading images just now; please try again in a minute."
                await refuse(503, words, scope, receive, send)
                return
            body, answer = Counted(receive, most), Answer()
            stack.enter_context(self.arrivals.coming())
            try:
                await self.app(scope, body, answer.take)
            except ClientDisconnect:
                if body.exceeded:
                    await too_large(most, scope, receive, send)
                return
            except OSError:
                raise
            except Exception:  # the reader of forms raises almost any kind for what is none
                await refuse(400, "expected a form with files, got something else", scope, receive, send)
                return
            if answer.status == 200:
                tracked = scope["app"].get_blocks().upload_file_set
                answer.body = await run_in_threadpool(self.arrivals.own_places, answer.body, tracked)
            await answer.send(send)

    async def _call(self, route: re.Match[str], scope: Scope, receive: Receive, send: Send) -> None:
        """Read a call whole and pass it on, unless it is refused."""
        if not header(scope, b"content-type").lower().startswith("application/json"):
            await refuse(415, "expected a call of the type application/json, got another", scope, receive, send)
            return
        if declared(scope, 0) > MAX_CALL_BYTES:
            await too_large(MAX_CALL_BYTES, scope, receive, send)
            return
        body = Counted(receive, MAX_CALL_BYTES)
        parts = []
        while (message := await body())["type"] == "http.request":
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        if body.exceeded:
            await too_large(MAX_CALL_BYTES, scope, receive, send)
            return
        await run_in_threadpool(self.ceiling.tend)
        try:
            functions = scope["app"].get_blocks().fns
            whole = await run_in_threadpool(checked, b"".join(parts), route, functions, self.folder)
        except Refusal as refusal:
            await refuse(refusal.status, str(refusal), scope, receive, send)
            return
        await self.app(scope, Replay(whole, receive), send)


class Counted:
    """Receive a body until it is larger than allowed; then the visitor counts as gone."""

    def __init__(self, receive: Receive, most: int) -> None:
        self.receive, self.most, self.seen = receive, most, 0

    @property
    def exceeded(self) -> bool:
        """Whether more came than is allowed."""
        return self.seen > self.most

    async def __call__(self) -> Message:
        """Receive the next message."""
        message = await self.receive()
        self.seen += len(message.get("body", b""))
        return {"type": "http.disconnect"} if self.exceeded else message


class Answer:
    """An answer that is held back until it is whole."""

    def __init__(self) -> None:
        self.status, self.body = 500, b""
        self.headers: list[tuple[bytes, bytes]] = []

    async def take(self, message: Message) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], [*message.get("headers", [])]
        else:
            self.body += message.get("body", b"")

    async def send(self, send: Send) -> None:
        """Send the answer."""
        headers = [(name, value) for name, value in self.headers if name.lower() != b"content-length"]
        headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class Replay:
    """Receive a body that has been read before, then whatever comes."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self.body: bytes | None = body
        self.receive = receive

    async def __call__(self) -> Message:
        """Receive the next message."""
        if self.body is None:
            return await self.receive()
        body, self.body = self.body, None
        return {"type": "http.request", "body": body, "more_body": False}


def header(scope: Scope, name: bytes) -> str:
    """Read a header; empty where there is none."""
    value: bytes = dict(scope["headers"]).get(name, b"")
    return value.decode("ascii", "replace")


def declared(scope: Scope, default: int) -> int:
    """Read the length that a request declares; `default` where it declares none that is a number."""
    words = header(scope, b"content-length")
    return int(words) if words.isdecimal() and len(words) < 19 else default


async def refuse(status: int, words: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with one sentence."""
    await PlainTextResponse(words, status)(scope, receive, send)


async def too_large(most: int, scope: Scope, receive: Receive, send: Send) -> None:
    """Say that a body is too large."""
    await refuse(413, f"expected at most {most // 1_000_000} MB, got more", scope, receive, send)
