"""JSON payloads to readings, and back for the simulators. Pure.

A payload is refused with a `PayloadError`: its `reason` is counted, its `text` is the
sentence for people.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pydantic_core import from_json, to_json

from meters.mqtt_profile import MqttProfile
from meters.payload_fields import (
    Gathered,
    Parsed,
    PayloadError,
    Trees,
    lay_out,
    not_in_schema,
    short,
    walk,
)
from meters.quantity import Quantity
from meters.refusal import Reason
from meters.registers import exact, wrapped

__all__ = [
    "Parsed",
    "PayloadError",
    "decode_payload",
    "encode_batch",
    "encode_payload",
    "split_payload",
]


def decode_payload(profile: MqttProfile, payload: bytes) -> list[Parsed]:
    """Return the readings of a payload, all of them or none.

    Raises
    ------
    PayloadError
        For the payload, or for the first of its readings that is not right.

    """
    readings, refused = split_payload(profile, payload)
    if refused:
        raise refused[0]
    return readings


def split_payload(
    profile: MqttProfile, payload: bytes
) -> tuple[list[Parsed], list[PayloadError]]:
    """Return what is right in a payload, and what is to be refused of it.

    Raises
    ------
    PayloadError
        If nothing can be told of single readings: not JSON, too large, no such meter.

    """
    if len(payload) > profile.max_bytes:
        raise PayloadError(
            Reason.TOO_LARGE,
            f"The payload has {len(payload)} bytes, more than {profile.max_bytes}.",
        )
    try:
        found = from_json(payload)
    except ValueError as exc:
        raise PayloadError(
            Reason.NOT_JSON, f"The payload is not JSON: {exc}."
        ) from None
    if type(found) is not dict:
        raise not_in_schema(f"The payload is {short(found)}, not a JSON object.")
    items = found.get(profile.batch) if profile.batch else None
    if items is None:
        return _one(profile, found)
    return _several(profile, found, items)


def _one(
    profile: MqttProfile, found: dict[str, object]
) -> tuple[list[Parsed], list[PayloadError]]:
    """Read a payload that is one reading."""
    reading = Gathered()
    walk(_trees(profile).single, found, reading)
    return [reading.parsed(profile)], []


def _several(
    profile: MqttProfile, found: dict[str, object], items: object
) -> tuple[list[Parsed], list[PayloadError]]:
    """Read a payload that is a list of readings under one meter."""
    if type(items) is not list or not items:
        raise not_in_schema(f"{profile.batch} is {short(items)}, not a list of any.")
    if len(items) > profile.max_readings:
        raise PayloadError(
            Reason.TOO_LARGE,
            f"{profile.batch} holds {len(items)} readings, more than "
            f"{profile.max_readings}.",
            len(items),
        )
    trees, envelope = _trees(profile), Gathered()
    try:
        walk(trees.envelope, found, envelope)
        serial = envelope.known_serial(profile)
    except PayloadError as exc:
        exc.readings = len(items)
        raise
    readings: list[Parsed] = []
    refused: list[PayloadError] = []
    for at, item in enumerate(items, start=1):
        reading = Gathered(serial)
        try:
            if type(item) is not dict:
                raise not_in_schema(f"It is {short(item)}, not a JSON object.")
            walk(trees.item, item, reading)
            readings.append(reading.parsed(profile))
        except PayloadError as exc:
            text = f"{profile.batch} {at} of {len(items)}: {exc.text}"
            refused.append(PayloadError(exc.reason, text))
    return readings, refused


_TREES: dict[int, tuple[MqttProfile, Trees]] = {}


def _trees(profile: MqttProfile) -> Trees:
    """Lay out a profile's paths, once a profile object."""
    # By identity: hashing a profile's content at every payload would cost more than
    # reading it. The profile is kept beside its trees, so its id is not given again.
    known = _TREES.get(id(profile))
    if known is None:
        known = _TREES[id(profile)] = (profile, lay_out(profile))
    return known[1]


def encode_payload(
    profile: MqttProfile,
    serial: str,
    measured_at: datetime,
    values: Mapping[Quantity, float],
) -> bytes:
    """Inverse of `decode_payload` for one reading, as a meter of this type sends it.

    Energy appears in whole counts of the register, which turns over at its digits. What
    is NaN, or has no field in the profile, is left out.

    Raises
    ------
    ValueError
        If no value is left, or one is infinite.

    """
    document = _item(profile, measured_at, values)
    if profile.serial is not None:
        _place(document, profile.serial, serial)
    return to_json(document)


def encode_batch(
    profile: MqttProfile,
    serial: str,
    readings: Sequence[tuple[datetime, Mapping[Quantity, float]]],
) -> bytes:
    """Inverse of `decode_payload` for several readings of one meter.

    Raises
    ------
    ValueError
        If the profile knows no batches, or a reading holds no value.

    """
    if profile.batch is None:
        raise ValueError(f"{profile.name} has no batches")
    document: dict[str, object] = {}
    if profile.serial is not None:
        _place(document, profile.serial, serial)
    document[profile.batch] = [_item(profile, *reading) for reading in readings]
    return to_json(document)


def _item(
    profile: MqttProfile, measured_at: datetime, values: Mapping[Quantity, float]
) -> dict[str, object]:
    """Lay one reading out as a JSON object, without its meter."""
    document: dict[str, object] = {}
    moment = measured_at.astimezone(UTC).isoformat()
    _place(document, profile.measured_at, moment.replace("+00:00", "Z"))
    held = False
    for field in profile.fields:
        value = values.get(field.quantity, math.nan)
        if math.isnan(value):
            continue
        if math.isinf(value):
            raise ValueError(f"{field.quantity} is infinite")
        if field.quantity.is_register:
            digits, resolution = profile.register_digits, profile.register_resolution
            value = wrapped(value, digits, resolution)
        numerator, denominator = exact(field.scale)
        _place(document, field.path, value * denominator / numerator)
        held = True
    if not held:
        raise ValueError("a reading needs a value")
    return document


def _place(document: dict[str, object], path: str, value: object) -> None:
    """Put a value at the end of a dotted path."""
    *outer, name = path.split(".")
    for step in outer:
        inner = document.setdefault(step, {})
        if not isinstance(inner, dict):
            raise TypeError(f"{step} of {path} is taken")
        document = inner
    document[name] = value
