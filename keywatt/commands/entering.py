"""What the commands share by which people enter things: who, for whom, since when."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import settings_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from psycopg import Connection
    from psycopg.rows import TupleRow

    from accounts.account import Account, Point
    from storage.settlement_master import ClosedDay, SupplyOutage

By = Annotated[
    str | None,
    typer.Option(
        "--by", metavar="NAME", help="Who enters it; the user of this machine, if not."
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever reads it.")]
WithRemoved = Annotated[
    bool, typer.Option("--all", help="Also what was taken back, by whom and why.")
]
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


def entry_as_json(entered: "ClosedDay | SupplyOutage") -> dict[str, object]:
    """Return an outage or a closed day, for scripts."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(entered).items()
    }


def steps_told(
    entered: "ClosedDay | SupplyOutage", zone: "ZoneInfo", *, removed_too: bool
) -> tuple[str, ...]:
    """Say who entered something and when; with `removed_too`, who took it back."""
    from reports.wording import reason
    from reports.writing import Reader

    steps = [step_told(entered.entered_by, entered.entered_at, zone)]
    if removed_too:
        why = entered.removed_why or ""
        steps += [step_told(entered.removed_by, entered.removed_at, zone)]
        steps += [reason(why, Reader()) if why else ""]
    return tuple(steps)


def step_told(by: str | None, at: datetime | None, zone: tzinfo) -> str:
    """Say who did something and when; "" = nobody did."""
    return "" if at is None else f"{by}, {at.astimezone(zone):%Y-%m-%d %H:%M}"


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
