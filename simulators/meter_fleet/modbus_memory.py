"""What a light meter holds beside its readings: who it is, and its load profile. Pure.

The load profile follows from the meter's load in closed form, as all of its figures do:
nothing is kept until somebody asks.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache

from meters.identity import encode_identity
from meters.load_memory import LogMemory, encode_load_profile
from meters.load_profile import LogRecord
from meters.load_profile_form import LoadProfile
from meters.modbus_profile import ModbusProfile
from meters.quantity import REGISTERS, Quantity
from meters.reading import from_utc_us
from meters.registers import exact
from simulators.meter_fleet.meter import LightMeter

_MEMORIES = 16
"""Kept at a time: one takes a megabyte, and only an outage has many asked for."""


def told_words(meter: LightMeter, profile: ModbusProfile) -> dict[int, int]:
    """Return what a meter says of itself, address to word."""
    told: dict[str, int | str] = {}
    for part in profile.identity:
        if part.name == "serial":
            is_text = part.encoding == "string"
            # The end of a serial tells meters apart, where not all of it has room.
            told["serial"] = meter.serial[-2 * part.words :] if is_text else meter.index
    return profile.fixed_words | encode_identity(profile, told)


def log_words(
    meter: LightMeter, profile: ModbusProfile, at_ms: int
) -> Mapping[int, int]:
    """Return the registers of a meter's load profile at an instant, address to word.

    Empty where its type has none, or one that is searched (`SearchedMemory`).
    """
    log = profile.load_profile
    if log is None or log.is_searched:
        return {}
    return _log_words(meter, profile.name, newest_number(meter, log, at_ms))


def records_in(
    meter: LightMeter, profile: ModbusProfile, at_ms: int, address: int, count: int
) -> Iterator[LogRecord]:
    """Yield the records that lie whole in a stretch of registers."""
    log = profile.load_profile
    if log is None or log.access != "ring" or log.holds != "registers":
        return
    newest = newest_number(meter, log, at_ms)
    for number in range(max(0, newest - log.capacity + 1), newest + 1):
        at = log.address + number % log.turn * log.record_words
        if address <= at and at + log.record_words <= address + count:
            yield record_of(meter, log, number)


def newest_number(meter: LightMeter, log: LoadProfile, at_ms: int) -> int:
    """Return the number of the newest record; the first since installation is 0."""
    interval_ms = log.interval_s * 1000
    return at_ms // interval_ms - meter.installed_ms // interval_ms - 1


@lru_cache(_MEMORIES)
def _log_words(meter: LightMeter, _profile_name: str, newest: int) -> Mapping[int, int]:
    profile = meter.profile
    if not isinstance(profile, ModbusProfile) or profile.load_profile is None:
        return {}
    log = profile.load_profile
    first = max(0, newest - log.capacity + 1)
    records = [record_of(meter, log, number) for number in range(first, newest + 1)]
    return encode_load_profile(profile, LogMemory(records=records, total=newest + 1))


def record_of(meter: LightMeter, log: LoadProfile, number: int) -> LogRecord:
    """Return what a meter recorded as the record of this number."""
    interval_ms = log.interval_s * 1000
    ended_ms = (meter.installed_ms // interval_ms + 1 + number) * interval_ms
    values = {q: _shown(meter, q, ended_ms) for q in REGISTERS if q in meter.gives}
    if log.holds == "intervals":
        began_ms = ended_ms - interval_ms
        values = {q: _counted(meter, q, began_ms, ended_ms) for q in values}
    return LogRecord(
        measured_at=from_utc_us(ended_ms * 1000), values=values, number=number
    )


def _shown(meter: LightMeter, quantity: Quantity, at_ms: int) -> float:
    numerator, denominator = exact(meter.profile.register_resolution)
    return meter.counts_at(quantity, at_ms) * numerator / denominator


def _counted(
    meter: LightMeter, quantity: Quantity, began_ms: int, ended_ms: int
) -> float:
    numerator, denominator = exact(meter.profile.register_resolution)
    counts = meter.counts_at(quantity, ended_ms) - meter.counts_at(quantity, began_ms)
    return counts * numerator / denominator
