"""Images are decoded in processes that are bounded in memory and time, and end with the program at the latest."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from hostile_images import greedy_images, jpeg_of_scans
from made import encoded, until
from PIL import Image

from mun import decoding
from mun.decoding import MEMORY_BYTES, Decoders
from mun.images import decode

ROOT = Path(__file__).parents[1]
PIXELS = np.random.default_rng(0).integers(0, 256, (60, 40, 3), dtype=np.uint8)
NEEDS_MORE = "^expected the file to be an image that can be decoded within 5 s and 400 MB, got one that needs more$"


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    made = Decoders()
    yield made
    made.close()


@pytest.fixture(params=[False, True], ids=["bounded by the system", "watched"])
def either(request: pytest.FixtureRequest) -> Iterator[Decoders]:
    """Both ways; the second is what Windows and macOS get."""
    made = Decoders(watched=request.param)
    yield made
    made.close()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF"])
def test_pixels_are_those_of_the_decoder(decoders: Decoders, kind: str) -> None:
    data = encoded(Image.fromarray(PIXELS), kind)
    np.testing.assert_array_equal(decoders.decode(data), decode(data))


@pytest.mark.parametrize("data", [b"", b"hello", encoded(Image.fromarray(PIXELS))[:900], bytes(16_000_001)])
def test_refusals_are_those_of_the_decoder(decoders: Decoders, data: bytes) -> None:
    with pytest.raises(ValueError) as expected:  # noqa: PT011 the words are compared
        decode(data, "M\u00fcller's <file>")
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        decoders.decode(data, "M\u00fcller's <file>")
    assert str(refused.value) == str(expected.value)


@pytest.mark.slow
@pytest.mark.parametrize("kind", greedy_images())
def test_what_asks_for_too_much_costs_its_process_alone(either: Decoders, kind: str) -> None:
    either.decode(encoded(Image.fromarray(PIXELS)))
    (before,) = either._running
    with pytest.raises(ValueError, match=NEEDS_MORE):
        either.decode(greedy_images()[kind], "the file")
    assert before.poll() is not None
    np.testing.assert_array_equal(either.decode(encoded(Image.fromarray(PIXELS))), PIXELS)
    assert before not in either._running


MEASURE = """
import resource, sys
from mun.decoding import Decoders
decoders = Decoders()
for name in sys.argv[1:]:
    try:
        decoders.decode(open(name, "rb").read())
    except ValueError as error:
        print(error)
decoders.close()
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the processes are watched, and overrun for a moment")
def test_memory_stays_below_its_bound(tmp_path: Path) -> None:
    for kind, data in greedy_images().items():
        (tmp_path / kind).write_bytes(data)
    command = [sys.executable, "-c", MEASURE, *map(str, tmp_path.iterdir())]
    *said, peak = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(said) == len(greedy_images())
    assert 1024 * int(peak) < MEMORY_BYTES + 60_000_000  # with what an idle process has


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGBA", (5000, 5000), (9, 8, 7, 128)),
        Image.fromarray(np.tile(np.arange(5000, dtype=np.uint16), (5000, 1))),
    ],
    ids=["transparent", "infrared of 16 bits"],
)
def test_the_largest_honest_images_are_decoded(decoders: Decoders, image: Image.Image) -> None:
    assert decoders.decode(encoded(image)).shape == (5000, 5000, 3)


def test_a_process_that_has_ended_is_replaced(decoders: Decoders) -> None:
    decoders.decode(encoded(Image.fromarray(PIXELS)))
    for process in tuple(decoders._running):
        process.kill()
        process.wait()
    np.testing.assert_array_equal(decoders.decode(encoded(Image.fromarray(PIXELS))), PIXELS)


def test_threads_get_their_own_images(decoders: Decoders) -> None:
    def attempt(number: int) -> bool:
        pixels = np.full((number % 7 + 1, number + 1, 3), number, dtype=np.uint8)
        return np.array_equal(decoders.decode(encoded(Image.fromarray(pixels))), pixels)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(attempt, range(200)))
    assert len(decoders._running) <= 2


def test_no_more_wait_than_may() -> None:
    decoders, begun = Decoders(processes=1, waiting=1), threading.Barrier(3)
    small, slow = encoded(Image.fromarray(PIXELS)), jpeg_of_scans(200)

    def attempt(data: bytes) -> str:
        begun.wait()
        try:
            return str(decoders.decode(data).shape)
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(3) as pool:
        said = sorted(pool.map(attempt, [slow] * 3), key=len)
    assert said == ["(4900, 4900, 3)"] * 2 + [
        "too many images are waiting to be decoded just now; try again in a moment"
    ]
    assert decoders.decode(small).shape == PIXELS.shape
    decoders.close()


def test_where_no_process_can_be_started_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no more processes")

    decoders = Decoders(processes=1, waiting=0)
    with monkeypatch.context() as patch:
        patch.setattr(decoding.subprocess, "Popen", refuse)
        with pytest.raises(ValueError, match="images cannot be decoded just now"):
            decoders.decode(encoded(Image.fromarray(PIXELS)))
    assert decoders.decode(encoded(Image.fromarray(PIXELS))).shape == PIXELS.shape
    decoders.close()


STAY = """
import sys
from mun.decoding import Decoders
decoders = Decoders()
try:
    decoders.decode(b"")
except ValueError:
    print(next(iter(decoders._running)).pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["the end", "a signal"])
def test_processes_end_with_the_program(how: str) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", STAY], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    child = psutil.Process(int(program.stdout.readline()))
    assert child.is_running()
    if how == "a signal":
        os.kill(program.pid, signal.SIGKILL)
    program.communicate("")
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize("whole", [greedy_images()["bmp of gaps"], jpeg_of_scans(40, 200)], ids=["BMP", "JPEG"])
def test_damaged_greedy_files_decode_or_get_one_sentence(decoders: Decoders, whole: bytes) -> None:
    """Files of every format, a thousand damages each, are the decoder's own test."""
    generator, refused = np.random.default_rng(5), []
    for _ in range(15):
        data = bytearray(whole)
        for place in generator.integers(0, min(len(data), 1200), generator.integers(1, 8)):
            data[place] = generator.integers(0, 256)
        try:
            assert decoders.decode(bytes(data), "the file").dtype == np.uint8
        except ValueError as error:
            refused.append(str(error))
    assert refused
    assert all(words.startswith("expected the file to ") and "\n" not in words for words in refused)
    assert max(map(len, refused)) < 200
