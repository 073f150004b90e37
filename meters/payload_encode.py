"""JSON payloads as a meter sends them, for the simulators. Pure."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast
from zoneinfo import ZoneInfo

from pydantic_core import to_json

from meters.json_path import Path, parse_path
from meters.mqtt_profile import MqttProfile, PayloadField
from meters.quantity import Quantity
from meters.ratios import Ratios
from meters.reading import utc_us
from meters.registers import exact, wrapped
from meters.topic import topic_of

Json = dict[str, object] | list[object] | str | float | None


def encode_messages(
    profile: MqttProfile,
    serial: str,
    measured_at: datetime,
    values: Mapping[Quantity, float],
    ratios: Ratios | None = None,
) -> list[tuple[str, bytes]]:
    """Return the topics and payloads by which a meter tells one reading.

    One for each kind of its messages that holds any of the values.

    Raises
    ------
    ValueError
        If none does, or a value is infinite.

    """
    held = [
        kind
        for kind in profile.messages
        if any(not math.isnan(values.get(f.quantity, math.nan)) for f in kind.fields)
    ]
    if not held:
        raise ValueError("a reading needs a value")
    return [
        (
            topic_of(kind, serial),
            encode_payload(kind, serial, measured_at, values, ratios),
        )
        for kind in held
    ]


def encode_payload(
    profile: MqttProfile,
    serial: str,
    measured_at: datetime,
    values: Mapping[Quantity, float],
    ratios: Ratios | None = None,
) -> bytes:
    """Inverse of `decode_payload` for one reading, as a meter of this type sends it.

    Energy appears in whole counts of the register, which turns over at its digits. What
    is NaN, or has no field in the profile, is left out. Of several kinds of messages it
    is the first. Ratios are told where the profile has a place for them.

    Raises
    ------
    ValueError
        If no value is left, or one is infinite.

    """
    if profile.item_serial is not None:
        item = _named_item(profile, serial, measured_at, values)
        item = _with_ratios(profile, item, ratios)
        return to_json(_enveloped(profile, serial, [item]))
    document = _item(profile, measured_at, values)
    if profile.serial is not None:
        document = placed(document, parse_path(profile.serial), serial)
    return to_json(_with_ratios(profile, document, ratios))


def encode_batch(
    profile: MqttProfile,
    serial: str,
    readings: Sequence[tuple[datetime, Mapping[Quantity, float]]],
    ratios: Ratios | None = None,
) -> bytes:
    """Inverse of `decode_payload` for several readings of one meter.

    Raises
    ------
    ValueError
        If the profile knows no batches, or a reading holds no value.

    """
    if profile.batch is None:
        raise ValueError(f"{profile.name} has no batches")
    if profile.item_serial is None:
        items = [_item(profile, *reading) for reading in readings]
        document = _enveloped(profile, serial, items)
        return to_json(_with_ratios(profile, document, ratios))
    items = [
        _with_ratios(profile, _named_item(profile, serial, *reading), ratios)
        for reading in readings
    ]
    return to_json(_enveloped(profile, serial, items))


def _enveloped(profile: MqttProfile, serial: str, items: list[Json]) -> Json:
    """Lay the readings into the message that carries them."""
    document: Json = None
    if profile.serial is not None:
        document = placed(document, parse_path(profile.serial), serial)
    return placed(document, parse_path(profile.batch or "$"), items)


def _with_ratios(profile: MqttProfile, document: Json, ratios: Ratios | None) -> Json:
    """State what was set in the meter."""
    if ratios is not None:
        for one in profile.ratio:
            side = ratios.side(one.name)
            document = placed(document, parse_path(one.path), side)
    return document


def _named_item(
    profile: MqttProfile,
    serial: str,
    measured_at: datetime,
    values: Mapping[Quantity, float],
) -> Json:
    """Lay one reading out that says of which of several meters it is."""
    named = profile.serial_form.named(serial)
    if named is None or profile.item_serial is None:
        raise ValueError(f"{serial} is no serial number of {profile.name}")
    item = _item(profile, measured_at, values)
    return placed(item, parse_path(profile.item_serial), named["item"])


def _item(
    profile: MqttProfile, measured_at: datetime, values: Mapping[Quantity, float]
) -> Json:
    """Lay one reading out, without its meter."""
    document: Json = None
    if profile.measured_at is not None and not profile.is_stamped_on_arrival:
        shown = _shown_time(profile, measured_at)
        document = placed(document, parse_path(profile.measured_at), shown)
    held = False
    # Items of lists first: they say that there is a list, where there may be a number.
    for field in sorted(profile.fields, key=lambda one: one.if_list != "refuse"):
        value = values.get(field.quantity, math.nan)
        if math.isnan(value):
            continue
        if math.isinf(value):
            raise ValueError(f"{field.quantity} is infinite")
        document = _with_value(document, field, _shown(profile, field, value))
        held = True
    if not held:
        raise ValueError("a reading needs a value")
    return document


def _with_value(document: Json, field: PayloadField, shown: Json) -> Json:
    """Place a value; where its phases make a list already, where that has it."""
    path = parse_path(field.path)
    if field.if_list != "refuse" and _is_list(document, path):
        if field.if_list != "first":
            return document
        path = (*path, 0)
    return placed(document, path, shown)


def _shown(profile: MqttProfile, field: PayloadField, value: float) -> Json:
    """Turn a value into the field's unit, energy in whole counts."""
    if field.quantity.is_register:
        value = wrapped(value, profile.register_digits, profile.register_resolution)
    numerator, denominator = exact(field.scale)
    number = value * denominator / numerator
    return repr(number) if profile.numbers == "text" else number


def _shown_time(profile: MqttProfile, measured_at: datetime) -> Json:
    """Write a time as the profile reads it, as exactly as that can be."""
    if profile.time_format == "unix-s":
        return _text_or_number(profile, utc_us(measured_at) / 1e6)
    if profile.time_format == "unix-ms":
        return _text_or_number(profile, utc_us(measured_at) / 1e3)
    if profile.zone is not None:
        local = measured_at.astimezone(ZoneInfo(profile.zone))
        return local.replace(tzinfo=None).isoformat()
    return measured_at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _text_or_number(profile: MqttProfile, number: float) -> Json:
    whole = int(number) if number.is_integer() else number
    return repr(whole) if profile.numbers == "text" else whole


def _is_list(document: Json, path: Path) -> bool:
    """Whether a list stands at a path already."""
    here: object = document
    for step in path:
        if isinstance(here, dict):
            here = here.get(cast("str", step))
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            here = here[step]
        else:
            return False
    return isinstance(here, list)


def placed(document: object, path: Path, value: object) -> Json:
    """Put a value at the end of a path; return the document it stands in."""
    if not path:
        return cast("Json", value)
    step, *rest = path
    if isinstance(step, int):
        items = document if isinstance(document, list) else []
        items += [None] * (step + 1 - len(items))
        items[step] = placed(items[step], tuple(rest), value)
        return items
    if document is not None and not isinstance(document, dict):
        raise TypeError(f"{step} is taken")
    named = document if isinstance(document, dict) else {}
    named[step] = placed(named.get(step), tuple(rest), value)
    return named
