"""What a person enters for an account from a page, by the functions of the commands.

The caller owns the transaction. Errors are those of storage, one sentence each; that a
number is not of the account is told as if there were none.
"""

from datetime import date, datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Account
from accounts.supply import Closure, Outage
from accounts.wall_clock import moment_on_wall
from meters.form import checked
from reports.account_records import ClosedDays
from storage.closures import close, reopen
from storage.import_records import ImportRecord, list_imports
from storage.import_undo import UndoError, undo_import
from storage.master import load_points
from storage.outages import add_outage, remove_outage
from storage.settlement_master import EntryError, SupplyOutage, list_outages

Counting = SupplyOutage | ClosedDays | ImportRecord
"""What can be taken back from the page."""


def enter_outage(
    conn: Connection[TupleRow],
    account: Account,
    point: str,
    since: datetime,
    until: datetime,
    *,
    kind: str,
    reason: str,
    who: str,
    now: datetime,
) -> tuple[int, int]:
    """Enter time without supply at a point.

    Parameters
    ----------
    conn : Connection
    account : Account
    point : str
        Its name.
    since, until : datetime
        As the clock on the account's wall shows them, without a zone.
    kind : str
        `planned` or `reported`.
    reason, who : str
    now : datetime
        The site's time.

    Returns
    -------
    number : int
        Of the outage.
    days : int
        How many point-days are settled again.

    Raises
    ------
    EntryError, WallClockError
        It cannot be: it ends before it begins, one is there already, the clock never
        shows that time or shows it twice.

    """
    start, stop = (
        moment_on_wall(at.isoformat(timespec="minutes"), account.time_zone)
        for at in (since, until)
    )
    entered = {"start": start, "stop": stop, "kind": kind, "reason": reason}
    outage = checked(Outage.model_validate, entered, "The outage", EntryError)
    found = [p for p in load_points(conn, account.account_id) if p.name == point]
    if not found:
        raise EntryError(f"Account {account.code} has no point called {point}.")
    made, days = add_outage(conn, found[0], outage, by=who, now=now)
    return made.outage_id, days


def enter_closure(
    conn: Connection[TupleRow],
    account: Account,
    first_day: date,
    last_day: date,
    *,
    reason: str,
    who: str,
    now: datetime,
) -> int:
    """Enter local days on which a site does not work; return as `close` does.

    Raises
    ------
    EntryError
        It ends before it begins, or is of more than a year.

    """
    entered = {"day": first_day, "last_day": last_day, "reason": reason}
    closure = checked(Closure.model_validate, entered, "The closure", EntryError)
    days = closure.days()
    return close(conn, account.account_id, days, reason=reason, by=who, now=now)


def take_back(
    conn: Connection[TupleRow],
    account: Account,
    entry: Counting,
    *,
    reason: str,
    who: str,
    now: datetime,
) -> None:
    """Let an outage, closed days or what a file gave count no longer.

    Raises
    ------
    EntryError, UndoError
        It is not of the account, or counts no longer already.

    """
    account_id = account.account_id
    match entry:
        case SupplyOutage(outage_id=number):
            theirs = list_outages(conn, account_id=account_id, removed_too=True)
            if number not in {one.outage_id for one in theirs}:
                raise EntryError(f"Account {account.code} has no outage {number}.")
            remove_outage(conn, number, reason=reason, by=who, now=now)
        case ClosedDays():
            reopen(conn, account_id, entry.days(), reason=reason, by=who, now=now)
        case ImportRecord(import_id=number):
            if number not in {one.import_id for one in list_imports(conn, account_id)}:
                raise UndoError(f"Account {account.code} has no import {number}.")
            undo_import(conn, number, why=reason, by=who, at=now)
