"""All settings of a run as frozen dataclasses, with conversion to and from JSON.

The paper leaves many details open. Where our sources do not state a value, the text of the field says
"not stated" and why we chose it; every such value can be changed from the command line.
"""

import dataclasses
import json
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

__all__ = ["PRESETS", "Config", "GeneratorConfig", "LossConfig", "ModelConfig", "TrainConfig", "from_json", "to_json"]
__all__ += ["leaves", "with_values"]

T = TypeVar("T")

# Of the generator: each kernel and each level of bins is a layer, and its memory grows with the cells of all bins.
MAX_PARTS, MAX_CELLS = 64, 1024


def option(default: Any, text: str, allowed: tuple[Any, ...] = (), later: bool = False) -> Any:
    """Declare a field with the text that explains it, here and in `--help`.

    Args:
        default: The value of a run that does not set the field.
        text: One line.
        allowed: The choices of a string, or the least and the greatest value of a number.
        later: Whether the field is newer than some checkpoints; a config without it means the default.
    """
    choices, bounds = (allowed, ()) if isinstance(default, str) else ((), allowed)
    return field(default=default, metadata={"text": text, "choices": choices, "bounds": bounds, "later": later})


added = partial(option, later=True)  # declares a field that is newer than some checkpoints


@dataclass(frozen=True)
class GeneratorConfig:
    """The auxiliary generator of MUN."""

    channels: int = option(16, "width C of the generator; not stated: 16 keeps it at about 5 k parameters", (1, 512))
    kernels: tuple[int, ...] = option((3, 5, 7), "odd sizes of the depth-wise kernels; the paper only says several")
    bins: tuple[tuple[int, int], ...] = option(
        ((1, 1), (2, 1), (4, 2), (8, 4)),
        "pyramid bins (rows, columns); not stated: more rows than columns, as people are tall; none below a body part",
    )
    resolution: int = option(
        2, "divide height and width by this inside the generator; 1 costs four times as much", (1, 8)
    )
    iml: bool = option(True, "use the intra-modality learners")
    cml: bool = option(True, "use the cross-modality learner")
    form: str = added(
        "sum",
        "sum: the sum of both branches; residual: both branches added to the pixel mean; gate: the pyramid gives a"
        " coarse map w, and the intra-modality learners are added to w·visible + (1 - w)·infrared; not stated: the sum",
        ("sum", "residual", "gate"),
    )
    scale_init: float = option(
        0.5,
        "initial layer scale; not stated: both branches start with equal weight; 0.01 suits residual and gate",
        (-100, 100),
    )
    scale_learned: bool = added(True, "learn the layer scale; off keeps its initial value, for the ablation")
    branch_dropout: float = added(
        0.0, "probability in training that one branch of an image is left out, so that images vary more", (0, 1)
    )
    scale_jitter: float = added(
        0.0, "largest random relative change of an image's branch ratio in training; random like Mixup", (0, 1)
    )
    auxiliary_images: int = added(1, "auxiliary images per pair: 1, or 2, each closer to one modality", (1, 2))


@dataclass(frozen=True)
class ModelConfig:
    """The network and the images it takes."""

    auxiliary: str = option("mun", "the third modality in training, by its name in the registry")
    backbone: str = option("resnet18", "depth of the shared trunk", ("resnet18", "resnet34", "resnet50"))
    width: float = option(0.5, "multiplies every channel count of the backbone; 1 fits pretrained weights", (0.0625, 4))
    height: int = option(128, "image height in pixels", (32, 1024))
    image_width: int = option(64, "image width in pixels", (16, 1024))
    auxiliary_stem: str = option("own", "stem that reads the auxiliary image; not stated: its own", ("own", "visible"))
    gem_power: float = option(3.0, "power of the generalised-mean pooling; 3 is the field's habit", (1, 100))
    generator: GeneratorConfig = GeneratorConfig()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images, pixels."""
        return self.height, self.image_width


@dataclass(frozen=True)
class LossConfig:
    """The total loss: identity + weights × (identity alignment, modality alignment, triplet)."""

    identity_alignment: float = option(
        1.0, "weight of L_ia; not stated: 1, as triplets are weighted in the field", (0, 1e3)
    )
    modality_alignment: float = option(
        0.5, "weight of L_ma; not stated: 0.5, below the weights of the terms with identities", (0, 1e3)
    )
    triplet: float = option(0.0, "weight of a batch-hard triplet loss, all images; not in MUN, for baselines", (0, 1e3))
    margin: float = option(0.3, "margin of L_ia and the triplet; not stated: 0.3, the field's habit", (0, 1e3))
    momentum: float = option(
        0.8, "momentum of the accumulated prototypes; not stated: about five steps of memory", (0, 0.9999)
    )
    alignment: str = option(
        "bridge",
        "L_ma: bridge: both prototypes to the auxiliary one; direct: to each other; other: the batch to the accumulated"
        " auxiliary prototype, which gets no gradient; mmd: the kernel discrepancy of the batch",
        ("bridge", "direct", "other", "mmd"),
    )
    space: str = option(
        "embedding",
        "space in which L_ia, L_ma and the triplet loss measure distances; not stated: unit length bounds them",
        ("features", "unit_features", "embedding"),
    )
    generator_identity: float = added(
        1.0,
        "share of the identity loss's gradient that reaches the generator: 1 all, which favours images that are easy to"
        " classify; 0 none, so that only the alignment losses train it; below 0 reversed",
        (-1, 1),
    )
    label_smoothing: float = option(
        0.1, "label smoothing of the identity loss; not stated: 0.1, as in strong baselines", (0, 0.9)
    )
    ramp_start: float = option(
        0.05, "fraction of the run before the metric losses start, because from scratch they collapse", (0, 1)
    )
    ramp_end: float = option(0.2, "fraction of the run when the metric losses reach their full weights", (0, 1))


@dataclass(frozen=True)
class TrainConfig:
    """Schedule, optimiser, batches and augmentation of a run."""

    epochs: int = option(20, "passes over the larger modality's images", (1, 100_000))
    ids_per_batch: int = option(8, "P: identities per batch", (2, 1024))
    instances_per_id: int = option(4, "K: images per identity and modality", (1, 1024))
    optimizer: str = option("adamw", "adamw for small networks from scratch, sgd for pretrained ones", ("adamw", "sgd"))
    lr: float = option(1e-3, "highest learning rate; about 0.1 for sgd", (1e-8, 10))
    pretrained_rate: float = added(
        0.1, "factor on the learning rate of the weights that --pretrained fills; otherwise unused", (0, 1)
    )
    generator_rate: float = added(
        1.0, "factor on the learning rate of the auxiliary generator; its few weights may need another rate", (0, 100)
    )
    weight_decay: float = option(5e-4, "weight decay; none on biases, normalisation and the layer scale", (0, 1))
    warmup: float = option(0.05, "fraction of the run with rising learning rate, before cosine decay", (0, 1))
    flip: float = option(0.5, "probability of a mirror image", (0, 1))
    pad: int = option(6, "pixels of padding before the random crop", (0, 256))
    erase: float = option(0.5, "probability of erasing a rectangle", (0, 1))
    erase_area: float = option(0.25, "largest erased share of the image", (0.02, 0.9))
    jitter: float = option(0.2, "largest relative change of brightness and contrast, per image", (0, 0.9))
    shared_geometry: bool = added(False, "mirror and shift both images of a pair together; aligned pairs stay aligned")
    same_instant: bool = added(
        False, "pair images of the same file name: on SynVI of the same instant, and aligned at misalignment 0"
    )
    modalities: str = added(
        "both",
        "train on both, or only on visible images, without validation, as a backbone for --pretrained like ImageNet's",
        ("both", "visible"),
    )
    score_training: bool = added(
        False, "also score training identities at each validation, which shows the generalisation gap"
    )
    snapshots: int = added(0, "states of the generator to keep, from the first step to the last", (0, 100))
    precision: str = option(
        "auto",
        "auto: bfloat16 on a GPU, float32 on a CPU; metric losses always in float32",
        ("auto", "float32", "bfloat16"),
    )
    evaluate_every: int = option(1, "epochs between validations", (1, 100_000))
    save_every: int = option(200, "steps between saved states", (1, 10_000_000))
    log_every: int = option(20, "steps between lines of metrics", (1, 10_000_000))
    recalibration: int = option(
        40, "batches of visible and infrared images that reset batch statistics; 0 keeps them", (0, 10_000)
    )
    select: str = option(
        "best", "keep the weights that were best on validation identities, or the last", ("best", "last")
    )
    fresh: int = option(
        0, "training identities replaced by new ones after each epoch; only SynVI, which can render more", (0, 100_000)
    )

    @property
    def pairs(self) -> int:
        """Visible images of a step, and as many infrared ones."""
        return self.ids_per_batch * self.instances_per_id


@dataclass(frozen=True)
class Config:
    """All settings of a run except its seed and its data."""

    model: ModelConfig = ModelConfig()
    loss: LossConfig = LossConfig()
    train: TrainConfig = TrainConfig()

    def __post_init__(self) -> None:
        """Check every value once.

        Raises:
            ValueError: A value is outside its range; the message says what was expected.
        """
        for group in (self.model, self.model.generator, self.loss, self.train):
            check_values(group)
        check_together(self)


def check_values(group: Any) -> None:
    """Refuse a value that is not among its field's choices, or outside its bounds."""
    for item in dataclasses.fields(group):
        choices, bounds = item.metadata.get("choices"), item.metadata.get("bounds")
        value = getattr(group, item.name)
        if choices and value not in choices:
            raise ValueError(f"expected {item.name} to be one of {', '.join(choices)}; got {value!r}")
        if bounds:
            check_between(item.name, value, *bounds)


def check_between(name: str, value: float, low: float, high: float) -> None:
    """Refuse a number outside its bounds; NaN, which compares as false, is outside too."""
    if not low <= value <= high:
        raise ValueError(f"expected {name} between {low:g} and {high:g}, got {shown(value)}")


def check_together(config: Config) -> None:
    """Refuse combinations of values that do not fit, and values that bounds cannot describe."""
    generator, loss = config.model.generator, config.loss
    check_between("ramp_end", loss.ramp_end, loss.ramp_start, 1)
    if (parts := max(len(generator.kernels), len(generator.bins))) > MAX_PARTS:
        raise ValueError(f"expected at most {MAX_PARTS} kernels and bins, got {parts}")
    if not generator.kernels or any(size < 1 or size > 31 or size % 2 == 0 for size in generator.kernels):
        raise ValueError(f"expected kernels to be odd sizes from 1 to 31, got {generator.kernels}")
    if not generator.bins or any(min(bins) < 1 for bins in generator.bins):
        raise ValueError(f"expected bins of at least 1 row and 1 column, got {generator.bins}")
    if (cells := sum(rows * columns for rows, columns in generator.bins)) > MAX_CELLS:
        raise ValueError(f"expected bins of at most {MAX_CELLS} cells together, got {shown(cells)}")
    if not (generator.iml or generator.cml):
        raise ValueError("expected at least one of iml and cml to be on, got both off")
    if generator.branch_dropout and generator.form == "sum" and not (generator.iml and generator.cml):
        raise ValueError("expected both iml and cml to be on for branch_dropout in form sum, got one off")
    if generator.form == "gate" and not generator.iml:
        raise ValueError("expected iml to be on for form gate, whose map is no image; got it off")
    if generator.auxiliary_images > 1 and generator.form == "gate":
        raise ValueError("expected auxiliary_images 1 for form gate, whose map weights the modalities; got 2")
    if config.train.modalities == "visible" and config.model.auxiliary != "none":
        raise ValueError(f"expected auxiliary none for modalities visible, got {config.model.auxiliary!r}")


def shown(value: float) -> str:
    """Write a number in few characters, also an integer larger than any float."""
    return f"{value:g}" if isinstance(value, float) or abs(value) < 10**15 else f"{str(value)[:15]}…"


def leaves(config: Any) -> Iterator[tuple[dataclasses.Field[Any], Any]]:
    """Yield every field of a config with its value, nested configs field by field; all names differ."""
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if dataclasses.is_dataclass(value):
            yield from leaves(value)
        else:
            yield item, value


def with_values(config: T, values: Mapping[str, Any]) -> T:
    """Copy a config and replace the values of some fields, at any depth; unknown names are ignored."""
    changed = {}
    for item in dataclasses.fields(config):  # type: ignore[arg-type]
        value = getattr(config, item.name)
        if dataclasses.is_dataclass(value):
            changed[item.name] = with_values(value, values)
        elif item.name in values:
            changed[item.name] = values[item.name]
    return dataclasses.replace(config, **changed)  # type: ignore[type-var]


def to_json(config: Any) -> dict[str, Any]:
    """Turn a config into a JSON object; tuples become lists."""
    made: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return made


def from_json(kind: type[T], value: Any, where: str = "config") -> T:
    """Build a config of the given class from a JSON object.

    Raises:
        ValueError: A field that every config has is missing, or a field is unknown or of another type.
    """
    if not isinstance(value, dict):
        raise ValueError(f"expected {where} to be an object, got {type(value).__name__}")
    hints = get_type_hints(kind)
    later = {item.name: item.metadata.get("later") for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(value) - later.keys()):
        raise ValueError(f"expected {where} of this version, got the unknown field {unknown[0]!r}")
    if missing := sorted(name for name in later if name not in value and not later[name]):
        raise ValueError(f"expected {where} of this version, the field {missing[0]!r} is missing")
    return kind(**{name: convert(hints[name], part, f"{where}.{name}") for name, part in value.items()})


def convert(hint: Any, value: Any, where: str) -> Any:
    """Check one JSON value against a type hint, and turn lists into tuples where the hint says so."""
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        return from_json(typing.cast(type[Any], hint), value, where)
    if get_origin(hint) is not None:
        return convert_items(hint, value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"expected {where} within the range of a float, got {shown(value)}") from None
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise ValueError(f"expected {where} to be of type {hint.__name__}, got {value!r}")
    return value


def convert_items(hint: Any, value: Any, where: str) -> Any:
    """Check every item of a list or a tuple, or every value of an object, against a type hint."""
    kind, kinds = get_origin(hint), get_args(hint)
    if kind is dict:
        if not isinstance(value, dict):
            raise ValueError(f"expected {where} to be an object, got {value!r}")
        return {name: convert(kinds[1], part, f"{where}[{name!r}]") for name, part in value.items()}
    if not isinstance(value, list):
        raise ValueError(f"expected {where} to be a list, got {value!r}")
    if kind is list or kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise ValueError(f"expected {where} to have {len(kinds)} parts, got {value!r}")
    parts = zip(kinds, value, strict=True)
    return kind(convert(inner, part, f"{where}[{place}]") for place, (inner, part) in enumerate(parts))


# The field's usual recipe as presets; flags override the values of `--preset`. ResNet-50 on 288x144, 8 people with
# 4 + 4 images, SGD with warm-up, as in AGW and its successors (Ye et al., TPAMI 2021, arXiv:2001.04193). Two phases:
# identity loss alone, then MUN's losses, added by a ramp. Not tuned here, because no real data set is available.
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
    "sysu": with_values(FIELD, {"epochs": 100}),
    "regdb": with_values(FIELD, {"select": "last"}),  # RegDB has no validation identities
    "llcm": FIELD,
}
