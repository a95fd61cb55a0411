"""Take curves home: a figure as PNG or PDF, or a table as CSV, with the commands that make the runs again."""

from __future__ import annotations

from collections.abc import Sequence

from app.actions.checks import known
from app.actions.training.panels import overlay_panels, run_panels
from app.actions.training.status import Status
from app.shared.export import csv_text

__all__ = ["KINDS", "caption", "curves"]

KINDS = ("png", "pdf", "csv")
SYNTHETIC = "SynVI is synthetic: its scores are no evidence about real streets."


def curves(runs: Sequence[Status], kind: str) -> tuple[str, bytes]:
    """Write the curves of one run, or of two to four over one another.

    Args:
        runs: As they are now.
        kind: One of `KINDS`.

    Returns:
        A file name, and the bytes.

    Raises:
        ValueError: Another kind, no run, or nothing has been measured yet.
    """
    kind = known("kind", kind, KINDS)
    if not runs:
        raise ValueError("expected a run whose curves to take home, none is chosen")
    name = f"{runs[0].run}-curves.{kind}" if len(runs) == 1 else f"{len(runs)}-runs-curves.{kind}"
    if kind == "csv":
        return name, table(runs).encode()
    from app.figures.training_curves import CurvePanel, draw_curves
    from app.shared.figure import figure_bytes  # here: Matplotlib takes a second to load

    panels = [
        CurvePanel(
            panel.title,
            tuple(
                (series.name, tuple(x for x, _ in series.points), tuple(y for _, y in series.points))
                for series in panel.series
            ),
            panel.percent,
        )
        for panel in (run_panels(runs[0]) if len(runs) == 1 else overlay_panels(runs))
    ]
    if not panels:
        raise ValueError("expected a run that has trained for some steps, nothing has been measured yet")
    commands = [line for run in runs for line in (f"# {run.run}", *run.command)]
    return name, figure_bytes(draw_curves(panels, caption(runs), commands), kind)


def caption(runs: Sequence[Status]) -> str:
    """Say what the curves are of."""
    named = "; ".join(
        f"{run.run}: auxiliary {run.settings['auxiliary']}, {run.settings['backbone']} at width"
        f" {run.settings['width']:g}, seed {run.settings['seed']}, {run.state}"
        for run in runs
    )
    rendered = any("level" in run.settings for run in runs)
    return f"{named}. Validation identities are not trained on.{f' {SYNTHETIC}' if rendered else ''}"


def table(runs: Sequence[Status]) -> str:
    """Write every measured value, one per row; the commands come first."""
    rows: list[list[object]] = [[run.run, "command", None, line] for run in runs for line in run.command]
    for run in runs:
        for line in (*run.metrics, *run.validations):
            rows += [[run.run, name, line["step"], value] for name, value in line.items() if name != "step"]
    return csv_text(("run", "quantity", "step", "value"), rows)
