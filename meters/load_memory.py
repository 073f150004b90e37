"""A meter's load-profile memory as it stands in registers, for the simulators. Pure.

The inverse of `meters.load_profile`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import log10, nan

from meters.encoding import Encoding, decode_words
from meters.layout import (
    decode_time,
    encode_measured,
    encode_number,
    encode_time,
)
from meters.load_profile import LogRecord
from meters.load_profile_form import LoadProfile, Pointer, RecordFlag, Select
from meters.load_records import Channel
from meters.modbus_profile import ModbusProfile

_NOT_SELECTED = 0xFFFF
_UNUSED = Channel(number=0, interval=timedelta(0))


@dataclass(frozen=True, kw_only=True, slots=True)
class LogMemory:
    """What a meter has recorded."""

    records: Sequence[LogRecord]
    """Oldest first; only the newest that the memory has room for are shown."""
    total: int
    """How many the meter ever recorded."""
    channels: Sequence[Channel] = ()
    """What each holds, from number 1 on; those beyond hold nothing."""


def channels_of(profile: ModbusProfile) -> tuple[Channel, ...]:
    """Return channels that hold all fields of a profile in their order, from 1 on.

    The scaler is that with which one step is one count of the register.
    """
    log = profile.load_profile
    if log is None or log.channels is None:
        return ()
    return tuple(
        Channel(
            number=number,
            quantity=field.quantity,
            exponent=round(log10(profile.register_resolution / field.scale)),
            interval=timedelta(seconds=log.interval_s),
        )
        for number, field in enumerate(log.fields, start=1)
    )


def encode_load_profile(
    profile: ModbusProfile,
    memory: LogMemory,
    written: Mapping[int, int] | None = None,
    passed: int = 0,
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
    passed : int
        Of a search: how often the next records were asked for.

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
    held, channel = _told(profile, log, memory, written or {})
    if log.newest is not None:
        told = (newest + log.newest.is_next) % log.turn
        held |= _pointed(profile, log.newest, told)
    if log.count is not None:
        held |= _pointed(profile, log.count, len(kept))
    numbered = dict(enumerate(kept, newest - len(kept) + 1))
    for place, record in _shown(profile, log, numbered, written or {}, passed).items():
        words = _record(profile, log, record, channel)
        held.update(enumerate(words, log.address + place * log.record_words))
    return held


def _told(
    profile: ModbusProfile,
    log: LoadProfile,
    memory: LogMemory,
    written: Mapping[int, int],
) -> tuple[dict[int, int], Channel | None]:
    """Return the header of a memory that is searched, and the channel that it shows."""
    form, select = log.channels, log.select
    if form is None or select is None:
        return {}, None
    chosen = written.get(form.address, 1)
    found = [channel for channel in memory.channels if channel.number == chosen]
    channel = found[0] if found else _UNUSED
    first, count = form.told
    told = [_NOT_SELECTED] * count
    codes = [f.obis_words for f in log.fields if f.quantity is channel.quantity]
    if codes and codes[0]:
        minutes = channel.interval // timedelta(minutes=1)
        _lay(told, form.obis.address - first, codes[0])
        _lay(told, form.scaler.address - first, [channel.exponent & _NOT_SELECTED])
        words = encode_number(profile, form, minutes, Encoding.UINT32)
        _lay(told, form.interval.address - first, words)
    at = range(select.address, select.address + select.time.words)
    commands = [form.address, *(w.address for w in (*log.writes, log.next) if w)]
    header = dict.fromkeys(range(min(*commands, at[0]), first), 0)
    header |= dict.fromkeys(at, _NOT_SELECTED)  # as after a restart
    header |= {each: written[each] for each in header if each in written}
    header[form.address] = chosen
    return header | dict(enumerate(told, first)), channel


def _shown(
    profile: ModbusProfile,
    log: LoadProfile,
    numbered: Mapping[int, LogRecord],
    written: Mapping[int, int],
    passed: int,
) -> dict[int, LogRecord | None]:
    """Return what stands in each place of the ring or the window; None: nothing."""
    if log.select is None:
        places: dict[int, LogRecord | None] = dict.fromkeys(range(log.capacity))
        return places | {n % log.turn: record for n, record in numbered.items()}
    is_unset = written.get(log.select.address, _NOT_SELECTED) == _NOT_SELECTED
    if log.select.address not in written or (log.is_searched and is_unset):
        return dict.fromkeys(range(log.window))
    by = _at_time if log.select.by == "time" else _numbered
    first = by(profile, log, numbered, written)
    step = 1 if log.select.onward == "newer" else -1
    first += step * passed * log.window
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
    """Return the number of the first record of the selected time or later.

    Where older ones follow, of the last one of that time or earlier.
    """
    select = _select(log)
    words = [written.get(select.address + i, 0) for i in range(select.time.words)]
    at = decode_time(profile, select.time, words)
    if at is None:
        return max(numbered, default=-1) + 1
    if log.stamp == "start":
        at += timedelta(seconds=log.interval_s)
    numbers = list(numbered)
    if select.onward == "older":
        behind = bisect_right(numbers, at, key=lambda n: numbered[n].measured_at)
        return numbers[behind - 1] if behind else min(numbers, default=0) - 1
    behind = bisect_left(numbers, at, key=lambda n: numbered[n].measured_at)
    return numbers[behind] if behind < len(numbers) else max(numbers, default=-1) + 1


def _select(log: LoadProfile) -> Select:
    if log.select is None:
        raise ValueError("a ring selects nothing")
    return log.select


def _record(
    profile: ModbusProfile,
    log: LoadProfile,
    record: LogRecord | None,
    channel: Channel | None,
) -> list[int]:
    """Words of one place of the memory."""
    if record is None or channel is _UNUSED:
        return [_NOT_SELECTED] * log.record_words
    words = [0] * log.record_words
    at = record.measured_at
    if log.stamp == "start":
        at -= timedelta(seconds=log.interval_s)
    _lay(words, log.time.offset, encode_time(profile, log.time, at))
    exponent = 0 if channel is None else channel.exponent
    for form in log.fields:
        if channel is not None and form.quantity is not channel.quantity:
            continue
        value = record.values.get(form.quantity, nan)
        is_register = log.holds == "registers"
        laid = encode_measured(profile, form, value, exponent, is_register=is_register)
        _lay(words, form.offset, laid)
    _mark(words, log.power_failure, record.power_failure)
    is_given = channel is None or channel.quantity in record.values
    _mark(words, log.available, is_given)
    _mark(words, log.bad_value, record.is_doubtful)
    _mark(words, log.clock_set, record.clock_set)
    return words


def _mark(words: list[int], flag: RecordFlag | None, is_so: bool) -> None:  # noqa: FBT001 - of a bit
    if flag is not None and is_so == bool(flag.when):
        words[flag.offset] |= 1 << flag.bit


def _lay(words: list[int], offset: int, part: Sequence[int]) -> None:
    words[offset : offset + len(part)] = part


def _pointed(profile: ModbusProfile, pointer: Pointer, told: int) -> dict[int, int]:
    words = encode_number(profile, pointer, told, Encoding(pointer.encoding))
    return dict(enumerate(words, pointer.address))
