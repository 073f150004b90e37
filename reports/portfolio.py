"""Which of my accounts needs me today: all of them, ranked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from statistics import mode

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Account, Point
from accounts.calendar import SiteCalendar
from analytics.expectation import LOOK_BACK_DAYS, layout
from reports.alert_views import AlertView, alerts_of
from reports.disturbance import Disturbance, disturbances
from reports.expectation import (
    curve_of,
    lay_out,
)
from reports.today import AccountToday, NoSuchAccountError
from storage import portfolio as stored
from storage.alerts import Alert, load_alerts
from storage.master import load_accounts, load_points
from storage.portfolio import PointLoad, UnusualSpan
from storage.settlement_master import calendars_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Portfolio:
    """All accounts of a manager, those that need someone first."""

    now: datetime
    rows: tuple[AccountToday, ...]
    """By alerts nobody has taken, by open alerts, then by how far from expected."""
    disturbances: tuple[Disturbance, ...] = ()
    """What keeps many meters from being collected: of the site, not of an account."""

    @property
    def time_zone(self) -> tzinfo:
        """That of most accounts: what is of no account is told in it."""
        return mode([row.account.time_zone for row in self.rows] or [UTC])

    @property
    def open_alerts(self) -> int:
        """Alerts not resolved."""
        return sum(len(row.alerts) for row in self.rows)

    @property
    def waiting(self) -> int:
        """Alerts nobody has taken yet."""
        return sum(row.waiting for row in self.rows)

    @property
    def late(self) -> int:
        """Accounts whose newest reading is too old."""
        return sum(row.late for row in self.rows)

    @property
    def energy_kwh(self) -> float:
        """Energy of today so far."""
        return sum(row.curve.energy_kwh for row in self.rows)

    @property
    def difference_percent(self) -> float:
        """Energy so far above what was expected; NaN as long as nothing was.

        Accounts without a band are left out on both sides.
        """
        curves = [row.curve for row in self.rows]
        known = [c for c in curves if not math.isnan(c.expected_so_far_kwh)]
        expected = sum(curve.expected_so_far_kwh for curve in known)
        if expected <= 0:
            return math.nan
        return 100 * (sum(curve.comparable_kwh for curve in known) / expected - 1)


def accounts_of(conn: Connection[TupleRow], manager: str | None) -> list[Account]:
    """Return whom a manager may see (None: all), by name."""
    found = load_accounts(conn, manager)
    return sorted(found, key=lambda account: account.name.casefold())


def account_of(conn: Connection[TupleRow], code: str, manager: str | None) -> Account:
    """Return one account.

    Raises
    ------
    NoSuchAccountError
        There is none, or it is another manager's: the two cannot be told apart.

    """
    for account in load_accounts(conn, manager):
        if account.code == code:
            return account
    raise NoSuchAccountError(code)


def portfolio(
    conn: Connection[TupleRow], now: datetime, manager: str | None = None
) -> Portfolio:
    """Return how all accounts of a manager (None: all) stand, ranked."""
    accounts = load_accounts(conn, manager)
    rows = _today_of(conn, accounts, load_alerts(conn, manager=manager), now)
    return Portfolio(
        now=now,
        rows=tuple(sorted(rows, key=_rank)),
        disturbances=disturbances(conn),
    )


def account_today(
    conn: Connection[TupleRow], code: str, now: datetime, manager: str | None = None
) -> AccountToday:
    """Return how one account stands; raises NoSuchAccountError as `account_of`."""
    account = account_of(conn, code, manager)
    alerts = load_alerts(conn, account_id=account.account_id)
    return _today_of(conn, [account], alerts, now)[0]


def _rank(row: AccountToday) -> tuple[int, int, float, str]:
    return (-row.waiting, -len(row.alerts), -row.bands_away, row.account.name)


def _today_of(
    conn: Connection[TupleRow],
    accounts: Sequence[Account],
    alerts: Sequence[Alert],
    now: datetime,
) -> list[AccountToday]:
    """Ask once for all accounts, then work each out from memory."""
    if not accounts:
        return []
    wanted = {account.account_id for account in accounts}
    points = [point for point in load_points(conn) if point.account_id in wanted]
    ids = [point.point_id for point in points]
    since = now - timedelta(days=LOOK_BACK_DAYS + 2)
    loads = stored.load_loads(conn, ids, since, now + timedelta(days=1))
    unusual = stored.load_unusual(conn, ids, since)
    newest = stored.load_newest_readings(conn, ids)
    calendars = calendars_of(conn, accounts)
    views = alerts_of(conn, alerts, accounts, points)
    return [
        _account_today(
            account,
            calendars[account.account_id],
            now,
            points=[p for p in points if p.account_id == account.account_id],
            loads=loads,
            unusual=unusual,
            newest=newest,
            alerts=views[account.account_id],
        )
        for account in accounts
    ]


def _account_today(
    account: Account,
    calendar: SiteCalendar,
    now: datetime,
    *,
    points: Sequence[Point],
    loads: Mapping[int, PointLoad],
    unusual: Sequence[UnusualSpan],
    newest: Mapping[int, datetime],
    alerts: Sequence[AlertView],
) -> AccountToday:
    today = calendar.local_day(now)
    on = layout(calendar, today - timedelta(days=LOOK_BACK_DAYS), today)
    own = [point.point_id for point in points]
    laid = lay_out(
        [loads[point_id] for point_id in own if point_id in loads],
        [span for span in unusual if span.point_id in own],
        on,
    )
    curve, like_days = curve_of(laid, LOOK_BACK_DAYS, now)
    return AccountToday(
        account=account,
        now=now,
        curve=curve,
        contract_demand_kw=contract_demand_kw(points),
        newest_reading_at=newest_of(own, newest),
        alerts=tuple(alert for alert in alerts if alert.is_open),
        like_days=like_days if isinstance(like_days, int) else 0,
    )


def newest_of(own: Sequence[int], newest: Mapping[int, datetime]) -> datetime | None:
    """Return the newest reading of the point that is furthest behind.

    One silent meter of several makes the account late; None if one was never read.
    """
    if not own or any(point_id not in newest for point_id in own):
        return None
    return min(newest[point_id] for point_id in own)


def contract_demand_kw(points: Sequence[Point]) -> float | None:
    """Return the contract demand of several points together; None unless all have."""
    demands = [point.contract_demand_kw for point in points]
    known = [demand for demand in demands if demand is not None]
    return sum(known) if known and len(known) == len(demands) else None
