"""A visitor's own images: decoded once, resized to the networks' input sizes, kept only in the browser.

A page's field of the type `File` holds the chosen file as a data URI (`static/own.js`). `read_own` reads it;
`small_copy` makes a lossless copy, which the answer puts into the field instead, so that later presses send only some
kilobytes.
"""

import base64
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from app.library.library import Library
from app.library.thumbnails import png_uri
from mun.data.source import TITLES
from mun.embedding import embed_pixels
from mun.images import FORMATS, MAX_BYTES, resize
from mun.structures import Modality

__all__ = ["OwnImage", "embed_own", "from_base64", "image_notes", "look_at", "other_modality", "read_own"]
__all__ += ["short_name", "small_copy", "split_gallery", "too_new", "warning"]

MAX_GALLERY = 200  # images
MAX_NAME = 48  # characters of a file name that are shown
RATIO = 1.5  # an image that is stretched by more than this gets a note
URL_SAFE = str.maketrans("-_", "+/")
SIZE = re.compile(r"([1-9]\d{0,5})x([1-9]\d{0,5})")
# Formats of ISO base media files in which phones save pictures, by the brand that follows `ftyp`.
BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}


@dataclass(frozen=True, eq=False)
class OwnImage:
    """The data that are kept of a file after decoding.

    Attributes:
        name: The file's name, shortened; not yet escaped for HTML.
        height: Pixels of the original image.
        width: Likewise.
        pixels: RGB, uint8, `(H, W, 3)`, for each input size (H, W) of the checkpoints that were usable at that time.
    """

    name: str
    height: int
    width: int
    pixels: Mapping[tuple[int, int], NDArray[np.uint8]]


def short_name(name: object) -> str:
    """Return the last part of a file's name, without control characters, at most 48 characters, its ending kept."""
    last = name.replace("\\", "/").rpartition("/")[2] if isinstance(name, str) else ""
    last = "".join(letter for letter in last if unicodedata.category(letter)[0] != "C").strip() or "unnamed"
    return last if len(last) <= MAX_NAME else f"{last[: MAX_NAME - 11]}…{last[-10:]}"


def other_modality(modality: Modality) -> Modality:
    """Return infrared for visible, and visible for infrared."""
    return Modality.VISIBLE if modality is Modality.INFRARED else Modality.INFRARED


def from_base64(name: str, value: object) -> bytes:
    """Read a file's bytes from base64, with or without the head of a data URI; wrapped or URL-safe, padded or not.

    Raises:
        ValueError: The value is not text, not base64, empty, or larger than 16 MB.
    """
    if not isinstance(value, str):
        raise ValueError(f"expected {name} to be an image file in base64 or a data URI, got {type(value).__name__}")
    head, comma, body = value.partition(",") if value[:5].lower() == "data:" else ("", "", value)
    if comma and not head.lower().endswith(";base64"):
        raise ValueError(f"expected the data URI of {name} to be in base64, got another encoding")
    body = "".join(line.strip() for line in body.splitlines()).translate(URL_SAFE).rstrip("=")
    if not body:
        raise ValueError(f"expected {name} to be an image file in base64 or a data URI, got none")
    if len(body) // 4 * 3 > MAX_BYTES + 2:
        raise ValueError(f"expected {name} to have at most {MAX_BYTES // 1_000_000} MB, got more")
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except ValueError:
        raise ValueError(f"expected {name} to be an image file in base64 or a data URI, got other text") from None


def look_at(library: Library, data: bytes, name: str = "", what: str = "the image") -> OwnImage:
    """Decode a file in a bounded process and keep only the sizes that the networks need.

    Args:
        library: Its checkpoints determine the sizes.
        data: The file's bytes.
        name: The file's name, shown only to the visitor.
        what: Name of the image in an error.

    Raises:
        ValueError: The file is not an image that the decoder accepts.
    """
    if data[4:8] == b"ftyp" and (kind := BRANDS.get(data[8:12])):
        raise ValueError(f"expected {what} to be one of {', '.join(FORMATS)}, got {kind}; save it as JPEG first")
    image = library.decoders.decode(data, what)
    pixels = {size: resize(image, *size).copy() for size in library.input_sizes}
    return OwnImage(short_name(name), image.shape[0], image.shape[1], pixels)


def read_own(library: Library, name: str, value: object, what: str = "the image") -> OwnImage:
    """Read an image of a request: the file that the visitor chose, or its small copy.

    Args:
        library: Its checkpoints determine the sizes.
        name: Name of the request's field.
        value: A data URI. Its head may hold the file's name and, for a small copy, the file's size in pixels.
        what: Name of the image in an error.

    Raises:
        ValueError: As `from_base64` and `look_at`.
    """
    data = from_base64(name, value)
    head = dict(part.partition("=")[::2] for part in str(value)[:2000].partition(",")[0].split(";")[1:])
    image = look_at(library, data, unquote(head.get("name", "")), what)
    size = SIZE.fullmatch(head.get("size", ""))
    return replace(image, height=int(size[1]), width=int(size[2])) if size else image


def small_copy(image: OwnImage) -> str:
    """Return an image at the largest of the networks' sizes, as a lossless PNG data URI."""
    head = f";name={quote(image.name, safe='')};size={image.height}x{image.width}"
    return png_uri(image.pixels[max(image.pixels)], head)


def split_gallery(library: Library, value: str) -> list[OwnImage]:
    """Read a visitor's gallery: one picture of small copies, one below another, as `static/own.js` makes it.

    Args:
        library: Its checkpoints determine the sizes.
        value: A data URI.

    Raises:
        ValueError: The value is not a picture, or does not consist of copies of the size that `small_copy` gives.
    """
    sizes = library.input_sizes
    height, width = max(sizes)
    sheet = library.decoders.decode(from_base64("gallery", value), "the gallery")
    count, rest = divmod(sheet.shape[0], height)
    if rest or sheet.shape[1] != width or not 1 <= count <= MAX_GALLERY:
        size = f"{sheet.shape[0]} by {sheet.shape[1]}"
        raise ValueError(f"expected a gallery of 1 to {MAX_GALLERY} images of {height} by {width} pixels, got {size}")
    images = [sheet[row * height : (row + 1) * height] for row in range(count)]
    return [OwnImage("", height, width, {size: resize(one, *size) for size in sizes}) for one in images]


def image_notes(name: str, image: OwnImage, size: tuple[int, int]) -> list[str]:
    """List what is unusual about an image, one sentence each.

    Args:
        name: Name of the image in the sentences, for example `visible image`.
        image: The image.
        size: Input height and width of the network.
    """
    notes, wanted, shape = [], size[0] / size[1], image.height / image.width
    if max(shape / wanted, wanted / shape) > RATIO:
        notes.append(f"Your {name} has other proportions than a standing person's crop, so it is stretched.")
    if image.height < size[0] / 2:
        notes.append(f"Your {name} is small and was enlarged.")
    return notes


def embed_own(library: Library, checkpoint: str, images: Sequence[OwnImage], modality: Modality) -> NDArray[np.float64]:
    """Embed a visitor's own images of one modality.

    Returns:
        Unit-length embeddings, float64, `(N, D)`.

    Raises:
        ValueError: The checkpoint has changed on the disk, gives values that are not finite, or was added after an
            image and needs a size that was not kept.
    """
    network = library.network(checkpoint)
    size = network.config.size
    if not all(size in image.pixels for image in images):
        raise too_new(checkpoint)
    rows = embed_pixels(network, np.stack([image.pixels[size] for image in images]), modality)
    return np.asarray(rows, dtype=np.float64)


def too_new(checkpoint: str) -> ValueError:
    """Return the error for a checkpoint that was added after a visitor's image and needs a size that was not kept."""
    return ValueError(
        f"expected an image at the input size of the checkpoint {checkpoint}, which was added later than the image;"
        " add the image again"
    )


def warning(library: Library, checkpoint: str) -> str:
    """Return the warning about the limits of a ranking for a visitor's own image.

    Raises:
        KeyError: There is no such checkpoint.
    """
    card = library.checkpoints[checkpoint].card
    trained_on = card.data.get("name") if card is not None else None
    if trained_on == "synvi":
        return (
            "This model was trained only on the rendered people of SynVI: it never saw a real person. "
            "Its results for a real photo are no evidence of who is in it."
        )
    title = TITLES.get(trained_on, ("", trained_on))[1] if isinstance(trained_on, str) else ""
    known_as = title or "data that its card does not name"
    return (
        f"This model was trained on {known_as} and never saw images of your camera. "
        "Its results are no evidence of who is in your photo."
    )
