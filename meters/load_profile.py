"""Reading a meter's load-profile memory: what to ask, and what the answers mean. Pure.

The caller reads the pointers (`plan_pointers`, `state_of`), then repeats: ask what
`plan_load_profile` returns, decode each answer, take note of it with `LogState.after`,
until nothing is left to ask. Where the meter was off for a while its records are not
where arithmetic would have them; each answer narrows where they can be.

What is written to a meter, or a record's place in the ring, is its number modulo what
the meter counts with.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from meters.blocks import Block, plan_parts
from meters.encoding import DecodeError, Encoding, decode_words
from meters.identity import words_in
from meters.layout import decode_number, decode_time, encode_number, encode_time
from meters.load_profile_form import LoadProfile, Pointer, RecordFlag, Select
from meters.load_records import (
    Channel,
    LogRecord,
    LogRequest,
    LogState,
    wanted_numbers,
)
from meters.load_search import plan_search
from meters.modbus_profile import ModbusProfile
from meters.quantity import Quantity

__all__ = [
    "LogRecord",
    "LogRequest",
    "LogState",
    "decode_load_profile",
    "plan_load_profile",
    "plan_pointers",
    "state_of",
]


def plan_pointers(profile: ModbusProfile) -> tuple[Block, ...]:
    """Return the requests that read where the newest record is; there may be none."""
    log = _log(profile)
    return plan_parts(profile, [p for p in (log.newest, log.count) if p is not None])


def state_of(profile: ModbusProfile, blocks: Mapping[Block, Sequence[int]]) -> LogState:
    """Decode the pointers.

    Raises
    ------
    DecodeError
        If one is missing or points beyond the memory.

    """
    log = _log(profile)
    count = log.capacity
    if log.count is not None:
        count = min(count, _pointer(profile, log.count, blocks))
    if log.newest is None:
        return LogState(count=count)
    newest = _pointer(profile, log.newest, blocks)
    if log.access == "ring" and newest >= log.capacity:
        raise DecodeError(
            f"load_profile.newest: is {newest}, but the ring has {log.capacity} records"
        )
    return LogState(newest=newest - log.newest.is_next, count=count)


def plan_load_profile(
    profile: ModbusProfile, state: LogState, wanted_from: datetime, wanted_to: datetime
) -> tuple[LogRequest, ...]:
    """Return what to ask next for the records of a time.

    Parameters
    ----------
    profile : ModbusProfile
        With a load profile.
    state : LogState
        What was read so far.
    wanted_from, wanted_to : datetime
        Ends of intervals, both included, with a time zone.

    Returns
    -------
    tuple of LogRequest
        Empty once all is read that can be.

    Raises
    ------
    DecodeError
        If nothing that the meter records is wanted.

    """
    log = _log(profile)
    if state.count == 0 or wanted_to < wanted_from:
        return ()
    if log.is_searched:
        return plan_search(profile, state, wanted_from, wanted_to)
    if log.select is not None and log.select.by == "time":
        return _next_by_time(profile, log.select, state, wanted_from, wanted_to)
    if state.newest not in state.read:
        return (_request(profile, state, [state.newest]),)
    interval = timedelta(seconds=log.interval_s)
    numbers = wanted_numbers(state, wanted_from, wanted_to, interval)
    return tuple(_request(profile, state, run) for run in _runs(profile, numbers))


def decode_load_profile(
    profile: ModbusProfile, request: LogRequest, words: Sequence[int]
) -> tuple[LogRecord, ...]:
    """Return the records in an answer; empty places are left out.

    Raises
    ------
    DecodeError
        Naming the field, if the answer is too short or holds what cannot be.

    """
    log = _log(profile)
    if len(words) != request.block.count:
        raise DecodeError(
            f"load_profile: {len(words)} words came, not {request.block.count}"
        )
    records = []
    for place in range(request.block.count // log.record_words):
        own = words[place * log.record_words :][: log.record_words]
        number = request.numbers[place] if request.numbers else None
        record = _record(profile, own, number, request.channel)
        if record is not None:
            records.append(record)
    return tuple(records)


def _record(
    profile: ModbusProfile,
    words: Sequence[int],
    number: int | None,
    channel: Channel | None,
) -> LogRecord | None:
    """Decode one place; None if it is empty."""
    log = _log(profile)
    at = words[log.time.offset :][: log.time.words]
    measured_at = decode_time(profile, log.time, at)
    if measured_at is None:
        return None
    if log.stamp == "start":
        interval = timedelta(seconds=log.interval_s)
        measured_at += interval if channel is None else channel.interval
    is_given = log.available is None or log.available.is_on(words)
    return LogRecord(
        measured_at=measured_at,
        values=_values(profile, words, channel) if is_given else {},
        number=number,
        power_failure=_is_on(log.power_failure, words),
        is_doubtful=_is_on(log.bad_value, words),
        clock_set=_is_on(log.clock_set, words),
    )


def _is_on(flag: RecordFlag | None, words: Sequence[int]) -> bool:
    return flag is not None and flag.is_on(words)


def _log(profile: ModbusProfile) -> LoadProfile:
    if profile.load_profile is None:
        raise ValueError(f"{profile.name} has no load profile")
    return profile.load_profile


def _pointer(
    profile: ModbusProfile,
    pointer: Pointer,
    blocks: Mapping[Block, Sequence[int]],
) -> int:
    words = words_in(profile, pointer, blocks)
    if words is None:
        raise DecodeError(f"load_profile: register {pointer.address} did not come")
    orders = profile.word_order_of(pointer), profile.byte_order_of(pointer)
    return int(decode_words(words, Encoding(pointer.encoding), *orders))


def _runs(profile: ModbusProfile, numbers: Sequence[int]) -> list[list[int]]:
    """Divide numbers into those that one request can bring, oldest first."""
    log = _log(profile)
    most = max(1, profile.max_block // log.record_words)
    if log.access == "window":
        most = min(most, log.window)
    runs: list[list[int]] = []
    for number in numbers:
        run = runs[-1] if runs else []
        is_turn = log.access == "ring" and number % log.turn == 0
        if not run or number != run[-1] + 1 or len(run) == most or is_turn:
            runs.append([])
        runs[-1].append(number)
    return runs


def _request(profile: ModbusProfile, state: LogState, run: Sequence[int]) -> LogRequest:
    """Ask for records of consecutive numbers."""
    log, select = _log(profile), _log(profile).select
    if select is None:
        address = log.address + run[0] % log.turn * log.record_words
        return LogRequest(
            writes=(), block=_block(profile, address, len(run)), numbers=tuple(run)
        )
    first = run[0] if select.onward == "newer" else run[-1]
    told = first % log.turn
    if select.by == "age":
        told = state.newest - first + select.newest_is
    words = encode_number(profile, select, told, Encoding(select.encoding))
    return LogRequest(
        writes=_writes(log, select, words),
        block=_block(profile, log.address, len(run)),
        numbers=tuple(run if select.onward == "newer" else reversed(run)),
    )


def _next_by_time(
    profile: ModbusProfile,
    select: Select,
    state: LogState,
    wanted_from: datetime,
    wanted_to: datetime,
) -> tuple[LogRequest, ...]:
    """Ask for the window that begins after what was read."""
    log = _log(profile)
    interval = timedelta(seconds=log.interval_s)
    begin = wanted_from
    if state.reached is not None:
        begin = max(begin, state.reached + interval)
    if state.is_exhausted or begin > wanted_to:
        return ()
    if log.stamp == "start":
        begin -= interval
    words = tuple(encode_time(profile, select.time, begin))
    most = min(log.window, max(1, profile.max_block // log.record_words))
    block = _block(profile, log.address, most)
    return (LogRequest(writes=_writes(log, select, words), block=block, numbers=()),)


def _writes(
    log: LoadProfile, select: Select, words: tuple[int, ...]
) -> tuple[tuple[int, tuple[int, ...]], ...]:
    return (select.address, words), *((w.address, (w.value,)) for w in log.writes)


def _block(profile: ModbusProfile, address: int, records: int) -> Block:
    log = _log(profile)
    return Block(
        function=profile.function_of(log),
        address=address,
        count=records * log.record_words,
        registers=(),
    )


def _values(
    profile: ModbusProfile, record: Sequence[int], channel: Channel | None
) -> dict[Quantity, float]:
    values = {}
    wanted = None if channel is None else channel.quantity
    exponent = 0 if channel is None else channel.exponent
    for form in _log(profile).fields:
        if wanted is not None and form.quantity is not wanted:
            continue
        words = record[form.offset :][: form.words]
        try:
            value = decode_number(profile, form, words, exponent)
        except DecodeError as exc:
            raise DecodeError(f"load_profile.{form.quantity}: {exc}") from exc
        if value is not None:
            values[form.quantity] = value
    return values
