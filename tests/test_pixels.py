"""Pixel formulas against loops over pixels, and their errors."""

import pytest
import torch

from mun.auxiliary.pixel import channel_exchange, cut_mix, grayscale, mix, random_pixels


def pair(count: int = 2, size: tuple[int, int] = (6, 4)) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(0)
    first, second = (torch.rand(count, 3, *size, generator=draws) for _ in range(2))
    return first, second


def by_pixel(visible, infrared, rule) -> torch.Tensor:
    """Apply a rule (n, y, x, RGB, RGB) -> RGB to every pixel."""
    result = torch.empty_like(visible)
    for n in range(visible.shape[0]):
        for y in range(visible.shape[2]):
            for x in range(visible.shape[3]):
                result[n, :, y, x] = torch.tensor(
                    rule(n, y, x, visible[n, :, y, x].tolist(), infrared[n, :, y, x].tolist())
                )
    return result


CHANNELS, SHARES, BOX = [2, 0], [0.25, 1.0], (1, 2, 4, 4)
MASK = torch.rand(2, 6, 4, generator=torch.Generator().manual_seed(3)) < 0.5
FORMULAS = {
    "grayscale": (lambda v, i: grayscale(v), lambda n, y, x, v, i: [0.299 * v[0] + 0.587 * v[1] + 0.114 * v[2]] * 3),
    "channel exchange": (
        lambda v, i: channel_exchange(v, torch.tensor(CHANNELS)),
        lambda n, y, x, v, i: [v[CHANNELS[n]]] * 3,
    ),
    "mix": (
        lambda v, i: mix(v, i, torch.tensor(SHARES)),
        lambda n, y, x, v, i: [SHARES[n] * a + (1 - SHARES[n]) * b for a, b in zip(v, i, strict=True)],
    ),
    "cut mix": (lambda v, i: cut_mix(v, i, BOX), lambda n, y, x, v, i: i if 1 <= y < 4 and 2 <= x < 4 else v),
    "cut nothing": (lambda v, i: cut_mix(v, i, (0, 0, 0, 0)), lambda n, y, x, v, i: v),
    "cut all": (lambda v, i: cut_mix(v, i, (0, 0, 6, 4)), lambda n, y, x, v, i: i),
    "random pixels": (lambda v, i: random_pixels(v, i, MASK), lambda n, y, x, v, i: v if MASK[n, y, x] else i),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_every_formula_is_its_rule_at_each_pixel(name) -> None:
    call, rule = FORMULAS[name]
    tolerance = 1e-6 if name in {"grayscale", "mix"} else 0.0
    torch.testing.assert_close(call(*pair()), by_pixel(*pair(), rule), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda v, i: channel_exchange(v, torch.tensor([3, 0])), "a channel 0, 1 or 2"),
        (lambda v, i: channel_exchange(v, torch.tensor([0])), "for each of 2 images"),
        (lambda v, i: mix(v, i, torch.tensor([0.5, 1.1])), r"a share in \[0, 1\]"),
        (lambda v, i: mix(v, i, torch.tensor([float("nan"), 0.5])), r"a share in \[0, 1\]"),
        (lambda v, i: mix(v, i, torch.tensor([0.5])), "for each of 2 pairs"),
        (lambda v, i: cut_mix(v, i, (0, 0, 7, 1)), "a box inside 6x4"),
        (lambda v, i: cut_mix(v, i, (3, 0, 2, 1)), "a box inside"),
        (lambda v, i: random_pixels(v, i, torch.ones(2, 4, 6, dtype=torch.bool)), "a mask of shape"),
    ],
)
def test_errors(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call(*pair())
