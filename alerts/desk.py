"""What people and Keywatt do to an alert: one step, one transaction.

The alert's row is held meanwhile, so of two people who act at the same time the second
is told what the first one did. On a connection that is in a transaction already, the
step belongs to that one.
"""

from datetime import datetime
from typing import Protocol

from psycopg import Connection
from psycopg.rows import TupleRow

from alerts.lifecycle import Action, AlertError, State, Step, state_after
from storage.alerts import (
    Alert,
    AlertEvent,
    add_event,
    add_planned_change,
    load_events,
    lock_alert,
    set_state,
)


class DeskError(AlertError):
    """There is no such alert, or its planned change has no future."""


def acknowledge(
    conn: Connection[TupleRow], alert_id: int, *, who: str, why: str, now: datetime
) -> AlertEvent:
    """Note that somebody has seen an alert and looks into it.

    Raises
    ------
    AlertError
        It is not open any more, or there is none; one sentence for `who`.

    """
    step = Step(action=Action.ACKNOWLEDGED, who=who, at=now, why=why)
    with conn.transaction():
        return take_step(conn, _held(conn, alert_id), step)


def mark_planned(
    conn: Connection[TupleRow],
    alert_id: int,
    *,
    who: str,
    why: str,
    until: datetime,
    now: datetime,
) -> AlertEvent:
    """Note that the customer planned the deviation; nothing opens before `until`.

    The planned change begins where the alert opened. When it ends the alert closes,
    and the load is judged again.

    Raises
    ------
    AlertError
        No reason was given, `until` is past, or the alert stands in another state.

    """
    step = Step(action=Action.PLANNED, who=who, at=now, why=why)
    if until <= now:
        raise DeskError(
            "The planned change ends in the past: choose an end that is still to come."
        )
    with conn.transaction():
        alert = _held(conn, alert_id)
        event = take_step(conn, alert, step)
        add_planned_change(
            conn,
            alert.point_id,
            starts_at=alert.opened_at,
            ends_at=until,
            who=who,
            why=why,
            at=now,
            alert_id=alert_id,
        )
    return event


class Standing(Protocol):
    """Any alert, of a point or of what stands behind many."""

    @property
    def alert_id(self) -> int:
        """Its number."""
        ...

    @property
    def state(self) -> str:
        """Where it stands."""
        ...


def take_step(conn: Connection[TupleRow], alert: Standing, step: Step) -> AlertEvent:
    """Bring a held alert to its next state and add the step to its history."""
    events = load_events(conn, alert.alert_id)
    state = state_after(State(alert.state), step, last=_step(events[-1]))
    row = {"action": step.action.value, "who": step.who, "why": step.why}
    event_id = add_event(conn, alert.alert_id, **row, at=step.at)
    set_state(conn, alert.alert_id, state.value, step.at)
    return AlertEvent(event_id=event_id, alert_id=alert.alert_id, **row, at=step.at)


def _step(event: AlertEvent) -> Step:
    return Step(action=Action(event.action), who=event.who, at=event.at, why=event.why)


def _held(conn: Connection[TupleRow], alert_id: int) -> Alert:
    alert = lock_alert(conn, alert_id)
    if alert is None:
        raise DeskError(f"There is no alert {alert_id}: the page may be out of date.")
    return alert
