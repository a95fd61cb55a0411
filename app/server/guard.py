"""What stands before Gradio's routes: used routes alone, bounded calls, no foreign site, headers, a packed page."""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette._utils import get_route_path
from starlette.concurrency import run_in_threadpool
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse

from app.server.calls import CALL, NOTHING, Refusal, checked

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
            r"/gradio_api/(?:info/?|app_id|startup-events|queue/data|heartbeat/[^/]+)",
            r"/gradio_api/call/(?:v2/)?[A-Za-z0-9_]+/[0-9a-f]+",
        )
    )
)
# Gradio's page has scripts and styles in itself, and its HTML components make functions of text.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self' https://huggingface.co https://*.hf.space",
    )
)
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
]
FORWARDED = (b"x-forwarded-host", b"x-forwarded-proto", b"x-gradio-server")
FOREIGN = "expected a call by this app's own page or by a program, got one by another site"


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
    - A call has 64 kB besides the images of those functions that take some, and is checked whole by `app.server.calls`:
      it is for a function that is there, names no file, and has all its arguments. No page of another site calls.
    - Every answer says what a browser may do with it. Headers by which a proxy tells the address that it is known by
      count where `FORWARDED_ALLOW_IPS` names the proxy.

    Args:
        app: What comes behind.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.behind_proxy = app, bool(os.environ.get("FORWARDED_ALLOW_IPS"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it in one sentence."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
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
        if not self.behind_proxy:
            scope["headers"] = [one for one in scope["headers"] if one[0] not in FORWARDED]
        if method in ("GET", "HEAD") and READ.fullmatch(path):
            await self.app(scope, receive, send)
        elif method == "POST" and (route := CALL.fullmatch(path)):
            await self._call(route, scope, receive, send)
        else:
            await refuse(404, NOTHING, scope, receive, send)

    async def _call(self, route: re.Match[str], scope: Scope, receive: Receive, send: Send) -> None:
        """Read a call whole and pass it on, unless it is refused."""
        if is_foreign(scope):
            await refuse(403, FOREIGN, scope, receive, send)
            return
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
        try:
            functions = scope["app"].get_blocks().fns
            whole = await run_in_threadpool(checked, b"".join(parts), route, functions)
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


def is_foreign(scope: Scope) -> bool:
    """Say whether a browser sends this for a page of another site; what is no browser names no origin."""
    origin = header(scope, b"origin")
    hosts = {header(scope, name).partition(",")[0].strip().lower() for name in (b"host", b"x-forwarded-host")}
    return bool(origin) and urlsplit(origin).netloc.lower() not in hosts - {""}


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
