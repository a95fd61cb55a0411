"""Prototypes: their accumulation, their gradient, and what they do when a modality is absent."""

import numpy as np
import pytest
import reference
import torch

from mun.losses.functional import modality_prototype
from mun.losses.modality_alignment import ModalityAlignment
from mun.structures import Modality

V, I, A = Modality.VISIBLE, Modality.INFRARED, Modality.AUXILIARY
LABELS = {V: [3, 1, 1, 3, 3], I: [1, 3, 1], A: [3, 3, 1]}


def groups(seed: int, requires_grad: bool = False) -> dict:
    rs = np.random.RandomState(seed)
    return {m: torch.tensor(rs.standard_normal((len(y), 4)), requires_grad=requires_grad) for m, y in LABELS.items()}


def labels() -> dict:
    return {m: torch.tensor(y) for m, y in LABELS.items()}


def test_value_over_three_steps_equals_the_formula() -> None:
    loss = ModalityAlignment(4, momentum=0.8).double()
    memory: dict = {}
    for step in range(3):
        features = groups(step)
        for m, y in LABELS.items():
            batch = reference.prototype(features[m].numpy(), y)
            memory[m] = batch if step == 0 else 0.8 * memory[m] + 0.2 * batch
        expected = sum(np.square(memory[m] - memory[A]).sum() for m in (V, I))
        assert loss(features, labels()).item() == pytest.approx(expected, abs=1e-10)


def test_gradient_is_that_of_the_batch_undamped() -> None:
    """p + b − sg(b) has the gradient of b, whatever the momentum."""
    gradients = []
    for momentum in (0.0, 0.99):
        loss = ModalityAlignment(4, momentum).double()
        loss(groups(0), labels())
        loss.prototypes.copy_(torch.arange(12.0).view(3, 4))  # the same accumulated values for both
        loss.momentum = 1.0
        features = groups(1, requires_grad=True)
        loss(features, labels()).backward()
        gradients.append(features[V].grad)
    assert torch.allclose(gradients[0], gradients[1], atol=1e-12)
    assert gradients[0].norm() > 0


def test_bridge_at_the_midpoint_has_half_the_gradient_of_the_direct_form() -> None:
    bridge, direct = ModalityAlignment(4, 0.0).double(), ModalityAlignment(4, 0.0, "direct").double()
    features, y = groups(2, requires_grad=True), labels()
    with torch.no_grad():
        for module in (bridge, direct):
            module(groups(2), y)
    bridge.eval()
    direct.eval()
    bridge.prototypes[2] = (bridge.prototypes[0] + bridge.prototypes[1]) / 2
    through = torch.autograd.grad(bridge(features, y), features[V])[0]
    straight = torch.autograd.grad(direct(features, y), features[V])[0]
    assert torch.allclose(through, straight / 2, atol=1e-12)


def test_evaluation_mode_updates_nothing() -> None:
    loss = ModalityAlignment(4, 0.5).double().eval()
    before = {name: value.clone() for name, value in loss.state_dict().items()}
    loss(groups(0), labels())
    assert all(torch.equal(before[name], value) for name, value in loss.state_dict().items())


@pytest.mark.parametrize("absent", [V, I, A])
def test_absent_modality(absent) -> None:
    loss = ModalityAlignment(4, 0.8).double()
    features = groups(0, requires_grad=True)
    y = labels()
    del features[absent], y[absent]
    value = loss(features, y)
    value.backward()
    assert (value.item() == 0.0) == (absent is A)
    assert loss.initialised.tolist() == [m is not absent for m in (V, I, A)]


def test_gradcheck() -> None:
    """The value does not move with the batch: its gradient is that of ‖(p_m − p_n) + (b_m − b_n) − const‖², by hand."""
    loss, y = ModalityAlignment(4, 0.0).double(), labels()
    loss(groups(0), y)
    loss.eval()  # fixed accumulated values; the gradient flows through the batch
    leaves = [leaf.requires_grad_() for leaf in groups(4).values()]
    found = torch.autograd.grad(loss(dict(zip(LABELS, leaves, strict=True)), y), leaves)
    fixed = [modality_prototype(leaf.detach(), y[m]) for leaf, m in zip(leaves, LABELS, strict=True)]

    def surrogate(*parts):
        b = [modality_prototype(f, y[m]) for f, m in zip(parts, LABELS, strict=True)]
        hat = [loss.prototypes[k] + b[k] - fixed[k] for k in range(3)]
        return (hat[0] - hat[2]).square().sum() + (hat[1] - hat[2]).square().sum()

    assert torch.autograd.gradcheck(surrogate, leaves)
    expected = torch.autograd.grad(surrogate(*leaves), leaves)
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(found, expected, strict=True))


def test_unknown_kind() -> None:
    with pytest.raises(ValueError, match="one of bridge, direct, other, mmd; got 'sideways'"):
        ModalityAlignment(4, 0.8, "sideways")


def test_other_moves_the_batch_to_the_auxiliary_prototype_alone() -> None:
    loss = ModalityAlignment(4, 0.8, "other").double()
    features, y = groups(3, requires_grad=True), labels()
    value = loss(features, y)
    batch = {m: modality_prototype(features[m], y[m]) for m in LABELS}
    expected = sum((batch[m] - batch[A].detach()).square().sum() for m in (V, I))
    assert value.item() == pytest.approx(expected.item(), abs=1e-12)
    value.backward()
    assert features[A].grad is None
    assert features[V].grad.norm() > 0


def test_kernel_discrepancy_equals_loops() -> None:
    loss = ModalityAlignment(4, 0.8, "mmd").double()
    features = groups(4)
    unit = {m: (x / x.norm(dim=1, keepdim=True)).numpy() for m, x in features.items()}

    def mean_kernel(a, b) -> float:
        return float(np.mean([[np.exp(-np.square(x - z).sum() / 2) for z in b] for x in a]))

    expected = sum(
        mean_kernel(unit[m], unit[m]) + mean_kernel(unit[A], unit[A]) - 2 * mean_kernel(unit[m], unit[A])
        for m in (V, I)
    )
    assert loss(features, labels()).item() == pytest.approx(expected, abs=1e-10)
    assert not bool(loss.initialised.any()), "no prototypes"


@pytest.mark.parametrize("kind", ["bridge", "other", "mmd"])
def test_without_an_auxiliary_modality_the_bridge_is_nothing(kind) -> None:
    loss = ModalityAlignment(4, 0.8, kind).double()
    features = {m: x for m, x in groups(0).items() if m != A}
    assert loss(features, {m: y for m, y in labels().items() if m != A}).item() == 0.0
