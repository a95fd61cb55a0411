"""Backbone, pooling, neck, and the network they make."""

import numpy as np
import pytest
import torch

from mun.checkpoint import build_network
from mun.config import Config, ModelConfig
from mun.models.backbone import Stem, Trunk
from mun.models.network import BnNeck, Network, generalised_mean
from mun.structures import Modality

V, I, A = Modality.VISIBLE, Modality.INFRARED, Modality.AUXILIARY
SMALL = ModelConfig(width=0.125, height=64, image_width=32)


def images(count: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, 64, 32, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("name", "parameters"),
    # torchvision's published counts less the classifier of 1,000 classes.
    [("resnet18", 11_689_512 - 513_000), ("resnet34", 21_797_672 - 513_000), ("resnet50", 25_557_032 - 2_049_000)],
)
def test_parameters_are_torchvisions(name, parameters) -> None:
    with torch.device("meta"):
        parts = [Stem(1.0), Trunk(name, 1.0)]
    assert sum(p.numel() for part in parts for p in part.parameters()) == parameters


def test_width_and_last_stride() -> None:
    trunk = Trunk("resnet18", 0.125)
    assert trunk.num_features == 64
    assert Stem(0.125)(images()).shape == (2, 8, 16, 8)
    assert trunk(Stem(0.125)(images())).shape == (2, 64, 4, 2)


def test_unknown_backbone() -> None:
    with pytest.raises(ValueError, match="resnet18, resnet34, resnet50"):
        Trunk("resnet19", 1.0)


def test_generalised_mean() -> None:
    maps = torch.rand(2, 3, 4, 5, dtype=torch.float64) + 0.1
    by_hand = np.mean(maps.numpy() ** 3, axis=(2, 3)) ** (1 / 3)
    np.testing.assert_allclose(generalised_mean(maps, 3.0).numpy(), by_hand, rtol=1e-5)
    assert torch.allclose(generalised_mean(maps, 1.0).double(), maps.mean(dim=(2, 3)), atol=1e-6)
    assert generalised_mean(maps.bfloat16(), 3.0).dtype == torch.float32


def test_neck_gives_unit_embeddings_and_no_bias() -> None:
    neck = BnNeck(8, 5)
    embeddings, logits = neck(torch.randn(6, 8))
    assert torch.allclose(embeddings.norm(dim=1), torch.ones(6), atol=1e-6)
    assert logits.shape == (6, 5)
    assert neck.classifier.bias is None
    assert not neck.bn.bias.requires_grad
    assert BnNeck(8, 0)(torch.randn(6, 8))[1].shape == (6, 0)


def test_zeroed_generator_changes_no_embedding() -> None:
    """At test time the generator is not used: visible and infrared embeddings stay the same to the bit."""
    network = build_network(Config(model=SMALL), 4, seed=1).eval()
    before = [network.embed(images(), modality) for modality in (V, I)]
    with torch.no_grad():
        for tensor in network.auxiliary.state_dict().values():
            tensor.zero_()
        for tensor in network.stems["auxiliary"].state_dict().values():
            tensor.zero_()
    after = [network.embed(images(), modality) for modality in (V, I)]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_forward_agrees_with_embed_and_splits_by_modality() -> None:
    network = build_network(Config(model=SMALL), 4).eval()
    outputs = network({V: images(2), I: images(3, 1), A: images(1, 2)})
    assert [len(outputs.features[m]) for m in (V, I, A)] == [2, 3, 1]
    assert outputs.logits[I].shape == (3, 4)
    assert torch.allclose(outputs.embeddings[I], network.embed(images(3, 1), I), atol=1e-5)
    assert torch.allclose(outputs.features[A], network.features(images(1, 2), A), atol=1e-5)


def test_a_third_modality_of_features_is_the_mean_of_both_maps() -> None:
    network = build_network(Config(model=ModelConfig(**{**vars(SMALL), "auxiliary": "feature-mean"})), 4).eval()
    assert list(network.stems) == ["visible", "infrared"]
    assert A not in network({V: images(2), I: images(2, 1)}).features
    network.training = True  # its layers stay in evaluation mode
    outputs = network({V: images(2), I: images(2, 1)})
    mean = network.trunk(0.5 * (network.stem(images(2), V) + network.stem(images(2, 1), I)))
    assert torch.allclose(outputs.features[A], generalised_mean(mean, network.config.gem_power), atol=1e-5)
    assert torch.allclose(outputs.embeddings[V], network.embed(images(2), V), atol=1e-5)


def test_auxiliary_stem_is_a_choice() -> None:
    own, shared = Network(SMALL, 2), Network(ModelConfig(**{**vars(SMALL), "auxiliary_stem": "visible"}), 2).eval()
    assert "auxiliary" in own.stems
    assert "auxiliary" not in shared.stems
    assert torch.equal(shared.embed(images(), A), shared.embed(images(), V))
    assert "auxiliary" not in Network(ModelConfig(**{**vars(SMALL), "auxiliary": "none"}), 2).stems
