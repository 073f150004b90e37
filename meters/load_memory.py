"""A meter's load-profile memory as it stands in registers, for the simulators. Pure.

The inverse of `meters.load_profile`.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import nan

from meters.encoding import Encoding, decode_words
from meters.layout import (
    decode_time,
    encode_measured,
    encode_number,
    encode_time,
)
from meters.load_profile import LogRecord
from meters.load_profile_form import LoadProfile, Pointer, Select
from meters.modbus_profile import ModbusProfile

_NOT_SELECTED = 0xFFFF


@dataclass(frozen=True, kw_only=True, slots=True)
class LogMemory:
    """What a meter has recorded."""

    records: Sequence[LogRecord]
    """Oldest first; only the newest that the memory has room for are shown."""
    total: int
    """How many the meter ever recorded."""


def encode_load_profile(
    profile: ModbusProfile, memory: LogMemory, written: Mapping[int, int] | None = None
) -> dict[int, int]:
    """Return what a meter's memory looks like in registers: address to word.

    Parameters
    ----------
    profile : ModbusProfile
        With a load profile.
    memory : LogMemory
        What was recorded.
    written : mapping of int to int, optional
        What was written to the meter: address to word. A window shows nothing before
        something was selected.

    Raises
    ------
    DecodeError
        If a value does not fit.

    """
    log = profile.load_profile
    if log is None:
        return {}
    kept = memory.records[-log.capacity :]
    newest = memory.total - 1
    held: dict[int, int] = {}
    if log.newest is not None:
        told = (newest + log.newest.is_next) % log.turn
        held |= _pointed(profile, log.newest, told)
    if log.count is not None:
        held |= _pointed(profile, log.count, len(kept))
    numbered = dict(enumerate(kept, newest - len(kept) + 1))
    for place, record in _shown(profile, log, numbered, written or {}).items():
        words = _record(profile, log, record)
        held.update(enumerate(words, log.address + place * log.record_words))
    return held


def _shown(
    profile: ModbusProfile,
    log: LoadProfile,
    numbered: Mapping[int, LogRecord],
    written: Mapping[int, int],
) -> dict[int, LogRecord | None]:
    """Return what stands in each place of the ring or the window; None: nothing."""
    if log.select is None:
        places: dict[int, LogRecord | None] = dict.fromkeys(range(log.capacity))
        return places | {n % log.turn: record for n, record in numbered.items()}
    if log.select.address not in written:
        return dict.fromkeys(range(log.window))
    by = _at_time if log.select.by == "time" else _numbered
    first = by(profile, log, numbered, written)
    step = 1 if log.select.onward == "newer" else -1
    return {place: numbered.get(first + step * place) for place in range(log.window)}


def _numbered(
    profile: ModbusProfile,
    log: LoadProfile,
    numbered: Mapping[int, LogRecord],
    written: Mapping[int, int],
) -> int:
    """Return the number of the record that was selected by number or by age."""
    select, newest = _select(log), max(numbered, default=-1)
    encoding = Encoding(select.encoding)
    words = [written.get(select.address + i, 0) for i in range(encoding.words)]
    orders = profile.word_order_of(select), profile.byte_order_of(select)
    told = int(decode_words(words, encoding, *orders))
    if select.by == "age":
        return newest - told + select.newest_is
    return newest - (newest - told) % log.turn


def _at_time(
    profile: ModbusProfile,
    log: LoadProfile,
    numbered: Mapping[int, LogRecord],
    written: Mapping[int, int],
) -> int:
    """Return the number of the first record of the selected time or later."""
    select = _select(log)
    words = [written.get(select.address + i, 0) for i in range(select.time.words)]
    at = decode_time(profile, select.time, words)
    if at is None:
        return max(numbered, default=-1) + 1
    if log.stamp == "start":
        at += timedelta(seconds=log.interval_s)
    numbers = list(numbered)
    behind = bisect_left(numbers, at, key=lambda n: numbered[n].measured_at)
    return numbers[behind] if behind < len(numbers) else max(numbers, default=-1) + 1


def _select(log: LoadProfile) -> Select:
    if log.select is None:
        raise ValueError("a ring selects nothing")
    return log.select


def _record(
    profile: ModbusProfile, log: LoadProfile, record: LogRecord | None
) -> list[int]:
    """Words of one place of the memory."""
    if record is None:
        return [_NOT_SELECTED] * log.record_words
    words = [0] * log.record_words
    at = record.measured_at
    if log.stamp == "start":
        at -= timedelta(seconds=log.interval_s)
    _lay(words, log.time.offset, encode_time(profile, log.time, at))
    for form in log.fields:
        value = record.values.get(form.quantity, nan)
        laid = encode_measured(
            profile, form, value, is_register=log.holds == "registers"
        )
        _lay(words, form.offset, laid)
    flag = log.power_failure
    if flag is not None and record.power_failure == bool(flag.when):
        words[flag.offset] |= 1 << flag.bit
    return words


def _lay(words: list[int], offset: int, part: Sequence[int]) -> None:
    words[offset : offset + len(part)] = part


def _pointed(profile: ModbusProfile, pointer: Pointer, told: int) -> dict[int, int]:
    words = encode_number(profile, pointer, told, Encoding(pointer.encoding))
    return dict(enumerate(words, pointer.address))
