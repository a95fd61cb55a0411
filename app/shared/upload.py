"""The one address that takes a file: features of a visitor's own, for this visit."""

from __future__ import annotations

from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.library import Library
from app.library.own_images import short_name

__all__ = ["features_route"]


def features_route(library: Library) -> Route:
    """Make the route of `/own-features`: the file is the body, its name and the visitor's token stand in headers."""

    async def take(request: Request) -> Response:
        name = short_name(unquote(request.headers.get("x-name", "")))
        token, body = request.headers.get("x-token", ""), await request.body()
        try:
            found = await run_in_threadpool(library.bring, token, name, body)
        except ValueError as error:
            return PlainTextResponse(str(error), 400)
        return JSONResponse(dict(zip(("token", "checkpoint", "data"), found, strict=True)))

    return Route("/own-features", take, methods=["POST"])
