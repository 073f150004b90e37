"""Settles a point pass by pass: readings of its dirty days become interval energy.

Besides the dirty days, the time since the newest interval is settled, so that a meter
that fell silent leaves intervals and not a hole. Days beside are settled too where what
registers counted over a hole reaches into them. Time at which no meter sat there has no
intervals, whatever was settled before that was known.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from keywatt.settling.days import (
    DAY,
    LENGTH_US,
    PASS_DAYS,
    Days,
    import_moments,
    limited,
    reaching,
    runs_of,
)
from keywatt.settling.known import Window, load_window, settled_window
from keywatt.settling.master import Master, load_master
from keywatt.settling.ripe import (
    awaited,
    began,
    metered,
    settled_days,
    settled_until,
)
from meters.reading import IntArray, from_utc_us, utc_us
from storage.bills import after_bills
from storage.dirty import lock_point, mark_touched, take_dirty
from storage.evidence import Standing, load_standing
from storage.interval_store import Stored, delete_intervals, store_intervals
from storage.intervals import settled_from
from storage.judging import judge_again
from storage.settled_days import store_settled_days


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """What settling a point changed."""

    days: tuple[date, ...]
    """The dirty local days that were taken."""
    intervals_changed: int
    """New intervals, and those that are not what they were."""
    first_start: datetime | None
    """Start of the oldest of them."""


_NOTHING = Settled(days=(), intervals_changed=0, first_start=None)


def settle_point(conn: Connection[TupleRow], point_id: int, now: datetime) -> Settled:
    """Settle what is dirty at a point, and commit pass by pass.

    Intervals are stored up to the newest one that is complete; an interval without
    data is estimated, or stored as missing, once a later one is complete, or `GRACE`
    after its end. From the oldest changed interval on, the point's load will be judged
    again.

    Old days come first, so that time without readings before the newest interval is
    never passed over; today comes last and is settled by itself, since it is dirty
    again with every batch.

    Parameters
    ----------
    conn : Connection
        In no `transaction()` block. A pass that fails or is killed leaves its days
        dirty, and the later ones.
    point_id : int
    now : datetime
        The site's time: nothing later is settled.

    Returns
    -------
    Settled
        Nothing where another has the point in hand.

    Raises
    ------
    LookupError
        There is no such point.

    """
    mark_touched(conn)
    conn.commit()
    parts = list(_Settling(conn, point_id, now).passes())
    return Settled(
        days=tuple(day for part in parts for day in part.days),
        intervals_changed=sum(part.intervals_changed for part in parts),
        first_start=_first(part.first_start for part in parts),
    )


class _Settling:
    """What the passes of one point have in common."""

    def __init__(
        self, conn: Connection[TupleRow], point_id: int, now: datetime
    ) -> None:
        self._conn = conn
        self._now = now
        self._point_id = point_id

    def passes(self) -> Iterator[Settled]:
        """Take pass after pass, and commit each, until all dirty days are taken."""
        is_full = True
        while is_full:
            if not lock_point(self._conn, self._point_id):
                self._conn.rollback()
                return
            settled = self._pass()
            is_full = len(settled.days) == PASS_DAYS
            yield settled

    def _pass(self) -> Settled:
        """Settle the oldest dirty days, and the time since the newest interval."""
        conn = self._conn
        standing = load_standing(conn, self._point_id, self._now)
        dirty = take_dirty(conn, limit=PASS_DAYS, point_id=self._point_id)
        days = tuple(one.local_day for one in dirty)
        last, open_from = standing.today, standing.open_from
        if len(days) == PASS_DAYS:
            last = min(last, days[-1])
        changed, first_start = 0, None
        if days or (open_from is not None and open_from <= last):
            # After days are taken: what made them dirty may be in what was entered.
            run = Run(conn, load_master(conn, self._point_id), self._now, standing)
            for stored in run.settle(days, open_from, last):
                changed += stored.changed
                first_start = _first([first_start, stored.first_start])
        if first_start is not None:
            judge_again(conn, self._point_id, first_start)
        conn.commit()
        return Settled(days=days, intervals_changed=changed, first_start=first_start)


class Run:
    """Settles days within one transaction."""

    def __init__(
        self,
        conn: Connection[TupleRow],
        master: Master,
        now: datetime,
        standing: Standing | None = None,
    ) -> None:
        self._conn = conn
        self._master = master
        self._point_id = master.point.point_id
        self._now = now
        self._at = after_bills(conn, self._point_id, now)
        standing = standing or load_standing(conn, self._point_id, now)
        self._today = standing.today
        self._settled_from = standing.settled_from

    def settle(
        self, days: Iterable[date], open_from: date | None, last: date
    ) -> Iterator[Stored]:
        """Settle days, oldest first."""
        # A day that goes on is not judged as those that are over.
        turns = (*self._master.turns, self._today)
        for run in runs_of(days, open_from, last, turns):
            yield from self._run(run)

    def _run(self, days: Days) -> Iterator[Stored]:
        """Settle days that follow each other."""
        days, window = self._widened(days)
        moments_us = import_moments(window.main, self._master.main)
        until_us = settled_until(window, moments_us, self._now)
        calendar = self._master.calendar
        start_us = calendar.quarter_hours_us(*days)
        start_us = start_us[start_us + LENGTH_US <= utc_us(self._now)]
        here = metered(start_us, self._master)
        gone = delete_intervals(
            self._conn, self._point_id, start_us[~here], at=self._at
        )
        if gone.changed:
            self._settled_from = settled_from(self._conn, self._point_id)
        yield gone
        begins_us = began(window, moments_us, self._settled_from)
        wanted_us = start_us[here & (start_us + LENGTH_US <= until_us)]
        if begins_us is not None and wanted_us.size:
            # An interval counts from the one on in which a meter was first read.
            wanted_us = wanted_us[wanted_us >= begins_us]
        if begins_us is None or not wanted_us.size:
            return
        around_us = calendar.quarter_hours_us(*window.days)
        # Nothing is known of the time before, so nothing of it need be estimated.
        around_us = around_us[around_us + LENGTH_US > begins_us]
        around_us = around_us[around_us + LENGTH_US <= until_us]
        # A hole over the midnight of a turn is settled by either set of rules, and of
        # each the days on which it holds are stored.
        for own_us in self._by_rules(window.days, wanted_us):
            stored = self._stored(window, around_us, own_us)
            self._settled_from = _first([self._settled_from, stored.first_start])
            yield stored

    def _by_rules(self, days: Days, wanted_us: IntArray) -> list[IntArray]:
        """Cut what is wanted where other rules begin to hold."""
        calendar = self._master.calendar
        turns = (day for day in self._master.turns if days[0] <= day <= days[1])
        turns_us = [utc_us(calendar.day_bounds(day)[0]) for day in turns]
        cuts = np.searchsorted(wanted_us, np.array(sorted(turns_us), dtype=np.int64))
        return [part for part in np.split(wanted_us, cuts) if part.size]

    def _stored(
        self, window: Window, around_us: IntArray, wanted_us: IntArray
    ) -> Stored:
        """Settle a window and store what is wanted of it, all under the same rules."""
        conn, point_id, master = self._conn, self._point_id, self._master
        calendar = master.calendar
        first_day = calendar.local_day(from_utc_us(int(wanted_us[0])))
        code, rules = master.rules_on(first_day)
        is_over = first_day < self._today
        wanted = np.isin(around_us, wanted_us)
        settled = settled_window(
            conn, master, window, around_us, rules, wanted=wanted, judged=is_over
        )
        rows = wanted & ~awaited(settled, self._now)
        stored = store_intervals(
            conn, point_id, settled.as_intervals()[rows], settled_at=self._at
        )
        if rows.any():
            days = settled_days(
                calendar, around_us[rows], settled.verdicts, code, self._at
            )
            store_settled_days(conn, point_id, days)
        return stored

    def _widened(self, days: Days) -> tuple[Days, Window]:
        """Load what was said on days, and widen them so that no hole is cut."""
        calendar, asked, hops = self._master.calendar, days, 0
        while True:
            around = (days[0] - DAY, min(days[1] + DAY, max(days[1], self._today)))
            window = load_window(self._conn, self._master, around)
            moments_us = import_moments(window.main, self._master.main)
            wider = limited(reaching(days, moments_us, calendar), asked, hops=hops)
            wider = min(wider[0], days[0]), max(wider[1], days[1])
            if wider == days:
                return days, window
            days, hops = wider, hops + 1


def _first(starts: Iterable[datetime | None]) -> datetime | None:
    return min((start for start in starts if start is not None), default=None)
