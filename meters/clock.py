"""The meter's own time in its registers. Pure."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from meters.encoding import DecodeError
from meters.modbus_parts import ClockEncoding

# IEC 870-5 type 81 as energy meters print it:
#   word 1: bits 0-6 year from 2000
#   word 2: bits 8-11 month, bits 0-4 day
#   word 3: bit 15 summer time, bits 8-12 hour, bit 7 invalid, bits 0-5 minute
#   word 4: milliseconds of the minute
_SUMMER, _INVALID = 0x8000, 0x0080
_ZERO = timedelta(0)
_NOT_SET = 0xFFFF
_EPOCH = {"unix32": datetime(1970, 1, 1), "since2000": datetime(2000, 1, 1)}  # noqa: DTZ001 - the zone is the meter's
_SECOND = timedelta(seconds=1)


def decode_clock(
    words: Sequence[int], zone: str = "UTC", encoding: ClockEncoding = "ti081"
) -> datetime | None:
    """Time in UTC; None where the meter says that its time is not to be believed.

    Parameters
    ----------
    words : sequence of int
        In the order of their addresses; of `unix32` and `since2000` the most
        significant first.
    zone : str
        In which the meter's clock is set.
    encoding : ClockEncoding
        How they carry it.

    Raises
    ------
    DecodeError
        If there is no such day or time.

    Notes
    -----
    Only `ti081` can tell the two hours apart that a clock of local time shows at the
    end of summer time. For the others it is the second: set such meters to UTC.

    Examples
    --------
    >>> decode_clock([0x0012, 0x010F, 0x0D1E, 0x1388])
    datetime.datetime(2018, 1, 15, 13, 30, 5, tzinfo=datetime.timezone.utc)
    >>> decode_clock([0x1201, 0x0F0D, 0x1E05], encoding="ymdhms8")
    datetime.datetime(2018, 1, 15, 13, 30, 5, tzinfo=datetime.timezone.utc)

    """
    if encoding == "ti081":
        return _decode_ti081(words, zone)
    if all(word == _NOT_SET for word in words) or not any(words):
        return None
    if encoding in _EPOCH:
        seconds = words[0] << 16 | words[1]
        local = _EPOCH[encoding] + timedelta(seconds=seconds)
        return local.replace(tzinfo=ZoneInfo(zone), fold=1).astimezone(UTC)
    try:
        year, month, day, *time = _READ[encoding](words)
        date_ = datetime(2000 + year % 2000, month, day, tzinfo=ZoneInfo(zone))
        hour, minute, second = time
        at = date_.replace(hour=hour, minute=minute, second=second, fold=1)
    except ValueError as exc:
        raise DecodeError(f"clock: {_shown(words)} is no date and time") from exc
    return at.astimezone(UTC)


def encode_clock(
    moment: datetime, zone: str = "UTC", encoding: ClockEncoding = "ti081"
) -> tuple[int, ...]:
    """Inverse of `decode_clock`, to the millisecond or second below.

    Raises
    ------
    DecodeError
        If the year does not fit.

    """
    local = moment.astimezone(ZoneInfo(zone))
    if encoding == "ti081":
        return _encode_ti081(local)
    if encoding in _EPOCH:
        seconds = (local.replace(tzinfo=None) - _EPOCH[encoding]) // _SECOND
        if not 0 <= seconds < 0xFFFFFFFF:  # noqa: PLR2004 - 32 bits, all ones: not set
            raise DecodeError(f"clock: {local.year} does not fit 32 bits of seconds")
        return seconds >> 16, seconds & 0xFFFF
    if not 2000 <= local.year <= 2099:  # noqa: PLR2004 - two digits
        raise DecodeError(f"clock: {local.year} does not fit two digits from 2000")
    fields = (local.month, local.day, local.hour, local.minute, local.second)
    return _WRITTEN[encoding]((local.year - 2000, *fields))


def unset_clock(encoding: ClockEncoding) -> tuple[int, ...]:
    """Words of a clock that does not know the time."""
    if encoding == "ti081":
        return 0, 0, _INVALID, 0
    return (_NOT_SET,) * {"ymdhms16": 6, "ymdhms8": 3, "ymdhms-bcd": 3}.get(encoding, 2)


def _decode_ti081(words: Sequence[int], zone: str) -> datetime | None:
    year, month_day, hour_minute, milliseconds = words
    if hour_minute & _INVALID:
        return None
    try:
        minute = datetime(
            2000 + (year & 0x7F),
            month_day >> 8 & 0x0F,
            month_day & 0x1F,
            hour_minute >> 8 & 0x1F,
            hour_minute & 0x3F,
            tzinfo=ZoneInfo(zone),
            # In the hour that comes twice the summer time comes first.
            fold=0 if hour_minute & _SUMMER else 1,
        )
    except ValueError as exc:
        raise DecodeError(f"clock: {_shown(words)} is no date and time") from exc
    if milliseconds >= 60_000:  # noqa: PLR2004 - a minute
        raise DecodeError(f"clock: {milliseconds} ms are more than a minute")
    return minute.astimezone(UTC) + timedelta(milliseconds=milliseconds)


def _encode_ti081(local: datetime) -> tuple[int, int, int, int]:
    if not 2000 <= local.year <= 2127:  # noqa: PLR2004 - seven bits from 2000
        raise DecodeError(f"clock: {local.year} does not fit seven bits from 2000")
    # Not dst() alone: by Irish law it is winter time that is shifted, not summer time.
    comes_again = local.replace(fold=1).utcoffset() != local.utcoffset()
    summer = _SUMMER if comes_again or (local.dst() or _ZERO) > _ZERO else 0
    return (
        local.year - 2000,
        local.month << 8 | local.day,
        summer | local.hour << 8 | local.minute,
        local.second * 1000 + local.microsecond // 1000,
    )


def _shown(words: Sequence[int]) -> str:
    return " ".join(f"{word:04X}" for word in words)


def _bytes_of(words: Sequence[int]) -> list[int]:
    return [byte for word in words for byte in (word >> 8, word & 0xFF)]


def _digits_of(words: Sequence[int]) -> list[int]:
    # int() refuses what is no decimal digit with a ValueError, as datetime() does.
    return [int(f"{byte:02X}") for byte in _bytes_of(words)]


def _paired(fields: Sequence[int]) -> tuple[int, ...]:
    return tuple(high << 8 | low for high, low in zip(*[iter(fields)] * 2, strict=True))


def _paired_digits(fields: Sequence[int]) -> tuple[int, ...]:
    return _paired([int(str(field), 16) for field in fields])


_READ: dict[ClockEncoding, Callable[[Sequence[int]], Sequence[int]]] = {
    "ymdhms8": _bytes_of,
    "ymdhms16": list,
    "ymdhms-bcd": _digits_of,
}
_WRITTEN: dict[ClockEncoding, Callable[[Sequence[int]], tuple[int, ...]]] = {
    "ymdhms8": _paired,
    "ymdhms16": tuple,
    "ymdhms-bcd": _paired_digits,
}
