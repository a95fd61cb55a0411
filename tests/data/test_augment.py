"""Augmentations: equal to the slow reference, which draws and settings alone decide, and shared between images."""

import numpy as np
import pytest
import torch
from reference import augmented

from mun.config import TrainConfig
from mun.data.augment import augment, draw_uniform, share_geometry, to_images


def images(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 3, 32, 16, generator=torch.Generator().manual_seed(1))


def draws(seed: int = 0, count: int = 3) -> torch.Tensor:
    return draw_uniform(count, torch.Generator().manual_seed(seed))


def test_shared_geometry_keeps_aligned_images_aligned() -> None:
    first, second = draws(1), draws(2)
    share_geometry(first, second)
    moves = TrainConfig(flip=0.5, pad=4, erase=0.0, jitter=0.0)
    assert torch.equal(augment(images(), moves, first), augment(images(), moves, second))
    both = TrainConfig(flip=0.5, pad=4, erase=1.0, jitter=0.2)
    assert not torch.equal(augment(images(), both, first), augment(images(), both, second)), "the rest is its own"


SETTINGS = [
    TrainConfig(),
    TrainConfig(flip=1.0, pad=3, erase=1.0, erase_area=0.9, jitter=0.4),
    TrainConfig(flip=0.5, pad=0, erase=1.0, erase_area=0.02, jitter=0.0),
    TrainConfig(flip=0.0, pad=0, erase=0.0, jitter=0.0),
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_equals_the_augmentation_of_one_image_at_a_time(settings: TrainConfig) -> None:
    sources, uniform = images(12), draws(3, 12)
    expected = [augmented(image.numpy(), settings, row) for image, row in zip(sources, uniform.tolist(), strict=True)]
    assert np.allclose(augment(sources, settings, uniform).numpy(), np.stack(expected), atol=1e-6)
    assert torch.equal(sources, images(12)), "the input stays as it was"


def test_pixels_become_images() -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 1, 3)
    assert torch.allclose(to_images(pixels).view(3), torch.tensor([0.0, 0.2, 1.0]))
