"""Start the app: flags, writable folders, the library, then the page."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import sys
import threading
import time
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mun.data.cache import cache_folder
from mun.data.sources import add_data_flags, named_folder, reading_of, report_passed
from mun.files import writable_folder
from mun.parser import OneLineParser

if TYPE_CHECKING:
    from app.library import Library

__all__ = ["launch_options", "main", "parser", "prepare_environment"]

TRIM_SECONDS = 1.0
MAX_SESSIONS = 1000  # that Gradio remembers; nothing is kept in them
MAX_THREADS = 120  # most of them wait for their turn
ROOT = Path(__file__).resolve().parent.parent
SYNVI = ROOT / "assets" / "synvi"


def prepare_environment() -> None:
    """Set the cache folders and switch off telemetry, before any library is imported.

    A value that the user has set is kept. If the cache folder cannot be written, a new temporary one is used.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("MKL_DISABLE_FAST_MM", "1")  # MKL would keep its buffers for each of the app's threads
    folder = writable_folder(cache_folder(), "mun-")
    if os.environ.get("SPACE_ID"):  # its proxies send the visitor's address
        os.environ.setdefault("FORWARDED_ALLOW_IPS", "127.0.0.1,10.0.0.0/8")
    for name, part in {
        "GRADIO_TEMP_DIR": "gradio",
        "HF_HOME": "huggingface",
        "MPLCONFIGDIR": "matplotlib",
        "NUMBA_CACHE_DIR": "numba",
    }.items():
        os.environ.setdefault(name, str(folder / part))


def keep_memory_small() -> None:
    """Make glibc keep two heaps for all threads instead of eight per core, and return freed memory regularly."""
    arenas = -8  # M_ARENA_MAX of malloc.h
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        libc = ctypes.CDLL(None)
        libc.mallopt(arenas, 2)
        threading.Thread(target=give_back, args=(libc.malloc_trim,), name="trim", daemon=True).start()


def give_back(trim: Callable[[int], object]) -> None:
    """Return freed memory to the system, which takes a few milliseconds; the C library alone keeps up to half of it."""
    while True:
        time.sleep(TRIM_SECONDS)
        trim(0)


def parser() -> OneLineParser:
    """Declare the flags."""
    parser = OneLineParser(prog="python app.py", description="Open the MUN demo in a browser.")
    parser.speaker = "app"
    parser.add_argument(
        "--data",
        type=named_folder,
        action="append",
        metavar="[NAME=]DIR",
        help="a data set, and what to call it; may be given several times (default: bundled SynVI)",
    )
    add_data_flags(parser)
    parser.add_argument(
        "--checkpoints",
        default=str(ROOT / "checkpoints"),
        metavar="DIR",
        help="folder of checkpoints, or hf://USER/REPO[@REVISION], which is fetched from the Hugging Face Hub (default:"
        " the bundled ones)",
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME=MODULE:FUNCTION",
        help="a model of your own beside the checkpoints: a function that returns a mun.own.OwnModel, see"
        " docs/own-models.md; may be given several times",
    )
    parser.add_argument(
        "--features",
        type=named_file,
        action="append",
        default=[],
        metavar="NAME=F.npz",
        help="features of any method, as `python -m mun embed` of a data set writes them; may be given several times",
    )
    parser.add_argument("--images", type=Path, metavar="DIR", help="where the keys of the features are image files")
    return parser


def named_file(words: str) -> tuple[str, Path]:
    """Read NAME=FILE.

    Raises:
        argparse.ArgumentTypeError: The name is missing or not valid.
    """
    name, _, path = words.partition("=")
    if not path or not re.fullmatch(r"[\w.+-]{1,40}", name):
        raise ArgumentTypeError(f"expected NAME=FILE with a name of letters, digits, dots or hyphens, got {words!r}")
    return name, Path(path)


def complain(error: Exception) -> int:
    """Write an error to stderr in one line, and return the exit code of bad input."""
    sys.stderr.write(f"app: error: {' '.join(str(error).split())}\n")
    return 2


def launch_options(library: Library) -> dict[str, Any]:
    """Return the arguments of `launch`; address and port come from Gradio's own environment variables."""
    from starlette.middleware import Middleware

    from app.server.guard import Guard, PackedPage
    from app.shared.api import features_route
    from app.theme import build_theme, page_head, stylesheet

    return {
        "theme": build_theme(),
        "css": stylesheet(),
        "head": page_head(),
        "max_threads": MAX_THREADS,
        "strict_cors": True,
        "state_session_capacity": MAX_SESSIONS,
        "allowed_paths": [],
        "show_error": False,
        "ssr_mode": False,
        "pwa": False,
        "app_kwargs": {"middleware": [Middleware(PackedPage), Middleware(Guard)], "routes": [features_route(library)]},
        "_frontend": False,  # else Gradio ends the app if its own request of the page takes 3 s, as on a busy machine
        "run_history": False,
        "enable_monitoring": False,
        "share": False,
        "footer_links": ["api"],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the app; for bad input write one line to stderr and return 2, else end the process with 0 after the app ends.

    With the environment variable `MUN_DEBUG=1` the traceback of such an error is shown too.
    """
    options = parser().parse_args(arguments)
    prepare_environment()
    keep_memory_small()
    from app.train.host import lent

    lent()  # a lent GPU must be asked for before torch is imported
    from app import build_demo
    from app.library import open_library
    from app.train.queue import Queue
    from mun.hub import HUB, fetch

    try:
        folder = Path(options.checkpoints)
        if options.checkpoints.startswith(HUB):
            sys.stderr.write(f"app: fetching {options.checkpoints}\n")
            folder = fetch(options.checkpoints, cache_folder())
        library = open_library(
            options.data or [("", SYNVI)],
            folder,
            options.layout,
            options.model,
            options.features,
            options.images,
            reading_of(options),
            instead=SYNVI,
        )
        launching, queue = launch_options(library), Queue()
    except (ValueError, OSError) as error:
        if os.environ.get("MUN_DEBUG") == "1":
            raise
        return complain(error)
    for name, words in library.failed.items():
        sys.stderr.write(f"app: passed over the data {name}: {' '.join(words.split())}\n")
    for one in library.collections.values():
        report_passed(one.name, one.source.passed if one.source else (), "app")
    for entry in library.checkpoints.values():
        if entry.reason:
            sys.stderr.write(f"app: passed over the checkpoint {entry.name}: {entry.reason}\n")
    threading.Thread(target=prepare_first_view, args=(library,), daemon=True).start()
    demo = build_demo(library, queue)
    try:
        demo.launch(**launching, prevent_thread_lock=True)
    except OSError as error:
        return complain(error)
    wait_for_end()
    demo.close(verbose=False)
    queue.close()
    library.background.close()
    sys.stderr.write("app: ended; the training run, if any, has saved its state, and waiting runs stay in the queue\n")
    sys.stdout.flush()  # `os._exit` does not flush it
    os._exit(0)  # at once: Python would wait for answers that nobody reads, and give them no threads to finish


def prepare_first_view(library: Library) -> None:
    """Embed the default data by the default checkpoint, then by its partner: the first view compares both."""
    checkpoint, data = library.default_checkpoint, library.default_data
    library.prepare(checkpoint, data)
    if partner := library.checkpoints.partners[checkpoint]:
        with contextlib.suppress(ValueError):  # the page shows the error
            library.embeddings(checkpoint, data)
            library.prepare(partner, data)


def wait_for_end() -> None:
    """Wait until the app is ended, by Ctrl-C or by SIGTERM from a host."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    while not ended.wait(1.0):  # without a timeout, Windows would not handle the signal
        pass
