"""Settles a point: readings of its dirty days become interval energy.

Besides the dirty days, the time since the newest interval is settled, so that a meter
that fell silent leaves intervals counted as missing and not a hole. Time at which no
meter sat there has no intervals, whatever was settled before that was known.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Installation, Point
from accounts.calendar import SiteCalendar
from analytics import settle
from analytics.settle import BoolArray, Intervals, Quality
from meters.reading import IntArray, from_utc_us, joined, utc_us
from storage.dirty import REACH_MIN, mark_touched, take_dirty
from storage.intervals import Stored, delete_intervals, store_intervals
from storage.judging import GRACE, judge_again, settled_to
from storage.master import load_account, load_installations, load_point
from storage.readings import load_readings

LENGTH_MIN = 15
_LENGTH = timedelta(minutes=LENGTH_MIN)
_LENGTH_US = LENGTH_MIN * 60_000_000
_REACH = timedelta(minutes=REACH_MIN)
_DAY = timedelta(days=1)
_PASS_DAYS = 31
"""Dirty days taken in one transaction, and days settled in one go: bounds what a
failure undoes, and the readings held in memory."""
_MOST_CONTRACTS = 3.0
"""How many times its contract demand a point can draw. An account may contract for as
little as 0.4 of its transformers (METHODS §4.2), which is 2.5 times; above that a
register is bounded, not a customer judged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """What settling a point changed."""

    days: tuple[date, ...]
    """The dirty local days that were taken."""
    intervals_changed: int
    """New intervals, and those with another figure than before."""
    first_start: datetime | None
    """Start of the oldest of them."""


def settle_point(conn: Connection[TupleRow], point_id: int, now: datetime) -> Settled:
    """Settle what is dirty at a point, and commit pass by pass.

    Intervals are stored up to the newest one that is complete; an interval without
    data is stored as missing once a later one is complete, or `GRACE` after its end.
    From the oldest changed interval on, the point's load will be judged again.

    Old days come first, so that time without readings before the newest interval is
    never passed over; today comes last and alone, since it is dirty again with every
    batch.

    Parameters
    ----------
    conn : Connection
        In no `transaction()` block. A pass that fails or is killed leaves its days
        dirty, and the later ones.
    point_id : int
    now : datetime
        The site's time: nothing later is settled.

    Raises
    ------
    LookupError
        There is no such point.

    """
    mark_touched(conn)
    conn.commit()
    settling = _Settling(conn, load_point(conn, point_id), now)
    parts = []
    more = True
    while more:
        days = settling.take(before=settling.today)
        more = len(days) == _PASS_DAYS
        parts.append(settling.settle(days, days[-1] if more else settling.yesterday))
        conn.commit()
    parts.append(settling.settle(settling.take(), settling.today))
    conn.commit()
    return Settled(
        days=tuple(day for part in parts for day in part.days),
        intervals_changed=sum(part.intervals_changed for part in parts),
        first_start=_first(part.first_start for part in parts),
    )


class _Settling:
    """What the passes of one point have in common."""

    def __init__(self, conn: Connection[TupleRow], point: Point, now: datetime) -> None:
        account = load_account(conn, point.account_id)
        self._conn = conn
        self._now = now
        self._point = point
        self._calendar = SiteCalendar(account.time_zone, account.country)
        self._installations = load_installations(conn, point.point_id)
        self.today = self._calendar.local_day(now)
        self.yesterday = self.today - _DAY

    def take(self, before: date | None = None) -> tuple[date, ...]:
        """Take the oldest dirty days."""
        dirty = take_dirty(
            self._conn, limit=_PASS_DAYS, point_id=self._point.point_id, before=before
        )
        return tuple(d.local_day for d in dirty)

    def settle(self, days: tuple[date, ...], last: date) -> Settled:
        """Settle days, and the time since the newest interval up to the last day."""
        conn, point_id = self._conn, self._point.point_id
        since = settled_to(conn, point_id)
        open_from = None if since is None else self._calendar.local_day(since)
        changed, first_start = 0, None
        for run in _runs(days, open_from, last):
            starts_us = self._calendar.quarter_hours_us(*run)
            starts_us = starts_us[starts_us + _LENGTH_US <= utc_us(self._now)]
            begins = since is None and first_start is None
            for stored in self._stored(starts_us, begins=begins):
                changed += stored.changed
                first_start = _first([first_start, stored.first_start])
        if first_start is not None:
            judge_again(conn, point_id, first_start)
        return Settled(days=days, intervals_changed=changed, first_start=first_start)

    def _stored(self, starts_us: IntArray, *, begins: bool) -> tuple[Stored, Stored]:
        """Store what is known of intervals, and that there are none without a meter.

        A point's history begins with its first energy, not with a gap.
        """
        conn, point_id = self._conn, self._point.point_id
        metered = _metered(starts_us, self._installations)
        settled = self._figures(starts_us[metered])
        settled = _chosen(settled, _ripe(settled, self._now))
        if begins:
            known = settled.quality != Quality.MISSING
            settled = _chosen(settled, np.maximum.accumulate(known))
        return (
            delete_intervals(conn, point_id, starts_us[~metered]),
            store_intervals(conn, point_id, settled, settled_at=self._now),
        )

    def _figures(self, starts_us: IntArray) -> Intervals:
        readings, here = [], []
        if starts_us.size:
            start = from_utc_us(int(starts_us[0]))
            stop = from_utc_us(int(starts_us[-1])) + _LENGTH
            here = [i for i in self._installations if _sits(i, start, stop)]
            readings = [
                load_readings(self._conn, i.meter_id, start - _REACH, stop + _REACH)
                for i in here
            ]
        contract_kw = self._point.contract_demand_kw
        return settle.settle_point(
            joined(readings),
            starts_us,
            here,
            length_min=LENGTH_MIN,
            limit_kw=None if contract_kw is None else _MOST_CONTRACTS * contract_kw,
        )


def _first(starts: Iterable[datetime | None]) -> datetime | None:
    return min((start for start in starts if start is not None), default=None)


def _runs(
    days: tuple[date, ...], open_from: date | None, last: date
) -> list[tuple[date, date]]:
    """Return first and last day of each run of days to settle, oldest first."""
    wanted = {day for day in days if day <= last}
    first_open = open_from or min(wanted, default=last + _DAY)
    wanted |= {first_open + n * _DAY for n in range((last - first_open).days + 1)}
    runs: list[tuple[date, date]] = []
    for day in sorted(wanted):
        if runs:
            first, before = runs[-1]
            if day - before == _DAY and (day - first).days < _PASS_DAYS:
                runs[-1] = (first, day)
                continue
        runs.append((day, day))
    return runs


def _metered(starts_us: IntArray, installations: list[Installation]) -> BoolArray:
    """Tell of each interval whether a meter sat there at some time in it."""
    metered = np.zeros(starts_us.shape, dtype=np.bool_)
    for each in installations:
        sat = starts_us + _LENGTH_US > utc_us(each.installed_at)
        if each.removed_at is not None:
            sat &= starts_us < utc_us(each.removed_at)
        metered |= sat
    return metered


def _ripe(settled: Intervals, now: datetime) -> BoolArray:
    """Tell of each interval whether nothing of it is still expected."""
    known = settled.quality != Quality.MISSING
    newest_us = int(settled.start_us[known].max(initial=0))
    late_us = utc_us(now - GRACE) - _LENGTH_US
    ripe: BoolArray = settled.start_us <= max(newest_us, late_us)
    return ripe


def _chosen(settled: Intervals, rows: BoolArray) -> Intervals:
    return replace(
        settled,
        start_us=settled.start_us[rows],
        import_kwh=settled.import_kwh[rows],
        export_kwh=settled.export_kwh[rows],
        lagging_kvarh=settled.lagging_kvarh[rows],
        leading_kvarh=settled.leading_kvarh[rows],
        quality=settled.quality[rows],
        method=settled.method[rows],
    )


def _sits(installation: Installation, start: datetime, stop: datetime) -> bool:
    """Whether the meter sat there at some time in [start, stop)."""
    removed_at = installation.removed_at
    return installation.installed_at < stop and (
        removed_at is None or removed_at > start
    )
