"""The cost of a method: parameters, time and memory of a training step, measured on random images."""

import multiprocessing
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from mun.config import Config
from mun.losses.criterion import Criterion
from mun.models.network import Network
from mun.structures import Modality
from mun.training.step import backward, forward, training_passes

__all__ = ["Cost", "measure"]

WARM_UP, STEPS = 2, 7


@dataclass(frozen=True)
class Cost:
    """The cost of one row.

    Attributes:
        parameters: Learned numbers without the classifier; a frozen generator has none.
        generator_parameters: Numbers of the auxiliary modality, learned or frozen, which are gone at test time.
        step_seconds: Median seconds of a forward and backward pass with the optimiser's step left out.
        peak_bytes: Most memory at once: of the GPU, or of the whole process on a CPU.
        images: Images per step, auxiliary ones included.
        device: What it was measured on; empty where that was not noted.
    """

    parameters: int
    generator_parameters: int
    step_seconds: float
    peak_bytes: int
    images: int
    device: str = ""


def measure(configs: Mapping[str, Config], num_classes: int, device: str, threads: int) -> Iterator[tuple[str, Cost]]:
    """Measure one row after the other, each in a separate process, so that the memory of other rows does not count.

    On a GPU one process measures all rows: the GPU's memory count is reset for each.

    Args:
        configs: Configs by the name of the row.
        num_classes: Training identities.
        device: `cpu` or `cuda`.
        threads: Threads of the process on a CPU.

    Yields:
        Name and cost, in the order of `configs`.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, maxtasksperchild=1 if device == "cpu" else None) as pool:
        for name, config in configs.items():
            yield name, pool.apply(_measure, (config, num_classes, device, threads))


def _measure(config: Config, num_classes: int, device: str, threads: int) -> Cost:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    place = torch.device(device)
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    network = Network(config.model, num_classes).to(place)
    network = network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    criterion = Criterion(config.loss, network.num_features).to(place)
    size = config.train.pairs
    visible, infrared = torch.rand(2, size, 3, *config.model.size, device=place)
    pids = torch.arange(config.train.ids_per_batch, device=place).repeat_interleave(config.train.instances_per_id)
    batch = {Modality.VISIBLE: visible, Modality.INFRARED: infrared}
    passes = training_passes(network, criterion)
    images = 2 * size + size * network.auxiliary.num_images

    def step(number: int) -> float:
        make = partial(passes.generate, visible, infrared, torch.Generator().manual_seed(number))
        began = time.perf_counter()
        backward(forward(passes, criterion, config.train, batch, pids, make, progress=1.0), criterion)
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    seconds = [step(number) for number in range(WARM_UP + STEPS)][WARM_UP:]
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else peak_memory()
    learned = [parameter.numel() for parameter in network.parameters() if parameter.requires_grad]
    classifier = network.num_features * num_classes
    generator = sum(part.numel() for part in network.auxiliary.parameters())
    name = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {threads} threads"
    return Cost(sum(learned) - classifier, generator, statistics.median(seconds), peak, images, name)


def peak_memory() -> int:
    """Return the most memory that this process has had, in bytes.

    Linux resets its own count when a process starts a program; `getrusage`, used on other systems, would still count
    the memory of the parent process.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    import resource  # here: Windows has none

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
