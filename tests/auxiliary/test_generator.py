"""The auxiliary generator: formula, layer scale, pyramid, dependence, gradients."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mun.auxiliary.generator import AuxiliaryGenerator, CrossModalityLearner, input_dependence, pyramid
from mun.auxiliary.pixel import PixelMean
from mun.auxiliary.registry import build_auxiliary
from mun.config import Config, GeneratorConfig, ModelConfig


def pair(size: tuple[int, int] = (32, 16), dtype=torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(0)
    return tuple(torch.rand(2, 3, *size, generator=draws, dtype=dtype) for _ in range(2))


@pytest.mark.parametrize("size", [(32, 16), (37, 19), (5, 3)])
def test_the_pyramid_is_adaptive_pooling_and_bilinear_upsampling(size: tuple[int, int]) -> None:
    bins = ((1, 1), (2, 1), (4, 2), (8, 4))
    maps = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    inside, counts, spread = pyramid(bins, torch.Size(size), maps.device, maps.dtype)
    cells = inside @ maps.flatten(2).transpose(1, 2) / counts
    pooled = [F.adaptive_avg_pool2d(maps, level) for level in bins]
    assert torch.allclose(cells.transpose(1, 2), torch.cat([level.flatten(2) for level in pooled], dim=2), atol=1e-6)
    upsampled = sum(F.interpolate(level, size=size, mode="bilinear") for level in pooled)
    assert torch.allclose((spread @ cells).transpose(1, 2).reshape(maps.shape), upsampled, atol=1e-5)


def test_what_inference_keeps_serves_training() -> None:
    generator = AuxiliaryGenerator(GeneratorConfig())
    assert sum(p.numel() for p in generator.parameters()) < 6000
    with torch.inference_mode():
        generator(*pair())
    generator(*pair())[0].sum().backward()


def test_equals_the_formula_by_hand() -> None:
    """a = g_iml ⊙ rms(½(I_v + I_i)) + g_cml ⊙ rms(S), then 1×1, with loops instead of modules."""
    config = GeneratorConfig(channels=4, kernels=(3, 5), bins=((1, 1), (2, 1)), resolution=1)
    generator = AuxiliaryGenerator(config).double().eval()
    visible, infrared = pair((8, 4), torch.float64)
    state = generator.state_dict()

    def pointwise(name: str, maps: torch.Tensor) -> torch.Tensor:
        weight, bias = state[f"{name}.weight"][:, :, 0, 0], state[f"{name}.bias"]
        return torch.einsum("oc,nchw->nohw", weight, maps) + bias[None, :, None, None]

    def intra(name: str, maps: torch.Tensor) -> torch.Tensor:
        total = torch.zeros_like(maps)
        for index, size in enumerate(config.kernels):
            kernel, pad = state[f"{name}.depthwise.{index}.weight"], size // 2
            padded = F.pad(maps, [pad] * 4)
            for row in range(size):
                for column in range(size):
                    window = padded[:, :, row : row + 8, column : column + 4]
                    total += kernel[:, 0, row, column][None, :, None, None] * window
        normed = total / math.sqrt(1 + 1e-5)
        gelu = 0.5 * normed * (1 + torch.erf(normed / math.sqrt(2)))
        return maps + pointwise(f"{name}.pointwise", gelu)

    e_v, e_i = pointwise("stem_visible", (visible - 0.5) / 0.25), pointwise("stem_infrared", (infrared - 0.5) / 0.25)
    both = torch.cat([e_v, e_i], dim=1)
    whole = pointwise("cml.fuse.0", both.mean(dim=(2, 3), keepdim=True)).expand(-1, -1, 8, 4)
    halves = torch.stack([both[:, :, :4].mean(dim=(2, 3)), both[:, :, 4:].mean(dim=(2, 3))], dim=2)[..., None]
    halves = pointwise("cml.fuse.1", halves)
    # Bilinear upsampling of two rows to eight: row centres at 0.25·(r + ½) − ½, clamped to [0, 1].
    weights = torch.tensor([min(max(0.25 * (row + 0.5) - 0.5, 0.0), 1.0) for row in range(8)], dtype=torch.float64)
    shared = (
        whole + halves[:, :, :1] * (1 - weights)[None, None, :, None] + halves[:, :, 1:] * weights[None, None, :, None]
    )

    def rms(maps: torch.Tensor) -> torch.Tensor:
        return maps / torch.sqrt(maps.square().mean(dim=(1, 2, 3), keepdim=True) + 1e-6)

    mixed = 0.5 * rms(0.5 * (intra("iml_visible", e_v) + intra("iml_infrared", e_i))) + 0.5 * rms(shared)
    expected = 0.5 + 0.25 * pointwise("output", mixed)
    np.testing.assert_allclose(generator(visible, infrared)[0].detach(), expected.detach(), atol=1e-6)


def test_pyramid_has_no_full_resolution_path() -> None:
    """Moving texture inside the finest bin changes nothing: unaligned pixels are never mixed."""
    cml = CrossModalityLearner(4, ((1, 1), (2, 1), (4, 2)))
    visible = torch.rand(1, 4, 16, 8, generator=torch.Generator().manual_seed(0))
    moved = visible.clone()
    moved[:, :, 0:4, 0:4] = visible[:, :, 0:4, 0:4].flip(-1, -2)
    assert torch.allclose(cml(visible, visible), cml(moved, visible), atol=1e-6)


def test_gradcheck_through_the_generator() -> None:
    generator = AuxiliaryGenerator(GeneratorConfig(channels=3, bins=((1, 1), (2, 1)))).double().eval()
    visible, infrared = (image[:1].requires_grad_() for image in pair((8, 4), torch.float64))
    # rms_gain measures in float32 for half-precision maps, so the numerical gradient is good to 1e-4 only.
    assert torch.autograd.gradcheck(
        lambda v, i: generator(v, i)[0], (visible, infrared), eps=1e-3, atol=1e-3, rtol=1e-2
    )


@pytest.mark.parametrize(("iml", "cml"), [(True, False), (False, True)])
def test_either_branch_alone(iml, cml) -> None:
    generator = AuxiliaryGenerator(GeneratorConfig(iml=iml, cml=cml))
    generator(*pair())[0].sum().backward()
    assert all(p.grad is not None for p in generator.parameters())
    report = generator.diagnostics(*pair())
    assert report["iml_share"] == float(iml)
    assert ("iml_energy" in report, "cml_energy" in report) == (iml, cml)


def test_diagnostics_follow_the_layer_scale() -> None:
    generator = AuxiliaryGenerator(GeneratorConfig()).eval()
    assert generator.diagnostics(*pair())["iml_share"] == pytest.approx(0.5)
    with torch.no_grad():
        generator.scale_cml.mul_(3)
    report = generator.diagnostics(*pair())
    assert report["iml_share"] == pytest.approx(0.25)


def test_dependence_finds_a_copier() -> None:
    class Copier(torch.nn.Module):
        def forward(self, visible, infrared):
            return (0.9 * visible + 0.1 * infrared,)

    assert input_dependence(Copier(), *pair()) == pytest.approx(0.9, abs=1e-5)
    assert 0.1 < input_dependence(AuxiliaryGenerator(GeneratorConfig()).eval(), *pair()) < 0.9


def test_layer_scale_can_stay_as_it_is() -> None:
    generator = AuxiliaryGenerator(GeneratorConfig(scale_learned=False))
    generator(*pair())[0].sum().backward()
    assert generator.scale_iml.grad is None
    assert generator.scale_cml.grad is None
    assert generator.output.weight.grad is not None


@pytest.mark.parametrize("form", ["residual", "gate"])
def test_without_layer_scale_the_other_forms_are_the_pixel_mean(form) -> None:
    """At any size; the residual form exactly, the gate but for the rounding of its upsampling."""
    pairs = pair((37, 19))
    for cml in (True, False):
        generator = AuxiliaryGenerator(GeneratorConfig(form=form, scale_init=0.0, cml=cml))
        image, mean = generator(*pairs)[0], PixelMean()(*pairs)[0]
        assert torch.equal(image, mean) if form == "residual" else torch.allclose(image, mean, atol=1e-6)


def test_two_images_lean_to_one_modality_each() -> None:
    visible, infrared = pair((37, 19))
    for scale in (0.0, 0.5):
        two = AuxiliaryGenerator(GeneratorConfig(form="residual", scale_init=scale, auxiliary_images=2)).eval()
        first, second = two(visible, infrared)
        assert torch.equal(first, 0.75 * visible + 0.25 * infrared) == (scale == 0)
        assert torch.equal(second, 0.25 * visible + 0.75 * infrared) == (scale == 0)
    with pytest.raises(ValueError, match="expected auxiliary_images 1 for form gate"):
        Config(model=ModelConfig(generator=GeneratorConfig(form="gate", auxiliary_images=2)))


def test_a_constant_pyramid_is_a_plain_mix() -> None:
    generator = AuxiliaryGenerator(GeneratorConfig(form="gate", scale_init=1.0)).double().eval()
    with torch.no_grad():
        generator.scale_iml.zero_()
        for fuse in generator.cml.fuse:
            fuse.weight.zero_()
            fuse.bias.fill_(0.03)
    visible, infrared = pair((32, 16), torch.float64)
    share = 1 / (1 + math.exp(-4 * 16 * 0.03))  # the sum over four levels of the pyramid and 16 channels
    expected = share * visible + (1 - share) * infrared
    np.testing.assert_allclose(generator(visible, infrared)[0].detach(), expected, atol=1e-10)
    assert generator.diagnostics(visible, infrared)["gate_pattern"] == pytest.approx(0.0, abs=1e-10)


@pytest.mark.parametrize("form", ["residual", "gate"])
def test_the_other_forms_equal_their_formulas(form) -> None:
    """From the learners, which the formula of the sum checks, by arrays alone."""
    generator = AuxiliaryGenerator(GeneratorConfig(form=form, scale_init=0.4, resolution=1)).double().eval()
    visible, infrared = pair((12, 8), torch.float64)
    with torch.no_grad():
        generator.scale_cml.copy_(torch.linspace(-1, 1, 16))
        maps_v, maps_i = (
            stem((image - 0.5) / 0.25)
            for stem, image in ((generator.stem_visible, visible), (generator.stem_infrared, infrared))
        )
        own = [generator.iml_visible(maps_v).numpy(), generator.iml_infrared(maps_i).numpy()]
        shared = generator.cml(maps_v, maps_i).numpy()
    scale = np.linspace(-1, 1, 16)[:, None, None]

    def unit(maps: np.ndarray) -> np.ndarray:
        return maps / np.sqrt((maps**2).mean(axis=(1, 2, 3), keepdims=True) + 1e-6)

    if form == "residual":
        base, maps = (visible.numpy() + infrared.numpy()) / 2, 0.4 * unit((own[0] + own[1]) / 2) + scale * unit(shared)
    else:
        weight = 1 / (1 + np.exp(-(scale * shared).sum(axis=1, keepdims=True)))
        base = weight * visible.numpy() + (1 - weight) * infrared.numpy()
        maps = 0.4 * unit(weight * own[0] + (1 - weight) * own[1])
        assert np.std(weight) > 0.01
    output = generator.state_dict()["output.weight"][:, :, 0, 0].numpy()
    expected = base + 0.25 * np.einsum("oc,nchw->nohw", output, maps)
    np.testing.assert_allclose(generator(visible, infrared)[0].detach(), expected, atol=1e-6)


def test_branch_dropout_leaves_out_one_branch_of_an_image() -> None:
    generator = AuxiliaryGenerator(GeneratorConfig(branch_dropout=1.0))
    factors = generator.factors(64, torch.Generator().manual_seed(0))
    assert set(map(tuple, factors.tolist())) == {(0.0, 1.0), (1.0, 0.0)}
    some = AuxiliaryGenerator(GeneratorConfig(branch_dropout=0.25)).factors(4000, torch.Generator().manual_seed(0))
    assert float((some == 0).any(dim=1).float().mean()) == pytest.approx(0.25, abs=0.03)
    with pytest.raises(ValueError, match="expected both iml and cml to be on for branch_dropout"):
        replace(Config(), model=ModelConfig(generator=GeneratorConfig(cml=False, branch_dropout=0.1)))


def test_a_random_ratio_keeps_the_sum_of_the_scales() -> None:
    factors = AuxiliaryGenerator(GeneratorConfig(scale_jitter=0.5)).factors(1000, torch.Generator().manual_seed(0))
    assert torch.allclose(factors.sum(dim=1), torch.full((1000,), 2.0))
    assert 0.5 <= float(factors.min()) < 0.52
    assert 1.48 < float(factors.max()) <= 1.5


@pytest.mark.parametrize("form", ["sum", "residual", "gate"])
def test_randomness_is_for_training_and_from_the_draws_alone(form) -> None:
    generator = AuxiliaryGenerator(GeneratorConfig(form=form, branch_dropout=0.5, scale_jitter=1.0))
    pairs = pair()
    first, again = (generator(*pairs, torch.Generator().manual_seed(3))[0] for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, generator(*pairs)[0])
    generator.eval()
    assert torch.equal(generator(*pairs, torch.Generator().manual_seed(3))[0], generator(*pairs)[0])


@pytest.mark.parametrize("form", ["residual", "gate"])
def test_frozen_at_its_start_learns_nothing(form) -> None:
    frozen = build_auxiliary("mun-frozen", GeneratorConfig(form=form, scale_init=0.01))
    assert not frozen(*pair())[0].requires_grad
