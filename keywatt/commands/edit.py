"""`keywatt edit`: figures that a person sets for intervals."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

from typing import TYPE_CHECKING

import typer

from keywatt.commands.common import AsJson, epilogue, print_json, settings_of
from keywatt.commands.edit_options import (
    AccountOption,
    ExportKwh,
    File,
    Kwh,
    Lagging,
    Leading,
    Manner,
    Number,
    OnlyPoint,
    PointName,
    PointOption,
    Start,
    TotalKwh,
    Until,
    Why,
    with_manner,
)
from keywatt.commands.edit_talk import Talk, talk_over, tell_refused
from keywatt.commands.entering import ForAccount, Reason, entry, point_called, who

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from psycopg import Connection
    from psycopg.rows import TupleRow

    from accounts.account import Account, Point
    from analytics.settlement.edited_values import EditedValues
    from keywatt.edit_made import Order

_HELP = "Set the energy of intervals by hand, see what was set, and undo it."
_ONE = (
    "keywatt edit set steel 'Main supply' 2026-03-02T10:15 --kwh 12.5 "
    "--reason 'Read by hand'"
)
_RUN = (
    "keywatt edit set steel 'Main supply' 2026-03-02T10:00 --until 2026-03-02T14:00 "
    "--total-kwh 812.4 --reason 'Meter out; sum of the feeders'"
)
_FILE = (
    "keywatt edit file edits.csv --account steel --point 'Main supply' "
    "--reason 'Audit 17'"
)
_UNDO = "keywatt edit undo 3 --why 'It was the other meter'"
_EPILOGUE = epilogue(
    "What would change is shown first, with what the rules say of it; then you are "
    "asked, unless --yes. With --json nobody is asked: without --yes nothing is "
    "stored.",
    "Both figures are kept, and an edit stands over late readings until it is undone. "
    "What a bill pins is refused unless --billed-too; “keywatt bill differences” then "
    "tells it. A running worker settles the days within seconds; --settle does it at "
    "once.",
    "Times are those of the clock on the account's wall, or have an offset. "
    "docs/handbook/edits-and-bills.md has more.",
    examples=(_ONE, _RUN, _FILE, "keywatt edit list steel", _UNDO),
)
_REFUSED_CODE = 2


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    family = typer.Typer(no_args_is_help=True, help=_HELP, epilog=_EPILOGUE)
    app.add_typer(family, name="edit")
    _add_set(family)
    _add_file(family)
    _add_list(family)
    _add_undo(family)


def _add_set(family: typer.Typer) -> None:
    @family.command("set", epilog=_EPILOGUE)
    @with_manner
    def set_(  # one parameter an option, as the library wants it
        ctx: typer.Context,
        account: ForAccount,
        point: PointName,
        start: Start,
        *,
        reason: Reason,
        kwh: Kwh = None,
        total_kwh: TotalKwh = None,
        until: Until = None,
        export_kwh: ExportKwh = None,
        lagging_kvarh: Lagging = None,
        leading_kvarh: Leading = None,
        manner: Manner,
    ) -> None:
        """Set a quarter-hour, or a run of them."""
        from keywatt.edit_made import setting
        from storage.master import load_account

        with entry(ctx) as (conn, _):
            whose = load_account(conn, account)
            amounts = {
                "import_kwh": kwh,
                "total_kwh": total_kwh,
                "export_kwh": export_kwh,
                "lagging_kvarh": lagging_kvarh,
                "leading_kvarh": leading_kvarh,
            }
            values = _typed(start, until, amounts, whose.time_zone)
            where = point_called(conn, whose, point)
            order = _order(ctx, (whose, where), reason, manner)
            change = setting(conn, order, values)
            talk_over(conn, order, values.start_us, change, _talk(manner))


def _typed(
    start: str, until: str | None, amounts: dict[str, str | None], zone: "ZoneInfo"
) -> "EditedValues":
    from accounts.wall_clock import moment_on_wall
    from analytics.settlement.edit_entry import amount_typed, run_of, values_of
    from meters.quantity import REGISTERS

    begins = moment_on_wall(start, zone)
    ends = None if until is None else moment_on_wall(until, zone)
    given = {
        name: None if text is None else amount_typed(text, name)
        for name, text in amounts.items()
    }
    return values_of(
        run_of(begins, ends, zone),
        each_kwh=given["import_kwh"],
        total_kwh=given["total_kwh"],
        others={one: given[one.value.removeprefix("energy_")] for one in REGISTERS[1:]},
    )


def _add_file(family: typer.Typer) -> None:
    @family.command("file", epilog=_EPILOGUE)
    @with_manner
    def file_(
        ctx: typer.Context,
        file: File,
        *,
        account: AccountOption,
        point: PointOption = None,
        reason: Reason,
        manner: Manner,
    ) -> None:
        """Set many quarter-hours of a point; a file with a wrong line changes nothing.

        Empty fields, and columns that are not there, stay as settled.
        """
        from keywatt.edit_made import setting
        from reports.edit_file import read_edit_file
        from reports.exchange.importing import find_point

        with entry(ctx) as (conn, _):
            whose, where = find_point(conn, account, point)
            read = read_edit_file(file, whose.time_zone)
            if read.refused:
                tell_refused(file, read, as_json=manner.as_json)
                raise typer.Exit(_REFUSED_CODE)
            order = _order(ctx, (whose, where), reason, manner)
            change = setting(conn, order, read.values)
            talk_over(
                conn,
                order,
                read.values.start_us,
                change,
                _talk(manner),
            )


def _add_list(family: typer.Typer) -> None:
    @family.command("list", epilog=_EPILOGUE)
    def list_(
        ctx: typer.Context,
        account: ForAccount,
        *,
        point: OnlyPoint = None,
        as_json: AsJson = False,
    ) -> None:
        """List the edits of an account, also those that are undone."""
        from keywatt.commands.common import console
        from keywatt.edit_told import summary_as_json, tell_edits
        from storage.edit_records import list_edits
        from storage.master import load_account

        with entry(ctx) as (conn, _):
            whose = load_account(conn, account)
            only = point and point_called(conn, whose, point).point_id
            edits = list_edits(conn, whose.account_id, point_id=only or None)
        if as_json:
            print_json([summary_as_json(one) for one in edits])
        elif edits:
            tell_edits(console(), edits, whose.time_zone)
        else:
            print(f"Nothing of account {whose.code} is edited.")


def _add_undo(family: typer.Typer) -> None:
    @family.command("undo", epilog=_EPILOGUE)
    @with_manner
    def undo(
        ctx: typer.Context,
        edit_id: Number,
        *,
        why: Why,
        manner: Manner,
    ) -> None:
        """Let an edit count no longer: readings decide again, or an edit before it."""
        from keywatt.edit_made import undoing
        from storage.edit_records import edited_starts

        with entry(ctx) as (conn, _):
            whose, where = _edited_point(conn, edit_id)
            order = _order(ctx, (whose, where), why, manner)
            change = undoing(conn, order, edit_id)
            starts = edited_starts(conn, edit_id)
            talk = Talk(manner.yes, manner.as_json, "Undo it?", "Edit {} is undone.")
            talk_over(conn, order, starts, change, talk)


def _edited_point(
    conn: "Connection[TupleRow]", edit_id: int
) -> "tuple[Account, Point]":
    from analytics.settlement.edited_values import EditError
    from storage.edit_records import list_edits
    from storage.master import load_account, load_point

    found = list_edits(conn, edit_id=edit_id)
    if not found:
        raise EditError(
            f"There is no edit {edit_id}; “keywatt edit list ACCOUNT” shows them."
        )
    point = load_point(conn, found[0].point_id)
    return load_account(conn, point.account_id), point


def _order(
    ctx: typer.Context, where: "tuple[Account, Point]", why: str, manner: Manner
) -> "Order":
    from keywatt.edit_made import Order

    account, point = where
    return Order(
        account=account,
        point=point,
        by=who(manner.by),
        why=why,
        clock=settings_of(ctx).site_clock().now,
        billed_too=manner.billed_too,
        settle=manner.settle,
    )


def _talk(manner: Manner) -> Talk:
    return Talk(manner.yes, manner.as_json)
