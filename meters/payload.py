"""JSON payloads to readings, by a profile's paths. Pure.

`payload_encode` is the inverse. A payload is refused with a `PayloadError`: its
`reason` is counted, its `text` is the sentence for people.
"""

from datetime import datetime

from pydantic_core import from_json

from meters.gathered import Gathered, Parsed
from meters.mqtt_profile import MqttProfile
from meters.payload_encode import encode_batch, encode_payload
from meters.payload_error import PayloadError, not_in_schema, short
from meters.payload_fields import Tree, Trees, lay_out, read, walk
from meters.refusal import Reason
from meters.unpack import unpacked

__all__ = [
    "Parsed",
    "PayloadError",
    "decode_payload",
    "encode_batch",
    "encode_payload",
    "split_payload",
]


def decode_payload(
    profile: MqttProfile, payload: bytes, arrived_at: datetime | None = None
) -> list[Parsed]:
    """Return the readings of a payload, all of them or none.

    Raises
    ------
    PayloadError
        For the payload, or for the first of its readings that is not right.

    """
    readings, refused = split_payload(profile, payload, arrived_at)
    if refused:
        raise refused[0]
    return readings


def split_payload(
    profile: MqttProfile,
    payload: bytes,
    arrived_at: datetime | None = None,
    *,
    is_retained: bool = False,
) -> tuple[list[Parsed], list[PayloadError]]:
    """Return what is right in a payload, and what is to be refused of it.

    Parameters
    ----------
    profile : MqttProfile
        Of format json, one of its `messages`.
    payload : bytes
        As it came, packed or not.
    arrived_at : datetime, optional
        When it came. Tells the two hours apart that wall clocks show in one night, and
        is the time of what has none of its own.
    is_retained : bool
        Whether the broker kept it from before we subscribed: nobody knows how old it
        is, so that it is not stamped with the time at which it came.

    Raises
    ------
    PayloadError
        If nothing can be told of single readings: not JSON, too large, no such meter.

    """
    if is_retained and profile.is_stamped_on_arrival:
        raise PayloadError(
            Reason.RETAINED,
            "The broker had retained this message, which does not say when it was "
            "measured; the time at which it came would be wrong.",
        )
    try:
        found = from_json(unpacked(payload, profile.max_bytes))
    except PayloadError:
        raise
    except ValueError as exc:
        raise PayloadError(
            Reason.NOT_JSON, f"The payload is not JSON: {exc}."
        ) from None
    trees = _trees(profile)
    if trees.batch is not None:
        items = _at(found, trees.batch)
        if items is not None:
            return _several(profile, found, items, arrived_at)
    reading = Gathered(None, arrived_at)
    if isinstance(trees.single, Tree):
        if type(found) is not dict:
            raise not_in_schema(f"The payload is {short(found)}, not a JSON object.")
        walk(trees.single, found, reading)
    else:
        trees.single(reading, found)
    parsed = reading.parsed(profile)
    return ([] if parsed is None else [parsed]), []


def _at(found: object, path: tuple[str | int, ...]) -> object:
    """Return what stands at a path of names; None where nothing does."""
    for step in path:
        if type(found) is not dict:
            return None
        found = found.get(step)
    return found


def _several(
    profile: MqttProfile, found: object, items: object, arrived_at: datetime | None
) -> tuple[list[Parsed], list[PayloadError]]:
    """Read a payload that is a list of readings."""
    name = "The payload" if profile.batch == "$" else profile.batch
    if type(items) is not list or not items:
        raise not_in_schema(f"{name} is {short(items)}, not a list of any.")
    if len(items) > profile.max_readings:
        raise PayloadError(
            Reason.TOO_LARGE,
            f"{name} holds {len(items)} readings, more than {profile.max_readings}.",
            len(items),
        )
    trees, envelope = _trees(profile), Gathered()
    try:
        if trees.batch:
            read(trees.envelope, found, "The payload", envelope)
        serial = envelope.known_serial(profile)
    except PayloadError as exc:
        exc.readings = len(items)
        raise
    readings: list[Parsed] = []
    refused: list[PayloadError] = []
    for at, item in enumerate(items, start=1):
        reading = Gathered(serial, arrived_at)
        reading.ratios = envelope.ratios
        try:
            if isinstance(trees.item, Tree) and type(item) is not dict:
                raise not_in_schema(f"It is {short(item)}, not a JSON object.")
            read(trees.item, item, "It", reading)
            parsed = reading.parsed(profile)
            if parsed is not None:
                readings.append(parsed)
        except PayloadError as exc:
            text = f"{name} {at} of {len(items)}: {exc.text}"
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
