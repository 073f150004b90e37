"""Edits of people, seen before they are made: the same steps, then taken back."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Account, Point
from accounts.calendar import SiteCalendar
from analytics.settlement.edited_values import LENGTH_MIN
from analytics.settlement.intervals import IntArray, Intervals
from analytics.settlement.judging import DISTRUST
from analytics.settlement.verdict import Status, Verdict
from meters.reading import from_utc_us
from reports.billed_difference import Believed, ChangedInterval, changed, laid
from storage.dirty import wait_for_point
from storage.intervals import load_intervals
from storage.settled_days import load_settled_days

MOST_TRIED_DAYS = 31
"""Days that are settled to see what they become: more would keep a person waiting."""
_LENGTH_US = LENGTH_MIN * 60_000_000
_DAY = timedelta(days=1)

SettleOnTrial = Callable[
    [Connection[TupleRow], int, Collection[date], datetime], object
]
"""Settles days of a point at a time, and commits nothing; how is the caller's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EditedInterval:
    """One interval of an edit; None = there is none, or it is not known yet."""

    start: datetime
    before: Believed | None
    after: Believed | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Foreseen:
    """What an edit would change."""

    account: Account
    point: Point
    intervals: tuple[EditedInterval, ...]
    beside: tuple[ChangedInterval, ...]
    """Other intervals that would change with them."""
    broken: tuple[Verdict, ...]
    """What rules would say of the edited intervals: warnings and failures."""
    new: tuple[bool, ...]
    """Which of these they do not say already."""
    doubted: tuple[Verdict, ...]
    """What a person must mean before it is stored: failures that come by the change,
    or that say of another figure than before that it cannot be."""
    tried: bool
    """Whether the days were settled on trial; without, no `after` is known."""


def foresee(
    conn: Connection[TupleRow],
    account: Account,
    point: Point,
    start_us: IntArray,
    now: datetime,
    *,
    change: Callable[[], object],
    settle: SettleOnTrial,
) -> Foreseen:
    """Make a change, settle its days, look at what they become, and take all back.

    Parameters
    ----------
    conn : Connection
        In no transaction that matters: it is rolled back.
    account : Account
    point : Point
    start_us : array, shape (k,)
        The intervals that the change is about. [microseconds since 1970 UTC]
    now : datetime
        The site's time.
    change
        Stores or undoes an edit; what it raises is passed on.
    settle

    """
    try:
        wait_for_point(conn, point.point_id)
        change()
        return _foreseen(
            conn,
            account,
            point,
            start_us,
            lambda days: settle(conn, point.point_id, days, now),
        )
    finally:
        conn.rollback()


def _foreseen(
    conn: Connection[TupleRow],
    account: Account,
    point: Point,
    start_us: IntArray,
    settle: Callable[[Collection[date]], object],
) -> Foreseen:
    calendar = SiteCalendar(account.time_zone, account.country)
    of_each, _ = calendar.days_and_slots(start_us)
    days: list[date] = np.unique(of_each).astype(object).tolist()
    window = (
        calendar.day_bounds(days[0] - _DAY)[0],
        calendar.day_bounds(days[-1] + _DAY)[1],
    )
    before = load_intervals(conn, point.point_id, *window)
    said = _broken(conn, point, days, start_us)
    tried = len(days) <= MOST_TRIED_DAYS
    if tried:
        settle(days)
    after = load_intervals(conn, point.point_id, *window) if tried else None
    will_say = _broken(conn, point, days, start_us) if tried else ()
    known = {_about(one): one.figures for one in said}
    return Foreseen(
        account=account,
        point=point,
        intervals=_edited(np.sort(start_us), before, after),
        beside=_beside(start_us, before, after),
        broken=will_say,
        new=tuple(_about(one) not in known for one in will_say),
        doubted=tuple(
            one
            for one in will_say
            if one.status is Status.FAIL
            and one.figures != known.get(_about(one))
            and (_about(one) not in known or one.rule in DISTRUST)
        ),
        tried=tried,
    )


def _about(one: Verdict) -> tuple[str, int, int, int]:
    return one.rule, one.status, one.start_us, one.stop_us


def _edited(
    start_us: IntArray, before: Intervals, after: Intervals | None
) -> tuple[EditedInterval, ...]:
    wanted = [
        None if each is None else each[np.isin(each.start_us, start_us)]
        for each in (before, after)
    ]
    one, other = (None if each is None else laid(each, start_us) for each in wanted)
    return tuple(
        EditedInterval(
            start=from_utc_us(int(start_us[row])),
            before=one.believed(row) if one else None,
            after=other.believed(row) if other else None,
        )
        for row in range(start_us.size)
    )


def _beside(
    start_us: IntArray, before: Intervals, after: Intervals | None
) -> tuple[ChangedInterval, ...]:
    if after is None:
        return ()
    edited = {from_utc_us(int(each)) for each in start_us}
    return tuple(one for one in changed(before, after) if one.start not in edited)


def _broken(
    conn: Connection[TupleRow], point: Point, days: list[date], start_us: IntArray
) -> tuple[Verdict, ...]:
    """Return what rules say of intervals, the worst first."""
    judged = load_settled_days(conn, point.point_id, days[0], days[-1])
    touching = [
        one
        for day in judged
        for one in day.broken
        if ((start_us < one.stop_us) & (start_us + _LENGTH_US > one.start_us)).any()
    ]
    return tuple(
        sorted(touching, key=lambda one: (-one.status, one.rule, one.start_us))
    )
