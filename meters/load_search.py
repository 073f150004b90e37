"""A memory that the meter searches: which channel, from which time, what next. Pure.

Search finds a time and shows the records from there on; a command shows those that
follow, towards older ones, until there are none. A search may take the meter a minute
if what it looks for is old, but going on is quick: so each channel is searched once
for a gap, from its end, and read back to its beginning.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from meters.blocks import Block
from meters.encoding import DecodeError, Encoding, decode_words
from meters.layout import encode_number, encode_time
from meters.load_profile_form import Channels, LoadProfile, Select
from meters.load_records import Channel, LogRequest, LogState
from meters.modbus_profile import ModbusProfile
from meters.scaling import checked_exponent

_LONGEST_MIN = 1440
"""A day; what says more is no interval."""
_FORGOTTEN = 0xFFFF
"""What a restart leaves where the time was written."""


def plan_channel(profile: ModbusProfile, state: LogState) -> LogRequest | None:
    """Return what asks the next channel what it holds; None once enough is known."""
    log = profile.load_profile
    if log is None or log.channels is None:
        return None
    found = {channel.quantity for channel in state.channels}
    number = len(state.channels) + 1
    if number > log.channels.count or found >= {f.quantity for f in log.fields}:
        return None
    return LogRequest(
        writes=(_chosen(profile, log.channels, number),),
        block=_told_block(profile, log.channels),
        numbers=(),
    )


def channel_of(
    profile: ModbusProfile, state: LogState, words: Sequence[int]
) -> Channel:
    """Return what the channel holds that was asked.

    Raises
    ------
    DecodeError
        If its scaler cannot be one.

    """
    log = profile.load_profile
    if log is None or log.channels is None:
        raise ValueError(f"{profile.name} has no channels")
    form, number = log.channels, len(state.channels) + 1
    first, _ = form.told
    code = tuple(words[form.obis.address - first :][:3])
    known = {channel.quantity for channel in state.channels}
    named = [f.quantity for f in log.fields if f.obis_words == code]
    quantity = next((q for q in named if q not in known), None)
    exponent = int(_decoded(profile, words[form.scaler.address - first :], "int16"))
    minutes = int(_decoded(profile, words[form.interval.address - first :], "uint32"))
    if quantity is None:
        exponent = minutes = 0
    return Channel(
        number=number,
        quantity=quantity,
        exponent=checked_exponent(exponent, form.scaler.address) or 0,
        interval=timedelta(minutes=min(minutes, _LONGEST_MIN)),
        words=tuple(words),
    )


def plan_search(
    profile: ModbusProfile, state: LogState, wanted_from: datetime, wanted_to: datetime
) -> tuple[LogRequest, ...]:
    """Return what to ask next for the records of a time; empty once all is read.

    Raises
    ------
    DecodeError
        If no channel holds anything that is wanted.

    """
    log = profile.load_profile
    if log is None or log.select is None:
        raise ValueError(f"{profile.name} has no load profile that is searched")
    channels = _read_in_turn(log, state)
    channel, is_begun = channels[0], state.channel in channels
    if is_begun and state.channel is not None:
        channel = state.channel
        is_read = state.reached is not None and state.reached <= wanted_from
        if state.is_exhausted or is_read:
            later = channels[channels.index(channel) + 1 :]
            if not later:
                return ()
            channel, is_begun = later[0], False
    if is_begun and state.is_open:
        return (_next(profile, log, channel),)
    at = state.reached if is_begun and state.reached is not None else wanted_to
    return (_search(profile, log, log.select, channel, at),)


def asked_back(profile: ModbusProfile, request: LogRequest) -> Block:
    """Return what reads back all that a search writes: some of it may have arrived."""
    spans = [(address, address + len(words)) for address, words in request.writes]
    first, end = min(begin for begin, _ in spans), max(end for _, end in spans)
    return _block(profile, first, end - first)


def still_to_write(
    request: LogRequest, block: Block, words: Sequence[int]
) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Return those writes of a search that did not arrive, as it was read back."""
    return tuple(
        (address, wanted)
        for address, wanted in request.writes
        if tuple(words[address - block.address :][: len(wanted)]) != wanted
    )


def plan_proof(profile: ModbusProfile, request: LogRequest) -> Block | None:
    """Return what proves that a window belongs to the search; None: nothing can.

    Between two requests somebody else may choose another channel, and after a restart
    the search is forgotten.
    """
    log, channel = profile.load_profile, request.channel
    if log is None or log.select is None or channel is None or not channel.words:
        return None
    first, count = log.channels.told if log.channels is not None else (0, 0)
    begin = min(first, log.select.address)
    end = max(first + count, log.select.address + log.select.time.words)
    return _block(profile, begin, end - begin)


def check_proof(
    profile: ModbusProfile, request: LogRequest, block: Block, words: Sequence[int]
) -> None:
    """See whether a window belongs to the search.

    Raises
    ------
    DecodeError
        If it does not.

    """
    log, channel = profile.load_profile, request.channel
    if log is None or log.select is None or log.channels is None or channel is None:
        return
    first, count = log.channels.told
    if tuple(words[first - block.address :][:count]) != channel.words:
        raise DecodeError("load_profile: it shows another channel than was asked for")
    select = log.select
    at = words[select.address - block.address :][: select.time.words]
    if all(word == _FORGOTTEN for word in at):
        raise DecodeError("load_profile: the meter was restarted during the search")


def _read_in_turn(log: LoadProfile, state: LogState) -> list[Channel]:
    """Return what is to be read, one after another."""
    if log.channels is None:
        return [Channel(number=0, interval=timedelta(seconds=log.interval_s))]
    wanted = [channel for channel in state.channels if channel.quantity is not None]
    if not wanted:
        names = ", ".join(field.quantity.value for field in log.fields)
        raise DecodeError(
            f"load_profile: none of its {log.channels.count} channels records any of "
            f"{names}; set one up in the meter"
        )
    return wanted


def _search(
    profile: ModbusProfile,
    log: LoadProfile,
    select: Select,
    channel: Channel,
    at: datetime,
) -> LogRequest:
    """Begin a search."""
    writes = []
    if log.channels is not None:
        writes.append(_chosen(profile, log.channels, channel.number))
    if log.stamp == "start":
        at -= channel.interval
    # Another time for each channel: what is read back tells then which search it was.
    at += timedelta(seconds=channel.number)
    writes.append((select.address, tuple(encode_time(profile, select.time, at))))
    writes += [(write.address, (write.value,)) for write in log.writes]
    return LogRequest(
        writes=tuple(writes), block=_window(profile, log), numbers=(), channel=channel
    )


def _next(profile: ModbusProfile, log: LoadProfile, channel: Channel) -> LogRequest:
    """Go on with a search."""
    if log.next is None:
        raise ValueError(f"{profile.name} does not search")
    return LogRequest(
        writes=((log.next.address, (log.next.value,)),),
        block=_window(profile, log),
        numbers=(),
        channel=channel,
        is_next=True,
    )


def _window(profile: ModbusProfile, log: LoadProfile) -> Block:
    return _block(profile, log.address, log.span)


def _chosen(
    profile: ModbusProfile, channels: Channels, number: int
) -> tuple[int, tuple[int, ...]]:
    words = encode_number(profile, channels, number, Encoding.UINT16)
    return channels.address, words


def _told_block(profile: ModbusProfile, channels: Channels) -> Block:
    return _block(profile, *channels.told)


def _block(profile: ModbusProfile, address: int, count: int) -> Block:
    function = profile.function
    if profile.load_profile is not None:
        function = profile.function_of(profile.load_profile)
    return Block(function=function, address=address, count=count, registers=())


def _decoded(profile: ModbusProfile, words: Sequence[int], encoding: str) -> float:
    number = Encoding(encoding)
    orders = profile.word_order_of(None), profile.byte_order_of(None)
    return decode_words(words[: number.words], number, *orders)
