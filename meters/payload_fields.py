"""Fields of a JSON payload: a profile's paths laid out as a tree, walked once. Pure."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from meters.mqtt_profile import MqttProfile, PayloadField
from meters.quantity import Quantity
from meters.refusal import Reason
from meters.registers import exact

_SERIAL = re.compile(r"[A-Za-z0-9._-]{1,64}")


class PayloadError(ValueError):
    """A payload, or one reading of it, that is not believed."""

    def __init__(self, reason: Reason, text: str, readings: int = 1) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text
        self.readings = readings
        """How many readings were refused, as far as that can be told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """One reading as a payload gave it."""

    serial: str | None
    """Of the meter; None where the payload does not name it and the topic must."""
    measured_at: datetime
    """In UTC."""
    values: dict[Quantity, float]


class Gathered:
    """A reading while its fields come in."""

    __slots__ = ("measured_at", "serial", "values")

    def __init__(self, serial: str | None = None) -> None:
        self.serial = serial
        self.measured_at: datetime | None = None
        self.values: dict[Quantity, float] = {}

    def known_serial(self, profile: MqttProfile) -> str | None:
        """Return the meter's serial; a profile that has a field for it demands it."""
        if self.serial is None and profile.serial is not None:
            raise not_in_schema(f"The field {profile.serial} is missing.")
        return self.serial

    def parsed(self, profile: MqttProfile) -> Parsed:
        """Close the reading, if nothing is missing."""
        serial = self.known_serial(profile)
        if self.measured_at is None:
            raise not_in_schema(f"The field {profile.measured_at} is missing.")
        if not self.values:
            raise not_in_schema("The reading holds no value.")
        return Parsed(serial=serial, measured_at=self.measured_at, values=self.values)


_Leaf = Callable[[Gathered, object], None]
"""Takes one field's value into a reading, or raises PayloadError."""


@dataclass(frozen=True, slots=True)
class Tree:
    """What may stand in one JSON object."""

    path: str
    """Of the object itself, with a dot; empty for the outermost."""
    strict: bool
    """Whether an unknown field is refused."""
    leaves: dict[str, _Leaf]
    branches: "dict[str, Tree]"


def walk(tree: Tree, found: Mapping[str, object], reading: Gathered) -> None:
    """Take every field of an object into a reading."""
    leaves = tree.leaves
    for name, value in found.items():
        leaf = leaves.get(name)
        if leaf is not None:
            leaf(reading, value)
            continue
        branch = tree.branches.get(name)
        if branch is not None:
            if type(value) is not dict:
                raise not_in_schema(
                    f"{tree.path}{name} is {short(value)}, not a JSON object."
                )
            walk(branch, value, reading)
        elif tree.strict:
            raise not_in_schema(
                f"{short(tree.path + name)} is not a field of this payload."
            )


def _quantity_leaf(field: PayloadField) -> _Leaf:
    """Make the reader of one quantity's field."""
    quantity, path = field.quantity, field.path
    numerator, denominator = exact(field.scale)

    def take(reading: Gathered, value: object) -> None:
        # Not isinstance: true and false are whole numbers to Python.
        if not (type(value) is float or type(value) is int):
            if value is None:
                return
            raise not_in_schema(f"{path} is {short(value)}, not a number.")
        try:
            # Exact for whole numbers; rounded once.
            number = value * numerator / denominator
        except OverflowError:
            number = math.inf
        if number - number != 0.0:  # only of NaN and infinities
            raise PayloadError(
                Reason.NOT_A_NUMBER, f"{path} is {short(value)}, not a finite number."
            )
        reading.values[quantity] = number

    return take


def _serial_leaf(path: str) -> _Leaf:
    """Make the reader of the field that names the meter."""

    def take(reading: Gathered, value: object) -> None:
        if type(value) is not str or not _SERIAL.fullmatch(value):
            raise not_in_schema(
                f"{path} is {short(value)}, not a serial number (letters, digits, "
                "dot, dash and underscore, at most 64)."
            )
        reading.serial = value

    return take


def _time_leaf(path: str) -> _Leaf:
    """Make the reader of the field that says when."""

    def take(reading: Gathered, value: object) -> None:
        if type(value) is not str:
            raise not_in_schema(f"{path} is {short(value)}, not an ISO 8601 time.")
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                raise not_in_schema(f"{path} is {short(value)}, without a time zone.")
            reading.measured_at = moment.astimezone(UTC)
        except PayloadError:
            raise
        except (ValueError, OverflowError):
            raise not_in_schema(
                f"{path} is {short(value)}, not an ISO 8601 time."
            ) from None

    return take


def _ignore(_reading: Gathered, _value: object) -> None:
    """Leave a field to whoever reads it elsewhere."""


@dataclass(frozen=True, slots=True)
class Trees:
    """A profile's paths laid out: of one reading, of a batch and each of its items."""

    single: Tree
    envelope: Tree
    item: Tree


def lay_out(profile: MqttProfile) -> Trees:
    """Lay out a profile's paths."""
    of_item: dict[str, _Leaf] = {
        field.path: _quantity_leaf(field) for field in profile.fields
    }
    of_item[profile.measured_at] = _time_leaf(profile.measured_at)
    of_envelope: dict[str, _Leaf] = {}
    if profile.serial is not None:
        of_envelope[profile.serial] = _serial_leaf(profile.serial)
    strict = profile.unknown_fields == "refuse"
    batch: dict[str, _Leaf] = {profile.batch: _ignore} if profile.batch else {}
    return Trees(
        # `readings = null` beside a single reading is as good as absent.
        single=_tree({**of_item, **of_envelope, **batch}, strict=strict),
        envelope=_tree({**of_envelope, **batch}, strict=strict),
        item=_tree(of_item, strict=strict),
    )


def _tree(leaves: Mapping[str, _Leaf], path: str = "", *, strict: bool) -> Tree:
    """Turn dotted paths into nested objects."""
    tree = Tree(path, strict, {}, {})
    below: dict[str, dict[str, _Leaf]] = {}
    for dotted, leaf in leaves.items():
        name, _, rest = dotted.partition(".")
        if rest:
            below.setdefault(name, {})[rest] = leaf
        else:
            tree.leaves[name] = leaf
    for name, inner in below.items():
        tree.branches[name] = _tree(inner, f"{path}{name}.", strict=strict)
    return tree


def not_in_schema(text: str) -> PayloadError:
    """Make the most common refusal."""
    return PayloadError(Reason.NOT_IN_SCHEMA, text)


def short(value: object) -> str:
    """Show a value in a sentence: printable, and not all of a long one."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an empty list" if not value else "a list"
    if value is None:
        return "null"
    if isinstance(value, int) and value.bit_length() > 64:  # noqa: PLR2004 - see below
        # Python refuses to print whole numbers of thousands of digits.
        return "a number beyond all measure"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"  # noqa: PLR2004 - a line's worth
