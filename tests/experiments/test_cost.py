"""What the cost of a row counts."""

from __future__ import annotations

from mun.config import Config, ModelConfig, TrainConfig
from mun.experiments.cost import Cost, measure


def test_a_frozen_generator_is_counted_but_not_as_learned() -> None:
    costs: dict[str, Cost] = dict(
        measure(
            {
                name: Config(
                    ModelConfig(auxiliary=name, width=0.125, height=64, image_width=32),
                    train=TrainConfig(ids_per_batch=2, instances_per_id=1),
                )
                for name in ("none", "mun", "mun-frozen")
            },
            num_classes=4,
            device="cpu",
            threads=1,
        )
    )
    none, learned, frozen = (costs[name] for name in ("none", "mun", "mun-frozen"))
    assert none.generator_parameters == 0
    assert learned.generator_parameters == frozen.generator_parameters > 0
    assert learned.parameters - frozen.parameters == learned.generator_parameters
    assert learned.images == frozen.images == 3 * none.images // 2
