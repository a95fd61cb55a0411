"""Activation maps: against gradients by hand, on a copy, raw, and refused where they make no sense."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mun.checkpoint import build_network
from mun.config import Config, GeneratorConfig, ModelConfig
from mun.explain.cams import (
    GENERATOR_LAYERS,
    STAGES,
    Look,
    LookingNetwork,
    Method,
    activation_maps,
    class_of,
    default_method,
    thin_projection,
    upsampled,
)
from mun.explain.targets import Logit, Similarity, center
from mun.models.network import Network
from mun.structures import Modality
from mun.torchvision_compat import import_parts

V, I, A = Modality.VISIBLE, Modality.INFRARED, Modality.AUXILIARY
SIZE = (64, 32)


def network(auxiliary: str = "mun", num_classes: int = 0, seed: int = 0, **options) -> Network:
    config = Config(model=ModelConfig(auxiliary=auxiliary, width=0.125, height=SIZE[0], image_width=SIZE[1], **options))
    return build_network(config, num_classes, seed).eval().requires_grad_(False)


def images(count: int = 2, channels: int = 3, seed: int = 0, size: tuple[int, int] = SIZE) -> torch.Tensor:
    return torch.rand(count, channels, *size, generator=torch.Generator().manual_seed(seed))


def similarities(net: Network, count: int = 2, seed: int = 5) -> list[Similarity]:
    return [Similarity(row) for row in net.embed(images(count, seed=seed), V)]


def by_hand(net: Network, look: Look, target: Similarity, layer: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Activations and gradients, `(C, h, w)`, of a layer for one image: a leaf tensor replaces the layer's output."""
    kept = []

    def replace(module, inputs, output):
        kept.append(output.detach().clone().requires_grad_())
        return kept[-1]

    handle = net.explainable_layers()[layer].register_forward_hook(replace)
    try:
        with torch.enable_grad():
            embedding = LookingNetwork(net, look)(look.images)[0]
            similarity = (embedding * F.normalize(target.reference, dim=0)).sum() / embedding.norm()
            (gradient,) = torch.autograd.grad(similarity, kept)
    finally:
        handle.remove()
    return kept[0].detach()[0], gradient[0]


CASES = [(layer, modality) for layer in STAGES for modality in (V, I, A)] + [(layer, A) for layer in GENERATOR_LAYERS]


@pytest.mark.parametrize(("layer", "modality"), CASES)
def test_maps_agree_with_a_gradient_by_hand(layer: str, modality: Modality) -> None:
    net = network()
    look = Look(images(1, 6 if modality is A else 3), modality)
    (target,) = similarities(net, 1)
    activations, gradient = by_hand(net, look, target, layer)
    methods = (Method.LAYER_CAM, Method.GRAD_CAM)
    maps = activation_maps(net, look, [target], [(layer, method) for method in methods])
    layer_cam = (gradient.clamp(min=0) * activations).sum(0).clamp(min=0)
    grad_cam = (gradient.mean((1, 2))[:, None, None] * activations).sum(0).clamp(min=0)
    assert float(layer_cam.max()) > 0
    for method, expected in zip(methods, (layer_cam, grad_cam), strict=True):
        values = maps[layer, method]
        assert values.shape == (1, *activations.shape[1:])
        assert values.dtype == np.float32
        np.testing.assert_allclose(values[0], expected.numpy(), rtol=1e-4, atol=1e-6 * float(expected.max()) + 1e-12)


def test_every_method_gives_the_packages_map_before_its_scaling() -> None:
    net, look = network(), Look(images(2), V)
    targets = similarities(net)
    for method in (Method.GRAD_CAM_PLUS_PLUS, Method.SCORE_CAM):
        kind, _ = class_of(method)
        values = activation_maps(net, look, targets, [("layer2", method)])["layer2", method]
        cam = kind(model=LookingNetwork(net, look), target_layers=[net.trunk.layer2])
        scaled = cam(input_tensor=look.images.clone().requires_grad_(), targets=targets)
        cam.activations_and_grads.release()
        larger = upsampled((values - values.min((1, 2), keepdims=True)) / np.ptp(values, (1, 2), keepdims=True), SIZE)
        assert np.abs(larger - scaled).max() < 0.05  # the package enlarges and scales in another order
        assert values.min() >= 0


def test_eigen_cam_is_the_packages_with_a_definite_sign() -> None:
    (package,) = import_parts("pytorch_grad_cam.utils.svd_on_activations")
    activations = np.random.default_rng(0).normal(size=(3, 5, 7, 4)).astype(np.float32)
    expected = package.get_2d_projection_with_sign_correction(activations)
    np.testing.assert_allclose(thin_projection(None, None, None, activations), expected, atol=1e-4)


def test_the_network_is_left_as_it_was() -> None:
    net = network().train().requires_grad_(True)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    targets = [Similarity(row) for row in network().embed(images(), V)]
    activation_maps(net, Look(images(), V), targets, [("layer4", Method.GRAD_CAM)])
    with torch.inference_mode():
        made = Look(images(), V), [Similarity(target.reference.clone()) for target in targets]
        activation_maps(net, *made, [("layer4", Method.GRAD_CAM)])
        activation_maps(net, Look(images(), V), targets, [("layer4", Method.GRAD_CAM)])

    def explode(embedding: torch.Tensor) -> torch.Tensor:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        activation_maps(net, Look(images(), V), [explode, explode], [("layer4", Method.GRAD_CAM)])  # type: ignore[list-item]
    assert all(module.training for module in net.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in net.parameters())
    assert not any(module._forward_hooks or module._backward_hooks for module in net.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert torch.is_grad_enabled()


def test_many_threads_get_what_one_gets() -> None:
    net = network()
    asked = [
        (Look(images(1, 3, seed), modality), similarities(net, 1, seed + 1)) for seed, modality in enumerate([V, I] * 4)
    ]
    wanted = [("layer2", Method.LAYER_CAM), ("layer4", Method.GRAD_CAM)]
    alone = [activation_maps(net, *one, wanted) for one in asked]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda one: activation_maps(net, *one, wanted), asked))
    for one, other in zip(alone, together, strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in one)


def test_layers_by_what_the_checkpoint_has() -> None:
    assert tuple(network().explainable_layers()) == GENERATOR_LAYERS + STAGES
    assert tuple(network("none").explainable_layers()) == STAGES
    halves = network(generator=GeneratorConfig(iml=False))
    assert tuple(halves.explainable_layers()) == ("cml", "fused", *STAGES)
    assert {default_method(layer) for layer in GENERATOR_LAYERS} == {Method.LAYER_CAM}
    assert {default_method(layer) for layer in STAGES} == {Method.GRAD_CAM}


def test_logits_are_for_networks_with_a_classifier() -> None:
    net = network(num_classes=3)
    maps = activation_maps(net, Look(images(), V), [Logit(0), Logit(2)], [("layer4", Method.LAYER_CAM)])
    assert maps["layer4", Method.LAYER_CAM].max() > 0
    with pytest.raises(ValueError, match="has no classifier"):
        activation_maps(network(), Look(images(), V), [Logit(0)] * 2, [])
    with pytest.raises(ValueError, match="identities 0 to 2"):
        activation_maps(net, Look(images(), V), [Logit(3)] * 2, [])
    with pytest.raises(ValueError, match="of one kind"):
        activation_maps(net, Look(images(), V), [Logit(0), similarities(net)[0]], [])


@pytest.mark.parametrize(
    ("layer", "look", "words"),
    [
        ("neck", Look(images(), V), "expected a layer with a spatial map, one of iml_visible, .*; got 'neck'"),
        ("cml", Look(images(), V), "expected a pair of images for cml"),
        ("layer4", Look(images(size=(16, 8)), V), "a spatial map of several places at layer4, got one of 1 x 1"),
        ("layer4", Look(images(channels=6), A, number=1), "makes 2 auxiliary images of a pair, got one that makes 1"),
        ("layer4", Look(images(3), V), "expected one target per image, got 2 for 3"),
    ],
)
def test_what_makes_no_sense_is_refused(layer: str, look: Look, words: str) -> None:
    net = network()
    with pytest.raises(ValueError, match=words):
        activation_maps(net, look, similarities(net), [(layer, Method.GRAD_CAM)])


def test_damaged_weights_and_too_much_work_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network()
    targets = similarities(net)
    monkeypatch.setattr("mun.explain.cams.MAX_SCORED", 2 * 10 * SIZE[0] * SIZE[1])
    with pytest.raises(
        ValueError, match="expected at most 10 channels for Score-CAM at this image size, got 64 at layer4"
    ):
        activation_maps(net, Look(images(), V), targets, [("layer4", Method.SCORE_CAM)])
    net.trunk.layer4[1].conv2.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="expected finite values at layer4"):
        activation_maps(net, Look(images(), V), targets, [("layer4", Method.GRAD_CAM)])


def test_shapes_of_looks_and_targets() -> None:
    for bad in (torch.zeros(3, 64, 32), torch.zeros(1, 4, 64, 32)):
        with pytest.raises(ValueError, match="expected images of shape"):
            Look(bad, V)
    with pytest.raises(ValueError, match="expected pairs with the modality auxiliary"):
        Look(images(channels=6), V)
    with pytest.raises(ValueError, match="reference of shape"):
        Similarity(torch.zeros(2, 2))
    for empty in (torch.zeros(4), torch.full((4,), float("nan"))):
        with pytest.raises(ValueError, match="with a direction"):
            Similarity(empty)


def test_a_center_is_the_direction_of_the_mean() -> None:
    rows = np.array([[1, 0], [0, 1]], np.float32)
    np.testing.assert_allclose(center(rows), [2**-0.5] * 2, rtol=1e-6)
    with pytest.raises(ValueError, match="cancel one another"):
        center(np.array([[1, 0], [-1, 0]], np.float32))
    with pytest.raises(ValueError, match="K at least 1"):
        center(np.zeros((0, 4), np.float32))


def test_what_is_done_is_reported_and_can_be_ended() -> None:
    net, shares = network(), list[float]()
    look, targets = Look(images(1), V), similarities(net, 1)
    activation_maps(net, look, targets, [("layer1", Method.GRAD_CAM), ("layer4", Method.SCORE_CAM)], shares.append)
    assert shares[0] == 0.5
    assert shares[-1] == 1.0
    assert len(shares) > 3
    assert shares == sorted(shares)

    def stop(share: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        activation_maps(net, look, targets, [("layer4", Method.SCORE_CAM)], stop)
