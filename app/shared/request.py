"""A request, declared once: its fields define the HTTP function, the control, the link, the Python line, the refusal.

All input from outside is checked here, and only here. A field is an `option`; its type is one of `Text`, `Whole`,
`Number`, `Switch`, or one of these with `one_of`, which gets the choices from the library.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, NamedTuple, Self
from urllib.parse import parse_qsl, urlencode

from pydantic import (
    AllowInfNan,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    Strict,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

from app.library import Library

__all__ = ["PARTNER", "Checkpoint", "Choice", "Compared", "Data", "File", "Network", "Number", "OfModel"]
__all__ += ["OfNetwork", "Offer", "Pictures", "Protocol", "RefusalError", "Request", "Switch", "Text", "Whole"]
__all__ += ["compared", "one_of", "option", "shown"]

MAX_TEXT = 200  # characters of a text
MAX_ADDRESS = 4000  # characters of an address
FILE = "holds a file"  # marks the type of such a field
NONE, PARTNER = "none", "partner"  # values of `Compared`, besides names of checkpoints
SHOWN = 60  # characters of a bad value that a message repeats
MODEL = "Name of a usable checkpoint of /status; empty for the first."
DATA = "Name of a data set of /status; empty for the first."
PROTOCOL_TITLES = {"all": "all-search", "indoor": "indoor-search", "whole": "every image of the other modality"}
PROTOCOL_TITLES |= {"cross": "every image of the other modality", "regdb": "RegDB", "llcm": "LLCM"}


class Choice(NamedTuple):
    """A value that can be chosen, and how the page names it."""

    value: Any
    label: str


Offer = Callable[[Library, Mapping[str, Any]], Iterable[Any]]  # from earlier fields to values or choices


def shown(value: object) -> str:
    """Format a value for a message: short, on one line, not yet escaped for HTML."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**18:
        return "a very large number"
    words = repr(value) if isinstance(value, (str, int, float, bool)) or value is None else f"a {type(value).__name__}"
    return words if len(words) <= SHOWN else f"{words[:SHOWN]}…"


def option(default: Any, title: str = "", text: str = "", **more: Any) -> Any:
    """Declare a field.

    Args:
        default: Its value if none is given; for a field with choices, empty for the first choice.
        title: Its label on the page.
        text: Its meaning, for the page and for the HTTP function.
        more: `ge` and `le` bound numbers, `max_length` texts. `control` names another control than the type suggests
            (`radio`, `range`, `text`, `many`). `idle` is a function of the request that returns why the field has no
            effect, or an empty string if it has one.
    """
    extra: Any = {name: more.pop(name) for name in ("control", "idle") if name in more}
    return Field(default, title=title or None, description=text or None, json_schema_extra=extra, **more)


Whole = Annotated[  # 10.0 counts as 10, because JSON does not distinguish them
    int, Strict(), BeforeValidator(lambda one: int(one) if isinstance(one, float) and one.is_integer() else one)
]
Number = Annotated[float, Strict(), AllowInfNan(False)]
Switch = Annotated[bool, Strict()]
Text = Annotated[str, Strict(), Field(max_length=MAX_TEXT)]
File = Annotated[str, Strict(), FILE]  # base64; the decoder limits its size


class one_of:  # noqa: N801 — reads as the part of a type
    """Part of a field's type: accept only the values of an offer; an empty value stands for the first.

    Args:
        offer: The values, in order, or a function of the library and the fields declared before. A value may be a
            `Choice`, with its label.
        why: Text after the list in a refusal, or a function of the library and the fields declared before.
        most: For a tuple, the maximum number of values, each once; 0 if the field is no tuple.
    """

    def __init__(
        self, offer: Offer | Sequence[Any], why: str | Callable[[Library, Mapping[str, Any]], str] = "", most: int = 0
    ) -> None:
        self.offer, self.why, self.most = offer, why, most

    def choices(self, library: Library, values: Mapping[str, Any]) -> list[Choice]:
        """List the choices, given the fields declared before."""
        offered = self.offer(library, values) if callable(self.offer) else self.offer
        return [one if isinstance(one, Choice) else Choice(one, str(one)) for one in offered]

    def check(self, value: Any, info: ValidationInfo[Any]) -> Any:
        """Return the value, or the first choice if it is empty; for a tuple, its values without repetition."""
        try:
            offered = [choice.value for choice in self.choices(info.context, info.data)]
        except KeyError:  # a field that it depends on was refused: that one is reported
            return value
        if not offered:
            raise ValueError(f"expected a {info.field_name}, but there is none to choose from")
        if value == "" and "" not in offered:
            return offered[0]
        values = tuple(dict.fromkeys(value)) if self.most else (value,)
        for one in values:
            if one not in offered:
                names = [str(known) for known in offered if known != ""]
                listed = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
                why = self.why(info.context, info.data) if callable(self.why) else self.why
                raise ValueError(f"expected {info.field_name} to be one of {listed}{why}; got {shown(one)}")
        if self.most and len(values) > self.most:
            raise ValueError(f"expected at most {self.most} in {info.field_name}, got {len(values)}")
        return values if self.most else value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self.check, handler(source))


class RefusalError(ValueError):
    """The value of a field cannot be combined with the others.

    Args:
        name: Name of the field.
        words: The sentence.
    """

    def __init__(self, name: str, words: str) -> None:
        super().__init__(words)
        self.name = name


def fitting_data(library: Library, values: Mapping[str, Any]) -> list[Choice]:
    """Offer the data sets on which the model can be used; all if no checkpoint is declared before."""
    known, model = library.collections.items(), values.get("checkpoint")
    return [Choice(name, one.title) for name, one in known if not model or library.fits(model, name)]


def pictured_data(library: Library, _: Mapping[str, Any]) -> list[Choice]:
    """Offer the data sets that have image files."""
    return [Choice(name, one.title) for name, one in library.collections.items() if one.pictured]


Checkpoint = Annotated[Text, one_of(lambda library, _: [Choice(*one) for one in library.checkpoints.titles.items()])]
Network = Annotated[Text, one_of(lambda library, _: [Choice(*one) for one in library.checkpoints.networks.items()])]
Data = Annotated[Text, one_of(fitting_data)]
Pictures = Annotated[Text, one_of(pictured_data)]


def protocols(library: Library, values: Mapping[str, Any]) -> list[Choice]:
    """List the protocols that the data allow."""
    names = library.collections[values["data"]].protocols
    return [Choice(name, PROTOCOL_TITLES.get(name.rpartition("-")[2], name)) for name in names]


Protocol = Annotated[
    Text, Field(title="Protocol", description="One of the data set's; empty for the first."), one_of(protocols)
]


def comparable(library: Library, values: Mapping[str, Any]) -> list[Choice]:
    """List the choices to compare a checkpoint with: its fair partner, nothing, then all others."""
    mine, entries, fitting = values["checkpoint"], library.checkpoints, library.fitting(values["data"])
    kind, partner = "the next features" if entries[mine].vectors else "fair partner", entries.partners[mine]
    fair = [Choice(PARTNER, f"{kind}: {partner}")] if partner in fitting else []
    others = (Choice(name, name + words) for name, words in entries.rivals[mine] if name in fitting)
    return [*fair, Choice(NONE, "nothing"), *others]


Compared = Annotated[Text, one_of(comparable)]


def compared(library: Library, checkpoint: str, *others: str) -> tuple[str, ...]:
    """Return the names of a checkpoint and of those compared with it (values of `Compared`), each once."""
    meant = {PARTNER: library.checkpoints.partners[checkpoint], NONE: ""}
    names = dict.fromkeys((checkpoint, *(meant.get(other, other) for other in others)))
    return tuple(name for name in names if name)


class Request(BaseModel):
    """The fields of a request, checked once against the library; a field is declared after those it depends on."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    follows: ClassVar[tuple[str, ...]] = ()  # fields that the page replaces without a notice when others change
    offers: ClassVar[Mapping[str, one_of]] = {}  # by the name of the field
    files: ClassVar[tuple[str, ...]] = ()  # fields that hold a file
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}  # defaults by the value of a field `preset`

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Find the fields with an offer, and those that hold a file."""
        parts = [(name, part) for name, field in cls.model_fields.items() for part in field.metadata]
        cls.offers = {name: part for name, part in parts if isinstance(part, one_of)}
        cls.files = tuple(name for name, part in parts if part == FILE)

    @model_validator(mode="before")
    @classmethod
    def agreed(cls, values: dict[str, Any], info: ValidationInfo[Library]) -> dict[str, Any]:
        """If the values name data but no model, choose the first model that can be used on them."""
        data, library = str(values.get("data", "")), info.context
        both = {"checkpoint", "data"} <= cls.model_fields.keys()
        if values.get("checkpoint") or not both or data not in library.collections:
            return values
        offered = (one.value for one in cls.offers["checkpoint"].choices(library, {}))
        first = next((name for name in offered if library.fits(name, data)), "")
        return {**values, "checkpoint": first}

    @classmethod
    def read(cls, values: Mapping[str, object], library: Library) -> Self:
        """Check values by name and fill in what is missing.

        Raises:
            ValueError: A name is unknown, or a value is of another type, out of bounds or not offered; one sentence.
        """
        try:
            return cls.model_validate(dict(values), context=library).settle(library)
        except ValidationError as error:
            raise ValueError(cls.refusal(error)) from None

    def settle(self, library: Library) -> Self:  # noqa: ARG002
        """Return the request after checking and filling in values that depend on several fields.

        Raises:
            RefusalError: The value of a field cannot be combined with the others.
        """
        return self

    @classmethod
    def repair(
        cls,
        values: Mapping[str, object],
        library: Library,
        before: Mapping[str, object] | None = None,
        changed: Sequence[str] = (),
    ) -> tuple[Self, dict[str, str]]:
        """Keep valid values, set each invalid one to its earlier value or its default, and report the errors.

        If the model cannot be used on the data, one of them gets its default: the model if only the data were changed.

        Args:
            values: By name; unknown names are ignored.
            library: The values are checked against it.
            before: Earlier values by name; a field without one gets its default.
            changed: Names of the values that the visitor has just changed.

        Returns:
            The request, and a sentence for each field that was refused, by name.
        """
        kept = {name: value for name, value in values.items() if name in cls.model_fields}
        before = dict(before or {})
        model, data = str(kept.get("checkpoint")), str(kept.get("data"))
        if model in library.checkpoints and data in library.collections and not library.fits(model, data):
            del kept["checkpoint" if "data" in changed and "checkpoint" not in changed else "data"]
        wrong: dict[str, str] = {}
        while True:
            try:
                return cls.model_validate(kept, context=library).settle(library), wrong
            except ValidationError as error:
                name, words = str(error.errors()[0]["loc"][0]), cls.refusal(error)
            except ValueError as error:
                name, words = getattr(error, "name", "checkpoint"), str(error)
            if name not in kept:
                raise ValueError(words)
            wrong.setdefault(name, words)
            if name in before:
                kept[name] = before.pop(name)
            else:
                del kept[name]

    @classmethod
    def of_address(cls, address: str) -> dict[str, object]:
        """Read an address, `?query=…&top_k=5`, into values for `repair`; parse its numbers and switches."""
        words = dict(parse_qsl(address.lstrip("?")[:MAX_ADDRESS]))
        return {name: parsed(cls.model_fields[name], word) for name, word in words.items() if name in cls.model_fields}

    @classmethod
    def refusal(cls, error: ValidationError) -> str:
        """Write the first error as one sentence: what was expected, what was given."""
        first = error.errors()[0]
        name, kind, value = str(first["loc"][0]) if first["loc"] else "", first["type"], first["input"]
        if kind == "extra_forbidden":
            return f"expected the names {', '.join(cls.model_fields)}; got {shown(name)}"
        if kind == "value_error" and (words := str(first["ctx"]["error"])):
            return words
        if kind in ("string_too_long", "too_long"):
            most, what = first["ctx"]["max_length"], "characters" if isinstance(value, str) else "parts"
            return f"expected {name} to have at most {most} {what}, got {len(value)}"
        came = f"{value:g}" if isinstance(value, float) and math.isfinite(value) else shown(value)
        return f"expected {name} to be {expected(cls.model_fields[name])}, got {came}"

    def changed_fields(self, library: Library) -> dict[str, Any]:
        """Return the fields that are not at their default, each with its default; files are left out."""
        values, changed = dict(self), dict[str, Any]()
        preset = self.presets.get(values.get("preset", ""), {})
        for name, field in type(self).model_fields.items():
            offer = self.offers.get(name) if field.default == "" else None
            first = next(iter(offer.choices(library, values)), None) if offer else None
            usual = preset.get(name, first.value if first else field.default)
            if values[name] != usual and name not in self.files:
                changed[name] = usual
        return changed

    def link(self, library: Library, tab: str) -> str:
        """Write the request as an address; fields at their default are left out."""
        words = {"tab": tab}
        for name in self.changed_fields(library):
            value = getattr(self, name)
            one = int(value) if isinstance(value, bool) else value
            words[name] = ",".join(map(str, one)) if isinstance(one, tuple) else str(one)
        return "?" + urlencode(words, safe="/,")

    def call(self, library: Library, name: str, url: str, always: Sequence[str] = ()) -> str:
        """Write the line of Python that sends this request to a running app.

        Args:
            library: Determines the defaults, which are left out.
            name: Name of the HTTP function.
            url: Address of the app.
            always: Fields that are included even at their default.
        """
        changed = self.changed_fields(library)
        values = {name: getattr(self, name) for name in type(self).model_fields if name in changed or name in always}
        values |= {field: "<base64>" for field in self.files if getattr(self, field)}
        words = "".join(f"{field}={value!r}, " for field, value in values.items())
        return f"from gradio_client import Client; print(Client({url!r}).predict({words}api_name='/{name}'))"


class OfModel(Request):
    """A request about data and a model, which is a network or features of another method."""

    checkpoint: Checkpoint = option("", "Checkpoint", MODEL)
    data: Data = option("", "Data", DATA)


class OfNetwork(Request):
    """A request about data and a network."""

    checkpoint: Network = option("", "Checkpoint", MODEL)
    data: Data = option("", "Data", DATA)


def bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    """Return the smallest and the largest value of a number; `None` where it is unbounded."""
    low = next((part.ge for part in field.metadata if hasattr(part, "ge")), None)
    high = next((part.le for part in field.metadata if hasattr(part, "le")), None)
    return low, high


def expected(field: FieldInfo) -> str:
    """Describe the valid values of a field."""
    if field.annotation is bool:
        return "true or false"
    if field.annotation not in (int, float):
        return "text" if field.annotation is str else "a list"
    low, high = bounds(field)
    words, form = ("a whole number", "d") if field.annotation is int else ("a number", "g")
    if low is not None and high is not None:
        return f"{words} from {low:{form}} to {high:{form}}"
    return words if low is None else f"{words} from {low:{form}}"


def parsed(field: FieldInfo, word: str) -> object:
    """Parse a word of an address as the field's type; an invalid word is returned for `repair` to refuse."""
    if field.annotation in (bool, int, float):
        try:
            return TypeAdapter(field.annotation).validate_strings(word)
        except ValidationError:
            return word
    return word if field.annotation is str else tuple(part for part in word.split(",") if part)
