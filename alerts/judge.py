"""Judges a point's settled load and opens or closes its deviation alert.

Every interval settled since the last time is judged, in its order and as of its own
time, so that history that arrives at once leaves the alerts it would have had. Where a
late reading changed an interval, the load is judged again from there on, but what
stands on record stays: no alert opens inside another's time, none opens beside the one
that stands, and one that was wrongly opened closes with the next calm intervals.
"""

from datetime import UTC, datetime, timedelta

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.calendar import SiteCalendar
from alerts.desk import take_step
from alerts.deviation import Change, Evidence, Replay, Standing
from alerts.lifecycle import KEYWATT, Action, Step
from analytics.expectation import LOOK_BACK_DAYS, Span, layout
from analytics.settlement.intervals import Intervals
from meters.reading import from_utc_us, utc_us
from storage.alerts import Alert, load_planned_changes, lock_standing_alert, open_alert
from storage.intervals import load_intervals
from storage.judging import lock_judged_to, settled_to, store_judged_to
from storage.master import load_account, load_point
from storage.portfolio import UnusualSpan, load_unusual
from storage.settlement_master import calendar_of
from storage.watching import load_silences

KIND = "deviation"
_QUARTER = timedelta(minutes=15)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_FAR_FUTURE = datetime(9999, 1, 1, tzinfo=UTC)


def judge_point(conn: Connection[TupleRow], point_id: int, now: datetime) -> list[int]:
    """Judge a point's load; the caller's transaction holds it together.

    Parameters
    ----------
    conn : Connection
    point_id : int
    now : datetime
        The site's time: what is settled beyond it waits.

    Returns
    -------
    list of int
        Ids of the alert events that came of it, in their order.

    """
    judged_to = lock_judged_to(conn, point_id)
    settled = settled_to(conn, point_id)
    stop = None if settled is None else min(settled, now)
    if stop is None or (judged_to is not None and judged_to >= stop):
        return []
    since = judged_to or _BEGINNING
    standing = lock_standing_alert(conn, point_id, KIND)
    stood = _stood(conn, standing, since)
    account = load_account(conn, load_point(conn, point_id).account_id)
    calendar = calendar_of(conn, account)
    start = _learnt_from(calendar, since)
    unusual = load_unusual(conn, [point_id], start)
    intervals = load_intervals(conn, point_id, start, stop)
    events = []
    if len(intervals):
        replay = _replay(
            intervals,
            calendar,
            unusual,
            since if stood else None,
            load_silences(conn, point_id, start),
        )
        for change in replay.changes(utc_us(since), utc_us(stop), stood):
            event_id = _apply(conn, point_id, change, unusual)
            events += [] if event_id is None else [event_id]
    store_judged_to(conn, point_id, stop)
    return events


def _learnt_from(calendar: SiteCalendar, since: datetime) -> datetime:
    """Return the start of the first day that bears on the first interval to judge.

    What it proves may have begun the evening before.
    """
    first_day = calendar.local_day(since) - timedelta(days=LOOK_BACK_DAYS + 1)
    return calendar.day_bounds(first_day)[0]


def _replay(
    intervals: Intervals,
    calendar: SiteCalendar,
    unusual: list[UnusualSpan],
    stands_at: datetime | None,
    silences: list[tuple[datetime, datetime | None]],
) -> Replay:
    """Lay out what is settled; the alert that stands at `stands_at` ends there."""
    first, last = (from_utc_us(int(us)) for us in intervals.start_us[[0, -1]])
    on = layout(calendar, calendar.local_day(first), calendar.local_day(last))
    return Replay(
        on,
        on.place(intervals.start_us, intervals.power_kw),
        windows=[Span.of(w.starts_at, w.ends_at) for w in unusual if w.planned],
        alerts=[
            Span.of(alert.starts_at, alert.ends_at or stands_at)
            for alert in unusual
            if not alert.planned
        ],
        # From the quarter-hour on in which the last reading came.
        silences=[Span.of(first - _QUARTER, last) for first, last in silences],
    )


def _stood(
    conn: Connection[TupleRow], standing: Alert | None, since: datetime
) -> Standing | None:
    """Return the standing alert if it stood when the interval at `since` began."""
    if standing is None or standing.opened_at > since:
        return None
    return Standing(planned_until_us=_planned_until_us(conn, standing))


def _planned_until_us(conn: Connection[TupleRow], alert: Alert) -> int | None:
    changes = load_planned_changes(conn, alert.point_id, alert.opened_at, _FAR_FUTURE)
    ends = [utc_us(c.ends_at) for c in changes if c.alert_id == alert.alert_id]
    return max(ends, default=None)


def _on_record(unusual: list[UnusualSpan], at: datetime) -> bool:
    """Whether a deviation alert that is resolved by now was open at that time."""
    return any(
        each.starts_at <= at < each.ends_at
        for each in unusual
        if not each.planned and each.ends_at is not None
    )


def _apply(
    conn: Connection[TupleRow],
    point_id: int,
    change: Change,
    unusual: list[UnusualSpan],
) -> int | None:
    """Open or close the alert; None where what is on record stands."""
    at = from_utc_us(change.at_us)
    if change.evidence is not None:
        if _on_record(unusual, at):
            return None
        return open_alert(
            conn,
            point_id,
            kind=KIND,
            code=change.evidence.code,
            figures=_figures(change.evidence),
            who=KEYWATT,
            why=change.why,
            at=at,
        )
    standing = lock_standing_alert(conn, point_id, KIND)
    if standing is None or at <= standing.opened_at:
        return None
    step = Step(action=Action.RESOLVED, who=KEYWATT, at=at, why=change.why)
    return take_step(conn, standing, step).event_id


def _figures(evidence: Evidence) -> dict[str, str | int | float]:
    return {
        "since_at": from_utc_us(evidence.since_us).isoformat(),
        "intervals": evidence.intervals,
        "load_kw": round(evidence.load_kw, 3),
        "expected_kw": round(evidence.expected_kw, 3),
        "low_kw": round(evidence.low_kw, 3),
        "high_kw": round(evidence.high_kw, 3),
        "measured_kwh": round(evidence.measured_kwh, 3),
        "expected_kwh": round(evidence.expected_kwh, 3),
        "like_days": evidence.like_days,
    }
