"""Embeddings in a file: as the network gives them, named without folders of the machine, whole or not at all."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mun.__main__ import main
from mun.checkpoint import load_checkpoint
from mun.embedding import embed_pixels
from mun.images import read_image, resize
from mun.structures import Modality


@pytest.fixture
def model(tiny_checkpoint: Path) -> str:
    return str(tiny_checkpoint / "mun-tiny")


def embed(model: str, out: Path, *words: str, modality: str = "infrared") -> dict[str, np.ndarray]:
    assert main(["embed", model, *words, "--modality", modality, "--out", str(out), "--quiet"]) == 0
    with np.load(out, allow_pickle=False) as archive:
        return dict(archive)


@pytest.mark.parametrize("modality", ["visible", "infrared"])
@pytest.mark.parametrize("flip", [False, True])
def test_rows_are_what_the_network_says(model, tiny_synvi, tmp_path, modality, flip) -> None:
    folder = tiny_synvi / {"visible": "cam2", "infrared": "cam6"}[modality]
    arrays = embed(model, tmp_path / "e.npz", str(folder), *(["--flip"] if flip else []), modality=modality)
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.jpg"))]
    assert arrays["names"].tolist() == names
    network, card = load_checkpoint(Path(model))
    pixels = np.stack([resize(read_image(folder / name), 64, 32) for name in names])
    expected = embed_pixels(network, pixels, Modality(modality), flip=flip)
    assert arrays["embeddings"].dtype == np.float32
    np.testing.assert_allclose(arrays["embeddings"], expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(arrays["embeddings"], axis=1), 1, atol=1e-5)
    assert (str(arrays["modality"]), bool(arrays["flip"]), str(arrays["checkpoint"])) == (modality, flip, card.name)
    weights = (Path(model) / "model.safetensors").read_bytes()
    assert str(arrays["weights_sha256"]) == hashlib.sha256(weights).hexdigest()


def test_the_same_call_writes_the_same_bytes_without_folders_of_the_machine(model, tiny_synvi, tmp_path) -> None:
    for name in ("a.npz", "b.npz"):
        embed(model, tmp_path / name, str(tiny_synvi / "cam3"))
    data = (tmp_path / "a.npz").read_bytes()
    assert data == (tmp_path / "b.npz").read_bytes()
    assert str(tiny_synvi).encode() not in data
    assert str(tiny_synvi).encode("utf-32-le") not in data  # how NumPy stores text


def test_files_and_several_folders_are_named_from_what_holds_them_all(model, tiny_synvi, tmp_path) -> None:
    person = sorted((tiny_synvi / "cam3").iterdir())[0]
    first, second = sorted(person.iterdir())
    arrays = embed(model, tmp_path / "e.npz", str(second), str(first), str(first))
    assert arrays["names"].tolist() == [first.name, second.name]
    arrays = embed(model, tmp_path / "e.npz", str(tiny_synvi / "cam6"), str(tiny_synvi / "cam3"))
    assert {name.split("/")[0] for name in arrays["names"].tolist()} == {"cam3", "cam6"}
    assert arrays["names"].tolist() == sorted(arrays["names"].tolist())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["embed", "MODEL", "nowhere", "--modality", "visible", "--out", "OUT"], "expected a folder or an image file"),
        (["embed", "MODEL", "EMPTY", "--modality", "visible", "--out", "OUT"], "found none"),
        (["embed", "MODEL", "TEXT", "--modality", "visible", "--out", "OUT"], "expected an image file"),
        (["embed", "MODEL", "BROKEN", "--modality", "visible", "--out", "OUT"], "broken.png"),
        (["embed", "nowhere", "IMAGES", "--modality", "visible", "--out", "OUT"], "expected a checkpoint folder"),
        (["embed", "MODEL", "IMAGES", "--modality", "auxiliary", "--out", "OUT"], "invalid choice"),
        (["embed", "MODEL", "IMAGES", "--out", "OUT"], "--modality"),
        (["embed", "MODEL", "IMAGES", "--modality", "visible"], "--out"),
        (["embed", "MODEL", "IMAGES", "--modality", "visible", "--out", "EMPTY"], "expected a file name"),
        (["embed", "MODEL", "IMAGES", "--modality", "visible", "--out", "TEXT/e.npz"], "exists|directory"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(words, message, model, tmp_path, refused) -> None:
    for name in ("empty", "broken", "images"):
        (tmp_path / name).mkdir()
    (tmp_path / "text.txt").write_text("no image")
    for name in ("images", "broken"):
        Image.new("RGB", (9, 9)).save(tmp_path / name / "a.png")
    (tmp_path / "broken" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    places = {"MODEL": model, "IMAGES": tmp_path / "images", "OUT": tmp_path / "out" / "e.npz"}
    places |= {"EMPTY": tmp_path / "empty", "TEXT": tmp_path / "text.txt", "BROKEN": tmp_path / "broken"}
    places |= {"TEXT/e.npz": tmp_path / "text.txt" / "e.npz", "nowhere": tmp_path / "nowhere"}
    shown = refused(*(places.get(word, word) for word in words), "--quiet")
    assert any(part in shown for part in message.split("|"))
