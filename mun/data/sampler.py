"""The images of a step's batch: a pure function of the seed and the step."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mun.structures import Modality, Sample

__all__ = ["CrossModalSampler", "Indices", "training_labels"]

Indices = NDArray[np.int64]


def training_labels(samples: Sequence[Sample]) -> dict[int, int]:
    """Map each pid to its training label 0 … C−1, in ascending order of pid."""
    return {pid: label for label, pid in enumerate(sorted({sample.pid for sample in samples}))}


class CrossModalSampler:
    """Draw P identities with K visible and K infrared images each.

    Identities come in shuffled rounds, so that each is seen equally often; images come without replacement where an
    identity has K of them, else with it. Row n of the visible and of the infrared part show the same person.

    Args:
        samples: The training images; an identity seen in one modality only is left out.
        ids_per_batch: P.
        instances_per_id: K per modality.
        seed: Together with the step it decides every draw.
        same_instant: Give each visible image an infrared one of the same file name, where the identity has one; on
            SynVI both show one instant.
        visible_alone: Use no infrared images; visible ones are drawn in their place.

    Raises:
        ValueError: Fewer than P identities are seen in both modalities, or in the visible one if `visible_alone`.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        ids_per_batch: int,
        instances_per_id: int,
        seed: int,
        same_instant: bool = False,
        visible_alone: bool = False,
    ) -> None:
        self.names = [sample.path.name for sample in samples] if same_instant else []
        self.ids_per_batch = ids_per_batch
        self.instances_per_id = instances_per_id
        self.seed = seed
        labels = training_labels(samples)
        self.num_classes = len(labels)
        rows: dict[Modality, dict[int, list[int]]] = {Modality.VISIBLE: {}, Modality.INFRARED: {}}
        for row, sample in enumerate(samples):
            rows[sample.modality].setdefault(labels[sample.pid], []).append(row)
        if visible_alone:
            rows[Modality.INFRARED] = rows[Modality.VISIBLE]
        shared = sorted(set(rows[Modality.VISIBLE]) & set(rows[Modality.INFRARED]))
        if len(shared) < ids_per_batch:
            needed = "visible images" if visible_alone else "visible and infrared images"
            raise ValueError(f"expected at least {ids_per_batch} identities with {needed}, got {len(shared)}")
        self.identities = np.asarray(shared, dtype=np.int64)
        self.rows = {
            modality: {label: np.asarray(values, dtype=np.int64) for label, values in by_label.items()}
            for modality, by_label in rows.items()
        }

    @property
    def steps_per_epoch(self) -> int:
        """Steps after which as many images were drawn as the larger modality holds."""
        largest = max(sum(len(by_label[int(label)]) for label in self.identities) for by_label in self.rows.values())
        return -(-largest // (self.ids_per_batch * self.instances_per_id))

    def identities_of(self, step: int) -> Indices:
        """Choose the P labels of a step, ascending."""
        per_round = len(self.identities) // self.ids_per_batch
        order = np.random.default_rng([self.seed, 1, step // per_round]).permutation(self.identities)
        start = step % per_round * self.ids_per_batch
        return np.sort(order[start : start + self.ids_per_batch])

    def batch(self, step: int) -> tuple[dict[Modality, Indices], Indices]:
        """Choose the images of a step.

        Args:
            step: Counted from 0.

        Returns:
            Rows of the samples per modality, `(P·K,)` each, and their labels, `(P·K,)`, the same for both.
        """
        draws = np.random.default_rng([self.seed, 2, step])
        chosen: dict[Modality, list[Indices]] = {Modality.VISIBLE: [], Modality.INFRARED: []}
        labels = self.identities_of(step)
        for label in labels:
            for modality, parts in chosen.items():
                rows = self.rows[modality][int(label)]
                parts.append(draws.choice(rows, self.instances_per_id, replace=len(rows) < self.instances_per_id))
            if self.names:
                visible = chosen[Modality.VISIBLE][-1]
                chosen[Modality.INFRARED][-1] = self.partners(visible, int(label), draws)
        indices = {modality: np.concatenate(parts) for modality, parts in chosen.items()}
        return indices, np.repeat(labels, self.instances_per_id)

    def partners(self, visible: Indices, label: int, draws: np.random.Generator) -> Indices:
        """Draw an infrared row of the same file name for each visible one; any of the identity where there is none."""
        infrared = self.rows[Modality.INFRARED][label]
        chosen = []
        for row in visible:
            same = [other for other in infrared if self.names[int(other)] == self.names[int(row)]]
            chosen.append(draws.choice(np.asarray(same) if same else infrared))
        return np.asarray(chosen, dtype=np.int64)
