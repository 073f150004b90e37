"""Named Sparkplug B metrics to readings, by a profile. Pure."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from meters.gathered import Gathered, Parsed
from meters.mqtt_profile import MqttProfile, PayloadField
from meters.payload_error import PayloadError, not_in_schema, short
from meters.payload_fields import quantity_leaf
from meters.ratios import RatioName
from meters.refusal import Reason
from meters.sparkplug_node import Named
from meters.sparkplug_types import number_of
from meters.unit import check_unit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def sparkplug_readings(
    profile: MqttProfile, named: Sequence[Named], message_ms: int | None
) -> tuple[list[Parsed], list[PayloadError]]:
    """Sort a device's metrics into readings, one for each time that they are of.

    Parameters
    ----------
    profile : MqttProfile
        Of format sparkplug-b.
    named : sequence of Named
        What the device said, in its order.
    message_ms : int or None
        Time of the message, for metrics without one. [ms since 1970]

    """
    fields = {field.path: field for field in profile.fields}
    times: dict[int, Gathered] = {}
    faults: list[PayloadError] = []
    for one in named:
        field = fields.get(one.definition.name)
        if field is None or one.metric.is_null:
            continue
        try:
            at_ms = _time_of(one, message_ms)
            _take(profile, field, one, _reading_of(profile, times, at_ms))
        except PayloadError as exc:
            faults.append(exc)
    readings = [
        Parsed(
            serial=None,
            measured_at=_EPOCH + timedelta(milliseconds=at_ms),
            values=gathered.values,
        )
        for at_ms, gathered in times.items()
        if gathered.values
    ]
    return readings, faults


def stated_ratios(
    profile: MqttProfile, named: Sequence[Named]
) -> dict[RatioName, float]:
    """Return the ratios that a device states; those it does not tell are absent."""
    names = {one.path: one.name for one in profile.ratio}
    found: dict[RatioName, float] = {}
    for one in named:
        name = names.get(one.definition.name)
        if name is None or one.metric.is_null:
            continue
        number = number_of(one.metric.value, one.definition.datatype)
        if type(number) in {int, float} and 0 < float(number or 0) < math.inf:
            found[name] = float(number or 0)
    return found


def _reading_of(
    profile: MqttProfile, times: dict[int, Gathered], at_ms: int
) -> Gathered:
    """Return the reading of one time, a new one while there may be more."""
    if at_ms not in times and len(times) >= profile.max_readings:
        raise PayloadError(
            Reason.TOO_LARGE,
            f"The message is of more than {profile.max_readings} times.",
        )
    return times.setdefault(at_ms, Gathered())


def _take(
    profile: MqttProfile, field: PayloadField, one: Named, reading: Gathered
) -> None:
    """Take one metric's value into the reading of its time."""
    datatype = one.definition.datatype
    value = number_of(one.metric.value, datatype)
    if value is None or one.metric.datatype not in {None, datatype}:
        raise not_in_schema(
            f"{field.path} is {short(one.metric.value)}, which is no number of its "
            f"data type, {datatype}."
        )
    unit = one.metric.unit or one.definition.unit
    if unit is not None and field.unit is None:
        check_unit(unit, field.quantity, field.scale, field.path)
    before = reading.values.get(field.quantity)
    quantity_leaf(field, is_text_right=profile.numbers == "text")(reading, value)
    if before is not None and before != reading.values[field.quantity]:
        reading.values[field.quantity] = before
        raise not_in_schema(f"{field.path} is there twice for one time, differently.")


def _time_of(one: Named, message_ms: int | None) -> int:
    """Return when a metric was measured, in milliseconds since 1970."""
    at_ms = one.metric.timestamp_ms
    if at_ms is None:
        at_ms = message_ms
    name = one.definition.name
    if at_ms is None:
        raise not_in_schema(f"{short(name)} is without a time.")
    if at_ms >= 253_402_300_800_000:  # noqa: PLR2004 - the year 10000
        raise not_in_schema(f"{short(name)} is of {at_ms} ms since 1970: no time.")
    return at_ms
