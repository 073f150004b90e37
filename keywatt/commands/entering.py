"""What the commands share by which people enter things: who, for whom, since when."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import settings_of

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.rows import TupleRow

    from accounts.account import Account, Point

By = Annotated[
    str | None,
    typer.Option(
        "--by", metavar="NAME", help="Who enters it; the user of this machine, if not."
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever reads it.")]
ForAccount = Annotated[
    str, typer.Argument(metavar="ACCOUNT", help="The account's code.")
]


def who(by: str | None) -> str:
    """Return who enters something."""
    if by and by.strip():
        return by.strip()
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"


@contextmanager
def entry(ctx: typer.Context) -> "Iterator[tuple[Connection[TupleRow], datetime]]":
    """Open the database, migrated, with the site's time."""
    from keywatt.running import migrated
    from storage.database import connect

    settings = settings_of(ctx)
    with connect(migrated(settings)) as conn:
        yield conn, settings.site_clock().now()


def point_called(
    conn: "Connection[TupleRow]", account: "Account", name: str
) -> "Point":
    """Find a point of an account by its name."""
    from storage.master import load_points
    from storage.settlement_master import EntryError

    points = load_points(conn, account.account_id)
    for point in points:
        if point.name == name:
            return point
    known = ", ".join(point.name for point in points) or "none yet"
    raise EntryError(
        f"Account {account.code} has no point called {name}; there are: {known}."
    )


def settled_again(days: int) -> str:
    """Say how much work it makes."""
    if days == 0:
        return "No settled day changes by it."
    is_one = days == 1
    return f"{days} point-{'day is' if is_one else 'days are'} settled again."


def bills_told(
    conn: "Connection[TupleRow]",
    account: "Account",
    spans: Sequence[tuple[date, date]],
) -> str:
    """Name the pinned bills that cover some of the local days, a line each."""
    from storage.bills import load_bills

    return "".join(
        f"\nBill {bill.bill_id} covers some of these days; `keywatt bill differences`"
        " shows what is different once they are settled."
        for bill in load_bills(conn, account.account_id)
        if bill.withdrawn_at is None
        and any(
            first <= bill.last_day and last >= bill.first_day for first, last in spans
        )
    )


def days_between(
    start: datetime, stop: datetime, account: "Account"
) -> tuple[date, date]:
    """Return the first and the last local day of [start, stop)."""
    zone = account.time_zone
    last = stop - timedelta(microseconds=1)
    return start.astimezone(zone).date(), last.astimezone(zone).date()
