"""Augmentations: ranges, probabilities, and that the generator alone decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from reference import augmented

from mun.data.augment import FILL, Augmentation, augment, draw_uniform, share_geometry, to_images

OFF = Augmentation(flip=0.0, pad=0, erase=0.0, erase_area=0.2, jitter=0.0)


def images(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 3, 32, 16, generator=torch.Generator().manual_seed(1))


def draws(seed: int = 0, count: int = 3) -> torch.Tensor:
    return draw_uniform(count, torch.Generator().manual_seed(seed))


def test_shared_geometry_keeps_aligned_images_aligned() -> None:
    first, second = draws(1), draws(2)
    share_geometry(first, second)
    moves = Augmentation(flip=0.5, pad=4, erase=0.0, jitter=0.0)
    assert torch.equal(augment(images(), moves, first), augment(images(), moves, second))
    both = Augmentation(flip=0.5, pad=4, erase=1.0, jitter=0.2)
    assert not torch.equal(augment(images(), both, first), augment(images(), both, second)), "the rest is its own"


@pytest.mark.parametrize(
    "settings", [Augmentation(), Augmentation(1.0, 3, 1.0, 0.9, 0.4), Augmentation(0.5, 0, 1.0, 0.02, 0.0)]
)
def test_equals_the_augmentation_of_one_image_at_a_time(settings: Augmentation) -> None:
    sources, uniform = images(12), draws(3, 12)
    expected = [augmented(image.numpy(), settings, row) for image, row in zip(sources, uniform.tolist(), strict=True)]
    assert np.allclose(augment(sources, settings, uniform).numpy(), np.stack(expected), atol=1e-6)


def test_off_is_identity() -> None:
    assert torch.equal(augment(images(), OFF, draws()), images())


def test_same_draws_same_images() -> None:
    first, second = (augment(images(), Augmentation(), draws(5)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, augment(images(), Augmentation(), draws(6)))


def test_range_and_input_kept() -> None:
    source = images(16)
    before = source.clone()
    result = augment(source, Augmentation(jitter=0.9, erase=1.0), draws(count=16))
    assert result.shape == source.shape
    assert result.min() >= 0.0
    assert result.max() <= 1.0
    assert torch.equal(source, before)


def test_flip() -> None:
    assert torch.equal(augment(images(), Augmentation(1.0, 0, 0.0, 0.2, 0.0), draws()), images().flip(-1))


def test_crop_shifts_by_at_most_the_padding() -> None:
    shifted = augment(images(1), Augmentation(0.0, 2, 0.0, 0.2, 0.0), draws(count=1))[0]
    padded = torch.nn.functional.pad(images(1), [2] * 4, mode="replicate")[0]
    windows = [padded[:, y : y + 32, x : x + 16] for y in range(5) for x in range(5)]
    assert any(torch.equal(shifted, window) for window in windows)


@pytest.mark.parametrize("seed", range(5))
def test_erased_area(seed) -> None:
    result = augment(images(1), Augmentation(0.0, 0, 1.0, 0.3, 0.0), draws(seed, 1))[0]
    erased = (result == torch.tensor(FILL).view(3, 1, 1)).all(dim=0)
    assert 0.0 < erased.float().mean() <= 0.35
    rows, columns = erased.any(dim=1), erased.any(dim=0)
    assert erased.sum() == rows.sum() * columns.sum(), "one rectangle"


def test_pixels_become_images() -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 1, 3)
    assert torch.allclose(to_images(pixels).view(3), torch.tensor([0.0, 0.2, 1.0]))
