"""Middleware in front of Gradio's routes: a list of routes, bounded calls, no foreign site, headers, compression."""

from __future__ import annotations

import logging
import os
import re
from contextlib import nullcontext
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette._utils import get_route_path
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse

from app.server.calls import CALL, NOTHING, PLAIN_BYTES, Refusal, checked
from app.server.room import Bodies, Gate, GoneError
from app.server.sessions import ADDRESS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["MAX_CALL_BYTES", "Guard", "PackedPage"]

MAX_CALL_BYTES = 24_000_000  # an image of 16 MB in base64, and the other arguments

MAX_FEATURES_BYTES = 200_000_000  # of a features file
FEATURES = "/own-features"  # the one address that takes a file

PAGES = ("", "/", "/config", "/config/")  # they take some milliseconds to write and to compress
# The routes that the page, its scripts and `gradio_client` read. All other routes of Gradio are closed: some of them
# fetch any address for any caller, store uploads, or serve features that this app does not have.
STREAM = re.compile(r"/gradio_api/(?:queue/data|call/(?:v2/)?[A-Za-z0-9_]+/(?P<event>[0-9a-f]{1,64}))")
READ = re.compile(
    r"/?|/config/?|/theme\.css|/favicon\.ico|/(?:assets|static)/[A-Za-z0-9_./-]{1,200}|"
    r"/gradio_api/(?:info/?|app_id|startup-events)|" + STREAM.pattern
)
# Gradio's page has inline scripts and styles, and its HTML components make functions from text.
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
HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
FOREIGN = "expected a call from this app's own page or from a program, got one from another site"


class PackedPage:
    """An ASGI middleware that compresses the page itself; Gradio compresses its scripts, but not the page.

    It skips all other answers, because it would delay the head of an event stream until the first event.

    Args:
        app: The next ASGI app.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.packing = app, GZipMiddleware(app, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        page = scope["type"] == "http" and get_route_path(scope) in PAGES
        await (self.packing if page else self.app)(scope, receive, send)


class Guard:
    """An ASGI middleware in front of Gradio.

    - Only listed routes exist, below the root path, as the router itself reads it.
    - A call has at most 64 kB besides the images that its function takes, and `app.server.calls` checks all of it: its
      function exists, it names no file, and it has all its arguments. Pages of other sites cannot call.
    - Every answer has headers that limit what a browser may do with it. Headers in which a proxy gives its public
      address are used only if `FORWARDED_ALLOW_IPS` names the proxy.

    Args:
        app: The next ASGI app.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.behind_proxy = app, bool(os.environ.get("FORWARDED_ALLOW_IPS"))
        self.calls, self.streams, self.costly = Gate(16, 200, 100), Gate(100, 1000, 0), Gate(1, 3, 100)
        self.bodies = Bodies(MAX_CALL_BYTES, 4 * MAX_CALL_BYTES)
        self.uploads, self.features = Gate(1, 1, 2), Bodies(MAX_FEATURES_BYTES, 2 * MAX_FEATURES_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it in one sentence."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
            await send(message)

        if scope["type"] == "lifespan":
            await self.app(scope, receive, watched)
            return
        if scope["type"] != "http":
            await watched({"type": "websocket.close"})  # there are no WebSockets
            return
        try:
            await self._let_in(scope, receive, watched)
        except GoneError:
            return
        except Refusal as refusal:
            closing = {"connection": "close"} if refusal.status == 408 else None  # do not wait for the rest
            await PlainTextResponse(str(refusal), refusal.status, closing)(scope, receive, watched)
        except Exception:
            if begun:
                raise
            logging.getLogger(__name__).exception("a request failed")
            await PlainTextResponse("This request could not be understood.", 500)(scope, receive, watched)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on in its turn.

        Raises:
            Refusal: The request is not allowed.
        """
        path, method, who = get_route_path(scope), scope["method"], (scope.get("client") or ("",))[0]
        if not self.behind_proxy:
            scope["headers"] = [one for one in scope["headers"] if one[0] not in FORWARDED]
        check_heads(scope)
        ADDRESS.set(who)
        if method == "POST" and (route := CALL.fullmatch(path)):
            check_call(scope)
            async with self.calls.turn(who), self.bodies.read(receive, who) as body:
                await self._call(route, body, who, scope, receive, send)
        elif method == "POST" and path == FEATURES:
            check_call(scope, "application/octet-stream", MAX_FEATURES_BYTES)
            async with self.uploads.turn(who), self.features.read(receive, who) as body:
                await self.app(scope, replayed(body, receive), send)
        elif method not in ("GET", "HEAD") or not READ.fullmatch(path):
            raise Refusal(404, NOTHING)
        elif stream := STREAM.fullmatch(path):
            check_stream(stream, scope)
            async with self.streams.turn(who):
                await self.app(scope, receive, send)
        else:
            async with self.costly.turn(who) if path in PAGES else nullcontext():
                await self.app(scope, receive, send)

    async def _call(
        self, route: re.Match[str], body: bytes, who: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Check a call that has been read completely, and pass it on."""
        functions = scope["app"].get_blocks().fns
        if len(body) <= PLAIN_BYTES:
            await self.app(scope, replayed(checked(body, route, functions), receive), send)
            return
        async with self.costly.turn(who):
            whole = await run_in_threadpool(checked, body, route, functions)
            await self.app(scope, replayed(whole, receive), send)


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `Receive` that gives a body that was read before, then the next messages."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_next() -> Message:
        return messages.pop() if messages else await receive()

    return receive_next


def check_heads(scope: Scope) -> None:
    """Check the headers that decide how a request is read.

    Raises:
        Refusal: A header occurs twice, or the host is not a valid name.
    """
    heads = Headers(scope=scope)
    if any(len(heads.getlist(name)) > 1 for name in ("host", "origin", "content-type", "content-length")):
        raise Refusal(400, "expected host, origin, type and length of a request once, got one of them twice")
    if "host" in heads and not HOST.fullmatch(heads["host"]):
        raise Refusal(400, "expected the name of a host, got something else")


def check_call(scope: Scope, kind: str = "application/json", most: int = MAX_CALL_BYTES) -> None:
    """Check the head of a call.

    Raises:
        Refusal: The call comes from another site, has another content type, or is too large.
    """
    heads = Headers(scope=scope)
    origin = heads.get("origin", "").lower()
    hosts = {heads.get(name, "").partition(",")[0].strip().lower() for name in ("host", "x-forwarded-host")}
    if origin and origin.partition("://")[2] not in hosts - {""}:  # a program that is no browser sends no origin
        raise Refusal(403, FOREIGN)
    if not heads.get("content-type", "").lower().startswith(kind):
        raise Refusal(415, f"expected a call of the type {kind}, got another")
    if int(heads.get("content-length", 0)) > most:
        raise Refusal(413, f"expected at most {most // 1_000_000} MB, got more")


def check_stream(route: re.Match[str], scope: Scope) -> None:
    """Check that Gradio knows the call or the session of an event stream; an unknown one would fill the log.

    Raises:
        Refusal: Gradio does not know it.
    """
    queue, event = scope["app"].get_blocks()._queue, route["event"]
    if event is None:
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0]
        known = asked in queue.pending_messages_per_session
    else:
        known = any(event in events for events in queue.pending_event_ids_session.values())
    if not known:
        raise Refusal(404, NOTHING)
