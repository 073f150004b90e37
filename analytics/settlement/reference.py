"""Which days may say what a missing one was like, and what they say. Pure.

A day is like one of its own weekday, Tuesday to Thursday like each other,
a holiday like holidays and Sundays. Days with an outage, an estimate or a gap never
serve. A make-up working day is like a Wednesday, a closure like a holiday.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from accounts.calendar import SLOT_MIN, SLOTS, DayArray, DayType, SiteCalendar

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY, HOLIDAY = range(8)
LIKE: dict[int, tuple[int, ...]] = {
    MONDAY: (MONDAY,),
    TUESDAY: (TUESDAY, WEDNESDAY, THURSDAY),
    WEDNESDAY: (WEDNESDAY, TUESDAY, THURSDAY),
    THURSDAY: (THURSDAY, WEDNESDAY, TUESDAY),
    FRIDAY: (FRIDAY,),
    SATURDAY: (SATURDAY,),
    SUNDAY: (SUNDAY,),
    HOLIDAY: (HOLIDAY, SUNDAY),
}
"""Kinds of day that serve for each, the likest first."""
_WORKED = (MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY)
_IDLE = (SATURDAY, SUNDAY, HOLIDAY)
THREE = 3
"""Itron: the mean of three days."""
NEAREST = 12
FADE_DAYS = 10.0
"""Ours: twelve days, each with the weight exp(-days away / 10). Chosen on 2018 of the
campus buildings and confirmed on the rest (docs/benchmarks.md)."""


def kind_of(calendar: SiteCalendar, day: date) -> int:
    """Return to which of the eight kinds a local day belongs.

    Examples
    --------
    >>> from zoneinfo import ZoneInfo
    >>> china = SiteCalendar(ZoneInfo("Asia/Shanghai"), "CN")
    >>> kind_of(china, date(2025, 1, 26)) == WEDNESDAY  # make-up working Sunday
    True
    >>> kind_of(china, date(2025, 10, 1)) == HOLIDAY
    True

    """
    weekday = day.weekday()
    day_type = calendar.day_type(day)
    if day_type is DayType.WORKDAY:
        return weekday if weekday in _WORKED else WEDNESDAY
    if day_type is DayType.SATURDAY:
        return SATURDAY
    return SUNDAY if weekday == SUNDAY and day not in calendar.closures else HOLIDAY


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LoadHistory:
    """A point's firm intervals by local day and slot of the wall clock."""

    days: DayArray
    """shape (d,), each local day from the first to the last"""
    kwh: FloatArray
    """shape (d, slots); NaN = not firm, or not on that day's clock"""
    kind: IntArray
    """shape (d,)"""
    usable: BoolArray
    """shape (d,): every interval of the day is firm"""

    @property
    def slots(self) -> int:
        """Intervals of an ordinary day."""
        return int(self.kwh.shape[1])

    def row(self, day: np.datetime64) -> int:
        """Return the row of a day, which may lie outside."""
        return int((day - self.days[0]).astype(np.int64)) if self.days.size else 0


def load_history(
    calendar: SiteCalendar,
    start_us: IntArray,
    kwh: FloatArray,
    firm: BoolArray,
    *,
    length_min: int = SLOT_MIN,
) -> LoadHistory:
    """Lay intervals out by local day.

    Parameters
    ----------
    calendar : SiteCalendar
    start_us : array, shape (n,)
        Ascending; days may be left out. [microseconds since 1970 UTC]
    kwh : array, shape (n,)
    firm : array, shape (n,)
        Measured or edited, and no outage: may serve as an example.
    length_min : int
        A multiple of 15. [min]

    """
    slots = SLOTS * SLOT_MIN // length_min
    if start_us.size == 0:
        return LoadHistory(
            days=np.zeros(0, dtype="datetime64[D]"),
            kwh=np.empty((0, slots)),
            kind=np.zeros(0, dtype=np.int64),
            usable=np.zeros(0, dtype=np.bool_),
        )
    local_day, quarter = calendar.days_and_slots(start_us)
    slot = quarter // (length_min // SLOT_MIN)
    days = np.arange(local_day[0], local_day[-1] + 1)
    row = (local_day - days[0]).astype(np.int64)
    firm = firm & ~np.isnan(kwh)
    cell = (row * slots + slot)[firm]
    count = np.bincount(cell, minlength=days.size * slots)
    total = np.bincount(cell, weights=kwh[firm], minlength=days.size * slots)
    mean = np.divide(
        total, count, out=np.full(count.size, np.nan), where=count > 0
    ).reshape(days.size, slots)
    firm_of_day = np.bincount(row[firm], minlength=days.size)
    return LoadHistory(
        days=days,
        kwh=mean,
        kind=np.array(
            [kind_of(calendar, day) for day in days.astype(object)], dtype=np.int64
        ),
        usable=firm_of_day == _expected(calendar, days, length_min),
    )


def _expected(calendar: SiteCalendar, days: DayArray, length_min: int) -> IntArray:
    """Return how many intervals each local day has: a clock change shows in them."""
    first, last = days[0].astype(object), days[-1].astype(object)
    quarters, _ = calendar.days_and_slots(calendar.quarter_hours_us(first, last))
    of_day = np.bincount((quarters - days[0]).astype(np.int64), minlength=days.size)
    expected: IntArray = of_day * SLOT_MIN // length_min
    return expected


def like_days(history: LoadHistory, row: int, kind: int, *, count: int) -> IntArray:
    """Return the days that serve for one, nearest first.

    Parameters
    ----------
    history : LoadHistory
    row : int
        Of the day to say something of, which itself never serves; may lie outside.
    kind : int
        Its kind.
    count : int
        At most so many.

    Returns
    -------
    array, shape (<= count,)
        Rows. Of days as near as each other the likest comes first. Where no day of the
        like kinds is usable, one that is worked (or not) like it serves.

    """
    rows = np.flatnonzero(history.usable)
    rank = _ranks(np.array([kind]), history.kind[rows])[0]
    away = np.abs(rows - row)
    serves = (away > 0) & (rank < _OTHERS)
    if not serves.any():
        serves = (away > 0) & (rank == rank[away > 0].min(initial=_NEVER))
    order = np.lexsort((rows[serves], rank[serves], away[serves]))
    nearest: IntArray = rows[serves][order][:count]
    return nearest


def mean_day(history: LoadHistory, rows: IntArray) -> FloatArray:
    """Return the mean of days, shape (slots,); NaN where none has a value."""
    mean: FloatArray = _weighted(np.ones((1, rows.size)), history.kwh[rows])[0]
    return mean


def expected_days(history: LoadHistory, rows: IntArray, kinds: IntArray) -> FloatArray:
    """Return what like days let expect of several days.

    Parameters
    ----------
    history : LoadHistory
    rows : array, shape (m,)
        None of these days serves for itself; may lie outside.
    kinds : array, shape (m,)

    Returns
    -------
    array, shape (m, slots)
        Of each, the mean of the `NEAREST` like days, fading; NaN where no day has a
        value.

    """
    serving = np.flatnonzero(history.usable)
    near = (serving >= rows.min() - _WITHIN_DAYS) & (
        serving <= rows.max() + _WITHIN_DAYS
    )
    serving = serving[near] if near.any() else serving
    away = np.abs(rows[:, None] - serving)
    rank = np.where(away == 0, _NEVER, _ranks(kinds, history.kind[serving]))
    least = rank.min(axis=1, initial=_NEVER, keepdims=True)
    serves = (rank < _OTHERS) | ((rank == least) & (least < _NEVER))
    # Nearest first, of equally near ones the likest, of these the earlier.
    order = np.where(serves, away + rank / _NEVER, np.inf)
    place = np.argsort(order, axis=1, kind="stable")[:, :NEAREST]
    chosen = np.zeros(away.shape, dtype=np.bool_)
    np.put_along_axis(chosen, place, values=True, axis=1)
    weights = np.where(chosen & serves, np.exp(-away / FADE_DAYS), 0.0)
    return _weighted(weights, history.kwh[serving])


_OTHERS, _NEVER = 10, 100
"""Ranks from which a kind of day serves only for want of others, and never."""
_WITHIN_DAYS = 150


def _ranks(kinds: IntArray, serving: IntArray) -> IntArray:
    """Return how like each serving kind is, shape (kinds, serving); 0 = likest."""
    ranks: IntArray = _RANK[kinds[:, None], serving[None, :]]
    return ranks


def _rank_table() -> IntArray:
    table = np.full((len(LIKE), len(LIKE)), _OTHERS + 1, dtype=np.int64)
    for kind, like in LIKE.items():
        as_worked = _WORKED if kind in _WORKED else _IDLE
        table[kind, list(as_worked)] = _OTHERS
        table[kind, list(like)] = np.arange(len(like))
    return table


_RANK = _rank_table()


def _weighted(weights: FloatArray, kwh: FloatArray) -> FloatArray:
    """Return weighted means over days: (m, d) weights of (d, slots) give (m, slots)."""
    known = ~np.isnan(kwh)
    whole = weights @ known
    total = weights @ np.where(known, kwh, 0.0)
    mean = np.full(whole.shape, np.nan)
    np.divide(total, whole, out=mean, where=whole > 0)
    return mean
