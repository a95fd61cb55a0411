"""Let a crowd visit the app: `python -m benchmarks.load --visitors 50 --minutes 5 --train`.

Starts the app on the bundled data and checkpoints, or visits a running one (`--url`) that serves the same folders. The
right answers are computed in this process first; then visitors use all tabs and the public functions, each with pauses
of 15 seconds on average. Prints counts and seconds per kind of answer, and the memory and files of the app.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.start import prepare_environment
from benchmarks.load.server import Server, start

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 3.0  # seconds, 95th percentile of a retrieval


def parse() -> argparse.Namespace:
    """Read the flags."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--url", default="", help="of a running app; by default one is started")
    parser.add_argument("--data", type=Path, default=ROOT / "assets" / "synvi", metavar="DIR")
    parser.add_argument("--checkpoints", type=Path, default=ROOT / "checkpoints", metavar="DIR")
    parser.add_argument("--visitors", type=int, default=50, metavar="N")
    parser.add_argument("--minutes", type=float, default=5.0, metavar="M")
    parser.add_argument("--think", type=float, default=15.0, metavar="S", help="mean pause in seconds")
    parser.add_argument("--choices", type=int, default=60, metavar="N", help="different queries")
    parser.add_argument("--train", action="store_true", help="train the smallest run meanwhile")
    return parser.parse_args()


def main() -> int:
    """Visit the app, print the table, and fail if an answer was wrong or retrievals were too slow."""
    options = parse()
    prepare_environment()
    from app.library import open_library
    from benchmarks.load.choices import Choices
    from benchmarks.load.crowd import Crowd, visit, warm
    from benchmarks.load.visitor import RETRIEVALS

    library = open_library(options.data, options.checkpoints)
    choices = Choices(library, options.choices, library.checkpoints.usable[:2])
    crowd = Crowd(options.visitors, 60 * options.minutes, options.think, options.minutes + 10 if options.train else 0)
    with at(options) as server:
        asyncio.run(warm(server, choices))
        measured = asyncio.run(visit(server, choices, crowd))
    retrievals = measured.log.row(RETRIEVALS, "retrievals")
    print(measured.summary())
    print(f"retrievals: p95 {retrievals.p95:.2f} s (limit {LIMIT:g}), {retrievals.count} of them")
    for problem in measured.log.problems[:20]:
        print(problem)
    return int(bool(measured.log.problems) or not retrievals.p95 <= LIMIT)


@contextmanager
def at(options: argparse.Namespace) -> Iterator[Server]:
    """Yield the running app that the flags name, or start one."""
    if options.url:
        yield Server(options.url.rstrip("/") + "/")
        return
    flags = ["--data", str(options.data.resolve()), "--checkpoints", str(options.checkpoints.resolve())]
    with tempfile.TemporaryDirectory() as folder, start(Path(folder), flags, {"MUN_TRAIN": "on"}) as server:
        yield server


if __name__ == "__main__":
    sys.exit(main())
