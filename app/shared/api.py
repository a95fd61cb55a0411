"""Make HTTP functions from requests: parameters, types, defaults and texts come from the fields."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import unquote

import gradio as gr
from gradio.components.api_component import Api
from gradio.context import LocalContext
from gradio.events import api
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as Body
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.library import Library
from app.library.background import sentence
from app.library.own_images import short_name
from app.library.turns import VISITOR, Turns
from app.shared.request import Request

__all__ = ["HEAVY", "LIGHT", "expose", "features_route", "visitor"]

HEAVY, LIGHT = 2, 8  # calls that one visitor may have, running or waiting
WAITING = 8
Asked = TypeVar("Asked", bound=Request)


def expose(
    name: str,
    kind: type[Asked],
    run: Callable[[Library, Asked], dict[str, Any]],
    library: Library,
    concurrency_limit: int = 1,
    each: int = HEAVY,
) -> None:
    """Offer a request as an HTTP function with keyword parameters, all with defaults; a refusal is one sentence.

    Visitors take turns; here a visitor is a network address.

    Args:
        name: Name of the function.
        kind: The request; its docstring is the function's, and describes the answer.
        run: The computation, from a checked request to a JSON object.
        library: State that all visitors share.
        concurrency_limit: Calls that are computed at a time.
        each: Calls that one visitor may have, running or waiting; a further call is refused with a time to try again.
    """
    turns = Turns(concurrency_limit, each, 2 * each + WAITING)

    def function(*values: Any) -> Any:
        try:
            request = kind.read(dict(zip(kind.model_fields, values, strict=True)), library)
            VISITOR.set(visitor())
            with turns.turn(turns.take(VISITOR.get())):
                return run(library, request)
        except Exception as error:
            raise gr.Error(sentence(name, error), print_exception=False) from None

    fields = kind.model_fields
    parameters = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=one.default, annotation=one.annotation)
        for name, one in fields.items()
    ]
    function.asks = (kind, run)  # type: ignore[attr-defined]
    function.takes_images = len(kind.files)  # type: ignore[attr-defined]
    function.__name__ = name
    function.__signature__ = inspect.Signature(parameters, return_annotation=dict[str, Any])  # type: ignore[attr-defined]
    function.__annotations__ = {**{name: one.annotation for name, one in fields.items()}, "return": dict[str, Any]}
    function.__doc__ = inspect.getdoc(kind)
    api(function, api_name=name, concurrency_limit=None, concurrency_id=name)  # the turns limit it
    blocks = gr.context.Context.root_block
    inputs = blocks.fns[max(blocks.fns)].inputs if blocks is not None else []  # Gradio names them "1st", "2nd", …
    for (parameter, field), component in zip(fields.items(), inputs, strict=True):
        if isinstance(component, Api):
            component.label = field.title or parameter
            component._api_info = {**component._api_info, "description": field.description or ""}


def visitor() -> str:
    """Return the network address of the current event's visitor; an empty string outside an event."""
    client = getattr(LocalContext.request.get(None), "client", None)
    return str(client.host) if client else ""


def features_route(library: Library) -> Route:
    """Make `/own-features`, the only address that takes a file: a visitor's own features, for this visit.

    The body is the file; headers give its name and the visitor's token.
    """

    async def take(request: Body) -> Response:
        name = short_name(unquote(request.headers.get("x-name", "")))
        token, body = request.headers.get("x-token", ""), await request.body()
        VISITOR.set(request.client.host if request.client else "")
        try:
            found = await run_in_threadpool(library.add_features, token, name, body)
        except ValueError as error:
            return PlainTextResponse(str(error), 400)
        return JSONResponse(dict(zip(("token", "checkpoint", "data"), found, strict=True)))

    return Route("/own-features", take, methods=["POST"])
