"""Is anything missing, and why: every expected interval accounted for."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Account, Point
from analytics.completeness.ledger import Entries, counts_by_day
from analytics.settlement.verdict import Status
from reports.completeness_views import (
    AllCompleteness,
    Completeness,
    DayLedger,
    PointLedger,
    summed,
)
from reports.ledger_entries import Asked, clock_of, ledger_entries
from reports.portfolio import account_of, accounts_of
from storage.master import load_points
from storage.verdicts import load_worst

USUAL_DAYS = 30
MOST_DAYS = 731
"""Two years: longer is two questions."""


class PeriodError(ValueError):
    """A period cannot be asked for; the sentence says why."""


def completeness(
    conn: Connection[TupleRow],
    account_code: str,
    first_day: date,
    last_day: date,
    now: datetime,
    *,
    manager: str | None = None,
) -> Completeness:
    """Return what became of every expected interval of an account.

    Parameters
    ----------
    conn : Connection
    account_code : str
    first_day, last_day : date
        Local days of the account, both included.
    now : datetime
        What ends later is not due.
    manager : str or None
        Who asks; None may see every account.

    Raises
    ------
    NoSuchAccountError
        There is none, or it is another manager's.
    PeriodError
        The period ends before it begins, or is too long.

    """
    account = account_of(conn, account_code, manager)
    refuse_period(first_day, last_day)
    points = load_points(conn, account.account_id)
    return _of_accounts(conn, {account: points}, (first_day, last_day), now)[0]


def completeness_of_all(
    conn: Connection[TupleRow],
    first_day: date,
    last_day: date,
    now: datetime,
    *,
    manager: str | None = None,
) -> AllCompleteness:
    """Return the same of all accounts of a manager, those that lack most first."""
    refuse_period(first_day, last_day)
    accounts = accounts_of(conn, manager)
    every = load_points(conn)
    points = {
        account: [one for one in every if one.account_id == account.account_id]
        for account in accounts
    }
    found = _of_accounts(conn, points, (first_day, last_day), now)
    return AllCompleteness(
        first_day=first_day,
        last_day=last_day,
        now=now,
        accounts=tuple(sorted(found, key=_rank)),
        counts=summed(iter(found)),
    )


def last_days(
    conn: Connection[TupleRow],
    account_code: str,
    days: int,
    now: datetime,
    *,
    manager: str | None = None,
) -> Completeness:
    """Return `completeness` of an account's last local days, today included."""
    account = account_of(conn, account_code, manager)
    today = clock_of(account).local_day(now)
    first_day = today - timedelta(days=days - 1)
    return completeness(conn, account_code, first_day, today, now, manager=manager)


def last_days_of_all(
    conn: Connection[TupleRow],
    days: int,
    now: datetime,
    *,
    manager: str | None = None,
) -> AllCompleteness:
    """Return `completeness_of_all` of the last days by the clock of `now`."""
    today = now.date()
    first_day = today - timedelta(days=days - 1)
    return completeness_of_all(conn, first_day, today, now, manager=manager)


def _rank(one: Completeness) -> tuple[float, float, str]:
    due = max(one.due, 1)
    return (-one.lost / due, -one.guessed / due, one.account.name.casefold())


def refuse_period(first_day: date, last_day: date) -> None:
    """Raise PeriodError unless a period can be asked for."""
    if last_day < first_day:
        raise PeriodError(
            f"The period ends on {last_day}, before it begins on {first_day}."
        )
    if (last_day - first_day).days >= MOST_DAYS:
        raise PeriodError(
            f"{first_day} to {last_day} is longer than two years; ask for less."
        )


def period_of(
    account: Account | None,
    now: datetime,
    first_day: date | None = None,
    last_day: date | None = None,
    *,
    usual_days: int = USUAL_DAYS,
) -> tuple[date, date]:
    """Return the period that is meant: the last days, where nothing is said.

    Parameters
    ----------
    account : Account or None
        By whose clock it is today; None = by that of `now`.
    now : datetime
    first_day, last_day : date, optional
        What was said.
    usual_days : int

    """
    today = now.date() if account is None else clock_of(account).local_day(now)
    last_day = last_day or (today if first_day is None else max(today, first_day))
    return first_day or last_day - timedelta(days=usual_days - 1), last_day


def _of_accounts(
    conn: Connection[TupleRow],
    points: dict[Account, list[Point]],
    period: tuple[date, date],
    now: datetime,
) -> list[Completeness]:
    """Ask once for all points, then count each from memory."""
    asked = [
        Asked(point_id=point.point_id, calendar=clock_of(account))
        for account, own in points.items()
        for point in own
    ]
    entries = ledger_entries(conn, asked, period, now)
    worst = load_worst(conn, [one.point_id for one in asked], *period)
    return [
        _completeness(account, own, (entries, worst), period, now)
        for account, own in points.items()
    ]


def _completeness(
    account: Account,
    points: Sequence[Point],
    known: tuple[dict[int, Entries], Mapping[int, Mapping[date, Status]]],
    period: tuple[date, date],
    now: datetime,
) -> Completeness:
    entries, worst = known
    own = tuple(
        _point_ledger(point, entries[point.point_id], worst.get(point.point_id, {}))
        for point in points
    )
    return Completeness(
        account=account,
        first_day=period[0],
        last_day=period[1],
        now=now,
        points=own,
        counts=summed(iter(own)),
    )


def _point_ledger(
    point: Point, entries: Entries, worst: Mapping[date, Status]
) -> PointLedger:
    days = tuple(
        DayLedger(local_day=day, counts=counts, worst=worst.get(day))
        for day, counts in zip(entries.days, counts_by_day(entries), strict=True)
    )
    return PointLedger(point=point, days=days, counts=summed(iter(days)))
