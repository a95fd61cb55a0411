"""Embedding: order, unit length, flip, batches, errors."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mun.checkpoint import build_network, load_checkpoint
from mun.config import Config
from mun.data.cache import decode_samples
from mun.data.pairing import pair_samples
from mun.data.sources import read_source
from mun.embedding import Space, auxiliary_images, embed_pairs, embed_pixels, embed_samples
from mun.structures import Modality


def pixels(count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 64, 32, 3), dtype=np.uint8)


def test_unit_length_whatever_the_batch(tiny_network) -> None:
    whole = embed_pixels(tiny_network, pixels(), Modality.VISIBLE)
    parts = embed_pixels(tiny_network, pixels(), Modality.VISIBLE, batch_size=2)
    assert whole.shape == (5, tiny_network.num_features)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(whole, parts, atol=1e-5)


def test_modalities_have_their_own_stem(tiny_network) -> None:
    visible, infrared = (embed_pixels(tiny_network, pixels(), m) for m in (Modality.VISIBLE, Modality.INFRARED))
    assert np.abs(visible - infrared).max() > 1e-3


def test_flip_is_the_normalised_mean(tiny_network) -> None:
    source = pixels()
    plain, mirrored = (embed_pixels(tiny_network, p, Modality.INFRARED) for p in (source, source[:, :, ::-1]))
    mean = (plain + mirrored) / np.linalg.norm(plain + mirrored, axis=1, keepdims=True)
    flipped = embed_pixels(tiny_network, source, Modality.INFRARED, flip=True)
    np.testing.assert_allclose(flipped, mean, atol=1e-5)


def test_samples_keep_their_order(tiny_network, tiny_synvi) -> None:
    samples = read_source("synvi", tiny_synvi).test[::-1][:9]
    embeddings = embed_samples(tiny_network, samples, chunk=2)
    for row in (0, 4, 8):
        image = decode_samples([samples[row]], 64, 32)
        np.testing.assert_allclose(
            embeddings[row], embed_pixels(tiny_network, image, samples[row].modality)[0], atol=1e-5
        )


def test_no_images(tiny_network) -> None:
    assert embed_pixels(tiny_network, pixels(0), Modality.VISIBLE).shape == (0, tiny_network.num_features)
    assert embed_samples(tiny_network, []).shape == (0, tiny_network.num_features)


@pytest.mark.parametrize("wrong", [pixels()[:, :32], pixels()[0], pixels().astype(np.float32)])
def test_shape_and_type_are_checked(tiny_network, wrong) -> None:
    with pytest.raises(ValueError, match=r"uint8 pixels of shape \(N, 64, 32, 3\)"):
        embed_pixels(tiny_network, wrong, Modality.VISIBLE)


def test_damaged_weights_are_noticed(tiny_checkpoint) -> None:
    network, _ = load_checkpoint(tiny_checkpoint / "mun-tiny")
    with torch.no_grad():
        network.neck.bn.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="finite embeddings"):
        embed_pixels(network, pixels(), Modality.VISIBLE)


def test_features_lie_before_the_neck(tiny_network) -> None:
    features = embed_pixels(tiny_network, pixels(), Modality.VISIBLE, space=Space.FEATURES)
    with torch.no_grad():
        embeddings = tiny_network.neck(torch.from_numpy(features))[0].numpy()
    np.testing.assert_allclose(embed_pixels(tiny_network, pixels(), Modality.VISIBLE), embeddings, atol=1e-5)
    assert np.abs(np.linalg.norm(features, axis=1) - 1).max() > 0.01


@pytest.mark.parametrize("space", Space)
def test_auxiliary_points_are_those_of_the_generated_images(tiny_network, tiny_synvi, space, monkeypatch) -> None:
    monkeypatch.setattr("mun.embedding.PAIR_CHUNK", 5)
    pairs = pair_samples(read_source("synvi", tiny_synvi).test)[:12]
    points = embed_pairs(tiny_network, pairs, space=space)
    assert points.shape == (len(pairs), 1, tiny_network.num_features)
    images = auxiliary_images(tiny_network, pairs[4:6])
    assert images.shape == (2, 1, 3, 64, 32)
    with torch.no_grad():
        batch = torch.from_numpy(images[:, 0])
        features = tiny_network.features(batch, Modality.AUXILIARY)
        expected = features if space is Space.FEATURES else tiny_network.neck(features)[0]
    np.testing.assert_allclose(points[4:6, 0], expected.numpy(), atol=1e-4, rtol=1e-4)


def test_without_an_auxiliary_modality_there_are_no_points(tiny_network, tiny_synvi) -> None:
    bare = build_network(Config(model=replace(tiny_network.config, auxiliary="none")), 0, seed=0).eval()
    pairs = pair_samples(read_source("synvi", tiny_synvi).test)[:3]
    assert auxiliary_images(bare, pairs).shape == (3, 0, 3, 64, 32)
    assert embed_pairs(bare, pairs).shape == (3, 0, bare.num_features)
    assert embed_pairs(bare, []).shape == (0, 0, bare.num_features)
