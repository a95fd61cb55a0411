import copy

import numpy as np
import pytest
import torch
from torch import Tensor

from mun.auxiliary.generator import AuxiliaryGenerator
from mun.auxiliary.panel import UNIT, Display, at_share, branch_images, fit_display, iml_share, with_state
from mun.config import GeneratorConfig


def make(**changes: object) -> AuxiliaryGenerator:
    torch.manual_seed(0)
    generator = AuxiliaryGenerator(GeneratorConfig(channels=4, kernels=(3, 5), bins=((1, 1), (2, 1)), **changes))
    if generator.scale_iml is not None and generator.scale_cml is not None:
        with torch.no_grad():
            generator.scale_iml.mul_(1.5)
    return generator.eval()


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(1)
    return torch.rand((2, 3, 32, 16), generator=draws), torch.rand((2, 3, 32, 16), generator=draws)


def test_at_the_learned_share_it_is_the_generators_own_image(pair: tuple[Tensor, Tensor]) -> None:
    generator = make()
    before = copy.deepcopy(generator.state_dict())
    share = iml_share(generator)
    assert share == pytest.approx(0.6)
    torch.testing.assert_close(at_share(generator, *pair, share), generator(*pair)[0], atol=1e-6, rtol=0)
    assert all(torch.equal(before[name], value) for name, value in generator.state_dict().items())


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_another_share_is_a_generator_whose_scales_were_set_to_it(pair: tuple[Tensor, Tensor], share: float) -> None:
    generator = make()
    twin = copy.deepcopy(generator)
    assert twin.scale_iml is not None
    assert twin.scale_cml is not None
    total = twin.scale_iml.abs().sum() + twin.scale_cml.abs().sum()
    with torch.no_grad():
        twin.scale_iml.mul_(share * total / twin.scale_iml.abs().sum())
        twin.scale_cml.mul_((1 - share) * total / twin.scale_cml.abs().sum())
    torch.testing.assert_close(at_share(generator, *pair, share), twin(*pair)[0], atol=1e-5, rtol=0)


def test_branches_add_up_but_for_the_bias(pair: tuple[Tensor, Tensor]) -> None:
    generator = make()
    intra, cross = branch_images(generator, *pair)
    assert intra is not None
    assert cross is not None
    bias = 0.5 + 0.25 * generator.output.bias.detach().view(1, 3, 1, 1)
    torch.testing.assert_close(intra + cross - bias, generator(*pair)[0], atol=1e-5, rtol=0)


def test_one_branch_has_no_ratio(pair: tuple[Tensor, Tensor]) -> None:
    for off in ("iml", "cml"):
        generator = make(**{off: False})
        assert iml_share(generator) is None
        assert branch_images(generator, *pair)[off == "cml"] is None
        with pytest.raises(ValueError, match="got one without a ratio"):
            at_share(generator, *pair, 0.5)
    dead = make()
    torch.nn.init.zeros_(dead.scale_cml)
    assert iml_share(dead) is None


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_shares_outside_their_range_are_refused(pair: tuple[Tensor, Tensor], share: float) -> None:
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        at_share(make(), *pair, share)


def test_a_mapping_is_one_line_and_counts_what_it_clips() -> None:
    image = torch.linspace(-1, 2, 3 * 10 * 10).view(3, 10, 10)
    display = Display(0.0, 1.0)
    expected = np.rint(np.clip(image.numpy().transpose(1, 2, 0), 0, 1) * 255)
    assert np.abs(display.pixels(image) - expected).max() <= 1
    assert display.clipped(image) == pytest.approx(2 / 3, abs=0.01)
    assert UNIT.clipped(torch.tensor([0.0, 1.0, 0.5])) == 0


def test_a_mapping_spans_all_but_one_percent_of_the_values() -> None:
    values = np.random.default_rng(0).normal(size=(4, 1, 3, 20, 20)).astype(np.float32)
    display = fit_display(values)
    assert (display.low, display.high) == pytest.approx(tuple(np.percentile(values.astype(float), (0.5, 99.5))))
    assert display.clipped(torch.from_numpy(values)) == pytest.approx(0.01, abs=0.002)
    flat = fit_display(np.full((2, 3), 0.3, np.float32))
    assert flat.low < 0.3 < flat.high
    for bad in (np.zeros((0, 3), np.float32), np.array([np.nan], np.float32)):
        with pytest.raises(ValueError, match="expected finite auxiliary images"):
            fit_display(bad)


def test_a_copy_takes_another_state_and_leaves_the_generator(pair: tuple[Tensor, Tensor]) -> None:
    generator, other = make(), make()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.1)
    parameters = dict(other.named_parameters())
    twin = with_state(generator, {name: value.detach().half() for name, value in parameters.items()})
    torch.testing.assert_close(twin(*pair)[0], other(*pair)[0], atol=2e-2, rtol=0)
    assert not torch.equal(twin(*pair)[0], generator(*pair)[0])
    assert not any(parameter.requires_grad for parameter in twin.parameters())


def test_states_that_do_not_fit_are_refused() -> None:
    generator = make()
    state = dict(generator.named_parameters())
    name = "output.bias"
    for change, words in (
        ({name: None}, "got one without output.bias"),
        ({"unknown": torch.zeros(1)}, "'unknown' of shape"),
        ({name: torch.zeros(5)}, "'output.bias' of shape"),
        ({name: torch.full((3,), torch.nan)}, "got NaN or infinity in output.bias"),
    ):
        changed = {key: value for key, value in {**state, **change}.items() if value is not None}
        with pytest.raises(ValueError, match=words):
            with_state(generator, changed)
