"""An AGW-style two-stream ResNet-50 as a model of your own: a stem per modality, shared stages, GeM, BN neck.

python app.py --model AGW=docs.agw:model      with the weights of `$AGW_WEIGHTS`, random ones without it
"""

from __future__ import annotations

import os

import torch
from torch import Tensor, nn

from mun.own import OwnModel, load_weights
from mun.structures import Modality
from mun.torchvision_compat import import_parts

__all__ = ["Agw", "model"]


class Agw(nn.Module):
    """Source: Ye et al., TPAMI 2021, arXiv:2001.04193. Departs from it in: no non-local blocks, fixed GeM power."""

    def __init__(self) -> None:
        super().__init__()
        resnet50 = import_parts("torchvision.models.resnet")[0].resnet50
        self.base = resnet50()
        self.base.layer4[0].conv2.stride = self.base.layer4[0].downsample[0].stride = (1, 1)
        parts = ("conv1", "bn1", "relu", "maxpool")
        self.visible, self.infrared = (nn.Sequential(*(getattr(resnet50(), part) for part in parts)) for _ in range(2))
        self.bottleneck = nn.BatchNorm1d(2048)

    def forward(self, images: Tensor, modality: Modality) -> Tensor:
        """Map normalised images, `(N, 3, H, W)`, to embeddings, `(N, 2048)`."""
        maps = (self.visible if modality == "visible" else self.infrared)(images)
        for name in ("layer1", "layer2", "layer3", "layer4"):
            maps = getattr(self.base, name)(maps)
        return self.bottleneck(maps.clamp(min=1e-6).pow(3).mean(dim=(2, 3)).pow(1 / 3))


def model() -> OwnModel:
    """Build it for images of 288×144, with maps of its last two stages."""
    torch.manual_seed(0)
    network = Agw()
    if weights := os.environ.get("AGW_WEIGHTS"):
        load_weights(network, weights, ignore=("classifier.",))
    return OwnModel(network, 288, 144, layers=("base.layer3", "base.layer4"))
