"""An account's days: type, bounds and quarter-hours in its own time zone.

Only the account's wall clock decides to which day and slot a moment belongs; a day
has 92, 96 or 100 quarter-hours. Errors: `CalendarError`, for an unknown country.
"""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
import numpy as np
import numpy.typing as npt

from meters.reading import from_utc_us, utc_us

IntArray = npt.NDArray[np.int64]
DayArray = npt.NDArray[np.datetime64]
"""Local days, dtype datetime64[D]."""
TypeArray = npt.NDArray[np.str_]
"""Values of `DayType`; compares with its members."""

SLOTS = 96
"""Quarter-hours on the wall clock of a day."""
SLOT_MIN = 15
QUARTER_HOUR_US = SLOT_MIN * 60 * 1_000_000
DAY_US = SLOTS * QUARTER_HOUR_US
_DAY = timedelta(days=1)
_DAY_S = 86_400
_MICROSECOND = timedelta(microseconds=1)
_SATURDAY = 6


class CalendarError(ValueError):
    """No calendar can be made; the message says why."""


class DayType(StrEnum):
    """How a day is worked."""

    WORKDAY = "workday"
    """Make-up working days too."""
    SATURDAY = "saturday"
    HOLIDAY = "holiday"
    """Sunday, public holiday or closure."""


@dataclass(frozen=True, slots=True)
class SiteCalendar:
    """What the clock and the calendar on the wall of a site say.

    Public holidays and make-up working days are those of the `holidays` package; for
    years it does not know yet (China is announced year by year), weekends alone count.
    """

    time_zone: ZoneInfo
    country: str
    """ISO 3166 code."""
    closures: frozenset[date] = frozenset()
    """Days on which this site alone does not work."""

    def __post_init__(self) -> None:
        """Refuse a country without known holidays."""
        _public_holidays(self.country)

    def day_type(self, day: date) -> DayType:
        """Say how a local day is worked.

        Examples
        --------
        Spring Festival 2025 made a working day of the Sunday before it:

        >>> china = SiteCalendar(ZoneInfo("Asia/Shanghai"), "CN")
        >>> china.day_type(date(2025, 1, 26)).value
        'workday'

        """
        public = _public_holidays(self.country)
        if day in self.closures or day in public:
            return DayType.HOLIDAY
        if public.is_working_day(day):
            return DayType.WORKDAY
        return DayType.SATURDAY if day.isoweekday() == _SATURDAY else DayType.HOLIDAY

    def day_bounds(self, day: date) -> tuple[datetime, datetime]:
        """Return the UTC moments at which a local day starts and ends."""
        return self._start_of(day), self._start_of(day + timedelta(days=1))

    def quarter_hours(self, day: date) -> list[datetime]:
        """Return the UTC starts of a day's 92, 96 or 100 quarter-hours."""
        return [from_utc_us(us) for us in self.quarter_hours_us(day, day)]

    def quarter_hours_us(self, first: date, last: date) -> IntArray:
        """Return the starts of all quarter-hours of several local days.

        Parameters
        ----------
        first, last
            Local days, both included.

        Returns
        -------
        array, shape (n,)
            Interval starts. [microseconds since 1970 UTC]

        """
        start, stop = self._start_of(first), self.day_bounds(last)[1]
        return np.arange(utc_us(start), utc_us(stop), QUARTER_HOUR_US, dtype=np.int64)

    def local_day(self, moment: datetime) -> date:
        """Return the date on the wall at a moment."""
        return moment.astimezone(self.time_zone).date()

    def slot(self, moment: datetime) -> int:
        """Return the wall clock's quarter-hour, 0 to 95; autumn's come twice."""
        clock = moment.astimezone(self.time_zone)
        return clock.hour * 4 + clock.minute // 15

    def days_and_slots(self, moments_us: IntArray) -> tuple[DayArray, IntArray]:
        """Return `local_day` and `slot` of many moments at once.

        Parameters
        ----------
        moments_us : array, shape (n,)
            Any order. [microseconds since 1970 UTC]

        Returns
        -------
        local_day : array of datetime64[D], shape (n,)
        slot : array, shape (n,)
            0 to 95.

        Examples
        --------
        >>> site = SiteCalendar(ZoneInfo("Asia/Seoul"), "KR")
        >>> noon_utc = utc_us(datetime(2018, 1, 15, 12, tzinfo=UTC))
        >>> days, slots = site.days_and_slots(np.array([noon_utc]))
        >>> str(days[0]), int(slots[0])
        ('2018-01-15', 84)

        """
        local_us = moments_us + self._offsets_us(moments_us)
        day, in_day_us = np.divmod(local_us, DAY_US)
        return day.astype("datetime64[D]"), in_day_us // QUARTER_HOUR_US

    def day_types(self, days: DayArray) -> TypeArray:
        """Return `day_type` of many local days at once, in their shape."""
        distinct, place = np.unique(days, return_inverse=True)
        types = [self.day_type(day) for day in distinct.astype(object)]
        return np.array(types, dtype=np.str_)[place].reshape(days.shape)

    def _start_of(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.time_zone).astimezone(UTC)

    def _offsets_us(self, moments_us: IntArray) -> IntArray:
        if moments_us.size == 0:
            return np.zeros(0, dtype=np.int64)
        first = from_utc_us(moments_us.min()).year
        last = from_utc_us(moments_us.max()).year
        changes = [_offset_changes(self.time_zone, y) for y in range(first, last + 1)]
        since_us = np.concatenate([since for since, _ in changes])
        offset_us = np.concatenate([offset for _, offset in changes])
        return offset_us[np.searchsorted(since_us, moments_us, side="right") - 1]


@lru_cache(maxsize=64)
def _public_holidays(country: str) -> holidays.HolidayBase:
    try:
        return holidays.country_holidays(country)  # fills itself year by year
    except NotImplementedError:
        raise CalendarError(
            f"no public holidays are known for country {country!r};"
            " use an ISO 3166 code such as CN"
        ) from None


@lru_cache(maxsize=512)
def _offset_changes(zone: ZoneInfo, year: int) -> tuple[IntArray, IntArray]:
    """Moments from which an offset from UTC holds, and the offsets, of one UTC year.

    Looks once a UTC day: no zone changes its clocks twice in one.
    """
    moment = datetime(year, 1, 1, tzinfo=UTC)
    since, offsets = [moment], [moment.astimezone(zone).utcoffset()]
    while moment.year == year:
        offset = (moment + _DAY).astimezone(zone).utcoffset()
        if offset != offsets[-1]:
            since.append(_change_after(zone, moment))
            offsets.append(offset)
        moment += _DAY
    return (
        np.array([utc_us(m) for m in since], dtype=np.int64),
        np.array([o // _MICROSECOND for o in offsets if o is not None], dtype=np.int64),
    )


def _change_after(zone: ZoneInfo, moment: datetime) -> datetime:
    before = moment.astimezone(zone).utcoffset()

    def changed(seconds: int) -> bool:
        later = moment + timedelta(seconds=seconds)
        return later.astimezone(zone).utcoffset() != before

    return moment + timedelta(seconds=bisect_left(range(_DAY_S), x=True, key=changed))
