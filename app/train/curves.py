"""Curves of training runs: the plots of the page, and their export."""

import math
from collections.abc import Mapping, Sequence

from app.shared.export import SYNTHETIC, table
from app.shared.plots import Curve, Plot
from app.train.status import Status, evenly

__all__ = ["overlay_plots", "run_plots", "write_curves"]

MOST_POINTS = 120  # of a curve
LOSSES = ("total", "identity", "identity_alignment", "modality_alignment", "triplet")
Lines = Sequence[dict[str, float]]


def curve_of(lines: Lines, key: str, name: str, factor: float = 1.0) -> Curve:
    """Return the curve of one value over the steps, times a factor; values that are not finite are left out."""
    points = [(line["step"], factor * line[key]) for line in lines if math.isfinite(line.get(key, math.nan))]
    return Curve(name, tuple(evenly(points, MOST_POINTS)))


def curves_of(lines: Lines, names: Mapping[str, str], factor: float = 1.0) -> tuple[Curve, ...]:
    """Return the curves of several values; `names` maps the key of a value to the name of its curve."""
    return tuple(curve_of(lines, key, name, factor) for key, name in names.items())


def measured(*plots: Plot) -> tuple[Plot, ...]:
    """Leave out the plots without a point."""
    return tuple(plot for plot in plots if any(curve.points for curve in plot.curves))


def run_plots(now: Status) -> tuple[Plot, ...]:
    """Return the plots of one run, without those it has no values for."""
    lines, people = now.metrics, now.settings.get("val_ids")
    losses = curves_of(lines, {name: name.replace("_", " ") for name in LOSSES})
    generator = {"iml_share": "IML share of the layer scale", "visible_dependence": "dependence on the visible"}
    health = {"active_triplets": "active alignment triplets", "spread": "spread of the features"}
    chance = (100 / int(people), "chance") if people else None
    return measured(
        Plot("Losses", tuple(one for one in losses if any(value for _, value in one.points))),
        Plot("Validation, %", curves_of(now.validations, {"rank1": "rank-1", "mean_ap": "mAP"}, 100), mark=chance),
        Plot("Generator, %", curves_of(lines, generator, 100), bounds=(0, 100), mark=(50, "even")),
        Plot("Signs of collapse, %", curves_of(lines, health, 100)),
        Plot("Learning rate", curves_of(lines, {"lr": "learning rate"})),
        Plot("Images per second", curves_of(lines, {"images_per_second": "images per second"})),
    )


def overlay_plots(runs: Sequence[Status]) -> tuple[Plot, ...]:
    """Return the plots that show several runs over one another."""
    return measured(
        Plot("Validation mAP, %", tuple(curve_of(run.validations, "mean_ap", run.run, 100) for run in runs)),
        Plot("Validation rank-1, %", tuple(curve_of(run.validations, "rank1", run.run, 100) for run in runs)),
        Plot("Total loss", tuple(curve_of(run.metrics, "total", run.run) for run in runs)),
    )


def write_curves(runs: Sequence[Status], kind: str, width: str, link: str) -> bytes:
    """Write the curves of one run, or of two to four over one another, with the commands that make the runs again.

    Args:
        runs: Their current states.
        kind: `png`, `pdf`, `svg` or `csv`.
        width: Of the figure, a name of `WIDTHS`.
        link: Address where they are shown.

    Raises:
        ValueError: Another kind, or nothing has been measured yet.
    """
    plots = run_plots(runs[0]) if len(runs) == 1 else overlay_plots(runs)
    if not plots:
        raise ValueError("expected a run that has trained for some steps, nothing has been measured yet")
    if kind == "csv":
        facts = [(run.run, line) for run in runs for line in run.command]
        rows = [
            (run.run, name, line["step"], value)
            for run in runs
            for line in (*run.metrics, *run.validations)
            for name, value in line.items()
            if name != "step"
        ]
        return table("csv", [*facts, ("shown at", link)], ("run", "quantity", "step", "value"), rows)
    from app.shared.figure import draw_plots, figure_bytes  # here: Matplotlib takes a second to load

    commands = [line for run in runs for line in (f"# {run.run}", *run.command)]
    return figure_bytes(draw_plots(plots, f"{caption(runs)} Shown at {link}", commands, width), kind)


def caption(runs: Sequence[Status]) -> str:
    """Describe the runs of the curves."""
    named = "; ".join(
        f"{run.run}: auxiliary {run.settings['auxiliary']}, {run.settings['backbone']} at width"
        f" {run.settings['width']:g}, seed {run.settings['seed']}, {run.state}"
        for run in runs
    )
    rendered = any("level" in run.settings for run in runs)
    return f"{named}. Validation identities are not trained on.{f' {SYNTHETIC}' if rendered else ''}"
