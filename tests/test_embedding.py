"""Embedding: order, unit length, flip, batches, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mun.checkpoint import load_checkpoint
from mun.data.cache import decode_samples
from mun.data.sources import read_source
from mun.embedding import embed_pixels, embed_samples
from mun.structures import Modality


@pytest.fixture(scope="module")
def network(tiny_checkpoint):
    return load_checkpoint(tiny_checkpoint / "mun-tiny")[0]


def pixels(count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 64, 32, 3), dtype=np.uint8)


def test_unit_length_whatever_the_batch(network) -> None:
    whole = embed_pixels(network, pixels(), Modality.VISIBLE)
    parts = embed_pixels(network, pixels(), Modality.VISIBLE, batch_size=2)
    assert whole.shape == (5, network.num_features)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(whole, parts, atol=1e-5)


def test_modalities_have_their_own_stem(network) -> None:
    visible, infrared = (embed_pixels(network, pixels(), m) for m in (Modality.VISIBLE, Modality.INFRARED))
    assert np.abs(visible - infrared).max() > 1e-3


def test_flip_is_the_normalised_mean(network) -> None:
    source = pixels()
    plain, mirrored = (embed_pixels(network, p, Modality.INFRARED) for p in (source, source[:, :, ::-1]))
    mean = (plain + mirrored) / np.linalg.norm(plain + mirrored, axis=1, keepdims=True)
    flipped = embed_pixels(network, source, Modality.INFRARED, flip=True)
    np.testing.assert_allclose(flipped, mean, atol=1e-5)


def test_samples_keep_their_order(network, tiny_synvi) -> None:
    samples = read_source("synvi", tiny_synvi).test[::-1][:9]
    embeddings = embed_samples(network, samples, chunk=2)
    for row in (0, 4, 8):
        image = decode_samples([samples[row]], 64, 32)
        np.testing.assert_allclose(embeddings[row], embed_pixels(network, image, samples[row].modality)[0], atol=1e-5)


def test_no_images(network) -> None:
    assert embed_pixels(network, pixels(0), Modality.VISIBLE).shape == (0, network.num_features)
    assert embed_samples(network, []).shape == (0, network.num_features)


@pytest.mark.parametrize("wrong", [pixels()[:, :32], pixels()[0], pixels().astype(np.float32)])
def test_shape_and_type_are_checked(network, wrong) -> None:
    with pytest.raises(ValueError, match=r"uint8 pixels of shape \(N, 64, 32, 3\)"):
        embed_pixels(network, wrong, Modality.VISIBLE)


def test_damaged_weights_are_noticed(tiny_checkpoint) -> None:
    network, _ = load_checkpoint(tiny_checkpoint / "mun-tiny")
    with torch.no_grad():
        network.neck.bn.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="finite embeddings"):
        embed_pixels(network, pixels(), Modality.VISIBLE)
