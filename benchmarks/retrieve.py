"""Time a warm `/retrieve` over HTTP: `python -m benchmarks.retrieve --data DIR --checkpoints DIR`.

The limit is 0.3 s on two cores. The demo runs in this process, on a free port; the queries differ.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from app.start import launch_options, prepare_environment

ROOT = Path(__file__).resolve().parent.parent

LIMIT = 0.3  # seconds
QUERIES = 50


def measure(data: Path, checkpoints: Path) -> list[float]:
    """Start the demo, ask once to warm up, then time 50 queries; seconds."""
    prepare_environment()
    from gradio_client import Client

    from app import build_demo
    from app.library import open_library

    library = open_library(data, checkpoints)
    queries = library.collections[library.default_data].queries
    demo = build_demo(library)
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    try:
        client = Client(url, verbose=False)
        client.predict(api_name="/retrieve")
        seconds = []
        for index in range(QUERIES):
            start = time.perf_counter()
            client.predict(query=queries[index % len(queries)].key, top_k=10, api_name="/retrieve")
            seconds.append(time.perf_counter() - start)
        return seconds
    finally:
        demo.close(verbose=False)


def main() -> int:
    """Print median and 95th percentile, and fail above the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT / "assets" / "synvi", metavar="DIR")
    parser.add_argument("--checkpoints", type=Path, default=ROOT / "checkpoints", metavar="DIR")
    options = parser.parse_args()
    seconds = measure(options.data, options.checkpoints)
    median, late = float(np.median(seconds)), float(np.percentile(seconds, 95))
    print(
        f"{len(seconds)} warm queries: median {median * 1e3:.0f} ms, p95 {late * 1e3:.0f} ms (limit {LIMIT * 1e3:.0f})"
    )
    return 0 if median < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
