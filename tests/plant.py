"""A plant whose load a test can bend: 100 kW always, 400 kW on workdays 08 to 18."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
import psycopg
from psycopg.rows import TupleRow

from accounts.calendar import DayType, SiteCalendar
from alerts.judge import judge_point
from meters.reading import utc_us
from storage.alerts import Alert, AlertEvent, load_alerts, load_events
from tests.fix_seeded_accounts import SEOUL, add_load

CALENDAR = SiteCalendar(SEOUL, "KR")
FIRST_DAY = date(2026, 3, 3)
TODAY = date(2026, 4, 29)
"""A Wednesday, 41 workdays after the first day; tomorrow is one too."""
QUARTER = timedelta(minutes=15)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """The moment at which the plant's wall clock shows that."""
    return datetime.combine(day, time(hour, minute), SEOUL)


def usual_kw(start: datetime, stop: datetime) -> np.ndarray:
    """Usual load of the quarter-hours in [start, stop)."""
    starts_us = np.arange(utc_us(start), utc_us(stop), QUARTER // timedelta.resolution)
    days, slot = CALENDAR.days_and_slots(starts_us)
    works = CALENDAR.day_types(days) == DayType.WORKDAY
    return np.where(works & (slot >= 32) & (slot < 72), 400.0, 100.0)


@dataclass
class Plant:
    """One point in a database, with its load settled up to `settled_to`."""

    conn: psycopg.Connection[TupleRow]
    url: str
    account_id: int
    point_id: int
    settled_to: datetime

    def run(self, until: datetime, load_kw: float | None = None) -> list[int]:
        """Settle and judge up to then: as usual, at a constant load, or NaN."""
        usual = usual_kw(self.settled_to, until)
        bent = usual if load_kw is None else np.full(usual.size, load_kw)
        add_load(self.conn, self.point_id, self.settled_to, bent)
        self.settled_to = until
        return self.judge()

    def judge(self) -> list[int]:
        """Judge what is settled."""
        events = judge_point(self.conn, self.point_id, self.settled_to)
        self.conn.commit()
        return events

    def run_each_quarter(self, until: datetime, load_kw: float | None = None) -> None:
        """As `run`, judged after every interval."""
        while self.settled_to < until:
            self.run(self.settled_to + QUARTER, load_kw)

    def alerts(self) -> list[Alert]:
        """All alerts, oldest first."""
        every = load_alerts(self.conn, resolved_since=at(FIRST_DAY, 0))
        return sorted(every, key=lambda alert: alert.opened_at)

    def history(self, alert: Alert) -> list[AlertEvent]:
        """All steps of an alert."""
        return load_events(self.conn, alert.alert_id)
