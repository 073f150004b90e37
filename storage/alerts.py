"""Alerts of points with their whole history, and planned changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg import Connection
from psycopg.rows import TupleRow, class_row
from psycopg.types.json import Jsonb


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """The one state for a point and a kind."""

    alert_id: int
    account_id: int
    point_id: int
    kind: str
    state: str
    """open, acknowledged, planned or resolved"""
    opened_at: datetime
    resolved_at: datetime | None
    code: str
    """Names the sentence that says it."""
    figures: dict[str, object]
    """What the sentence needs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertEvent:
    """One step of an alert: what was done, by whom and why."""

    event_id: int
    alert_id: int
    at: datetime
    action: str
    """opened, acknowledged, planned or resolved"""
    who: str
    why: str


INSERT_ALERT = """
    INSERT INTO alert (account_id, point_id, kind, state, opened_at, code, figures)
    SELECT account_id, point_id, %(kind)s, 'open', %(at)s, %(code)s, %(figures)s
      FROM point WHERE point_id = %(point_id)s
    ON CONFLICT (point_id, kind) WHERE state <> 'resolved' DO NOTHING
    RETURNING alert_id
"""
INSERT_EVENT = """
    INSERT INTO alert_event (alert_id, at, action, who, why)
    VALUES (%(alert_id)s, %(at)s, %(action)s, %(who)s, %(why)s)
    RETURNING event_id
"""
UPDATE_STATE = """
    UPDATE alert
       SET state = %(state)s,
           resolved_at = CASE WHEN %(state)s = 'resolved' THEN %(at)s::timestamptz END
     WHERE alert_id = %(alert_id)s
"""


def open_alert(
    conn: Connection[TupleRow],
    point_id: int,
    *,
    kind: str,
    code: str,
    figures: Mapping[str, object],
    who: str,
    why: str,
    at: datetime,
) -> int | None:
    """Open an alert and return the id of its first event.

    None where one stands already for the point and kind, also where another process
    opens it at the same time.
    """
    row = {
        "point_id": point_id,
        "kind": kind,
        "code": code,
        "figures": Jsonb(figures),
        "at": at,
    }
    alert_id = _id(conn, INSERT_ALERT, row)
    if alert_id is None:
        return None
    return add_event(conn, alert_id, action="opened", who=who, why=why, at=at)


def add_event(
    conn: Connection[TupleRow],
    alert_id: int,
    *,
    action: str,
    who: str,
    why: str,
    at: datetime,
) -> int:
    """Add a step to an alert's history and return its id."""
    row = {"alert_id": alert_id, "action": action, "who": who, "why": why, "at": at}
    event_id = _id(conn, INSERT_EVENT, row)
    if event_id is None:
        raise AssertionError("an insert returns its row")
    return event_id


def set_state(
    conn: Connection[TupleRow], alert_id: int, state: str, at: datetime
) -> None:
    """Put an alert into a state; `at` is kept where it is resolved."""
    conn.execute(UPDATE_STATE, {"alert_id": alert_id, "state": state, "at": at})


SELECT_ALERT = """
    SELECT alert_id, account_id, point_id, kind, state, opened_at, resolved_at, code,
           figures
      FROM alert WHERE alert_id = %(alert_id)s AND point_id IS NOT NULL
       FOR UPDATE
"""
SELECT_STANDING = """
    SELECT alert_id, account_id, point_id, kind, state, opened_at, resolved_at, code,
           figures
      FROM alert
     WHERE point_id = %(point_id)s AND kind = %(kind)s AND state <> 'resolved'
       FOR UPDATE
"""
SELECT_ALERTS = """
    SELECT alert_id, account_id, point_id, kind, state, opened_at, resolved_at,
           alert.code, figures
      FROM alert
      JOIN account USING (account_id)
     WHERE (%(account_id)s::int IS NULL OR account_id = %(account_id)s)
       AND (%(manager)s::text IS NULL OR manager = %(manager)s)
       AND (state <> 'resolved' OR resolved_at >= %(since)s)
     ORDER BY opened_at DESC, alert_id DESC
"""
SELECT_EVENTS = """
    SELECT event_id, alert_id, at, action, who, why
      FROM alert_event WHERE alert_id = %(alert_id)s
     ORDER BY event_id
"""


def lock_alert(conn: Connection[TupleRow], alert_id: int) -> Alert | None:
    """Return an alert and hold it until the transaction ends; None if unknown."""
    with conn.cursor(row_factory=class_row(Alert)) as cur:
        return cur.execute(SELECT_ALERT, {"alert_id": alert_id}).fetchone()


def lock_standing_alert(
    conn: Connection[TupleRow], point_id: int, kind: str
) -> Alert | None:
    """Return the alert that is not resolved, held until the transaction ends."""
    with conn.cursor(row_factory=class_row(Alert)) as cur:
        asked = {"point_id": point_id, "kind": kind}
        return cur.execute(SELECT_STANDING, asked).fetchone()


def load_alerts(
    conn: Connection[TupleRow],
    *,
    account_id: int | None = None,
    manager: str | None = None,
    resolved_since: datetime | None = None,
) -> list[Alert]:
    """Return the standing alerts of an account, a manager or all, newest first.

    With `resolved_since` also those that were resolved since then.
    """
    asked = {"account_id": account_id, "manager": manager, "since": resolved_since}
    with conn.cursor(row_factory=class_row(Alert)) as cur:
        return cur.execute(SELECT_ALERTS, asked).fetchall()


def load_events(conn: Connection[TupleRow], alert_id: int) -> list[AlertEvent]:
    """Return the history of an alert, oldest first."""
    with conn.cursor(row_factory=class_row(AlertEvent)) as cur:
        return cur.execute(SELECT_EVENTS, {"alert_id": alert_id}).fetchall()


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedChange:
    """A customer's confirmed reason for a deviation, in [starts_at, ends_at)."""

    planned_change_id: int
    point_id: int
    starts_at: datetime
    ends_at: datetime
    why: str
    who: str
    at: datetime
    alert_id: int | None


INSERT_PLANNED_CHANGE = """
    INSERT INTO planned_change (point_id, starts_at, ends_at, why, who, at, alert_id)
    VALUES (%(point_id)s, %(starts_at)s, %(ends_at)s, %(why)s, %(who)s, %(at)s,
            %(alert_id)s)
    RETURNING planned_change_id
"""
SELECT_PLANNED_CHANGES = """
    SELECT planned_change_id, point_id, starts_at, ends_at, why, who, at, alert_id
      FROM planned_change
     WHERE point_id = %(point_id)s AND ends_at > %(start)s AND starts_at < %(stop)s
     ORDER BY starts_at
"""


def add_planned_change(
    conn: Connection[TupleRow],
    point_id: int,
    *,
    starts_at: datetime,
    ends_at: datetime,
    who: str,
    why: str,
    at: datetime,
    alert_id: int | None = None,
) -> int:
    """Store a planned change and return its id."""
    row = {
        "point_id": point_id,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "who": who,
        "why": why,
        "at": at,
        "alert_id": alert_id,
    }
    planned_change_id = _id(conn, INSERT_PLANNED_CHANGE, row)
    if planned_change_id is None:
        raise AssertionError("an insert returns its row")
    return planned_change_id


def load_planned_changes(
    conn: Connection[TupleRow], point_id: int, start: datetime, stop: datetime
) -> list[PlannedChange]:
    """Return the planned changes of a point that touch [start, stop)."""
    asked = {"point_id": point_id, "start": start, "stop": stop}
    with conn.cursor(row_factory=class_row(PlannedChange)) as cur:
        return cur.execute(SELECT_PLANNED_CHANGES, asked).fetchall()


def _id(
    conn: Connection[TupleRow], query: LiteralString, row: Mapping[str, object]
) -> int | None:
    found = conn.execute(query, row).fetchone()
    return None if found is None else int(found[0])
