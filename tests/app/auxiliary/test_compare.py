"""One pair and its auxiliary images: numbers by NumPy, formulas, the generator taken apart, figures, refusals."""

import base64
import io
import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile_images import whole_image
from made import variant
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from app.auxiliary.compare import Compare, Look, Result, answer, pair_of, run
from app.auxiliary.figure import INFRARED, VISIBLE, draw_panel
from app.auxiliary.generator import flat_words, take_apart
from app.auxiliary.panel import ORDER as EVERY
from app.auxiliary.tab import Options, write
from app.library import Library, open_library
from app.library.pair_encoder import PairEncoder, film
from app.library.pairs import opening_pair
from app.shared.figure import DPI, WIDTHS, figure_bytes, styled
from app.shared.tab import Press
from app.shared.tiles import Tile
from mun.auxiliary.generator import input_dependence
from mun.auxiliary.panel import iml_share
from mun.checkpoint import SNAPSHOTS, load_checkpoint, read_card, write_snapshots
from mun.data.augment import to_images
from mun.data.cache import decode_samples
from mun.evaluation.bridge import find, place
from mun.evaluation.protocols import PROTOCOLS
from mun.structures import Modality

PAIR = {"visible": "cam1/0014/0001.jpg", "infrared": "cam6/0014/0002.jpg"}


@pytest.fixture(scope="module")
def rivals(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library with MUN, which keeps two states of its generator, and every learned rival; all untrained."""
    folder = shutil.copytree(tiny_checkpoint, tmp_path_factory.mktemp("rivals") / "checkpoints")
    network, card = load_checkpoint(folder / "mun-tiny")
    state = network.auxiliary.state_dict()
    states = {step: {**state, "scale_iml": factor * state["scale_iml"]} for step, factor in ((5, 0.5), (10, 2.0))}
    write_snapshots(folder / "mun-tiny", states)
    for name in ("x", "middle", "syncretic", "none"):
        variant(folder, f"{name}-tiny", card, seed=1, auxiliary=name)
    return open_library(tiny_synvi, folder)


ORDER = tuple(name for name in EVERY if name != "mun-2")  # the generator makes one image


def asked(library: Library, **values: object) -> Result:
    """Run a comparison as the HTTP function does."""
    return run(library, Compare.read(values, library))


def sent(data: bytes) -> str:
    """A file in base64."""
    return base64.b64encode(data).decode()


def test_a_generator_of_two_images_shows_both(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    card = load_checkpoint(tiny_checkpoint / "mun-tiny")[1]
    generator = replace(card.config.model.generator, form="residual", auxiliary_images=2)
    variant(tmp_path, "two", card, seed=1, generator=generator)
    made = asked(open_library(tiny_synvi, tmp_path), **PAIR)
    first, second = made.panel.pictures[1:3]
    assert (first.name, second.name) == ("mun", "mun-2")
    assert torch.equal(made.parts.pictures[0].image, first.image)
    assert not torch.equal(first.image, second.image)
    assert "It makes two images" in " ".join(made.parts.words)


@pytest.fixture(scope="module")
def result(rivals: Library) -> Result:
    return asked(rivals, **PAIR, mixup=0.3, seed=4)


def tensors(library: Library) -> tuple[torch.Tensor, torch.Tensor]:
    collection = library.collections["synvi"]
    samples = [collection.samples[collection.rows[key]] for key in PAIR.values()]
    images = to_images(torch.from_numpy(decode_samples(samples, 64, 32)))
    return images[:1], images[1:]


def test_every_modality_stands_between_the_two_images_of_the_pair(result: Result) -> None:
    assert tuple(picture.name for picture in result.panel.pictures) == ORDER
    assert result.panel.missing == ()
    by = {picture.name: picture.checkpoint for picture in result.panel.pictures}
    assert [by[name] for name in ("mun", "x", "middle-1", "middle-2", "syncretic", "grayscale")] == [
        "mun-tiny", "x-tiny", "middle-tiny", "middle-tiny", "syncretic-tiny", "mun-tiny"
    ]  # fmt: skip
    assert "MUN's auxiliary stem" in result.panel["grayscale"].words
    assert result.panel["x"].dependence == 1.0


def test_numbers_are_those_of_the_network_and_of_its_gallery(rivals: Library, result: Result) -> None:
    network, collection = rivals.network("mun-tiny"), rivals.collections["synvi"]
    visible, infrared = tensors(rivals)
    with torch.inference_mode():
        points = [
            network.embed(0.3 * visible + 0.7 * infrared, Modality.AUXILIARY),
            network.embed(visible, Modality.VISIBLE),
            network.embed(infrared, Modality.INFRARED),
        ]
    auxiliary, *ends = (point.numpy().astype(float) for point in points)
    made, expected = result.panel["mixup"].place, place(auxiliary[0], *(end[0] for end in ends))
    for name in ("to_visible", "to_infrared", "between"):
        assert getattr(made, name) == pytest.approx(getattr(expected, name), abs=1e-5)
    rows = rivals.embeddings("mun-tiny", "synvi").astype(float)
    sources = [collection.samples[collection.rows[key]] for key in PAIR.values()]
    for modality, found in zip((Modality.VISIBLE, Modality.INFRARED), result.panel["mixup"].found, strict=True):
        gallery = [sample for sample in collection.samples if sample.modality is modality]
        theirs = rows[[collection.rows[sample.key] for sample in gallery]]
        assert [found] == find(auxiliary, 14, sources, gallery, theirs, PROTOCOLS["synvi-all"])


def test_formulas_are_what_they_say(rivals: Library, result: Result) -> None:
    visible, infrared = tensors(rivals)
    shown = {picture.name: picture.pixels.astype(float) for picture in result.panel.pictures}

    def pixels(image: torch.Tensor) -> np.ndarray:
        return 255 * image[0].permute(1, 2, 0).numpy()

    assert np.abs(shown["pixel-mean"] - pixels(0.5 * visible + 0.5 * infrared)).max() <= 1
    assert np.abs(shown["mixup"] - pixels(0.3 * visible + 0.7 * infrared)).max() <= 1
    luma = (visible * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True).expand(-1, 3, -1, -1)
    assert np.abs(shown["grayscale"] - pixels(luma)).max() <= 1
    exchanged = shown["channel-exchange"]
    assert (exchanged[..., 0] == exchanged[..., 2]).all()
    assert any(np.abs(exchanged[..., 0] - pixels(visible)[..., c]).max() <= 1 for c in range(3))
    cut = np.abs(shown["cutmix"] - pixels(visible)).max(axis=2) <= 1
    assert (cut | (np.abs(shown["cutmix"] - pixels(infrared)).max(axis=2) <= 1)).all()
    again = asked(rivals, **PAIR, mixup=0.3, seed=5)
    assert (again.panel["cutmix"].pixels != result.panel["cutmix"].pixels).any()
    assert (again.panel["mun"].pixels == result.panel["mun"].pixels).all()


def test_the_generator_is_taken_apart_and_never_changed(rivals: Library, result: Result) -> None:
    generator = rivals.network("mun-tiny").auxiliary
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    visible, infrared = tensors(rivals)
    learned = iml_share(generator)
    taken = result.parts
    assert taken.learned == taken.share == learned
    assert taken.dependence == pytest.approx(input_dependence(generator, visible, infrared))
    assert (taken["turned"].pixels == result.panel["mun"].pixels).all()
    assert taken["turned"].place.to_visible == pytest.approx(result.panel["mun"].place.to_visible, abs=1e-6)
    encoder = PairEncoder(rivals, "mun-tiny", "synvi", result.panel.pair)
    ends = [take_apart(encoder, share)["turned"].pixels.astype(int) for share in (0.0, 1.0)]
    assert np.abs(ends[0] - ends[1]).max() > 3
    for end in ends:
        assert np.abs(end - taken["turned"].pixels.astype(int)).max() > 3
    assert all(torch.equal(before[name], value) for name, value in generator.state_dict().items())


def test_a_kept_step_is_the_generator_of_that_step(rivals: Library) -> None:
    taken = asked(rivals, **PAIR, step=5).parts
    assert taken.steps == (5, 10)
    assert taken.step == 5
    assert taken.learned == pytest.approx(1 / 3)
    assert taken["turned"].title == "MUN, step 5"
    assert asked(rivals, **PAIR).parts.learned == pytest.approx(0.5)
    with pytest.raises(ValueError, match=r"one that mun-tiny keeps \(5, 10\) or -1, got 6"):
        asked(rivals, **PAIR, step=6)


def test_the_film_ends_with_the_whole_training_and_is_shown_as_the_page_shows_images(rivals: Library) -> None:
    encoder = PairEncoder(rivals, "mun-tiny", "synvi", asked(rivals, **PAIR).panel.pair)
    frames = film(encoder)
    assert [step for step, _ in frames] == [5, 10, -1]
    for step, pixels in frames:
        assert (pixels == asked(rivals, **PAIR, step=step).parts["turned"].pixels).all()


def test_a_branch_that_shows_nothing_says_so_by_its_spread(rivals: Library, result: Result) -> None:
    for part in result.parts.pictures[1:]:
        values = part.pixels.astype(float).reshape(-1, 3)
        if not part.clipped:
            assert part.spread == pytest.approx(values.std(axis=0, ddof=1).mean() / 255, abs=0.01)
    assert flat_words("cml", 0.004, ((1, 1), (8, 4))) == (
        "Flat: values vary by 0.4 % of black to white. It fuses at most 8 by 4 averages of each image: tone, no detail."
    )
    assert flat_words("iml", 0.004, ((8, 4),)).endswith("black to white.")
    assert flat_words("cml", 0.2, ((8, 4),)) == ""


def test_what_is_missing_is_said(library: Library) -> None:
    result = asked(library)
    assert [missing.name for missing in result.panel.missing] == ["x", "middle", "syncretic"]
    assert all("No checkpoint of it is loaded" in missing.words for missing in result.panel.missing)
    assert result.parts.steps == ()
    assert any("cannot be replayed" in words for words in result.parts.words)


def test_a_broken_file_of_steps_is_a_sentence(rivals: Library) -> None:
    path = rivals.checkpoints["mun-tiny"].folder / SNAPSHOTS
    whole = path.read_bytes()
    try:
        path.write_bytes(b"no safetensors")
        words = " ".join(asked(rivals, **PAIR).parts.words)
    finally:
        path.write_bytes(whole)
    assert "cannot be replayed" in words
    assert str(path.parent.parent) not in words


def test_the_first_pair_is_one_person_who_is_seen_well(library: Library) -> None:
    visible, infrared = opening_pair(library, "synvi")
    assert visible.pid == infrared.pid
    assert (visible.modality, infrared.modality) == (Modality.VISIBLE, Modality.INFRARED)
    chosen = pair_of(library, Compare.read({"visible": visible.key}, library))
    assert chosen.infrared.name == infrared.key


def test_rendered_pairs_are_aligned_at_0_and_the_datas_own_people(library: Library) -> None:
    def silhouettes(misalignment: float) -> float:
        request = Compare.read({"source": "rendered", "person": 14, "misalignment": misalignment}, library)
        images = pair_of(library, request).pixels[64, 32].astype(float).mean(axis=3)
        edges = [np.abs(np.diff(image, axis=1)) for image in images]
        return float(np.corrcoef(edges[0].ravel(), edges[1].ravel())[0, 1])

    assert silhouettes(0.0) > silhouettes(1.0) + 0.1
    pair = pair_of(library, Compare.read({"source": "rendered", "person": 14}, library))
    assert pair.pid == 14
    assert {sample.camid for sample in pair.sources} == {2, 3}
    result = asked(library, source="rendered", person=14)
    assert result.panel["mun"].found[0] is not None
    with pytest.raises(ValueError, match="expected person from 13 to 18, got 99"):
        asked(library, source="rendered", person=99)


def test_own_images_may_differ_in_size_and_leave_nothing(library: Library) -> None:
    own = {"visible_image": sent(whole_image(height=90)), "infrared_image": sent(whole_image(height=300))}
    result = asked(library, **own)
    assert result.request.source == "own"
    assert any("They differ in size (32×90 and 32×300 pixels)" in note for note in result.panel.pair.notes)  # noqa: RUF001
    assert result.panel["mun"].found == (None, None)
    with pytest.raises(ValueError, match="an infrared one is missing"):
        asked(library, visible_image=own["visible_image"])
    with pytest.raises(ValueError, match="at least 8 pixels each way, got 3 x 4"):
        asked(library, **{**own, "visible_image": sent(whole_image(width=3, height=4))})


def test_a_person_of_one_modality_is_a_plain_sentence(make_sysu, tiny_checkpoint) -> None:
    library = open_library(make_sysu({1: (1, 2), 2: (1, 3, 6), 3: (4, 6)}), tiny_checkpoint)
    with pytest.raises(ValueError, match="got person 1 with visible images but no infrared one; choose another person"):
        asked(library, person=1)
    assert opening_pair(library, "sysu")[0].pid == 2
    other = asked(library, source="rendered", person=3)
    assert "nobody in the data loaded here" in other.panel.pair.words
    assert other.panel["mun"].found == (None, None)


def test_without_muns_generator_there_is_a_sentence(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    variant(tmp_path, "none-tiny", read_card(tiny_checkpoint / "mun-tiny"), auxiliary="none")
    with pytest.raises(ValueError, match="expected a checkpoint with MUN's generator, got none; train one"):
        asked(open_library(tiny_synvi, tmp_path))


def test_the_answer_is_json_with_whole_pngs(rivals: Library, result: Result) -> None:
    made = json.loads(json.dumps(answer(rivals, result.request), allow_nan=False))
    assert made == json.loads(json.dumps(result.to_json()))
    assert list(made)[:11] == list(Compare.model_fields)[:11]
    assert (made["mixup"], made["seed"], made["pair"]["person"]) == (0.3, 4, 14)
    assert [one["name"] for one in made["modalities"]] == list(ORDER)
    for one in [*made["modalities"], *made["mun"]["images"]]:
        data = base64.b64decode(one["image"].removeprefix("data:image/png;base64,"))
        assert Image.open(io.BytesIO(data)).size == (32, 64)
    assert made["mun"]["steps"] == [5, 10]


def exported(library: Library, kind: str, **values: object) -> bytes:
    request = Look.read({**PAIR, "mixup": 0.3, "seed": 4, **values}, library)
    file = write(library, request, Options.read({}, library), "panel", kind, Press(url="http://here:1/"))
    assert file.name == f"auxiliary-cam1-0014-0001-mun-tiny.{'tex' if kind == 'latex' else kind}"
    return file.data


def test_exports_say_where_they_come_from(rivals: Library, result: Result) -> None:
    lines = exported(rivals, "csv").decode().splitlines()
    table = [line.split(",") for line in lines if not line.startswith('"#') and not line.startswith("#")]
    assert [row[1] for row in table[1:]] == [*ORDER, "turned", "iml", "cml"]
    row = dict(zip(table[0], table[1 + ORDER.index("mun")], strict=True))
    assert float(row["d_to_visible"]) == pytest.approx(result.panel["mun"].place.to_visible, abs=1e-6)
    words = " ".join(lines)
    for part in ("mun-tiny (", "syncretic-tiny (", "λ = 0.30", "seed 4", "two images of one person"):
        assert part in words
    (call,) = (line.split(",", 1)[1].strip('"') for line in lines if "reproduced by" in line)
    compile(call, "call", "exec")
    for part in ("Client('http://here:1/')", "visible='cam1/0014/0001.jpg'", "mixup=0.3, seed=4, "):
        assert part in call
    assert "person" not in call


@pytest.mark.parametrize(
    ("kind", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF-1."), ("svg", b"<?xml"), ("latex", b"% pair: Person 14")]
)
def test_every_kind_is_written(rivals: Library, kind: str, start: bytes) -> None:
    data = exported(rivals, kind)
    assert data.startswith(start)
    if kind == "svg":
        for part in ("http://here:1/", "mun-tiny (", "identity label", "synthetic", "seed=4"):
            assert part.encode() in data.replace(b"\n", b" ")


def test_a_figure_of_own_images_names_no_file_and_no_pixel(library: Library) -> None:
    values = {"source": "own", "visible_image": sent(whole_image()), "infrared_image": sent(whole_image(height=80))}
    request = Look.read(values, library)
    file = write(library, request, Options.read({}, library), "panel", "csv", Press())
    assert file.name == "auxiliary-own-mun-tiny.csv"
    assert b"visible_image='<base64>', infrared_image='<base64>'" in file.data


CALL = "from gradio_client import Client; print(Client('http://127.0.0.1:7860').predict(seed=3, api_name='/auxiliary'))"

CAPTION = "A pair with $ and _ and a name that is <b>odd</b>. " * 3


def tiles(count: int) -> list[Tile]:
    grey, lines = np.full((64, 32, 3), 128, np.uint8), ("V 0.60 · I 0.70", "rank 1 | 2")
    return [Tile(grey, f"Modality {number}{', a long name' * (number % 2)}", lines) for number in range(count)]


@pytest.mark.parametrize(
    ("count", "below", "width"), [(12, 3, "two-column"), (8, 2, "one-column"), (3, 0, "two-column")]
)
def test_every_image_and_bar_is_on_the_paper(count: int, below: int, width: str) -> None:
    titles = [tile.title for tile in tiles(count)[1:-1]]
    bars = [(title, (0.6, 1.4)) for title in titles]
    figure = draw_panel(tiles(count), tiles(below), bars, CAPTION, CALL, width)
    assert sum(len(axes.images) for axes in figure.axes) == count + below
    chart = figure.axes[1]
    assert [patch.get_width() for patch in chart.patches] == [0.6, 1.4] * (count - 2)
    assert [label.get_text() for label in chart.get_yticklabels()] == titles
    pixels = np.asarray(Image.open(io.BytesIO(figure_bytes(figure, "png"))).convert("RGB")).astype(int)
    assert pixels.shape[1] == pytest.approx(DPI * WIDTHS[width], abs=1)
    for colour in (VISIBLE, INFRARED):
        assert (np.abs(pixels - list(bytes.fromhex(colour[1:]))).max(axis=-1) < 12).any()
    with styled():
        figure.set_dpi(DPI)
        renderer = FigureCanvasAgg(figure).get_renderer()
        words = figure.texts + figure.axes[0].texts + chart.texts + chart.get_yticklabels()
        boxes = [text.get_window_extent(renderer) for text in words]
    bold = [box for text, box in zip(words, boxes, strict=True) if text.get_weight() == "bold"]
    assert len(bold) == count + below
    assert not any(one.overlaps(other) for one, other in itertools.combinations(bold, 2))
    for box in boxes:
        assert figure.bbox.x0 - 3 <= box.x0 <= box.x1 <= figure.bbox.x1 + 3
        assert box.y0 >= figure.bbox.y0 - 3
