"""`keywatt outage`: time without supply."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import AsJson, epilogue, print_json
from keywatt.commands.entering import (
    By,
    ForAccount,
    Reason,
    WithRemoved,
    bills_told,
    days_between,
    entry,
    entry_as_json,
    point_called,
    settled_again,
    steps_told,
    who,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from psycopg import Connection
    from psycopg.rows import TupleRow

    from storage.settlement_master import SupplyOutage

_HELP = "Enter, list and remove time without supply."
_ADD = (
    "keywatt outage add steel 'Main supply' --from 2026-03-02T08:00 "
    "--to 2026-03-02T12:00 --kind planned --reason 'Switchgear maintenance'"
)
_EPILOGUE = epilogue(
    "While a point has no supply, its energy is zero by right, nothing of that time "
    "serves as an example for estimates, and no rule complains. Times are those of the "
    "clock on the account's wall, or have an offset of their own. The site file can "
    "say the same (docs/handbook/settlement-data.md).",
    examples=(
        _ADD,
        "keywatt outage list steel",
        "keywatt outage list --all",
        "keywatt outage remove 3 --reason 'It was put off'",
    ),
)
PointName = Annotated[str, typer.Argument(metavar="POINT", help="The point's name.")]
From = Annotated[
    str, typer.Option("--from", metavar="TIME", help="Since when, 2026-03-02T08:00.")
]
To = Annotated[str, typer.Option("--to", metavar="TIME", help="Until when.")]
Kind = Annotated[
    str,
    typer.Option("--kind", metavar="planned|reported", help="Announced, or noticed."),
]
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="As the list has it.")]
OnlyAccount = Annotated[
    str | None, typer.Argument(metavar="[ACCOUNT]", help="Only this account's.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    family = typer.Typer(no_args_is_help=True, help=_HELP, epilog=_EPILOGUE)
    app.add_typer(family, name="outage")

    @family.command("add", epilog=_EPILOGUE)
    def add(
        ctx: typer.Context,
        account: ForAccount,
        point: PointName,
        *,
        since: From,
        until: To,
        kind: Kind,
        reason: Reason,
        by: By = None,
        as_json: AsJson = False,
    ) -> None:
        """Enter time without supply at a point; its days are settled again."""
        from accounts.supply import Outage
        from accounts.wall_clock import moment_on_wall
        from meters.form import checked
        from storage.master import load_account
        from storage.outages import add_outage
        from storage.settlement_master import EntryError

        with entry(ctx) as (conn, now):
            whose = load_account(conn, account)
            entered = {
                "start": moment_on_wall(since, whose.time_zone),
                "stop": moment_on_wall(until, whose.time_zone),
                "kind": kind,
                "reason": reason,
            }
            outage = checked(Outage.model_validate, entered, "The outage", EntryError)
            where = point_called(conn, whose, point)
            made, days = add_outage(conn, where, outage, by=who(by), now=now)
            billed = _billed(conn, made, days)
        if as_json:
            print_json(entry_as_json(made) | {"days_settled_again": days})
        else:
            print(f"Outage {made.outage_id} is entered. {settled_again(days)}{billed}")

    @family.command("list", epilog=_EPILOGUE)
    def show(
        ctx: typer.Context,
        account: OnlyAccount = None,
        *,
        removed_too: WithRemoved = False,
        as_json: AsJson = False,
    ) -> None:
        """List the time without supply that was entered."""
        from storage.master import load_account, load_accounts
        from storage.settlement_master import list_outages

        with entry(ctx) as (conn, _):
            whose = None if account is None else load_account(conn, account)
            asked = None if whose is None else whose.account_id
            outages = list_outages(conn, account_id=asked, removed_too=removed_too)
            zones = {one.code: one.time_zone for one in load_accounts(conn)}
        if as_json:
            print_json([entry_as_json(one) for one in outages])
        elif outages:
            _print_table(outages, zones, removed_too=removed_too)
        else:
            print("No outage is entered.")

    @family.command("remove", epilog=_EPILOGUE)
    def remove(
        ctx: typer.Context,
        number: Number,
        *,
        reason: Reason,
        by: By = None,
        as_json: AsJson = False,
    ) -> None:
        """Take an outage back; its days are settled again, and it stays on record."""
        from storage.outages import remove_outage

        with entry(ctx) as (conn, now):
            gone, days = remove_outage(conn, number, reason=reason, by=who(by), now=now)
            billed = _billed(conn, gone, days)
        if as_json:
            print_json(entry_as_json(gone) | {"days_settled_again": days})
        else:
            print(
                f"Outage {gone.outage_id} of {gone.account}, {gone.point}, is removed."
                f" {settled_again(days)}{billed}"
            )


def _billed(conn: "Connection[TupleRow]", outage: "SupplyOutage", marked: int) -> str:
    """Name the bills that cover the days of an outage, if any is settled again."""
    from storage.master import load_account

    whose = load_account(conn, outage.account)
    touched = [days_between(outage.start, outage.stop, whose)] if marked else []
    return bills_told(conn, whose, touched)


def _print_table(
    outages: "Sequence[SupplyOutage]",
    zones: "Mapping[str, ZoneInfo]",
    *,
    removed_too: bool,
) -> None:
    from rich.markup import escape
    from rich.table import Table

    from keywatt.commands.common import console

    table = Table(header_style="bold")
    columns = ["number", "account", "point", "from", "to", "kind", "reason", "entered"]
    for column in (*columns, *(["removed", "why"] * removed_too)):
        table.add_column(column, overflow="fold")
    for one in outages:
        zone = zones[one.account]
        since, until = (
            f"{at.astimezone(zone):%Y-%m-%d %H:%M}" for at in (one.start, one.stop)
        )
        cells = (one.account, one.point, since, until, one.kind, one.reason)
        steps = steps_told(one, zone, removed_too=removed_too)
        table.add_row(str(one.outage_id), *map(escape, (*cells, *steps)))
    console().print(table)
