"""`keywatt bill`: periods that were billed, pinned to what was believed then."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import AsJson, console, epilogue, print_json
from keywatt.commands.entering import By, ForAccount, Reason, entry, who

if TYPE_CHECKING:
    from datetime import date

    from psycopg import Connection
    from psycopg.rows import TupleRow

    from accounts.account import Account

_HELP = "Pin what was billed, compute it again, and see what is different since."
_EPILOGUE = epilogue(
    "A bill is an account's local days and the moment as of which they were believed. "
    "“keywatt bill show” computes its energy and cost again from the versions of that "
    "moment: the same figures whenever it is asked, whatever came since. What came "
    "since is told by “keywatt bill differences”, and on the account's page.",
    "Edits of what is pinned are refused, until the bill is withdrawn or the edit is "
    "made with --billed-too. docs/handbook/edits-and-bills.md has more.",
    examples=(
        "keywatt bill pin steel --from 2026-03-01 --to 2026-03-31 --note 'R-2026-03'",
        "keywatt bill list steel",
        "keywatt bill show 3",
        "keywatt bill differences steel --json",
        "keywatt bill withdraw 3 --reason 'The tariff was another'",
    ),
)
First = Annotated[
    str, typer.Option("--from", metavar="DAY", help="The first local day.")
]
Last = Annotated[
    str, typer.Option("--to", metavar="DAY", help="The last one, included.")
]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="MOMENT",
        help="When the bill was made, by the account's clock; now, if not.",
    ),
]
Note = Annotated[
    str, typer.Option("--note", metavar="TEXT", help="Such as its number elsewhere.")
]
BillId = Annotated[int, typer.Argument(metavar="BILL_ID", help="As the list has it.")]
OnlyAccount = Annotated[
    str | None, typer.Argument(metavar="[ACCOUNT]", help="Only this account's.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    family = typer.Typer(no_args_is_help=True, help=_HELP, epilog=_EPILOGUE)
    app.add_typer(family, name="bill")
    _add_pin(family)
    _add_list(family)
    _add_show(family)
    _add_differences(family)
    _add_withdraw(family)


def _add_pin(family: typer.Typer) -> None:
    @family.command("pin", epilog=_EPILOGUE)
    def pin(
        ctx: typer.Context,
        account: ForAccount,
        *,
        first: First,
        last: Last,
        as_of: AsOf = None,
        note: Note = "",
        by: By = None,
        as_json: AsJson = False,
    ) -> None:
        """Pin what is believed of some days, and say what that comes to."""
        from accounts.wall_clock import day_typed, moment_on_wall
        from keywatt.bill_told import figures_as_json, tell_figures, tell_waiting
        from reports.bill_figures import bill_figures
        from storage.bills import pin_bill
        from storage.master import load_account

        days = day_typed(first), day_typed(last)
        with entry(ctx) as (conn, now):
            whose = load_account(conn, account)
            then = moment_on_wall(as_of, whose.time_zone) if as_of else now
            waiting = _waiting(conn, whose, days)
            bill_id = pin_bill(
                conn,
                whose.account_id,
                *days,
                as_of=then,
                by=who(by),
                note=note.strip(),
                at=now,
            )
            figures = bill_figures(conn, bill_id)
        if as_json:
            print_json(figures_as_json(figures) | {"days_waiting": waiting})
        else:
            tell_figures(console(), figures)
            tell_waiting(waiting)


def _waiting(
    conn: "Connection[TupleRow]", account: "Account", days: "tuple[date, date]"
) -> int:
    """Count point-days that wait to be settled."""
    from storage.dirty import count_dirty, mark_touched

    mark_touched(conn)
    conn.commit()
    return count_dirty(conn, account.account_id, *days)


def _add_list(family: typer.Typer) -> None:
    @family.command("list", epilog=_EPILOGUE)
    def list_(
        ctx: typer.Context, account: OnlyAccount = None, *, as_json: AsJson = False
    ) -> None:
        """List the bills, which of them differ now, and those that are withdrawn."""
        from keywatt.bill_told import Listed, listed_as_json, tell_bills
        from storage.bill_changes import load_bill_changes, load_bills_waiting
        from storage.bills import load_billed_kwh, load_bills
        from storage.dirty import mark_touched
        from storage.master import load_accounts

        with entry(ctx) as (conn, _):
            asked = _account_id(conn, account)
            bills = load_bills(conn, asked)
            kwh = load_billed_kwh(conn, [one.bill_id for one in bills])
            changes = {one.bill_id: one for one in load_bill_changes(conn, asked)}
            mark_touched(conn)
            waiting = load_bills_waiting(conn, asked)
            owners = {one.account_id: one for one in load_accounts(conn)}
        listed = [
            Listed(
                bill=one,
                account=owners[one.account_id],
                import_kwh=kwh.get(one.bill_id),
                change=changes.get(one.bill_id),
                days_waiting=waiting.get(one.bill_id, 0),
            )
            for one in bills
        ]
        if as_json:
            print_json([listed_as_json(one) for one in listed])
        elif listed:
            tell_bills(console(), listed)
        else:
            print("No bill is pinned.")


def _account_id(conn: "Connection[TupleRow]", code: str | None) -> int | None:
    from storage.master import load_account

    return None if code is None else load_account(conn, code).account_id


def _add_show(family: typer.Typer) -> None:
    @family.command("show", epilog=_EPILOGUE)
    def show(ctx: typer.Context, bill_id: BillId, *, as_json: AsJson = False) -> None:
        """Compute a bill again, as of its moment: energy, time of use, and cost."""
        from keywatt.bill_told import figures_as_json, tell_figures
        from reports.bill_figures import bill_figures

        with entry(ctx) as (conn, _):
            figures = bill_figures(conn, bill_id)
        if as_json:
            print_json(figures_as_json(figures))
        else:
            tell_figures(console(), figures)


def _add_differences(family: typer.Typer) -> None:
    @family.command("differences", epilog=_EPILOGUE)
    def differences(
        ctx: typer.Context, account: OnlyAccount = None, *, as_json: AsJson = False
    ) -> None:
        """Tell which bills are not what is believed now, interval by interval."""
        from keywatt.bill_told import (
            difference_as_json,
            tell_bills_waiting,
            tell_difference,
        )
        from reports.billed_difference import billed_difference
        from storage.bill_changes import load_bill_changes, load_bills_waiting
        from storage.dirty import mark_touched
        from storage.master import load_accounts

        with entry(ctx) as (conn, _):
            asked = _account_id(conn, account)
            changes = load_bill_changes(conn, asked)
            mark_touched(conn)
            waiting = load_bills_waiting(conn, asked)
            found = [billed_difference(conn, one.bill_id) for one in changes]
            owners = {one.account_id: one for one in load_accounts(conn)}
        if as_json:
            print_json(
                [difference_as_json(one, owners[one.bill.account_id]) for one in found]
            )
        elif found:
            for one in found:
                tell_difference(console(), one, owners[one.bill.account_id])
        else:
            print("Every bill is what is believed now.")
        if not as_json:
            tell_bills_waiting(waiting)


def _add_withdraw(family: typer.Typer) -> None:
    @family.command("withdraw", epilog=_EPILOGUE)
    def withdraw(
        ctx: typer.Context,
        bill_id: BillId,
        *,
        reason: Reason,
        by: By = None,
        as_json: AsJson = False,
    ) -> None:
        """Let a bill pin nothing any more; it stays in the list."""
        from storage.bills import withdraw_bill

        with entry(ctx) as (conn, now):
            withdraw_bill(conn, bill_id, why=reason, by=who(by), at=now)
        if as_json:
            told = {"withdrawn_by": who(by), "withdrawn_why": reason}
            print_json({"bill_id": bill_id} | told)
        else:
            print(f"Bill {bill_id} is withdrawn; its days can be edited and billed.")
