"""Every figure of speed and scale in one table: `python -m benchmarks [--suite NAME ...] [--short] [--json FILE]`.

Each row is a ratio to a reference of the same run, or to a limit; values are medians of several runs in one process.
The short form takes small inputs: it checks that everything runs and that results equal their references, not speed.
"""

import argparse
import json
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from benchmarks.measure import Row, draw, machine, table

SUITES = ("evaluation", "embedding", "training", "rendering", "app", "features", "scale")


def measure(suite: str, short: bool) -> list[Row]:
    """Run a suite."""
    rows: list[Row] = import_module(f"benchmarks.{suite}").rows(short)
    return rows


def main() -> None:
    """Print the table, and write it to the files that the flags name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--suite", nargs="+", choices=SUITES, default=SUITES, metavar="NAME", help=", ".join(SUITES))
    parser.add_argument("--short", action="store_true", help="small inputs: whether it runs, not how fast")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there as well")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="plot the curves of the suite `scale` there")
    options = parser.parse_args()
    head, measured = machine(), []
    for suite in options.suite:
        print(f"{suite} …", file=sys.stderr, flush=True)
        measured += [(suite, row) for row in measure(suite, options.short)]
    print(f"{head}\n\n{table(measured)}")
    if options.json:
        rows = [{"suite": suite, **asdict(row), "ratio": row.ratio, "met": row.met} for suite, row in measured]
        options.json.write_text(json.dumps({"machine": head, "rows": rows}, indent=1), encoding="utf-8")
    if options.figure:
        draw((row for _, row in measured), options.figure)


if __name__ == "__main__":
    main()
