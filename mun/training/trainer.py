"""Train a run up to a step; a run may be cut into any number of calls."""

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mun.auxiliary.generator import AuxiliaryGenerator, input_dependence
from mun.checkpoint import CARD, WEIGHTS, build_network, load_tensors, read_snapshots, save_checkpoint, write_snapshots
from mun.data.fresh import check_fresh
from mun.data.source import Source
from mun.data.sources import read_source
from mun.distributed import is_first, processes, rank, wait
from mun.evaluation.galleries import draw_trials
from mun.evaluation.protocols import protocol_of
from mun.files import write_text
from mun.hub import README, readme_of
from mun.losses.criterion import Criterion
from mun.models.network import Network
from mun.progress import Progress
from mun.structures import PAIRED, Modality, Split
from mun.training.batches import Batches, build_sampler
from mun.training.card import make_card
from mun.training.passes import share_statistics
from mun.training.pretrained import load_pretrained, with_pretrained
from mun.training.run import (
    MetricsFile,
    RunSettings,
    TrainState,
    newest_state,
    read_settings,
    remove_unfinished,
    write_settings,
)
from mun.training.schedule import build_optimizer, forget_labels, learning_rate, set_learning_rate, snapshot_steps
from mun.training.step import backward, forward, training_passes
from mun.training.validation import recalibrated, validate, validation_protocol

__all__ = ["Trainer", "start_run", "train"]

Note = Callable[[Mapping[str, Any]], None]  # takes a line of metrics


class Trainer:
    """A run in memory, in one process or one of several: network, losses, optimiser, images, current step.

    Args:
        folder: A run started with `start_run`; it continues from its newest state.
        device: Where to compute.
        progress: Show progress bars on stderr.
        note: Called with every line of metrics.
    """

    def __init__(self, folder: Path, device: torch.device, progress: bool = True, note: Note | None = None) -> None:
        self.folder, self.device, self.progress = folder, device, progress
        self.settings: RunSettings = read_settings(folder)
        remove_unfinished(folder)
        self.config, self.seed = self.settings.config, self.settings.seed
        self.source = open_data(self.settings)
        self.batches = Batches(self.source, self.config, self.seed, device, progress)
        self.steps_per_epoch = self.batches.steps_per_epoch
        self.steps = self.config.train.epochs * self.steps_per_epoch
        network = build_network(self.config, self.batches.sampler.num_classes, self.seed).to(device)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if processes() > 1:
            share_statistics(network)
        criterion = Criterion(self.config.loss, network.num_features).to(device)
        self.network: Network = network
        self.passes = training_passes(network, criterion, self.config.train.modalities == "visible")
        self.criterion = criterion
        pretrained = self.settings.pretrained
        optimizer = build_optimizer(network, self.config.train, bool(pretrained))
        self.state = TrainState(0, network, criterion, optimizer, {})
        if (newest := newest_state(folder)) is not None:
            self.state.load(newest)
        elif pretrained:
            load_pretrained(network, Path(pretrained), self.settings.pretrained_sha256)
        self.metrics = MetricsFile(folder / "metrics.jsonl", self.state.step, note)
        self.snapshot_steps = snapshot_steps(self.config.train.snapshots, self.steps)

    def generate(self, images: Mapping[Modality, Tensor], step: int) -> tuple[Tensor, ...]:
        """Make the auxiliary images of a step from its augmented images, or from a second augmentation of them."""
        auxiliary = self.network.auxiliary
        if not auxiliary.num_images:
            return ()
        entropy = [self.seed, 4, step, *([rank()] if rank() else [])]  # each process has its own pairs and draws
        draws = torch.Generator().manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
        if auxiliary.second_view:
            images = self.batches.second_view(step, draws)
        return self.passes.generate(images[Modality.VISIBLE], images[Modality.INFRARED], draws)

    def begin_epoch(self, step: int) -> None:
        """At the start of an epoch, replace the fresh people, and start to render the next ones."""
        fresh = self.batches.fresh
        if fresh is None or step % self.steps_per_epoch:
            return
        epoch = step // self.steps_per_epoch
        if step + self.steps_per_epoch < self.steps:
            fresh.prepare(epoch + 1)
        if epoch:
            forget_labels(self.network.neck, self.state.optimizer, fresh.replaced(epoch), self.batches.draws(step))

    def train_step(self) -> dict[str, float]:
        """Do one optimiser step; return its metrics if they are due, otherwise nothing.

        Raises:
            ValueError: The loss is not finite; the last saved state is left as it was.
        """
        step = self.state.step
        self.begin_epoch(step)
        began = time.perf_counter()
        rate = learning_rate(step, self.steps, self.config.train)
        set_learning_rate(self.state.optimizer, rate)
        images, labels = self.batches.at(step)
        self.network.train()
        self.criterion.train()
        make, share = partial(self.generate, images, step), step / self.steps
        done = forward(self.passes, self.criterion, self.config.train, images, labels, make, share)
        loss = float(done.total.detach())
        if not math.isfinite(loss):
            raise ValueError(f"expected a finite loss, got {loss} at step {step}; a lower --lr may help")
        self.state.optimizer.zero_grad(set_to_none=True)
        backward(done, self.criterion)
        self.state.optimizer.step()
        self.state.step = step + 1
        seconds = time.perf_counter() - began  # without the measurements below
        if self.state.step % self.config.train.log_every and self.state.step != self.steps:
            return {}
        line = {name: float(value) for name, value in done.parts.items()} | {"total": loss}
        line |= self.criterion.identity_by_modality(done.outputs.logits, done.labels)
        line |= self.criterion.diagnostics(done.outputs.features, done.outputs.embeddings, done.labels)
        line |= self.generator_diagnostics(images)
        count = processes() * sum(len(values) for values in done.images.values())
        return {**line, "lr": rate, "seconds": seconds, "images_per_second": count / seconds}

    def generator_diagnostics(self, images: Mapping[Modality, Tensor]) -> dict[str, float]:
        """Measure layer scale, branch energies and input dependence of the generator; keep its batch statistics."""
        generator = self.network.auxiliary
        if not isinstance(generator, AuxiliaryGenerator):
            return {}
        visible, infrared = (images[modality].detach().float() for modality in PAIRED)
        generator.eval()
        report = generator.diagnostics(visible, infrared)
        report["visible_dependence"] = input_dependence(generator, visible[:8], infrared[:8])
        generator.train()
        return report

    def validate(self) -> dict[str, dict[str, float]]:
        """Score the current weights on the validation identities; empty without them, or with one modality only."""
        train = self.config.train
        if not self.source.val or train.modalities == "visible":
            return {}
        return validate(self.network, self.source, self.batches.plain(), self.progress, train.score_training)

    def advance(self) -> dict[str, float]:
        """Do one step, and the metrics, validation and saving that are due after it."""
        train = self.config.train
        self.keep_snapshot()
        line = self.train_step()
        step = self.state.step
        due = step % (train.evaluate_every * self.steps_per_epoch) == 0 or step == self.steps
        if line:
            self.metrics.write({"step": step, "epoch": step / self.steps_per_epoch, **line})
        if due and (scored := self.validate()):
            self.metrics.write({"step": step, "epoch": step / self.steps_per_epoch, **scored})
            scores, best = scored["validation"], self.state.best.get("scores", {})
            if scores["mean_ap"] > best.get("mean_ap", -1.0):
                self.state.keep_best(self.folder, scores)
        if due or step % train.save_every == 0:
            self.state.save(self.folder)
        return line

    def keep_snapshot(self) -> None:
        """Store the generator's state where a snapshot is due."""
        state = self.network.auxiliary.state_dict()
        if self.state.step in self.snapshot_steps and state and is_first():
            now = {name: tensor.detach().cpu() for name, tensor in state.items()}
            write_snapshots(self.folder, {**read_snapshots(self.folder), self.state.step: now})

    def finish(self) -> None:
        """Write the finished checkpoint into the run's folder."""
        selection: dict[str, Any] = {"by": "last step"}
        self.keep_snapshot()
        wait()  # until the first process has written the best weights
        step = self.state.step
        if self.config.train.select == "best" and self.state.best:
            step = self.state.best["step"]
            path = self.folder / f"best-{step:06d}" / "network.safetensors"
            self.network.load_state_dict(load_tensors(path, self.network.state_dict()))
            selection = {
                "by": "mAP on validation identities",
                "protocol": validation_protocol(self.source),
                "identities": len({sample.pid for sample in self.source.val}),
                "validations": math.ceil(self.config.train.epochs / self.config.train.evaluate_every),
                "scores": self.state.best["scores"],
            }
        network: Network = recalibrated(self.network, self.batches.plain()).cpu()
        if self.config.train.modalities == "visible":  # the infrared stem was not trained
            network.stems["infrared"].load_state_dict(network.stems["visible"].state_dict())
        if not is_first():
            return
        card = make_card(self.folder, self.settings, self.source, step, selection, self.device)
        write_text(self.folder / README, readme_of(card))  # before the card, which marks the checkpoint as complete
        save_checkpoint(self.folder, network, card)


def open_data(settings: RunSettings) -> Source:
    """Read the data of a run."""
    return read_source(settings.dataset, Path(settings.data), settings.reading, (Split.TRAIN, Split.VAL))


def start_run(folder: Path, settings: RunSettings) -> None:
    """Check that a new run can start, then write its settings.

    Raises:
        FileNotFoundError: The data or the pretrained weights are not there.
        ValueError: The folder is in use, or data, pretrained weights and settings do not fit.
    """
    source = open_data(settings)
    if source.val:
        draw_trials(protocol_of(source), source.val)
    samples, train = source.require(Split.TRAIN), settings.config.train
    sampler = build_sampler(samples, settings.config, settings.seed)
    if train.fresh:
        check_fresh(source, train.fresh)
    with torch.device("meta"):
        Network(settings.config.model, sampler.num_classes)
    write_settings(folder, with_pretrained(settings))


def train(
    folder: Path,
    until: int | None = None,
    device: torch.device | None = None,
    progress: bool = True,
    stop: Callable[[], bool] = lambda: False,
    watch: Callable[[Trainer], None] = lambda _: None,
    note: Note | None = None,
) -> bool:
    """Train a run up to a step, or to its end; on a CPU the number of calls does not change a bit of the result.

    A finished run is not changed, nor are the scores that were added to its card.

    Args:
        folder: A run started with `start_run`.
        until: Step to stop at, its state saved; the end of the run by default.
        device: Where to compute; the CPU by default.
        progress: Show progress bars on stderr.
        stop: Called before each step; True saves the state and returns.
        watch: Called with the trainer when it is opened and after each step; it must change nothing, batch statistics
            and random numbers included.
        note: Called with every line of metrics when it is written.

    Returns:
        Whether the run is finished, its checkpoint written.

    Raises:
        FileNotFoundError: There is no run, or its data are gone.
        ValueError: Settings, data or a saved state are not usable, or the loss is not finite.
    """
    read_settings(folder)
    if (folder / WEIGHTS).is_file() and (folder / CARD).is_file():
        return True
    trainer = Trainer(folder, device or torch.device("cpu"), progress, note)
    last = trainer.steps if until is None else min(until, trainer.steps)
    try:
        watch(trainer)
        with Progress(trainer.steps, folder.name, "step", progress, trainer.state.step) as done:
            while trainer.state.step < last and not stop():
                line = trainer.advance()
                done.update(1, **({"loss": f"{line['total']:.3f}", "lr": f"{line['lr']:.1e}"} if line else {}))
                watch(trainer)
        trainer.state.save(folder)
        if trainer.state.step < trainer.steps:
            return False
        trainer.finish()
        return True
    finally:
        trainer.batches.close()
