"""What the repository ships: the gallery, the checkpoint, and that its card is true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mun.checkpoint import load_checkpoint
from mun.data.cache import decode_samples
from mun.data.sources import read_source
from mun.embedding import embed_samples
from mun.evaluation.benchmark import benchmark
from mun.evaluation.bounds import grey_feature
from mun.evaluation.protocols import get_protocol
from mun.structures import Modality

ROOT = Path(__file__).parents[1]
CHECKPOINTS = sorted(path.parent for path in (ROOT / "checkpoints").glob("*/card.json"))


def test_there_is_a_mun_to_show() -> None:
    assert any(folder.name.startswith("mun-") for folder in CHECKPOINTS)


@pytest.mark.parametrize("folder", CHECKPOINTS, ids=lambda folder: folder.name)
def test_checkpoint_is_small_and_its_card_complete(folder) -> None:
    _, card = load_checkpoint(folder)
    assert (folder / "model.safetensors").stat().st_size <= 6_000_000
    assert card.name == folder.name
    assert card.command[0].startswith("python -m mun synth OUT")
    assert card.command[1].startswith("python -m mun train --data OUT")
    assert {record["protocol"] for record in card.scores} >= {"synvi-all", "synvi-indoor"}
    assert all(record["split"] == "test" and record["trials"] == 10 for record in card.scores)


def test_gallery_is_synthetic_and_light() -> None:
    source = read_source("synvi", ROOT / "assets" / "synvi")
    assert source.train == source.val == ()
    assert len({sample.pid for sample in source.test}) == 100
    assert {sample.modality for sample in source.test} == {Modality.VISIBLE, Modality.INFRARED}
    assert sum(path.stat().st_size for path in (ROOT / "assets").rglob("*") if path.is_file()) < 9_500_000


@pytest.mark.slow
@pytest.mark.parametrize("folder", CHECKPOINTS, ids=lambda folder: folder.name)
def test_card_holds_on_the_bundled_gallery(folder) -> None:
    """The floor: 40 % rank-1 on 100 unseen people, four times grey pixels, and within 3 points of the card."""
    network, card = load_checkpoint(folder)
    source = read_source("synvi", ROOT / "assets" / "synvi")
    pixels = np.stack([grey_feature(image) for image in decode_samples(source.test, 128, 64)])
    mean, grey = (
        benchmark(get_protocol("synvi-all"), source.test, rows, data=source.name).mean()
        for rows in (embed_samples(network, source.test), pixels)
    )
    (record,) = [r for r in card.scores if (r["protocol"], r["shots"], r["flip"]) == ("synvi-all", 1, False)]
    assert mean["rank1"] >= 0.4
    assert mean["rank1"] >= 4 * grey["rank1"]
    assert mean["rank1"] == pytest.approx(record["mean"]["rank1"], abs=0.03)
    assert mean["mean_ap"] == pytest.approx(record["mean"]["mean_ap"], abs=0.03)
