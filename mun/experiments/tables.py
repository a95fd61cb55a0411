"""The named experiments: rows, the variants tried for each, and the data they are trained on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mun.evaluation.protocols import OTHER_INSTANTS, PROTOCOLS, Protocol

__all__ = ["EXPERIMENTS", "LABELS", "PLAIN", "Claim", "Experiment", "Row", "Setting", "Variant"]

Changes = Mapping[str, Any]


@dataclass(frozen=True)
class Variant:
    """One way to set up a row; validation identities choose the one that is reported.

    Attributes:
        name: Part of the run's folder.
        changes: Config fields and their values, on top of the row's.
        factors: Whole-numbered config fields and what multiplies them.
    """

    name: str
    changes: Changes = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        name: Part of the run's folder.
        label: Text in the table.
        changes: Config fields and their values, on top of the experiment's base.
        variants: Variants tried on validation identities; every row of a table has equally many.
    """

    name: str
    label: str
    changes: Changes
    variants: tuple[Variant, ...] = (Variant("only"),)


@dataclass(frozen=True)
class Setting:
    """Data that rows are trained and tested on.

    Attributes:
        name: Part of the folders.
        knobs: SynVI's knobs that differ from the level; none for the data of the command line.
        counts: Fields of SynVI's plan that differ for training; the identities held out stay as they are.
        factors: Whole-numbered config fields and what multiplies them, so that all settings have as many steps.
    """

    name: str
    knobs: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)


PLAIN = Setting("given")


@dataclass(frozen=True)
class Claim:
    """A difference of two rows that is written down before test is read.

    Attributes:
        role: `primary` or `secondary`, each judged alone, or `other`, corrected for multiple comparisons.
        first: Name of a row.
        second: Name of the row that is subtracted from it.
        setting: Name of the setting.
        minus: A setting whose difference is subtracted, to measure how the difference changes; empty for none.
    """

    role: str
    first: str
    second: str
    setting: str
    minus: str = ""


@dataclass(frozen=True)
class Experiment:
    """A table, or a figure's numbers.

    Attributes:
        title: Headline.
        reference: The row that all others are compared with.
        rows: In the order of the table.
        settings: Data; more than one makes a figure over them.
        changes: Config fields for every row, on top of the command line's.
        contrasts: Pairs of rows whose differences are reported with those from the reference, the main one first.
        protocol: By which test is read.
        reads_test: Whether test is read at all; else every seed of every row is scored on validation identities.
        claims: Differences over the settings, written down before test is read.
    """

    title: str
    reference: str
    rows: tuple[Row, ...]
    settings: tuple[Setting, ...] = (PLAIN,)
    changes: Changes = field(default_factory=dict)
    contrasts: tuple[tuple[str, str], ...] = ()
    protocol: Protocol = PROTOCOLS["synvi-all"]
    reads_test: bool = True
    claims: tuple[Claim, ...] = ()

    def row(self, name: str) -> Row:
        """Find a row by its name.

        Raises:
            ValueError: There is none.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise ValueError(f"expected rows among {', '.join(row.name for row in self.rows)}; got {name!r}")


# The stem of the auxiliary image is a separate factor, so each method may choose it. The baseline has no such stem; its
# second variant has as many images per step, as many steps and as many validations as the others, which have a third
# modality.
STEMS = (Variant("own", {"auxiliary_stem": "own"}), Variant("visible", {"auxiliary_stem": "visible"}))
MORE = {"ids_per_batch": 1.5, "epochs": 1.5, "evaluate_every": 1.5}
BASELINE = (Variant("own"), Variant("more", factors=MORE))

LABELS = {
    "none": "none (two modalities)",
    "copy": "copy of the visible image",
    "grayscale": "grayscale",
    "channel-exchange": "channel exchange",
    "pixel-mean": "pixel mean",
    "mixup": "Mixup",
    "cutmix": "CutMix",
    "random-pixel": "random pixel",
    "x": "X generator",
    "middle": "middle generator (two images)",
    "syncretic": "syncretic generator",
    "mun": "MUN",
    "mun-shuffled": "MUN, partners shuffled",
    "mun-frozen": "MUN, frozen at random",
}
# Does the third image lower the score, or its loss? Each method chooses the weight of the loss. The baseline has no
# such loss, and chooses its learning rate in as many trials.
WEIGHTS = tuple(Variant(f"weight-{weight:g}", {"modality_alignment": weight}) for weight in (0.5, 0.1, 0.0))
RATES = tuple(Variant(f"rate-{rate:g}", {"lr": rate}) for rate in (0.001, 0.0005, 0.002))


def rival(name: str) -> Row:
    """Make the row of an auxiliary modality."""
    return Row(name, LABELS[name], {"auxiliary": name}, BASELINE if name == "none" else STEMS)


def without(name: str, label: str, **changes: Any) -> Row:
    """Make a row of the ablation: MUN with some fields changed."""
    return Row(name, label, {"auxiliary": "mun", **changes})


OFF = {"identity_alignment": 0.0, "modality_alignment": 0.0}
FUSION = ("mun", "pixel-mean")  # is a generated modality better than averaged pixels?
WEIGHTED = ("copy", "pixel-mean", "syncretic", "mun")
FIGURE = ("none", "copy", "channel-exchange", "pixel-mean", "syncretic", "mun")

# Forms of the generator for few people. One stem, and one weight of modality alignment, that of the pilot.
FEW = {"auxiliary_stem": "visible", "modality_alignment": 0.1, "score_training": True}
RESIDUAL, GATE = ({"auxiliary": "mun", "form": form, "scale_init": 0.01} for form in ("residual", "gate"))
UNPAID = {"generator_identity": 0.0}


def form(name: str, label: str, changes: Changes, **more: Any) -> Row:
    """Make the row of one form of the generator."""
    return Row(name, f"MUN, {label}", {**changes, **more})


FORMS = (
    *(Row(name, LABELS[name], {"auxiliary": name}) for name in ("none", "copy", "pixel-mean", "mixup", "cutmix")),
    form("sum", "sum, trained by all losses (as it was)", {"auxiliary": "mun"}),
    form("sum-unpaid", "sum, trained by alignment alone", {"auxiliary": "mun"}, **UNPAID),
    form("residual", "residual, trained by all losses", RESIDUAL),
    form("residual-unpaid", "residual, trained by alignment alone", RESIDUAL, **UNPAID),
    form("residual-reversed", "residual, identity loss reversed by 0.1", RESIDUAL, generator_identity=-0.1),
    form("residual-frozen", "residual, frozen at its start", {**RESIDUAL, "auxiliary": "mun-frozen"}),
    form("gate", "gate, trained by all losses", GATE),
    form("gate-unpaid", "gate, trained by alignment alone", GATE, **UNPAID),
    form("gate-constant", "constant gate, trained by alignment alone", GATE, cml=False, **UNPAID),
    form("gate-frozen", "gate, frozen at its start", {**GATE, "auxiliary": "mun-frozen"}),
    form("dropout", "residual, alignment alone, branch dropout 0.3", RESIDUAL, branch_dropout=0.3, **UNPAID),
    form("ratio", "residual, alignment alone, random ratio of the branches", RESIDUAL, scale_jitter=1.0, **UNPAID),
    form("full", "residual, alignment alone, full resolution", RESIDUAL, resolution=1, **UNPAID),
    form("own-stem", "residual, alignment alone, own stem", RESIDUAL, auxiliary_stem="own", **UNPAID),
    form("weight-0.5", "residual, alignment alone, modality alignment 0.5", RESIDUAL, modality_alignment=0.5, **UNPAID),
    form("weight-0", "residual, alignment alone, modality alignment 0", RESIDUAL, modality_alignment=0.0, **UNPAID),
    form("two-images", "residual, two images, trained by all losses", RESIDUAL, auxiliary_images=2),
    form("two-frozen", "residual, two images, frozen", {**RESIDUAL, "auxiliary": "mun-frozen"}, auxiliary_images=2),
    Row("feature-mean", "mean of the stems' maps instead of an image", {"auxiliary": "feature-mean"}),
    form("slow", "residual, alignment alone, a third of the learning rate", RESIDUAL, generator_rate=0.3, **UNPAID),
    form("fast", "residual, alignment alone, three times the learning rate", RESIDUAL, generator_rate=3.0, **UNPAID),
)

# When does a third modality help? Four settings with equal numbers of steps: three with equal numbers of images and
# more and more people, and one that separates the effects of people and images. Each row has three trials: the weight
# of modality alignment or, for the baseline, weight decay and label smoothing.
POINTS = (
    Setting("100x144", counts={"train_ids": 100, "images": 24}),
    Setting("300x48", counts={"train_ids": 300, "images": 8}),
    Setting("1200x12", counts={"train_ids": 1200, "images": 2}),
    Setting("1200x48", counts={"train_ids": 1200, "images": 8}, factors={"epochs": 0.25, "evaluate_every": 0.25}),
)
SHARES = tuple(Variant(f"weight-{weight:g}", {"modality_alignment": weight}) for weight in (0.1, 0.5, 0.0))
CHOSEN = RESIDUAL  # from the forms, by three seeds on validation identities: docs/third-modality.md
FROZEN = {**CHOSEN, "auxiliary": "mun-frozen"}


def baselines(**factors: float) -> tuple[Variant, ...]:
    """Make the variants of the baseline with two modalities."""
    changes = {"given": {}, "decay": {"weight_decay": 0.2}, "smoothing": {"label_smoothing": 0.2}}
    return tuple(Variant(name, change, factors) for name, change in changes.items())


PEOPLE = (
    Row("none", LABELS["none"], {"auxiliary": "none"}, baselines()),
    Row("none-more", "none, as many images per step", {"auxiliary": "none"}, baselines(**MORE)),
    *(Row(name, LABELS[name], {"auxiliary": name}, SHARES) for name in ("copy", "pixel-mean")),
    Row("mun", "MUN as it was", {"auxiliary": "mun"}, SHARES),
    Row("chosen", "MUN as chosen", CHOSEN, SHARES),
    Row("frozen", "MUN as chosen, frozen at its start", FROZEN, SHARES),
)

EXPERIMENTS = {
    "people": Experiment(
        "Third modality by people \N{MULTIPLICATION SIGN} images",
        "none",
        PEOPLE,
        POINTS,
        FEW,
        (("chosen", "pixel-mean"), ("chosen", "frozen"), ("chosen", "mun")),
        claims=(
            Claim("primary", "chosen", "none", "1200x12", minus="100x144"),
            Claim("secondary", "chosen", "pixel-mean", "300x48"),
            *(Claim("other", row.name, "none", point.name) for point in POINTS for row in PEOPLE[1:]),
            *(Claim("other", "chosen", name, "300x48") for name in ("frozen", "mun")),
        ),
    ),
    "rivals": Experiment(
        "MUN against other auxiliary modalities",
        "none",
        (*map(rival, LABELS), Row("chosen", "MUN as chosen where people are few", CHOSEN, STEMS)),
        contrasts=(FUSION, ("mun", "mun-shuffled"), ("mun", "mun-frozen"), ("chosen", "pixel-mean")),
    ),
    "ablation": Experiment(
        "Parts of MUN",
        "all",
        (
            Row("base", "base: identity loss, two modalities", {"auxiliary": "none", **OFF}),
            without("generator", "+ generator", **OFF),
            without("iml", "+ generator, intra-modality learners only", cml=False, **OFF),
            without("cml", "+ generator, cross-modality learner only", iml=False, **OFF),
            without("identity", "+ generator, identity alignment", modality_alignment=0.0),
            without("modality", "+ generator, modality alignment", identity_alignment=0.0),
            without("all", "all: MUN"),
            without("direct", "all, direct alignment at half weight", alignment="direct", modality_alignment=0.25),
            without("batch", "all, prototypes of the batch (momentum 0)", momentum=0.0),
            without("other", "all, batch to the auxiliary prototype", alignment="other"),
            without("mmd", "all, kernel discrepancy instead of prototypes", alignment="mmd"),
            without("fixed-scale", "all, layer scale fixed", scale_learned=False),
            Row("shuffled", "all, partners shuffled", {"auxiliary": "mun-shuffled"}),
            Row("frozen", "all, generator frozen at random", {"auxiliary": "mun-frozen"}),
        ),
        contrasts=(("all", "identity"),),
    ),
    "alignment": Experiment(
        "Modality alignment, at the weight that each method chooses",
        "none",
        (
            Row("none", LABELS["none"], {"auxiliary": "none"}, RATES),
            *(Row(name, LABELS[name], {"auxiliary": name, "auxiliary_stem": "visible"}, WEIGHTS) for name in WEIGHTED),
        ),
        contrasts=(FUSION,),
    ),
    "forms": Experiment(
        "Forms of the generator where people are few, on validation identities",
        "none",
        FORMS,
        changes=FEW,
        contrasts=(
            *((name, "pixel-mean") for name in ("sum", "residual", "residual-unpaid", "gate-unpaid")),
            ("residual", "residual-frozen"),
            ("residual-unpaid", "residual-frozen"),
            ("gate-unpaid", "gate-constant"),
        ),
        reads_test=False,
    ),
    "misalignment": Experiment(
        "mAP against misalignment and colour-infrared correlation",
        "none",
        tuple(Row(name, LABELS[name], {"auxiliary": name, "auxiliary_stem": "visible"}) for name in FIGURE),
        tuple(
            Setting(
                f"m{misalignment:g}-c{correlation:g}",
                {"misalignment": misalignment, "colour_infrared_correlation": correlation},
            )
            for misalignment, correlation in ((0.0, 0.5), (0.5, 0.5), (1.0, 0.5), (0.0, 0.0), (1.0, 0.0), (1.0, 0.9))
        ),
        {"shared_geometry": True, "same_instant": True},
        (FUSION,),
        OTHER_INSTANTS,
    ),
}
