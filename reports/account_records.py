"""What people entered for an account: who, when and why, and what was taken back."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Account, Point
from reports.portfolio import account_of
from storage.bill_changes import BillChange, load_bill_changes, load_bills_waiting
from storage.bills import Bill, load_billed_kwh, load_bills
from storage.dirty import mark_touched
from storage.import_records import ImportRecord, list_imports
from storage.master import load_points
from storage.settlement_master import (
    ClosedDay,
    SupplyOutage,
    list_closures,
    list_outages,
)

_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClosedDays:
    """Local days in a row that were entered, or taken back, as one."""

    first_day: date
    last_day: date
    entry: ClosedDay
    """Who entered the first of them, when and why; the others alike."""

    def days(self) -> list[date]:
        """Return all of them."""
        count = (self.last_day - self.first_day).days + 1
        return [self.first_day + n * _DAY for n in range(count)]


@dataclass(frozen=True, kw_only=True, slots=True)
class BillRecord:
    """A bill, and whether it is what is believed now."""

    bill: Bill
    import_kwh: float | None
    """As it was pinned."""
    change: BillChange | None
    """None = it is what is believed now, or is withdrawn."""
    days_waiting: int
    """Point-days of it that wait to be settled."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountRecords:
    """All that was entered for one account, each the newest first."""

    account: Account
    points: tuple[Point, ...]
    outages: tuple[SupplyOutage, ...]
    closures: tuple[ClosedDays, ...]
    imports: tuple[ImportRecord, ...]
    bills: tuple[BillRecord, ...]


def account_records(
    conn: Connection[TupleRow], code: str, manager: str | None = None
) -> AccountRecords:
    """Return what was entered for an account, also what was taken back.

    Raises
    ------
    NoSuchAccountError
        There is none, or it is another manager's.

    """
    account = account_of(conn, code, manager)
    account_id = account.account_id
    outages = list_outages(conn, account_id=account_id, removed_too=True)
    closed = list_closures(conn, account_id, removed_too=True)
    return AccountRecords(
        account=account,
        points=tuple(load_points(conn, account_id)),
        outages=tuple(reversed(outages)),
        closures=tuple(reversed(runs_of(closed))),
        imports=tuple(reversed(list_imports(conn, account_id))),
        bills=tuple(_bills(conn, account_id)),
    )


def runs_of(closed: Iterable[ClosedDay]) -> list[ClosedDays]:
    """Join days that follow each other and were entered alike, by their first day."""
    runs: dict[ClosedDay, list[ClosedDays]] = {}
    for one in closed:
        alike = runs.setdefault(replace(one, day=date.min), [])
        if alike and alike[-1].last_day + _DAY == one.day:
            alike[-1] = replace(alike[-1], last_day=one.day)
        else:
            new = ClosedDays(first_day=one.day, last_day=one.day, entry=one)
            alike.append(new)
    every = [run for alike in runs.values() for run in alike]
    return sorted(every, key=lambda run: (run.first_day, run.entry.entered_at))


def _bills(conn: Connection[TupleRow], account_id: int) -> list[BillRecord]:
    bills = load_bills(conn, account_id)
    kwh = load_billed_kwh(conn, [one.bill_id for one in bills])
    changes = {one.bill_id: one for one in load_bill_changes(conn, account_id)}
    mark_touched(conn)
    waiting = load_bills_waiting(conn, account_id)
    return [
        BillRecord(
            bill=one,
            import_kwh=kwh.get(one.bill_id),
            change=changes.get(one.bill_id),
            days_waiting=waiting.get(one.bill_id, 0),
        )
        for one in reversed(bills)
    ]
