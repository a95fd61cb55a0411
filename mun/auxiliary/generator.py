"""The auxiliary generator of MUN: intra-modality learners, cross-modality learner, layer scale.

Source: Yu, Cheng, Peng, Liu, Zhao, "Modality Unifying Network for Visible-Infrared Person Re-Identification",
ICCV 2023, arXiv:2309.06262. Known from it: several depth-wise convolutions of different kernel sizes per modality,
a spatial pyramid for what both share, and a learned layer scale between the two. The rest is our choice and stated
in place.
"""

import typing
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mun.auxiliary.interface import Auxiliary, check_pairs
from mun.config import GeneratorConfig

__all__ = ["AuxiliaryGenerator", "CrossModalityLearner", "GeneratorParts", "IntraModalityLearner", "input_dependence"]

# Images are nominally in [0, 1]; the generator works on (x - MIDDLE) / SPREAD and returns to [0, 1]. A fixed affine
# map, so that outputs are in the space of the inputs and one display mapping fits every image.
MIDDLE, SPREAD = 0.5, 0.25
LEAN = 0.75  # share of a modality in its own one of two images; chosen: halfway between the mean and a copy


def rms_gain(maps: Tensor) -> Tensor:
    """Return the factor, `(N, 1, 1, 1)`, that scales each image's maps, `(N, C, h, w)`, to a root mean square of 1.

    Without it a preceding 1×1 convolution absorbs the gain and the ratio of the layer scales means nothing.
    """
    norm = torch.linalg.vector_norm(maps.float(), dim=(1, 2, 3), keepdim=True)
    return torch.rsqrt(norm.square() / maps[0].numel() + 1e-6)


def merged_kernel(weights: Sequence[Tensor]) -> Tensor:
    """Sum depth-wise kernels, `(C, 1, k, k)` with odd k each, padded to the largest k."""
    largest = max(weight.shape[-1] for weight in weights)
    return torch.stack([F.pad(weight, [(largest - weight.shape[-1]) // 2] * 4) for weight in weights]).sum(dim=0)


class IntraModalityLearner(nn.Module):
    """Find identity patterns of one modality: `e + Conv1x1(GELU(BN(Σ_k DWConv_k(e))))`.

    Known: depth-wise convolutions with several kernel sizes. Chosen: their sum, the normalisation, the residual path.
    """

    def __init__(self, channels: int, kernels: tuple[int, ...]) -> None:
        super().__init__()
        self.depthwise = nn.ModuleList(
            nn.Conv2d(channels, channels, size, padding=size // 2, groups=channels, bias=False) for size in kernels
        )
        self.norm = nn.BatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Map `(N, C, h, w)` to the same shape."""
        # A sum of depth-wise convolutions equals one convolution with the summed kernels, at a third of the cost.
        kernel = merged_kernel(list(self.depthwise.parameters()))
        patterns = F.conv2d(maps, kernel, padding=kernel.shape[-1] // 2, groups=maps.shape[1])
        mapped: Tensor = self.pointwise(F.gelu(self.norm(patterns)))
        return maps + mapped


class CrossModalityLearner(nn.Module):
    """Find what both modalities share: pool each to a pyramid of bins, fuse per bin, upsample, sum.

    Known: spatial pyramid pooling, then fusion. Chosen: bins taller than wide, and that nothing at full resolution
    mixes the modalities: the pair is not pixel-aligned, and mixing its pixels would be a learned pixel fusion.
    """

    def __init__(self, channels: int, bins: tuple[tuple[int, int], ...]) -> None:
        super().__init__()
        self.bins = bins
        self.fuse = nn.ModuleList(nn.Conv2d(2 * channels, channels, 1) for _ in bins)
        self._pyramids: dict[tuple[torch.Size, torch.device, torch.dtype], tuple[Tensor, Tensor, Tensor]] = {}

    def forward(self, visible: Tensor, infrared: Tensor) -> Tensor:
        """Map two `(N, C, h, w)` to one shared `(N, C, h, w)`."""
        like = (visible.shape[-2:], visible.device, visible.dtype)
        if like not in self._pyramids:
            self._pyramids[like] = pyramid(self.bins, *like)
        inside, counts, spread = self._pyramids[like]
        # Averages over all bins are one product with a fixed matrix of zeros and ones, which bfloat16 holds exactly.
        both = [inside @ maps.flatten(2).transpose(1, 2) / counts for maps in (visible, infrared)]
        levels = torch.split(torch.cat(both, dim=2), [rows * columns for rows, columns in self.bins], dim=1)
        fused = [
            F.linear(level, fuse.get_parameter("weight").flatten(1), fuse.get_parameter("bias"))
            for level, fuse in zip(levels, self.fuse, strict=True)
        ]
        # Bilinear upsampling of all levels and their sum are also one product.
        return (spread @ torch.cat(fused, dim=1)).transpose(1, 2).reshape(visible.shape)


@torch.inference_mode(mode=False)  # the cached tensors are used in training too
def pyramid(
    bins: tuple[tuple[int, int], ...], size: torch.Size, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the pixels of `size` in each bin, their number, and the weight of each bin in each upsampled pixel.

    Bins are those of adaptive average pooling; upsampling is bilinear.

    Returns:
        0 or 1, `(B, h·w)`, numbers of pixels, `(B, 1)`, and weights, `(h·w, B)`, with the B bins of all levels one
        after the other; of `dtype`, the numbers at least float32.
    """
    inside, spread = [], []
    for level in bins:
        along = []
        for count, length in zip(level, size, strict=True):
            number, place = torch.arange(count)[:, None], torch.arange(length)
            along.append((place >= number * length // count) & (place < -(-(number + 1) * length // count)))
        rows, columns = along
        inside.append((rows[:, None, :, None] & columns[None, :, None, :]).flatten(2).flatten(0, 1))
        each = torch.eye(level[0] * level[1]).view(-1, 1, *level)
        spread.append(F.interpolate(each, size=size, mode="bilinear").flatten(1))
    pooled = torch.cat(inside)
    counts = pooled.sum(dim=1, keepdim=True).to(device, torch.promote_types(dtype, torch.float32))
    return pooled.to(device, dtype), counts, torch.cat(spread).t().contiguous().to(device, dtype)


@dataclass(frozen=True)
class GeneratorParts:
    """The branches before they are added, each `(N, C, h, w)` at the generator's resolution.

    Attributes:
        intra: Layer scale × unit-rms mean of both intra-modality learners, or None when they are off.
        cross: Layer scale × unit-rms output of the cross-modality learner, or None when it is off, or is the gate.
        weight: Of the visible image in the gate's mix, in (0, 1), `(N, 1, h, w)`; None in another form.
        base: Image in [0, 1] that the branches are added to, `(N, 3, H, W)`; None for no image.
    """

    intra: Tensor | None
    cross: Tensor | None
    weight: Tensor | None = None
    base: Tensor | None = None

    def total(self) -> Tensor:
        """Add the branches that are on."""
        if self.intra is None or self.cross is None:
            return typing.cast(Tensor, self.cross if self.intra is None else self.intra)
        return self.intra + self.cross


class AuxiliaryGenerator(Auxiliary):
    """Make one auxiliary image from a visible and an infrared image of one person.

    `a = g_iml ⊙ rms(½(I_v + I_i)) + g_cml ⊙ rms(S)`, then a 1×1 convolution to three channels: the form `sum`. The
    work is done at a fraction of the resolution (`config.resolution`) because at full size it costs about as much as a
    narrow backbone. Two other forms contain pixel fusion, from which they start at a small layer scale:

    - residual: `½(V + I)` plus that image, without its bias; a layer scale of 0 is the pixel mean.
    - gate: `w·V + (1 − w)·I` plus the image of `g_iml ⊙ rms(w·I_v + (1 − w)·I_i)`, with the coarse map
      `w = sigmoid(Σ_c g_cml ⊙ S)`: the pyramid decides where each modality is taken, so a constant pyramid is a plain
      mix. Without the cross-modality learner w is ½ everywhere: the constant gate, a control.

    Two images of a pair (`config.auxiliary_images`) take ¾ of one modality and ¼ of the other in place of the means.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.resolution, self.form = config.resolution, config.form
        self.shares = (0.5,) if config.auxiliary_images == 1 else (LEAN, 1 - LEAN)  # of the visible modality, by image
        self.num_images = len(self.shares)
        self.dropout, self.jitter = config.branch_dropout, config.scale_jitter
        channels = config.channels
        self.stem_visible = nn.Conv2d(3, channels, 1)
        self.stem_infrared = nn.Conv2d(3, channels, 1)
        self.iml_visible = IntraModalityLearner(channels, config.kernels) if config.iml else None
        self.iml_infrared = IntraModalityLearner(channels, config.kernels) if config.iml else None
        self.cml = CrossModalityLearner(channels, config.bins) if config.cml else None
        scale, learned = torch.full((channels,), config.scale_init), config.scale_learned
        self.scale_iml = nn.Parameter(scale.clone(), learned) if config.iml else None
        self.scale_cml = nn.Parameter(scale.clone(), learned) if config.cml else None
        self.fused = nn.Identity()  # the sum of both branches: a layer for maps, without weights
        self.output = nn.Conv2d(channels, 3, 1, bias=config.form == "sum")

    @property
    def random(self) -> bool:
        """Whether training changes the branches at random."""
        return self.dropout > 0 or self.jitter > 0

    def factors(self, count: int, draws: torch.Generator) -> Tensor:
        """Draw the factors of each image's branches in training, intra and cross, `(count, 2)`."""
        tilt, chance, side = torch.rand(count, 3, generator=draws).unbind(dim=1)
        tilt = self.jitter * (2 * tilt - 1)
        sides = torch.stack([side < 0.5, side >= 0.5], dim=1)
        dropped = (chance < self.dropout)[:, None] & sides
        return torch.stack([1 + tilt, 1 - tilt], dim=1).masked_fill(dropped, 0.0)

    def parts(
        self, visible: Tensor, infrared: Tensor, factors: Tensor | None = None, number: int = 0
    ) -> GeneratorParts:
        """Compute both scaled branches from images in [0, 1], `(N, 3, H, W)`.

        Args:
            visible: RGB.
            infrared: Like `visible`.
            factors: Of intra and cross per image, `(N, 2)`; 1 by default.
            number: Which image of the pair, from 0.

        Raises:
            ValueError: The two batches differ in shape, or are not images.
        """
        check_pairs(visible, infrared)
        maps_v = self.stem_visible(self.shrink(visible))
        maps_i = self.stem_infrared(self.shrink(infrared))
        shared = None if self.cml is None else self.cml(maps_v, maps_i)
        intra = cross = weight = base = None
        share = self.shares[number]
        if self.form == "gate":
            weight = self.gate(maps_v, shared, factors)
            whole = F.interpolate(weight, size=visible.shape[-2:], mode="bilinear", align_corners=False)
            base = whole * visible + (1 - whole) * infrared
        elif self.form == "residual":
            base = share * visible + (1 - share) * infrared
        if self.iml_visible is not None and self.iml_infrared is not None and self.scale_iml is not None:
            own_v, own_i = self.iml_visible(maps_v), self.iml_infrared(maps_i)
            mix = share if weight is None else weight
            mixed = mix * own_v + (1 - mix) * own_i
            intra = scaled_branch(mixed, self.scale_iml, None if factors is None else factors[:, 0])
        if shared is not None and self.scale_cml is not None and weight is None:
            cross = scaled_branch(shared, self.scale_cml, None if factors is None else factors[:, 1])
        return GeneratorParts(intra, cross, weight, base)

    def gate(self, maps: Tensor, shared: Tensor | None, factors: Tensor | None) -> Tensor:
        """Turn the pyramid's maps into the weight of the visible image, `(N, 1, h, w)`; ½ without them."""
        if shared is None or self.scale_cml is None:
            return torch.full_like(maps[:, :1], 0.5)
        height = (shared * self.scale_cml[:, None, None].to(shared.dtype)).sum(dim=1, keepdim=True)
        if factors is not None:
            height = height * factors[:, 1, None, None, None].to(height)
        return torch.sigmoid(height)

    def make(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None) -> tuple[Tensor, ...]:
        """Generate from pairs in [0, 1], `(N, 3, H, W)`; images of that shape, nominally [0, 1], not clipped."""
        factors = self.factors(len(visible), draws) if self.training and draws is not None and self.random else None
        made = [self.parts(visible, infrared, factors, number) for number in range(self.num_images)]
        return tuple(self.render(parts.total(), visible.shape[-2:], parts.base) for parts in made)

    def shrink(self, images: Tensor) -> Tensor:
        """Centre images and average them down to the generator's resolution."""
        smaller = F.avg_pool2d(images, self.resolution) if self.resolution > 1 else images
        return (smaller - MIDDLE) / SPREAD

    def render(self, maps: Tensor, size: torch.Size, base: Tensor | None = None) -> Tensor:
        """Turn generator maps into an image of `size`, added to `base` where the form has one."""
        image: Tensor = self.output(self.fused(maps))
        if image.shape[-2:] != size:
            image = F.interpolate(image, size=size, mode="bilinear", align_corners=False)
        return (MIDDLE if base is None else base) + SPREAD * image

    @torch.no_grad()
    def diagnostics(self, visible: Tensor, infrared: Tensor) -> dict[str, float]:
        """Report the share of IML in the layer scale and the energy of each branch in the output, fractions and rms.

        `iml_share` is ‖g_iml‖₁ / (‖g_iml‖₁ + ‖g_cml‖₁); energies are the root mean square of each branch after the
        output convolution, without its bias. `cml_pattern` is the part of the cross-modality learner's energy that
        differs between places (0: a flat colour); a gate's map has no energy: `gate_mean` and `gate_pattern` are its
        mean and its standard deviation over places.
        """
        parts = self.parts(visible, infrared)
        size = {
            name: 0.0 if scale is None else float(scale.abs().sum())
            for name, scale in (("iml", self.scale_iml), ("cml", self.scale_cml))
        }
        report = {"iml_share": size["iml"] / max(size["iml"] + size["cml"], 1e-12)}
        for name, branch in (("iml", parts.intra), ("cml", parts.cross)):
            if branch is not None:
                shown = F.conv2d(branch.float(), self.output.weight.float())
                report[f"{name}_energy"] = float(shown.square().mean().sqrt())
                if name == "cml":
                    report["cml_pattern"] = pattern(shown)
        if parts.weight is not None:
            report |= {"gate_mean": float(parts.weight.mean()), "gate_pattern": pattern(parts.weight)}
        return report


def pattern(maps: Tensor) -> float:
    """Measure the differences between places within each image's maps, `(N, C, h, w)`: root mean square."""
    return float((maps - maps.mean(dim=(2, 3), keepdim=True)).square().mean().sqrt())


def scaled_branch(maps: Tensor, scale: Tensor, factor: Tensor | None) -> Tensor:
    """Multiply unit-rms maps, `(N, C, h, w)`, by a layer scale, `(C,)`, and by a factor per image, `(N,)`."""
    gain = scale[:, None, None] * rms_gain(maps)
    if factor is not None:
        gain = gain * factor.to(gain)[:, None, None, None]
    return maps * gain.to(maps.dtype)


def input_dependence(generator: nn.Module, visible: Tensor, infrared: Tensor, seed: int = 0) -> float:
    """Measure how much the auxiliary image depends on the visible input, as a share in [0, 1].

    ‖∂A/∂V‖ / (‖∂A/∂V‖ + ‖∂A/∂I‖), Frobenius norms estimated with one random sign vector. Near 0 or 1 the generator
    copies one input, which satisfies the losses but fuses nothing. NaN where there is no auxiliary image or where the
    image depends on neither input.
    """
    draws = torch.Generator(device="cpu").manual_seed(seed)
    visible = visible.detach().float().requires_grad_()
    infrared = infrared.detach().float().requires_grad_()
    with torch.enable_grad():
        images = generator(visible, infrared)
        if not images:
            return float("nan")
        signs = [(torch.randint(0, 2, image.shape, generator=draws) * 2 - 1).to(image) for image in images]
        total = torch.stack([(image * sign).sum() for image, sign in zip(images, signs, strict=True)]).sum()
        gradients = torch.autograd.grad(total, (visible, infrared), allow_unused=True)
    norms = [0.0 if gradient is None else float(gradient.norm()) for gradient in gradients]
    return norms[0] / sum(norms) if sum(norms) > 0 else float("nan")
