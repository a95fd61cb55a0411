"""The scatter plot to point at: a Plotly figure without a browser's or Gradio's help."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple
from typing import Any

from app.actions.embeddings.export import lines_of
from app.actions.embeddings.project import Result
from app.figures.embedding_palette import MODALITIES, NEUTRAL, PLOTLY_SYMBOLS, colours_of
from app.views.embeddings_visit import EmbeddingVisit

__all__ = ["HEIGHT", "figure_json"]

HEIGHT = 540  # pixels
MAX_SVG = 1200  # points that are drawn one by one; more are drawn by the graphics card
FONT = {"color": "#808893", "size": 12}  # legible on the light and the dark page
LABELS = {"visible": "top center", "auxiliary": "middle right", "infrared": "bottom center"}  # side by side
GRID = "rgba(128, 136, 147, 0.35)"
CONFIG = {
    "displaylogo": False,
    "displayModeBar": True,
    "scrollZoom": False,
    "modeBarButtonsToRemove": ["toImage", "autoScale2d", "zoomIn2d", "zoomOut2d"],
}


def figure_json(result: Result, visit: EmbeddingVisit) -> str:
    """Return the figure of one checkpoint, as JSON that Plotly draws.

    The first traces are the points, one trace per modality, whose `customdata` is their row in the result; the last one
    is empty, for the rings that the browser draws round what is chosen.
    """
    import plotly.graph_objects as go  # here: start-up stays light

    traces = point_traces(go, result, visit.colour)
    if visit.lines:
        traces.append(line_trace(go, result))
    if visit.prototypes:
        traces.append(prototype_trace(go, result))
    ring = {"size": 17, "symbol": "circle-open", "color": NEUTRAL, "line": {"width": 2.5}}
    traces.append(go.Scatter(x=[], y=[], mode="markers", marker=ring, hoverinfo="skip", name="rings"))
    figure = go.Figure(traces, layout_of(result))
    return json.dumps({**json.loads(figure.to_json()), "config": CONFIG})


def point_traces(go: Any, result: Result, colour: str) -> list[Any]:
    """Draw the points, a trace per modality."""
    kind = go.Scatter if len(result.points) <= MAX_SVG else go.Scattergl
    colours = colours_of(result.points, colour)
    traces = []
    for modality, symbol in PLOTLY_SYMBOLS.items():
        rows = [row for row, point in enumerate(result.points) if point.modality == modality]
        marker = {
            "symbol": symbol,
            "size": 9 if len(result.points) <= MAX_SVG else 6,
            "color": [colours[row] for row in rows],
            "opacity": 0.85,
            "line": {"width": 0.8, "color": "rgba(255, 255, 255, 0.75)"},
        }
        traces.append(
            kind(
                x=[result.points[row].x for row in rows],
                y=[result.points[row].y for row in rows],
                customdata=rows,
                mode="markers",
                marker=marker,
                hoverinfo="none",  # the browser shows the image instead
                name=modality,
            )
        )
    return traces


def line_trace(go: Any, result: Result) -> Any:
    """Draw the lines from visible centers through auxiliary ones to infrared ones, each center with its shape."""
    x: list[float | None] = []
    y: list[float | None] = []
    symbols: list[str] = []
    used = [modality for modality in MODALITIES if any(mark.modality == modality for mark in result.centers)]
    for line in lines_of(result):
        x += [place[0] for place in line] + [None]
        y += [place[1] for place in line] + [None]
        symbols += [f"{PLOTLY_SYMBOLS[modality]}-open" for modality in used] + ["circle"]
    marker = {"symbol": symbols, "size": 13, "color": FONT["color"], "line": {"width": 2}}
    stroke = {"color": FONT["color"], "width": 1.4}
    return go.Scatter(x=x, y=y, mode="lines+markers", line=stroke, marker=marker, hoverinfo="skip", name="centers")


def prototype_trace(go: Any, result: Result) -> Any:
    """Draw the prototypes, large and named."""
    marks = result.prototypes
    marker = {
        "symbol": [PLOTLY_SYMBOLS[mark.modality] for mark in marks],
        "size": 22,
        "color": [MODALITIES[mark.modality] for mark in marks],
        "line": {"width": 3, "color": FONT["color"]},
    }
    return go.Scatter(
        x=[mark.x for mark in marks],
        y=[mark.y for mark in marks],
        text=[f"{mark.modality} prototype" for mark in marks],
        mode="markers+text",
        textposition=[LABELS[mark.modality] for mark in marks],
        textfont={"size": 13, "color": FONT["color"]},
        marker=marker,
        hoverinfo="skip",
        name="prototypes",
    )


def layout_of(result: Result) -> dict[str, Any]:
    """Describe axes and colours; `meta` names the picture, so that the browser keeps its zoom while it is the same."""
    places = json.dumps([(point.x, point.y) for point in result.points])
    axis: dict[str, Any] = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": ""}
    axis |= {"showline": True, "mirror": True, "linecolor": GRID, "linewidth": 1}
    names = ("", "")
    if result.explained is not None:
        names = (f"PC 1: {100 * result.explained[0]:.1f} %", f"PC 2: {100 * result.explained[1]:.1f} %")
    return {
        "meta": hashlib.sha256((places + str(astuple(result.request))).encode()).hexdigest()[:16],
        "height": HEIGHT,
        "paper_bgcolor": "rgba(0, 0, 0, 0)",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
        "font": FONT,
        "showlegend": False,
        "margin": {"l": 24, "r": 8, "t": 34, "b": 26},
        "xaxis": {**axis, "title": {"text": names[0], "standoff": 4}},
        "yaxis": {**axis, "title": {"text": names[1], "standoff": 4}, "scaleanchor": "x"},
        "dragmode": "lasso",
        "hovermode": "closest",
        "hoverdistance": 12,
        "newselection": {"line": {"color": FONT["color"], "width": 1.5}},
        "modebar": {"bgcolor": "rgba(0, 0, 0, 0)", "color": FONT["color"], "activecolor": "#0f766e"},
    }
