"""Fields of a JSON payload: a profile's paths laid out as a tree, walked once. Pure."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from meters.gathered import Gathered, Leaf
from meters.json_path import Path, parse_path, show_path
from meters.mqtt_profile import MessageForm, PayloadField
from meters.numeric_text import number_in
from meters.payload_error import PayloadError, not_in_schema, short
from meters.payload_stated import ratio_leaf, unit_leaf
from meters.payload_times import time_leaf
from meters.refusal import Reason
from meters.registers import exact

_SERIAL = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Tree:
    """What may stand in one JSON object."""

    path: str
    """Of the object itself, with a dot; empty for the outermost."""
    strict: bool
    """Whether an unknown field is refused."""
    leaves: dict[str, Leaf]
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


@dataclass(frozen=True, slots=True)
class Trees:
    """A profile's paths laid out: of one reading, of a batch and each of its items."""

    single: Tree | Leaf
    envelope: Tree | Leaf
    item: Tree | Leaf
    batch: Path | None


def lay_out(form: MessageForm) -> Trees:
    """Lay out a profile's paths."""
    strict = form.unknown_fields == "refuse"
    outside: dict[Path, _Place] = {}
    inside: dict[Path, _Place] = {
        parse_path(one.path): _place_of(form, one) for one in form.fields
    }
    if form.measured_at is not None and not form.is_stamped_on_arrival:
        when = form.measured_at
        inside[parse_path(when)] = _Place(time_leaf(form, when))
    if form.item_serial is not None:
        inside[parse_path(form.item_serial)] = _Place(_item_leaf(form.item_serial))
    for one in form.fields:
        if one.unit is not None:
            inside[parse_path(one.unit)] = _Place(unit_leaf(one, one.unit))
    if form.serial is not None:
        outside[parse_path(form.serial)] = _Place(_serial_leaf(form.serial))
    # Where a message is of several meters, each reading has its own.
    stated = outside if form.item_serial is None else inside
    for ratio in form.ratio:
        leaf = ratio_leaf(ratio, is_text_right=form.numbers == "text")
        stated[parse_path(ratio.path)] = _Place(leaf)
    batch = None if form.batch is None else parse_path(form.batch)
    # `readings = null` beside a single reading is as good as absent.
    lists = {batch: _Place(_ignore)} if batch else {}
    return Trees(
        single=_laid({**inside, **outside, **lists}, strict=strict),
        envelope=_laid({**outside, **lists}, strict=strict),
        item=_laid(inside, strict=strict),
        batch=batch,
    )


@dataclass(slots=True)
class _Place:
    """What is known of one place in a document while the tree is laid out."""

    leaf: Leaf | None = None
    """Reads the number, text or time that stands there."""
    on_list: Leaf | None = None
    """Reads the list that may stand there instead."""
    names: "dict[str, _Place]" = field(default_factory=dict)
    items: "dict[int, _Place]" = field(default_factory=dict)


def _laid(places: Mapping[Path, _Place], *, strict: bool) -> Tree | Leaf:
    """Turn paths into nested objects and lists."""
    root = _Place()
    for path, place in sorted(places.items(), key=lambda one: len(one[0])):
        here = root
        for step in path:
            if isinstance(step, int):
                here = here.items.setdefault(step, _Place())
            else:
                here = here.names.setdefault(step, _Place())
        here.leaf, here.on_list = place.leaf, place.on_list
    return _compiled(root, (), strict=strict)


def _compiled(place: _Place, path: Path, *, strict: bool) -> Tree | Leaf:
    """Make the reader of a place: a tree of a plain object, a leaf of all else."""
    tree = Tree(f"{show_path(path)}." if path else "", strict, {}, {})
    for name, inner in place.names.items():
        made = _compiled(inner, (*path, name), strict=strict)
        if isinstance(made, Tree):
            tree.branches[name] = made
        else:
            tree.leaves[name] = made
    if place.leaf is None and not place.items:
        return tree
    if place.leaf is not None and place.on_list is None and not place.items:
        return place.leaf
    items = {
        at: _compiled(inner, (*path, at), strict=strict)
        for at, inner in place.items.items()
    }
    return _list_leaf(show_path(path), place, tree, items, strict=strict)


def _list_leaf(
    path: str,
    place: _Place,
    tree: Tree,
    items: Mapping[int, Tree | Leaf],
    *,
    strict: bool,
) -> Leaf:
    """Make the reader of a place where a list may stand."""
    leaf, on_list = place.leaf, place.on_list

    def take(reading: Gathered, value: object) -> None:
        if type(value) is list:
            for at, item in enumerate(value):
                part = items.get(at)
                if part is not None and item is not None:  # null keeps a place
                    read(part, item, f"{path}[{at}]", reading)
                elif part is None and strict and on_list is None:
                    raise not_in_schema(f"{path}[{at}] is not a field of this payload.")
            if on_list is not None:
                on_list(reading, value)
        elif type(value) is dict and (tree.leaves or tree.branches):
            walk(tree, value, reading)
        elif leaf is not None:
            leaf(reading, value)
        else:
            raise not_in_schema(f"{path} is {short(value)}, not a list.")

    return take


def read(part: Tree | Leaf, value: object, name: str, reading: Gathered) -> None:
    """Take whatever stands at one place into a reading."""
    if not isinstance(part, Tree):
        part(reading, value)
    elif type(value) is dict:
        walk(part, value, reading)
    else:
        raise not_in_schema(f"{name} is {short(value)}, not a JSON object.")


def _place_of(form: MessageForm, one: PayloadField) -> _Place:
    """Say what is read at one quantity's path."""
    is_text_right = form.numbers == "text"
    leaf = quantity_leaf(one, is_text_right=is_text_right)
    if one.if_list == "refuse":
        return _Place(leaf)

    def on_list(reading: Gathered, value: object) -> None:
        items = value if isinstance(value, list) else []
        if one.if_list == "sum":
            numbers = [number_in(item) for item in items] if is_text_right else items
            leaf(reading, _total(one.path, numbers))
        elif one.if_list == "first" and items:
            leaf(reading, items[0])

    return _Place(leaf, on_list)


def _total(path: str, numbers: list[object]) -> object:
    """Add up a list; null where one of them was not measured."""
    if not numbers or None in numbers:
        return None
    total: float = 0
    for number in numbers:
        if not (type(number) is float or type(number) is int):
            raise not_in_schema(f"{path} holds {short(number)}, not only numbers.")
        try:
            total += number
        except OverflowError:
            return math.inf
    return total


def quantity_leaf(one: PayloadField, *, is_text_right: bool = False) -> Leaf:
    """Make the reader of one quantity's field."""
    quantity, path = one.quantity, one.path
    numerator, denominator = exact(one.scale)

    def take(reading: Gathered, value: object) -> None:
        if is_text_right:
            value = number_in(value)
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


def _serial_leaf(path: str) -> Leaf:
    """Make the reader of the field that names the meter."""

    def take(reading: Gathered, value: object) -> None:
        if type(value) is not str or not _SERIAL.fullmatch(value):
            raise _no_serial(path, value)
        reading.serial = value

    return take


def _item_leaf(path: str) -> Leaf:
    """Make the reader of the field that names an item; many number them."""

    def take(reading: Gathered, value: object) -> None:
        text = str(value) if type(value) is int and 0 <= value < 1 << 63 else value
        if type(text) is not str or not _SERIAL.fullmatch(text):
            raise _no_serial(path, value)
        reading.item = text

    return take


def _no_serial(path: str, value: object) -> PayloadError:
    return not_in_schema(
        f"{path} is {short(value)}, not a serial number (letters, digits, dot, dash "
        "and underscore, at most 64)."
    )


def _ignore(_reading: Gathered, _value: object) -> None:
    """Leave a field to whoever reads it elsewhere."""
