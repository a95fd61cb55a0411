"""The field's recipe as presets: what `--preset` sets before the flags that are given."""

from __future__ import annotations

from dataclasses import replace

from mun.config import Config, LossConfig, ModelConfig, TrainConfig

__all__ = ["PRESETS"]

# ResNet-50 on 288x144, 8 people with 4 + 4 images, SGD with warm-up, as AGW and its successors have it (Ye et al.,
# TPAMI 2021, arXiv:2001.04193). Two phases: identity loss alone, then MUN's losses, which a ramp brings in. Not tuned
# here: no real data set is at hand.
FIELD = Config(
    ModelConfig(backbone="resnet50", width=1.0, height=288, image_width=144),
    LossConfig(ramp_start=0.1, ramp_end=0.15),
    TrainConfig(
        epochs=80,
        ids_per_batch=8,
        instances_per_id=4,
        optimizer="sgd",
        lr=0.1,
        warmup=0.1,
        pad=10,
        evaluate_every=4,
        save_every=500,
    ),
)
PRESETS = {
    "sysu": replace(FIELD, train=replace(FIELD.train, epochs=100)),
    "regdb": replace(FIELD, train=replace(FIELD.train, select="last")),  # it has no validation identities
    "llcm": FIELD,
}
