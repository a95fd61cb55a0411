"""Training runs over HTTP."""

from __future__ import annotations

from typing import Any

from gradio.events import api

from app.actions.training import status as train_status_action
from app.actions.training import train as train_action
from app.actions.training.request import Request as TrainRequest
from app.errors import plain_errors
from app.library import Library

__all__ = ["add_training"]


def add_training(library: Library) -> None:
    """Add the public functions about training runs."""

    def train_start(config: dict[str, Any] | None = None) -> dict[str, Any]:
        """Put a training run into the queue; one trains at a time.

        Args:
            config: What the run is to be, by name: preset (taste, ten or gpu, whose values stand for all that are not
                given), data, level, train_ids, val_ids, images, data_seed, auxiliary, backbone, width, height,
                image_width, minutes or epochs, ids_per_batch, instances_per_id, lr, identity_alignment,
                modality_alignment, triplet, seed, device.

        Returns:
            The run's name, its owner's token, which is told this one time, its state and its place in the queue.
        """
        with plain_errors():
            return train_action.start(library, TrainRequest.of(config)).to_json()

    def train_status(run: str = "") -> dict[str, Any]:
        """Say how a run is: progress, losses, validation scores, settings and the commands that make it again.

        Args:
            run: Its name; empty for a list of all runs and of what is allowed here.
        """
        with plain_errors():
            if run == "":
                return train_status_action.overview(library).to_json()
            return train_status_action.status(library, run).to_json()

    def train_stop(run: str = "", token: str = "") -> dict[str, Any]:
        """Stop a run after the step in hand; it can go on later.

        Args:
            run: Its name.
            token: Its owner's, as `/train_start` has told it.

        Returns:
            As `/train_status`.
        """
        with plain_errors():
            return train_action.stop(library, run, token).to_json()

    api(train_start, api_name="train_start", concurrency_limit=1, concurrency_id="train_start")
    api(train_status, api_name="train_status", concurrency_limit=4, concurrency_id="train_status")
    api(train_stop, api_name="train_stop", concurrency_limit=4, concurrency_id="train_status")
