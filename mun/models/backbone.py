"""ResNet-18, -34 and -50 with a width factor: a stem per modality and a shared trunk.

Parameter names inside a stem (`conv1`, `bn1`) and the trunk (`layer1.0.conv1`, …) are torchvision's, so that its
pretrained weights load; torchvision itself cannot build a narrow ResNet-18.
Source: He et al., CVPR 2016, arXiv:1512.03385. Departs from it in: stride 1 in the last stage, as re-identification
does, for a finer feature map.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["DEPTHS", "BasicBlock", "Bottleneck", "Stem", "Trunk", "load_torchvision", "scaled"]


def scaled(channels: int, width: float) -> int:
    """Multiply a channel count by the width factor; at least 4, a multiple of 4."""
    return max(4, round(channels * width / 4) * 4)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions with a residual path (ResNet-18 and -34)."""

    expansion = 1

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = shortcut(inputs, channels, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Map `(N, inputs, h, w)` to `(N, channels, h/stride, w/stride)`."""
        inner = F.relu(self.bn1(self.conv1(maps)))
        inner = self.bn2(self.conv2(inner))
        return F.relu(inner + (maps if self.downsample is None else self.downsample(maps)))


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 convolutions with a residual path (ResNet-50); the stride sits on the 3×3, as in torchvision."""

    expansion = 4

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        outputs = channels * self.expansion
        self.conv1 = nn.Conv2d(inputs, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = shortcut(inputs, outputs, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Map `(N, inputs, h, w)` to `(N, 4 × channels, h/stride, w/stride)`."""
        inner = F.relu(self.bn1(self.conv1(maps)))
        inner = F.relu(self.bn2(self.conv2(inner)))
        inner = self.bn3(self.conv3(inner))
        return F.relu(inner + (maps if self.downsample is None else self.downsample(maps)))


def shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """Project the residual path where a block changes its shape."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))


DEPTHS: dict[str, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, ...]]] = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
}


class Stem(nn.Module):
    """The first convolution of one modality."""

    def __init__(self, width: float) -> None:
        super().__init__()
        channels = scaled(64, width)
        self.conv1 = nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images `(N, 3, H, W)` to `(N, 64 × width, H/4, W/4)`."""
        return F.max_pool2d(F.relu(self.bn1(self.conv1(images))), 3, stride=2, padding=1)


class Trunk(nn.Module):
    """The four stages that all modalities share.

    Attributes:
        num_features: Channels D of the last stage.
    """

    def __init__(self, name: str, width: float) -> None:
        super().__init__()
        if name not in DEPTHS:
            raise ValueError(f"expected backbone to be one of {', '.join(DEPTHS)}; got {name!r}")
        block, depths = DEPTHS[name]
        inputs = scaled(64, width)
        for stage, (depth, stride) in enumerate(zip(depths, (1, 2, 2, 1), strict=True)):
            channels = scaled(64 * 2**stage, width)
            blocks = []
            for position in range(depth):
                blocks.append(block(inputs, channels, stride if position == 0 else 1))
                inputs = channels * block.expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.num_features = inputs

    def forward(self, maps: Tensor) -> Tensor:
        """Map a stem's `(N, 64 × width, h, w)` to the feature map `(N, D, h/4, w/4)`."""
        for stage in range(1, 5):
            maps = getattr(self, f"layer{stage}")(maps)
        return maps


def initialise(module: nn.Module) -> None:
    """Draw convolution weights by He's rule, fan-out, in place; skip weights on the meta device.

    A draw has no effect there, and would import torch's compiler.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d) and not part.weight.is_meta:
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")


def load_torchvision(stem: nn.Module, trunk: Trunk, state: Mapping[str, torch.Tensor]) -> None:
    """Load ResNet weights of torchvision's names into a stem and the trunk; a classifier `fc` is left out.

    Raises:
        ValueError: A tensor is missing or has another shape, as with another depth or width.
    """
    parts = ((stem, ("conv1.", "bn1.")), (trunk, ("layer",)))
    for part, prefixes in parts:
        wanted, found = shapes(part.state_dict(), prefixes), shapes(state, prefixes)
        for name in sorted(wanted.keys() | found.keys()):
            if wanted.get(name) != found.get(name):
                raise ValueError(
                    f"expected pretrained weights of this depth and width, with {name} of shape"
                    f" {wanted.get(name, 'none')}, got {found.get(name, 'none')}"
                )
    for part, prefixes in parts:
        part.load_state_dict({key: value for key, value in state.items() if key.startswith(prefixes)})


def shapes(state: Mapping[str, torch.Tensor], prefixes: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of some tensors by name, without the counts of batches, which old files lack."""
    return {
        name: tuple(tensor.shape)
        for name, tensor in state.items()
        if name.startswith(prefixes) and not name.endswith("num_batches_tracked")
    }
