"""Settles a point: readings of its dirty days become interval energy.

Besides the dirty days, the time since the newest interval is settled, so that a meter
that fell silent leaves intervals counted as missing and not a hole.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Installation
from accounts.calendar import SiteCalendar
from analytics import settle
from analytics.settle import BoolArray, Intervals, Quality
from meters.reading import IntArray, from_utc_us, joined, utc_us
from storage.dirty import REACH_MIN, take_dirty
from storage.intervals import store_intervals
from storage.judging import GRACE, judge_again, settled_to
from storage.master import load_account, load_installations, load_point
from storage.readings import load_readings

LENGTH_MIN = 15
_LENGTH = timedelta(minutes=LENGTH_MIN)
_LENGTH_US = LENGTH_MIN * 60_000_000
_REACH = timedelta(minutes=REACH_MIN)
_DAY = timedelta(days=1)
_MOST_DAYS = 1000
"""Dirty days taken at once; the rest stay dirty for the next job."""
_PASS_DAYS = 31
"""Days settled in one pass: bounds the readings held in memory."""


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
    """Settle what is dirty at a point; the caller's transaction holds it together.

    Intervals are stored up to the newest one that is complete; an interval without
    data is stored as missing once a later one is complete, or `GRACE` after its end.
    From the oldest changed interval on, the point's load will be judged again.

    Parameters
    ----------
    conn : Connection
        A rollback makes the days dirty again.
    point_id : int
    now : datetime
        The site's time: nothing later is settled.

    Raises
    ------
    LookupError
        There is no such point.

    """
    account = load_account(conn, load_point(conn, point_id).account_id)
    calendar = SiteCalendar(account.time_zone, account.country)
    dirty = take_dirty(conn, limit=_MOST_DAYS, point_id=point_id)
    days = tuple(d.local_day for d in dirty)
    installations = load_installations(conn, point_id)
    since = settled_to(conn, point_id)
    changed, first_start = 0, None
    for first, last in _passes(days, since, calendar, now):
        starts_us = calendar.quarter_hours_us(first, last)
        starts_us = starts_us[starts_us + _LENGTH_US <= utc_us(now)]
        settled = _ripe(_settle(conn, starts_us, installations), installations, now)
        if since is None and first_start is None:
            settled = _from_first_known(settled)
        stored = store_intervals(conn, point_id, settled, settled_at=now)
        changed += stored.changed
        first_start = first_start or stored.first_start
    if first_start is not None:
        judge_again(conn, point_id, first_start)
    return Settled(days=days, intervals_changed=changed, first_start=first_start)


def _passes(
    days: tuple[date, ...],
    since: datetime | None,
    calendar: SiteCalendar,
    now: datetime,
) -> list[tuple[date, date]]:
    """Return first and last day of each pass, oldest first."""
    today = calendar.local_day(now)
    wanted = {day for day in days if day <= today}
    open_from = calendar.local_day(since) if since else min(wanted, default=today)
    wanted |= {open_from + n * _DAY for n in range((today - open_from).days + 1)}
    passes: list[tuple[date, date]] = []
    for day in sorted(wanted):
        if passes:
            first, last = passes[-1]
            if day - last == _DAY and (day - first).days < _PASS_DAYS:
                passes[-1] = (first, day)
                continue
        passes.append((day, day))
    return passes


def _settle(
    conn: Connection[TupleRow], starts_us: IntArray, installations: list[Installation]
) -> Intervals:
    if starts_us.size == 0:
        return settle.settle_point(joined([]), starts_us, [], length_min=LENGTH_MIN)
    start = from_utc_us(int(starts_us[0]))
    stop = from_utc_us(int(starts_us[-1])) + _LENGTH
    here = [i for i in installations if _sits(i, start, stop)]
    readings = [
        load_readings(conn, i.meter_id, start - _REACH, stop + _REACH) for i in here
    ]
    return settle.settle_point(joined(readings), starts_us, here, length_min=LENGTH_MIN)


def _ripe(
    settled: Intervals, installations: list[Installation], now: datetime
) -> Intervals:
    """Leave out what may still come, and time at which no meter was there."""
    known = settled.quality != Quality.MISSING
    newest_us = int(settled.start_us[known].max(initial=0))
    late_us = utc_us(now - GRACE) - _LENGTH_US
    expected = known.copy()
    for each in installations:
        sat = settled.start_us + _LENGTH_US > utc_us(each.installed_at)
        if each.removed_at is not None:
            sat &= settled.start_us < utc_us(each.removed_at)
        expected |= sat
    return _chosen(settled, expected & (settled.start_us <= max(newest_us, late_us)))


def _from_first_known(settled: Intervals) -> Intervals:
    """Let a point's history begin with its first energy, not with a gap."""
    known = settled.quality != Quality.MISSING
    return _chosen(settled, np.maximum.accumulate(known))


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
