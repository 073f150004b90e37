"""Opens and closes alerts of meters, and knows which events came of it."""

from collections.abc import Mapping
from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from alerts.desk import take_step
from alerts.lifecycle import KEYWATT, Action, State, Step
from storage.alerts import Alert, lock_alert, open_alert
from storage.watching import WatchedMeter


class AlertBook:
    """What is opened and closed at one look."""

    def __init__(self, conn: Connection[TupleRow], now: datetime) -> None:
        self._conn, self.now = conn, now
        self._closed: set[tuple[int, str]] = set()
        """Points and kinds whose alert was just closed: the next begins now."""
        self.events: list[int] = []

    def open(
        self,
        meter: WatchedMeter,
        kind: str,
        code: str,
        figures: Mapping[str, object],
        *,
        why: str,
        at: datetime,
    ) -> None:
        """Open an alert, unless one stands for the meter's point and the kind."""
        event_id = open_alert(
            self._conn,
            meter.point_id,
            kind=kind,
            code=code,
            figures=figures,
            who=KEYWATT,
            why=why,
            at=self.now if (meter.point_id, kind) in self._closed else at,
        )
        self.events += [] if event_id is None else [event_id]

    def close(self, alert: Alert, why: str, at: datetime) -> None:
        """Close an alert, unless another process was faster."""
        self._closed.add((alert.point_id, alert.kind))
        held = lock_alert(self._conn, alert.alert_id)
        if held is None or held.state == State.RESOLVED:
            return
        at = max(at, held.opened_at)
        step = Step(action=Action.RESOLVED, who=KEYWATT, at=at, why=why)
        self.events.append(take_step(self._conn, held, step).event_id)
