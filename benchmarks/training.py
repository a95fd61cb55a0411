"""Speed of a training step compared with forward and backward alone, and the cost of the auxiliary generator.

The generator's cost is the share that it adds to forward and backward over visible, infrared and auxiliary images: the
auxiliary ones are generated in one run, given in the other. With a GPU also measured there, for ResNet-50 on 288×144.
"""

import tempfile
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.measure import Row, in_turn
from mun.config import Config, ModelConfig, TrainConfig
from mun.models.network import Network
from mun.structures import Modality
from mun.synvi import Plan, write
from mun.training.passes import RecordedPasses
from mun.training.run import FORMAT, RunSettings
from mun.training.step import Passes
from mun.training.trainer import Trainer, start_run

GPU = ModelConfig("mun", "resnet50", 1.0, 288, 144)


def bare(passes: Passes, pairs: tuple[Tensor, Tensor], given: Tensor | None, mixed: bool) -> None:
    """Do one forward and backward pass."""
    visible, infrared = pairs
    with torch.autocast(visible.device.type, dtype=torch.bfloat16, enabled=mixed):
        auxiliary = passes.generate(visible, infrared)[0] if given is None else given
        outputs = passes({Modality.VISIBLE: visible, Modality.INFRARED: infrared, Modality.AUXILIARY: auxiliary})
    torch.cat(list(outputs.embeddings.values())).square().sum().backward()
    if visible.is_cuda:
        torch.cuda.synchronize()


def generator(name: str, config: ModelConfig, device: str, mixed: bool, most: float | None, short: bool) -> Row:
    """Measure the time that the generator adds."""
    torch.manual_seed(0)
    network = Network(config, num_classes=100).to(device).train()
    network = network.to(memory_format=torch.channels_last)
    pairs = [torch.rand(4 if short else 32, 3, config.height, config.image_width, device=device) for _ in range(2)]
    steps = []
    for auxiliary in (torch.rand_like(pairs[0]), None):
        passes: Passes = RecordedPasses(network) if device == "cuda" else network  # one for each source of the images
        steps.append(partial(bare, passes, tuple(pairs), auxiliary, mixed))
        for _ in range(1 if short else 3):
            steps[-1]()
    given, generated = in_turn(*steps, repeats=1 if short else 11)
    return Row(
        f"generator beside {name}", 1e3 * (generated - given), "ms", 1e3 * given, "forward + backward", most=most
    )


def whole_step(short: bool) -> Row:
    """Measure the trainer's step: reading, augmentation, passes, losses and optimiser."""
    train = TrainConfig(ids_per_batch=2 if short else 8, instances_per_id=4, epochs=100, log_every=10_000)
    with tempfile.TemporaryDirectory() as folder:
        data, run = Path(folder) / "data", Path(folder) / "run"
        list(write(Plan(train_ids=8, val_ids=0, test_ids=0, images=2), data, workers=1))
        start_run(run, RunSettings(FORMAT, Config(train=train), "synvi", str(data), 0))
        trainer = Trainer(run, torch.device("cuda" if torch.cuda.is_available() else "cpu"), progress=False)
        images, _ = trainer.batches.at(0)
        pairs = (images[Modality.VISIBLE], images[Modality.INFRARED])
        mixed = trainer.device.type == "cuda"
        repeats = 1 if short else 11
        plain, step = in_turn(partial(bare, trainer.passes, pairs, None, mixed), trainer.train_step, repeats=repeats)
        trainer.batches.close()
    return Row("a training step of MUN", 1 / step, "per s", 1 / plain, "bare forward + backward", least=0.9)


def rows(short: bool) -> list[Row]:
    """Measure the rows of this suite."""
    bundled = ModelConfig()
    found = [
        whole_step(short),
        generator("the bundled network, float32", bundled, "cpu", False, 0.35, short),
        generator("the bundled network, bfloat16", bundled, "cpu", True, 0.35, short),
    ]
    if torch.cuda.is_available():
        found.append(generator("ResNet-50 on a GPU, float32", GPU, "cuda", False, 0.10, short))
        found.append(generator("ResNet-50 on a GPU, bfloat16", GPU, "cuda", True, None, short))
    return found
