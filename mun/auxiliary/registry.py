"""Every auxiliary modality behind one interface.

To add one, write a subclass of `Auxiliary`, and add it to `AUXILIARIES`.
"""

from collections.abc import Callable

from mun.auxiliary.generator import AuxiliaryGenerator
from mun.auxiliary.interface import Auxiliary
from mun.auxiliary.learned import FrozenGenerator, MiddleGenerator, ShuffledPartners, SyncreticGenerator, XGenerator
from mun.auxiliary.pixel import (
    ChannelExchange,
    Copy,
    CutMix,
    FeatureMean,
    Grayscale,
    Mixup,
    NoAuxiliary,
    PixelMean,
    RandomPixel,
)
from mun.config import GeneratorConfig

__all__ = ["AUXILIARIES", "build_auxiliary"]

AUXILIARIES: dict[str, Callable[[GeneratorConfig], Auxiliary]] = {
    "none": lambda _: NoAuxiliary(),
    "copy": lambda _: Copy(),
    "grayscale": lambda _: Grayscale(),
    "channel-exchange": lambda _: ChannelExchange(),
    "pixel-mean": lambda _: PixelMean(),
    "mixup": lambda _: Mixup(),
    "cutmix": lambda _: CutMix(),
    "random-pixel": lambda _: RandomPixel(),
    "x": lambda _: XGenerator(),
    "middle": lambda _: MiddleGenerator(),
    "syncretic": lambda _: SyncreticGenerator(),
    "mun": AuxiliaryGenerator,
    "mun-shuffled": ShuffledPartners,
    "mun-frozen": FrozenGenerator,
    "feature-mean": lambda _: FeatureMean(),
}


def build_auxiliary(name: str, config: GeneratorConfig) -> Auxiliary:
    """Build the auxiliary modality of a name.

    Args:
        name: A key of `AUXILIARIES`.
        config: Choices of MUN's generator; the other modalities do not use it.

    Raises:
        ValueError: The name is not in the registry.
    """
    if name not in AUXILIARIES:
        raise ValueError(f"expected auxiliary to be one of {', '.join(AUXILIARIES)}; got {name!r}")
    return AUXILIARIES[name](config)
