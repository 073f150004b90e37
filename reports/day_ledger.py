"""One local day of a point, interval by interval: how each is known, and why."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Account, Point
from analytics.completeness.ledger import Entries, Kind, counts_by_day
from analytics.settlement.intervals import Intervals
from analytics.settlement.verdict import Status, Verdict
from meters.reading import from_utc_us
from reports.completeness_views import Counted
from reports.interval_trace import TraceError
from reports.ledger_entries import Asked, clock_of, ledger_entries
from reports.portfolio import account_of
from storage.completeness import is_dirty
from storage.intervals import load_intervals
from storage.master import load_points
from storage.settled_days import load_settled_days

_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class IntervalLine:
    """One quarter-hour of a day."""

    start: datetime
    kind: Kind
    import_kwh: float | None
    """None = not known"""
    confidence: float
    """1 where measured, 0 where nothing is known."""
    status: Status
    """Worst rule that touches it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DayDetail(Counted):
    """One local day of a point."""

    account: Account
    point: Point
    local_day: date
    now: datetime
    lines: tuple[IntervalLine, ...]
    """The 92, 96 or 100 quarter-hours, by time."""
    rules: str | None
    """Code of the rule set that judged the day; None = nobody did."""
    broken: tuple[Verdict, ...]
    """What warned or failed, the worst first."""
    is_dirty: bool
    """It is still to be settled again."""

    @property
    def energy_kwh(self) -> float:
        """Energy of what is known."""
        return sum(one.import_kwh for one in self.lines if one.import_kwh is not None)

    @property
    def before(self) -> date:
        """The day before."""
        return self.local_day - _DAY

    @property
    def after(self) -> date | None:
        """The day after; None = it has not begun."""
        today = clock_of(self.account).local_day(self.now)
        return self.local_day + _DAY if self.local_day < today else None


def day_detail(
    conn: Connection[TupleRow],
    account_code: str,
    point_name: str,
    local_day: date,
    now: datetime,
    *,
    manager: str | None = None,
) -> DayDetail:
    """Return one day of a point.

    Parameters
    ----------
    conn : Connection
    account_code : str
    point_name
        A single point needs none: "".
    local_day : date
    now : datetime
    manager : str or None
        Who asks; None may see every account.

    Raises
    ------
    NoSuchAccountError
        There is none, or it is another manager's.
    TraceError
        There is no such point.

    """
    account = account_of(conn, account_code, manager)
    point = point_of(conn, account, point_name)
    calendar = clock_of(account)
    asked = [Asked(point_id=point.point_id, calendar=calendar)]
    found = ledger_entries(conn, asked, (local_day, local_day), now)
    entries = found[point.point_id]
    bounds = calendar.day_bounds(local_day)
    settled = load_intervals(conn, point.point_id, *bounds)
    judged = load_settled_days(conn, point.point_id, local_day, local_day)
    broken = judged[0].broken if judged else ()
    return DayDetail(
        account=account,
        point=point,
        local_day=local_day,
        now=now,
        counts=counts_by_day(entries)[0],
        lines=_lines(entries, settled),
        rules=judged[0].rules if judged else None,
        broken=tuple(sorted(broken, key=lambda one: (-one.status, one.start_us))),
        is_dirty=is_dirty(conn, point.point_id, local_day),
    )


def point_of(conn: Connection[TupleRow], account: Account, name: str) -> Point:
    """Return a point by its name; the only one needs none.

    Raises
    ------
    TraceError
        There is no such point.

    """
    points = load_points(conn, account.account_id)
    found = [one for one in points if one.name == name or not name]
    if not found or (not name and len(found) > 1):
        known = ", ".join(one.name for one in points) or "none yet"
        raise TraceError(f"No point of {account.code} is called {name}; {known}.")
    return found[0]


def _lines(entries: Entries, settled: Intervals) -> tuple[IntervalLine, ...]:
    confidence = np.zeros(entries.start_us.shape)
    status = np.zeros(entries.start_us.shape, dtype=np.int64)
    place = np.searchsorted(entries.start_us, settled.start_us)
    place = place.clip(max=entries.start_us.size - 1)
    same = entries.start_us[place] == settled.start_us
    confidence[place[same]] = settled.confidence[same]
    status[place[same]] = settled.status[same]
    return tuple(
        IntervalLine(
            start=from_utc_us(int(entries.start_us[i])),
            kind=entries.kinds[entries.kind[i]],
            import_kwh=None if np.isnan(kwh) else float(kwh),
            confidence=float(confidence[i]),
            status=Status(int(status[i])),
        )
        for i, kwh in enumerate(entries.import_kwh)
    )
