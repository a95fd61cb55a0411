"""What the auxiliary generator adds to a training step of the bundled network, or of ResNet-50 on a GPU.

The step is forward and backward over visible, infrared and auxiliary images. The auxiliary images are once generated
and once given, in turn, so that whatever else the machine does meets both alike; the fastest of each counts.

    python -m benchmarks.generator [--device cuda] [--backbone resnet50] [--width 1] [--size 288x144] [--pairs 32]
"""

from __future__ import annotations

import argparse
import time

import torch

from mun.config import ModelConfig
from mun.models.network import Network
from mun.structures import Modality
from mun.training.graphs import RecordedPasses


def step(
    passes: Network | RecordedPasses,
    pairs: tuple[torch.Tensor, torch.Tensor],
    given: torch.Tensor | None,
    mixed: bool,
) -> float:
    """Time one forward and backward pass in seconds."""
    visible, infrared = pairs
    if visible.is_cuda:
        torch.cuda.synchronize()
    began = time.perf_counter()
    with torch.autocast(visible.device.type, dtype=torch.bfloat16, enabled=mixed):
        auxiliary = passes.generate(visible, infrared)[0] if given is None else given
        images = {Modality.VISIBLE: visible, Modality.INFRARED: infrared, Modality.AUXILIARY: auxiliary}
        outputs = passes(images)
    torch.cat(list(outputs.embeddings.values())).square().sum().backward()
    if visible.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - began


def main() -> None:
    """Print the cost in percent of the backbone's step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--width", type=float, default=0.5)
    parser.add_argument("--size", default="128x64")
    parser.add_argument("--pairs", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--mixed", action="store_true", help="the backbone in bfloat16")
    options = parser.parse_args()
    height, width = (int(number) for number in options.size.split("x"))
    torch.manual_seed(0)
    config = ModelConfig("mun", options.backbone, options.width, height, width)
    network = Network(config, num_classes=100).to(options.device).train()
    network = network.to(memory_format=torch.channels_last)
    pairs = tuple(torch.rand(options.pairs, 3, height, width, device=options.device) for _ in range(2))
    given = torch.rand_like(pairs[0])
    times: dict[str, list[float]] = {"given": [], "generated": []}
    on_gpu = network.mean.is_cuda  # where training records its passes, once for each way of coming by the image
    passes = {name: RecordedPasses(network) if on_gpu else network for name in times}
    for repeat in range(options.repeats + 2):
        for name, auxiliary in (("given", given), ("generated", None)):
            seconds = step(passes[name], pairs, auxiliary, options.mixed)
            if repeat >= 2:
                times[name].append(seconds)
    plain, whole = min(times["given"]), min(times["generated"])
    print(
        f"{options.backbone} x{options.width:g}, {options.size}, {options.pairs} pairs on {options.device}: "
        f"{1000 * plain:.0f} ms, with the generator {1000 * whole:.0f} ms: {100 * (whole / plain - 1):+.0f} %"
    )


if __name__ == "__main__":
    main()
