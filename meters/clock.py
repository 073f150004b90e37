"""The meter's own time in its registers. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from meters.encoding import DecodeError

# IEC 870-5 type 81 as energy meters print it:
#   word 1: bits 0-6 year from 2000
#   word 2: bits 8-11 month, bits 0-4 day
#   word 3: bit 15 summer time, bits 8-12 hour, bit 7 invalid, bits 0-5 minute
#   word 4: milliseconds of the minute
_SUMMER, _INVALID = 0x8000, 0x0080
_ZERO = timedelta(0)


def decode_clock(words: Sequence[int], zone: str = "UTC") -> datetime | None:
    """Time in UTC; None where the meter says that its time is not to be believed.

    Raises
    ------
    DecodeError
        If there is no such day or time.

    Examples
    --------
    >>> decode_clock([0x0012, 0x010F, 0x0D1E, 0x1388])
    datetime.datetime(2018, 1, 15, 13, 30, 5, tzinfo=datetime.timezone.utc)

    """
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
        shown = " ".join(f"{word:04X}" for word in words)
        raise DecodeError(f"clock: {shown} is no date and time") from exc
    if milliseconds >= 60_000:  # noqa: PLR2004 - a minute
        raise DecodeError(f"clock: {milliseconds} ms are more than a minute")
    return minute.astimezone(UTC) + timedelta(milliseconds=milliseconds)


def encode_clock(moment: datetime, zone: str = "UTC") -> tuple[int, int, int, int]:
    """Inverse of `decode_clock`, to the millisecond below.

    Raises
    ------
    DecodeError
        If the year is not one of 2000 to 2127.

    """
    local = moment.astimezone(ZoneInfo(zone))
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
