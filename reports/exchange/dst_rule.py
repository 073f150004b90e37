"""When a zone changes its clocks, as ESPI's LocalTimeParameters have it. Pure.

A rule is 32 bits (NAESB REQ.21, DstRuleType): month in 28 to 31, operator in 25 to 27,
day of the month in 20 to 24, day of the week (Monday 1) in 17 to 19, hour in 12 to 16,
seconds within the hour in 0 to 11. All ones: clocks do not change.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

NEVER = "FFFFFFFF"
_ON_OR_AFTER = 1
"""The day of the week on or after the day of the month."""
_FIRST = 2
"""The first of the month; the second is 3, and so on."""
_LAST = 7
_YEARS = 6
"""A rule is what up to as many years have in common."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A zone's standard offset, and its rules for the summer."""

    tz_offset_s: int
    dst_offset_s: int
    """What is added in summer; 0 where clocks do not change."""
    dst_start_rule: str
    dst_end_rule: str


def local_time(zone: ZoneInfo, year: int) -> LocalTime:
    """Return the parameters of a zone as they were in a year, and in those before it.

    Examples
    --------
    The second Sunday of March and the first of November, at two:

    >>> local_time(ZoneInfo("America/Los_Angeles"), 2019)  # doctest: +ELLIPSIS
    LocalTime(tz_offset_s=-28800, dst_offset_s=3600, dst_start_rule='360E2000', ...)

    """
    changes = _changes(zone, year)
    winter = _offset_s(datetime(year, 1, 1, tzinfo=UTC), zone)
    if len(changes) != 2:  # noqa: PLR2004  none, or a year of new rules
        return LocalTime(winter, 0, NEVER, NEVER)
    by_rise = sorted(changes, key=lambda change: change[1])
    (ends, fall), (starts, rise) = by_rise
    standard = _offset_s(starts - _DAY, zone)
    years = [_changes(zone, year - back) for back in range(_YEARS)]
    alike = [each for each in years if len(each) == len(changes)]
    return LocalTime(
        tz_offset_s=standard,
        dst_offset_s=rise,
        dst_start_rule=_rule([_wall(c, zone) for c in _of(alike, rise)] or [starts]),
        dst_end_rule=_rule([_wall(c, zone) for c in _of(alike, fall)] or [ends]),
    )


def _of(years: list[list[tuple[datetime, int]]], change_s: int) -> list[datetime]:
    return [at for each in years for at, change in each if change == change_s]


def _changes(zone: ZoneInfo, year: int) -> list[tuple[datetime, int]]:
    """Return when clocks change in a year, and by how much. [s]."""
    found = []
    at = datetime(year, 1, 1, tzinfo=UTC)
    while at.year == year:
        change = _offset_s(at + _DAY, zone) - _offset_s(at, zone)
        if change:
            found.append((_moment(at, zone), change))
        at += _DAY
    return found


def _moment(day: datetime, zone: ZoneInfo) -> datetime:
    """Find the quarter-hour at which clocks change within a day."""
    before = _offset_s(day, zone)
    at = day
    while _offset_s(at, zone) == before:
        at += timedelta(minutes=15)
    return at


def _offset_s(moment: datetime, zone: ZoneInfo) -> int:
    offset = moment.astimezone(zone).utcoffset() or timedelta(0)
    return offset // timedelta(seconds=1)


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return what the clock shows when it is to be changed."""
    before = _offset_s(moment - timedelta(seconds=1), zone)
    return (moment + timedelta(seconds=before)).replace(tzinfo=None)


def _rule(walls: list[datetime]) -> str:
    """Say what changes of several years have in common."""
    newest = walls[0]
    same = list(takewhile(lambda wall: wall.month == newest.month, walls))
    operator, day = _operator(same)
    weekday = newest.isoweekday() if operator else 0
    seconds = newest.minute * 60 + newest.second
    bits = newest.month << 28 | operator << 25 | day << 20
    return f"{bits | weekday << 17 | newest.hour << 12 | seconds:08X}"


def _operator(walls: list[datetime]) -> tuple[int, int]:
    """Return the operator and the day of the month that it needs."""
    if len({wall.isoweekday() for wall in walls}) > 1:
        return 0, walls[0].day
    numbers = {(wall.day - 1) // 7 for wall in walls}
    if all(wall.day + 7 > monthrange(wall.year, wall.month)[1] for wall in walls):
        return _LAST, 0
    days = [wall.day for wall in walls]
    if len(numbers) > 1 and max(days) - min(days) < 7:  # noqa: PLR2004  days of a week
        return _ON_OR_AFTER, min(days)
    return _FIRST + (days[0] - 1) // 7, 0
