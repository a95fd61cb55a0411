"""Every name of the registry: shapes, determinism, gradients, what it depends on, and its formula."""

import re

import pytest
import torch
from torch.nn import functional as F

from mun.auxiliary import pixel as pixels
from mun.auxiliary.generator import input_dependence
from mun.auxiliary.learned import MiddleGenerator, SyncreticGenerator, XGenerator
from mun.auxiliary.pixel import draw_box
from mun.auxiliary.registry import AUXILIARIES, build_auxiliary
from mun.config import GeneratorConfig

RANDOM = {"channel-exchange", "mixup", "cutmix", "random-pixel", "mun-shuffled"}
LEARNED = {"x", "middle", "syncretic", "mun", "mun-shuffled"}
IMAGES = [name for name in AUXILIARIES if name not in ("none", "feature-mean")]  # those that make any


def build(name: str):
    torch.manual_seed(0)
    return build_auxiliary(name, GeneratorConfig())


def pair(count: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, 32, 16, generator=draws), torch.rand(count, 3, 32, 16, generator=draws)


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", AUXILIARIES)
def test_images_are_like_their_inputs(name) -> None:
    module = build(name)
    images = module(*pair(), draws(1))
    assert len(images) == module.num_images
    assert all(image.shape == (4, 3, 32, 16) and bool(image.isfinite().all()) for image in images)


@pytest.mark.parametrize("name", IMAGES)
def test_the_draws_decide(name) -> None:
    module = build(name).eval()
    once, again, other = (torch.cat(module(*pair(), draws(seed))) for seed in (1, 1, 2))
    assert torch.equal(once, again)
    assert torch.equal(once, other) == (name not in RANDOM)
    assert torch.equal(torch.cat(module(*pair())), torch.cat(module(*pair()))), "without draws too"


@pytest.mark.parametrize("name", AUXILIARIES)
def test_depends_on_both_images_or_on_the_visible_one(name) -> None:
    module = build(name).eval()
    share = input_dependence(module, *pair())
    if not module.num_images:
        assert share != share
    else:
        assert share > 0
        assert (share < 1) == (name not in {"copy", "grayscale", "channel-exchange", "x"})


@pytest.mark.parametrize("name", AUXILIARIES)
def test_gradients_reach_every_parameter_that_learns(name) -> None:
    module = build(name)
    learned = [parameter for parameter in module.parameters() if parameter.requires_grad]
    assert bool(learned) == (name in LEARNED)
    if learned:
        torch.stack([image.square().sum() for image in module(*pair(), draws(1))]).sum().backward()
        assert all(parameter.grad is not None and bool(parameter.grad.isfinite().all()) for parameter in learned)


@pytest.mark.parametrize("name", IMAGES)
def test_pairs_are_checked(name) -> None:
    for one, other in (((2, 3, 8, 8), (2, 3, 8, 4)), ((3, 8, 8), (3, 8, 8)), ((1, 1, 8, 8), (1, 1, 8, 8))):
        with pytest.raises(ValueError, match=r"one shape \(N, 3, H, W\)"):
            build(name)(torch.zeros(one), torch.zeros(other))


def test_unknown_name() -> None:
    with pytest.raises(ValueError, match="expected auxiliary to be one of none, copy"):
        build_auxiliary("magic", GeneratorConfig())


# Generators of one hidden channel, and which of the pair each convolution sees.
FUSIONS = [(XGenerator, {"encode": 0}), (SyncreticGenerator, {"encode_visible": 0, "encode_infrared": 1})]


@pytest.mark.parametrize(("kind", "sides"), FUSIONS)
def test_a_fusion_begins_as_the_mean_of_what_it_sees(kind, sides) -> None:
    images = pair()
    seen = torch.cat([images[side] for side in sides.values()], dim=1)
    torch.testing.assert_close(kind()(*images)[0], seen.mean(dim=1, keepdim=True).expand_as(images[0]))


def learned(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Draw new weights and biases, far from where training begins, and return them."""
    generator = draws(3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return module.state_dict()


def weighted(state: dict[str, torch.Tensor], name: str, images: torch.Tensor) -> torch.Tensor:
    """A 1×1 convolution from three channels to one, `(N, H, W)`."""
    red, green, blue = state[f"{name}.weight"][0, :, 0, 0]
    return red * images[:, 0] + green * images[:, 1] + blue * images[:, 2] + state[f"{name}.bias"][0]


def coloured(state: dict[str, torch.Tensor], gray: torch.Tensor) -> torch.Tensor:
    """A 1×1 convolution from one channel, `(N, H, W)`, to three."""
    weight, bias = state["decode.weight"][:, 0, 0, 0], state["decode.bias"]
    return torch.stack([weight[channel] * gray + bias[channel] for channel in range(3)], dim=1)


@pytest.mark.parametrize(("kind", "sides"), FUSIONS)
def test_a_fusion_equals_the_formula_by_hand_at_learned_weights(kind, sides) -> None:
    module, images = kind(), pair()
    state = learned(module)
    gray = sum(weighted(state, name, images[side]) for name, side in sides.items())
    assert 0 < float((gray < 0).float().mean()) < 1, "on both sides of the bend"
    torch.testing.assert_close(module(*images)[0], coloured(state, gray.clamp(min=0)), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in AUXILIARIES if name != "mun"])  # whose module says it
def test_every_rival_names_its_source(name) -> None:
    words = type(build(name)).__doc__
    for function in re.findall(r"see `(\w+)`", words):
        words += getattr(pixels, function).__doc__
    assert "Source: " in words


def test_middle_equals_the_formula_by_hand() -> None:
    module = MiddleGenerator()
    visible, infrared = pair()
    state = module.state_dict()

    def encode(name: str, images: torch.Tensor) -> torch.Tensor:
        gray = torch.einsum("c,nchw->nhw", state[f"{name}.0.weight"][0, :, 0, 0], images) + state[f"{name}.0.bias"]
        gray = F.relu(F.relu(gray) * state[f"{name}.2.weight"].item() + state[f"{name}.2.bias"])
        return (gray - gray.mean()) / torch.sqrt(gray.var(correction=0) + 1e-5)

    def decode(gray: torch.Tensor) -> torch.Tensor:
        weight, bias = state["decode.weight"][:, 0, 0, 0], state["decode.bias"]
        return F.relu(weight[None, :, None, None] * gray[:, None] + bias[None, :, None, None])

    expected = [decode(encode("encode_visible", visible)), decode(encode("encode_infrared", infrared))]
    for image, by_hand in zip(module(visible, infrared), expected, strict=True):
        torch.testing.assert_close(image, by_hand, atol=1e-5, rtol=1e-5)


def test_shuffled_partners_are_a_permutation_of_the_batch() -> None:
    module = build("mun-shuffled").eval()
    visible, infrared = pair()
    order = torch.randperm(4, generator=draws(1))
    assert not torch.equal(order, torch.arange(4))
    assert torch.equal(module(visible, infrared, draws(1))[0], module(visible, infrared[order])[0])


def test_pasted_area_is_uniform_up_to_the_border() -> None:
    uniform = torch.rand(2000, 3, generator=draws(0)).tolist()
    boxes = [draw_box(row, 32, 16) for row in uniform]
    assert all(0 <= top <= bottom <= 32 and 0 <= left <= right <= 16 for top, left, bottom, right in boxes)
    areas = [(bottom - top) * (right - left) / 512 for top, left, bottom, right in boxes]
    assert all(area <= row[0] + 0.06 for area, row in zip(areas, uniform, strict=True)), "rounding apart, never more"
    assert max(areas) > 0.5
