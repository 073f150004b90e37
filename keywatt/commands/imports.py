"""`keywatt import list` and `undo`: what was imported, and taking it back."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import AsJson, epilogue, print_json
from keywatt.commands.entering import By, Reason, bills_told, entry, step_told, who

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from storage.import_records import ImportRecord

_EPILOGUE = epilogue(
    "What a file gave counts no longer once its import is undone: what an earlier file "
    "or a meter had said counts again, and what came since stays. Nothing is deleted "
    "from the history of an interval. Rows that were there already when a file came "
    "are not its own (“same”). The file may be imported again.",
    examples=(
        "keywatt import list --account steel",
        "keywatt import undo 3 --reason 'It was of another plant' --by 'Mei Tan'",
    ),
)
OnlyAccount = Annotated[
    str | None, typer.Option("--account", metavar="CODE", help="Only this account's.")
]
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="As the list has it.")]


def add_to(family: typer.Typer) -> None:
    """Add the commands."""

    @family.command("list", epilog=_EPILOGUE)
    def show(
        ctx: typer.Context, *, account: OnlyAccount = None, as_json: AsJson = False
    ) -> None:
        """List what was imported, also what was taken back."""
        from storage.import_records import list_imports
        from storage.master import load_account, load_accounts

        with entry(ctx) as (conn, _):
            whose = None if account is None else load_account(conn, account)
            imports = list_imports(conn, None if whose is None else whose.account_id)
            zones = {one.code: one.time_zone for one in load_accounts(conn)}
        if as_json:
            print_json([_as_json(one) for one in imports])
        elif imports:
            _print_table(imports, zones)
        else:
            print("Nothing was imported.")

    @family.command("undo", epilog=_EPILOGUE)
    def undo(
        ctx: typer.Context,
        number: Number,
        *,
        reason: Reason,
        by: By = None,
        as_json: AsJson = False,
    ) -> None:
        """Take back what a file gave; its days are settled again."""
        from storage.import_undo import undo_import
        from storage.master import load_account

        with entry(ctx) as (conn, now):
            undone, days = undo_import(conn, number, why=reason, by=who(by), at=now)
            conn.commit()
            billed = bills_told(conn, load_account(conn, undone.account or ""), [days])
        if as_json:
            first, last = (day.isoformat() for day in days)
            print_json(_as_json(undone) | {"first_day": first, "last_day": last})
            return
        span = f"{days[0]}" if days[0] == days[1] else f"{days[0]} to {days[1]}"
        print(
            f"Import {number} of {undone.name} is undone. What is settled of"
            f" {undone.account}, {undone.point}, on {span} is settled again.{billed}"
        )


def _as_json(one: "ImportRecord") -> dict[str, object]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(one).items()
    }


def _print_table(
    imports: "Sequence[ImportRecord]", zones: "Mapping[str, ZoneInfo]"
) -> None:
    from datetime import UTC

    from rich.markup import escape
    from rich.table import Table

    from keywatt.commands.common import console

    table = Table(header_style="bold")
    for column in ("number", "file", "point", "from", "to"):
        table.add_column(column, overflow="fold")
    for column in ("new", "changed", "same", "kWh"):
        table.add_column(column, justify="right")
    for column in ("imported", "undone"):
        table.add_column(column, overflow="fold")
    for one in imports:
        zone = zones.get(one.account or "", UTC)
        since, until = (
            "" if at is None else f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
            for at in (one.starts_at, one.stops_at)
        )
        rows = (one.rows_new, one.rows_changed, one.rows_same)
        undone = step_told(one.undone_by, one.undone_at, zone)
        table.add_row(
            str(one.import_id),
            escape(one.name),
            escape(f"{one.account or '?'}, {one.point or '?'}"),
            since,
            until,
            *(f"{count:,}" for count in rows),
            "-" if one.import_kwh is None else f"{one.import_kwh:,.2f}",
            escape(step_told(one.imported_by, one.imported_at, zone)),
            escape(f"{undone}: {one.undone_why}" if undone else ""),
        )
    console().print(table)
