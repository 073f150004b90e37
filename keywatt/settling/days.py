"""Which days are settled together, and how far a hole reaches. Pure."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import numpy as np

from accounts.account import Installation
from accounts.calendar import SiteCalendar
from analytics.settlement.boundary import FURTHEST_DAYS
from analytics.settlement.draft import MAX_GAP
from meters.quantity import COLUMN, Quantity
from meters.reading import IntArray, ReadingBatch, from_utc_us, utc_us

LENGTH_MIN = 15
LENGTH_US = LENGTH_MIN * 60_000_000
PASS_DAYS = 31
"""Dirty days taken in one transaction, and days settled in one go: bounds what a
failure undoes, and the readings held in memory."""
DAY = timedelta(days=1)
_CHAIN_DAYS = 31
"""Where every hole reaches over midnight, as with a meter that is read at noon, one
leads to the next: followed so far."""
_FEW = 2
_HOLE_US = round(MAX_GAP * LENGTH_US)
Days = tuple[date, date]
"""First and last."""


def runs_of(
    days: Iterable[date], open_from: date | None, last: date, turns: Iterable[date] = ()
) -> list[Days]:
    """Return the runs of days to settle, oldest first.

    Parameters
    ----------
    days
        Dirty ones.
    open_from : date or None
        From here on all are settled; None = from the first dirty one.
    last : date
        None later.
    turns
        Days on which other rules begin to hold: a run ends before.

    """
    wanted = {day for day in days if day <= last}
    first_open = open_from or min(wanted, default=last + DAY)
    wanted |= {first_open + n * DAY for n in range((last - first_open).days + 1)}
    turns = set(turns)
    runs: list[Days] = []
    for day in sorted(wanted):
        if runs and day not in turns:
            first, before = runs[-1]
            if day - before == DAY and (day - first).days < PASS_DAYS:
                runs[-1] = (first, day)
                continue
        runs.append((day, day))
    return runs


def import_moments(
    readings: ReadingBatch, installations: Sequence[Installation]
) -> IntArray:
    """Return when the import register of a point was known, ascending.

    That is when a meter was read while it sat there. [microseconds since 1970 UTC]
    """
    given = ~np.isnan(readings.values[:, COLUMN[Quantity.ENERGY_IMPORT_KWH]])
    sat = np.zeros(given.shape, dtype=np.bool_)
    for each in installations:
        mine = readings.meter_id == each.meter_id
        mine &= readings.measured_us >= utc_us(each.installed_at)
        if each.removed_at is not None:
            mine &= readings.measured_us <= utc_us(each.removed_at)
        sat |= mine
    return np.sort(readings.measured_us[given & sat])


def reaching(days: Days, moments_us: IntArray, calendar: SiteCalendar) -> Days:
    """Widen days so that no hole at their edges is settled in part.

    What registers counted over a hole is shared out over all of it; were a part of it
    left as it was, the whole would no longer sum to what they counted.

    Parameters
    ----------
    days : tuple of date
    moments_us : array, shape (m,)
        Ascending; beyond the days the next on either side. [microseconds since 1970]
    calendar : SiteCalendar

    """
    start_us = utc_us(calendar.day_bounds(days[0])[0])
    stop_us = utc_us(calendar.day_bounds(days[1])[1])
    gap = np.flatnonzero(np.diff(moments_us) > _HOLE_US)
    begins, ends = moments_us[gap], moments_us[gap + 1]
    over = (begins < start_us) & (ends > start_us)
    first = int(begins[over].min(initial=start_us))
    over = (begins < stop_us) & (ends > stop_us)
    last = int(ends[over].max(initial=stop_us)) - 1
    return (
        calendar.local_day(from_utc_us(first)),
        calendar.local_day(from_utc_us(last)),
    )


def limited(wider: Days, days: Days, *, hops: int) -> Days:
    """Return how far to follow: one hole as far as it goes, a chain not for ever.

    Parameters
    ----------
    wider : tuple of date
        Where the holes at the edges reach.
    days : tuple of date
        Those to settle.
    hops
        How often they were widened before.

    """
    far = (FURTHEST_DAYS if hops == 0 else _CHAIN_DAYS) * DAY
    first, last = max(wider[0], days[0] - far), min(wider[1], days[1] + far)
    if hops < _FEW:
        return first, last
    # A chain: all of it at once, not day by day.
    return (
        days[0] - far if first < days[0] else first,
        days[1] + far if last > days[1] else last,
    )
