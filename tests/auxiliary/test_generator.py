"""The auxiliary generator: formula, layer scale, pyramid, dependence, gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mun.auxiliary.generator import (
    AuxiliaryGenerator,
    CrossModalityLearner,
    IntraModalityLearner,
    input_dependence,
    pyramid,
    rms_gain,
)
from mun.config import GeneratorConfig


def pair(size: tuple[int, int] = (32, 16), dtype=torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(0)
    return tuple(torch.rand(2, 3, *size, generator=draws, dtype=dtype) for _ in range(2))


def test_output_is_like_its_inputs() -> None:
    generator = AuxiliaryGenerator(GeneratorConfig())
    (image,) = generator(*pair())
    assert image.shape == (2, 3, 32, 16)
    assert sum(p.numel() for p in generator.parameters()) < 6000


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
                    total += (
                        kernel[:, 0, row, column][None, :, None, None]
                        * padded[:, :, row : row + 8, column : column + 4]
                    )
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


def test_rms_gain_takes_the_gain_away() -> None:
    maps = torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    scaled = maps * rms_gain(maps)
    assert torch.allclose(scaled.square().mean(dim=(1, 2, 3)), torch.ones(3), atol=1e-4)
    assert torch.allclose(100 * maps * rms_gain(100 * maps), scaled, atol=1e-4)


def test_pyramid_has_no_full_resolution_path() -> None:
    """Moving texture inside the finest bin changes nothing: unaligned pixels are never mixed."""
    cml = CrossModalityLearner(4, ((1, 1), (2, 1), (4, 2)))
    visible = torch.rand(1, 4, 16, 8, generator=torch.Generator().manual_seed(0))
    moved = visible.clone()
    moved[:, :, 0:4, 0:4] = visible[:, :, 0:4, 0:4].flip(-1, -2)
    assert torch.allclose(cml(visible, visible), cml(moved, visible), atol=1e-6)


def test_intra_learner_sees_one_modality() -> None:
    learner = IntraModalityLearner(4, (3, 5)).double().eval()
    maps = torch.randn(1, 4, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(learner, maps)


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


@pytest.mark.parametrize(
    ("visible", "infrared"), [((2, 3, 8, 8), (2, 3, 8, 4)), ((3, 8, 8), (3, 8, 8)), ((1, 1, 8, 8), (1, 1, 8, 8))]
)
def test_shapes_are_checked(visible, infrared) -> None:
    with pytest.raises(ValueError, match=r"\(N, 3, H, W\)"):
        AuxiliaryGenerator(GeneratorConfig())(torch.zeros(visible), torch.zeros(infrared))


def test_layer_scale_can_stay_as_it_is() -> None:
    generator = AuxiliaryGenerator(GeneratorConfig(scale_learned=False))
    generator(*pair())[0].sum().backward()
    assert generator.scale_iml.grad is None
    assert generator.scale_cml.grad is None
    assert generator.output.weight.grad is not None
