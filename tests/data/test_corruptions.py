"""The 20 corruptions: deterministic, of the right kind, stronger with every severity, and what their names say."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mun.data.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from mun.data.corruptions.fields import convolve, disk, line
from mun.images import resize
from mun.structures import Split
from mun.synvi import Plan

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def images() -> list[Pixels]:
    """Visible images of twelve people of SynVI, 128×64."""
    plan = Plan(train_ids=0, val_ids=0, test_ids=12, images=1, seed=11)
    return [plan.recipe(Split.TEST, number, (1, 2, 4, 5)[number % 4], 0).image() for number in range(12)]


def change(image: Pixels, other: Pixels) -> float:
    return float(np.abs(image.astype(float) - other).mean())


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_corruption_is_stronger_with_every_severity(images: list[Pixels], name: str) -> None:
    for size in ((128, 64), (288, 144)):
        shown = [resize(image, *size) for image in images[: 12 if size[0] == 128 else 4]]
        means = []
        for severity in SEVERITIES:
            made = [corrupt(image, name, severity, seed) for seed, image in enumerate(shown)]
            assert all((one.shape, one.dtype) == ((*size, 3), np.uint8) for one in made)
            means.append(np.mean([change(image, one) for image, one in zip(shown, made, strict=True)]))
        assert means[0] > 1
        assert all(weak < strong for weak, strong in zip(means, means[1:], strict=False)), means


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_arguments_alone_decide(images: list[Pixels], name: str) -> None:
    image = images[0].copy()
    image.setflags(write=False)
    np.random.seed(0)  # noqa: NPY002  (a global generator must not matter)
    once = corrupt(image, name, 3, 5)
    np.random.seed(1)  # noqa: NPY002
    assert np.array_equal(once, corrupt(image, name, 3, 5))
    calm = {"defocus_blur", "zoom_blur", "gaussian_blur", "brightness", "contrast", "saturate", "pixelate"}
    drawn = not np.array_equal(once, corrupt(image, name, 3, 6))
    assert drawn == (name not in {*calm, "jpeg_compression"})


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 7, 3), (9, 40, 3)])
@pytest.mark.parametrize("value", [0, 255])
def test_odd_sizes_and_flat_images_pass_through(name: str, shape: tuple[int, ...], value: int) -> None:
    with np.errstate(all="raise", under="ignore"):
        result = corrupt(np.full(shape, value, np.uint8), name, 5, 0)
    assert result.shape == shape


def test_a_corruption_takes_about_as_much_of_a_small_image_as_of_a_large_one(images: list[Pixels]) -> None:
    """Lengths scale with the height; without that a blur would change a small image twice as much as a large one."""
    blurs = ("gaussian_blur", "defocus_blur", "motion_blur")
    for name in (*blurs, "elastic_transform", "snow", "rain", "frost", "spatter"):
        shares = []
        for size in ((128, 64), (256, 128)):
            shown = [resize(image, *size) for image in images[:6]]
            shares.append(np.mean([change(image, corrupt(image, name, 4, seed)) for seed, image in enumerate(shown)]))
        assert shares[0] == pytest.approx(shares[1], rel=0.3), name


def test_names_mean_what_they_say() -> None:
    grey = np.full((64, 32, 3), 128, np.uint8)
    assert corrupt(grey, "brightness", 3, 0).mean() == pytest.approx(128 + 0.3 * 255, abs=1)
    assert np.isin(corrupt(grey, "impulse_noise", 5, 0), (0, 128, 255)).all()
    salted = (corrupt(grey, "impulse_noise", 5, 0) != 128).mean()
    assert salted == pytest.approx(0.27, abs=0.02)
    assert corrupt(grey, "gaussian_noise", 1, 0).std() == pytest.approx(0.08 * 255, rel=0.05)
    assert np.array_equal(corrupt(grey, "saturate", 5, 0), grey)
    stripes = np.repeat(np.tile(np.array([0, 255], np.uint8), 16)[None, :, None], 64, axis=0).repeat(3, axis=2)
    assert corrupt(stripes, "contrast", 4, 0).std() == pytest.approx(0.1 * stripes.std(), rel=0.05)
    coloured = np.broadcast_to(np.array([200, 100, 50], np.uint8), (64, 32, 3))
    spread = np.ptp(corrupt(coloured, "saturate", 2, 0)[0, 0].astype(int))
    assert spread == pytest.approx(0.2 * 150, abs=1)
    for name in ("snow", "frost", "rain", "fog"):
        assert corrupt(np.full((128, 64, 3), 40, np.uint8), name, 4, 0).mean() > 45, name
    assert corrupt(np.full((128, 64, 3), 200, np.uint8), "spatter", 5, 0).mean() < 180


def test_convolution_is_the_sum_over_mirrored_neighbours() -> None:
    """Against `scipy.ndimage.convolve`, which adds the products up one by one."""
    from scipy.ndimage import convolve as slow

    draws = np.random.default_rng(3)
    image, kernel = draws.random((13, 9, 3), np.float32), draws.random((5, 3), np.float32)
    expected = np.stack([slow(image[..., c], kernel, mode="reflect") for c in range(3)], axis=2)
    np.testing.assert_allclose(convolve(image, kernel), expected, atol=1e-5)
    np.testing.assert_allclose(convolve(image[..., 0], kernel), expected[..., 0], atol=1e-5)


def test_kernels_keep_the_brightness() -> None:
    for kernel in (disk(0), disk(0.3), disk(4.2), line(7.5, 33), line(20, -100, 5)):
        assert kernel.sum() == pytest.approx(1, abs=1e-5)
        assert all(side % 2 for side in kernel.shape)
    assert disk(0).shape == (1, 1)
    up = line(6, 90)
    assert up[: len(up) // 2].sum() > up[len(up) // 2 + 1 :].sum()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((4, 4, 3), np.float32), "fog", 1, 0), "expected an image of shape (H, W, 3), uint8"),
        ((np.zeros((4, 4), np.uint8), "fog", 1, 0), "got (4, 4), uint8"),
        ((np.zeros((0, 4, 3), np.uint8), "fog", 1, 0), "got (0, 4, 3)"),
        ((np.zeros((4, 4, 3), np.uint8), "hail", 1, 0), "got 'hail'"),
        ((np.zeros((4, 4, 3), np.uint8), "fog", 0, 0), "severity from 1 to 5"),
        ((np.zeros((4, 4, 3), np.uint8), "fog", 6, 0), "got 6 and 0"),
        ((np.zeros((4, 4, 3), np.uint8), "fog", 1, -1), "a seed from 0"),
    ],
)
def test_bad_arguments_are_refused(arguments: tuple[Pixels, str, int, int], message: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        corrupt(*arguments)
    assert message in str(caught.value)
