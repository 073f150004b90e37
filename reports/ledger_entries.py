"""Every expected interval of points, each with its cause: asked of storage once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Account
from accounts.calendar import SiteCalendar
from analytics.completeness.circumstances import (
    HOUR_US,
    QUARTER_US,
    Circumstances,
    IntArray,
)
from analytics.completeness.ledger import Entries, entries_of, unknown, with_causes
from meters.reading import from_utc_us, utc_us
from storage import circumstances as around
from storage.completeness import load_beginnings, load_settled_runs


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A point, and by whose days it is cut."""

    point_id: int
    calendar: SiteCalendar


def clock_of(account: Account) -> SiteCalendar:
    """Return by what an account's days are cut: closures move no boundary."""
    return SiteCalendar(account.time_zone, account.country)


def ledger_entries(
    conn: Connection[TupleRow],
    asked: Sequence[Asked],
    period: tuple[date, date],
    now: datetime,
) -> dict[int, Entries]:
    """Return every expected interval of points on local days, both ends included.

    Parameters
    ----------
    conn : Connection
    asked
    period : tuple of date
    now : datetime

    """
    if not asked:
        return {}
    ids = [one.point_id for one in asked]
    bounds = [each for one in asked for each in _bounds(one.calendar, period)]
    start, stop = min(bounds), max(bounds)
    settled = load_settled_runs(conn, ids, start, stop)
    begun, sat = load_beginnings(conn, ids), around.load_sittings(conn, ids)
    days = _days(period)
    about = {each: Circumstances(sittings=sat.get(each, ())) for each in ids}
    entries = {
        one.point_id: entries_of(
            days,
            one.calendar,
            settled.get(one.point_id, ()),
            about[one.point_id],
            now_us=utc_us(now),
            begins_us=_us(begun.get(one.point_id)),
        )
        for one in asked
    }
    seeking = {each: e.start_us[unknown(e)] for each, e in entries.items()}
    seeking = {each: start_us for each, start_us in seeking.items() if start_us.size}
    known = _circumstances(conn, seeking, about, period)
    return entries | {
        each: with_causes(entries[each], found) for each, found in known.items()
    }


def _bounds(calendar: SiteCalendar, period: tuple[date, date]) -> tuple[datetime, ...]:
    return calendar.day_bounds(period[0])[0], calendar.day_bounds(period[1])[1]


def _days(period: tuple[date, date]) -> list[date]:
    first, last = period
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else utc_us(moment)


def _circumstances(
    conn: Connection[TupleRow],
    seeking: Mapping[int, IntArray],
    about: Mapping[int, Circumstances],
    period: tuple[date, date],
) -> dict[int, Circumstances]:
    """Load what explains the gaps of points: only around them."""
    if not seeking:
        return {}
    ids, start_us = list(seeking), np.concatenate(list(seeking.values()))
    meter_id = np.concatenate([about[i].meters(s) for i, s in seeking.items()])
    start = from_utc_us(int(start_us.min()))
    stop = from_utc_us(int(start_us.max()) + 2 * QUARTER_US)
    metered = meter_id > 0
    if not metered.any():
        return {each: about[each] for each in ids}
    outages = around.load_no_supply(conn, ids, start, stop)
    doubts = around.load_doubts(conn, ids, *period)
    meters = set(meter_id[metered].tolist())
    hours_us = np.unique(start_us[metered] // HOUR_US) * HOUR_US
    hours = around.load_meter_hours(conn, meters, hours_us)
    refused = around.load_refused(conn, meters, start, stop)
    idle = around.load_idle_hours(conn, hours_us)
    bare = around.load_without_register(conn, meter_id[metered], start_us[metered])
    return {
        each: replace(
            about[each],
            outages=outages.get(each, ()),
            doubts=doubts.get(each, ()),
            hours=hours,
            refused=refused,
            idle=idle,
            bare=bare,
        )
        for each in ids
    }
