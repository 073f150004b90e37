"""`keywatt closure`: days on which a site alone does not work."""

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
    entry,
    entry_as_json,
    settled_again,
    steps_told,
    who,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from accounts.supply import Closure
    from storage.settlement_master import ClosedDay

_HELP = "Enter, list and remove days on which a site alone does not work."
_EPILOGUE = epilogue(
    "Such a day counts as a holiday of the account: for estimates, for what is "
    "expected of it, and for typical days. Days are those of the account's time zone. "
    "The site file can say the same (docs/handbook/settlement-data.md).",
    examples=(
        "keywatt closure add steel 2026-08-10 --to 2026-08-14 --reason 'Works holiday'",
        "keywatt closure list steel",
        "keywatt closure list --all",
        "keywatt closure remove steel 2026-08-14 --reason 'They worked after all'",
    ),
)
Day = Annotated[str, typer.Argument(metavar="DAY", help="Such as 2026-08-10.")]
LastDay = Annotated[
    str | None,
    typer.Option("--to", metavar="DAY", help="The last of several days, included."),
]
OnlyAccount = Annotated[
    str | None, typer.Argument(metavar="[ACCOUNT]", help="Only this account's.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    family = typer.Typer(no_args_is_help=True, help=_HELP, epilog=_EPILOGUE)
    app.add_typer(family, name="closure")

    @family.command("add", epilog=_EPILOGUE)
    def add(
        ctx: typer.Context,
        account: ForAccount,
        day: Day,
        *,
        reason: Reason,
        to: LastDay = None,
        by: By = None,
        as_json: AsJson = False,
    ) -> None:
        """Enter days on which a site does not work; they are settled again."""
        from storage.closures import close
        from storage.master import load_account

        closure = _closure(day, to, reason)
        days = list(closure.days())
        with entry(ctx) as (conn, now):
            whose = load_account(conn, account)
            marked = close(
                conn, whose.account_id, days, reason=closure.reason, by=who(by), now=now
            )
            billed = bills_told(conn, whose, _spans(closure) if marked else [])
        _report((account, closure), marked, billed, done="closed", as_json=as_json)

    @family.command("list", epilog=_EPILOGUE)
    def show(
        ctx: typer.Context,
        account: OnlyAccount = None,
        *,
        removed_too: WithRemoved = False,
        as_json: AsJson = False,
    ) -> None:
        """List the closures that were entered."""
        from storage.master import load_account, load_accounts
        from storage.settlement_master import list_closures

        with entry(ctx) as (conn, _):
            whose = None if account is None else load_account(conn, account)
            asked = None if whose is None else whose.account_id
            closed = list_closures(conn, asked, removed_too=removed_too)
            zones = {one.code: one.time_zone for one in load_accounts(conn)}
        if as_json:
            print_json([entry_as_json(one) for one in closed])
        elif closed:
            _print_table(closed, zones, removed_too=removed_too)
        else:
            print("No closure is entered.")

    @family.command("remove", epilog=_EPILOGUE)
    def remove(
        ctx: typer.Context,
        account: ForAccount,
        day: Day,
        *,
        reason: Reason,
        to: LastDay = None,
        by: By = None,
        as_json: AsJson = False,
    ) -> None:
        """Take closures back; the days are settled again, and it stays on record."""
        from storage.closures import reopen
        from storage.master import load_account

        closure = _closure(day, to, reason)
        with entry(ctx) as (conn, now):
            whose = load_account(conn, account)
            days = closure.days()
            marked = reopen(
                conn, whose.account_id, days, reason=reason, by=who(by), now=now
            )
            billed = bills_told(conn, whose, _spans(closure) if marked else [])
        done = "no longer closed"
        _report((account, closure), marked, billed, done=done, as_json=as_json)


def _closure(day: str, last_day: str | None, reason: str) -> "Closure":
    from accounts.supply import Closure
    from accounts.wall_clock import day_typed
    from meters.form import checked
    from storage.settlement_master import EntryError

    entered = {
        "day": day_typed(day),
        "last_day": None if last_day is None else day_typed(last_day),
        "reason": reason,
    }
    return checked(Closure.model_validate, entered, "The closure", EntryError)


def _spans(closure: "Closure") -> "list[tuple[date, date]]":
    days = list(closure.days())
    return [(days[0], days[-1])]


def _report(
    of: "tuple[str, Closure]", marked: int, billed: str, *, done: str, as_json: bool
) -> None:
    account, closure = of
    if as_json:
        days = [day.isoformat() for day in closure.days()]
        print_json({"account": account, "days": days, "days_settled_again": marked})
        return
    days_told = f"{closure.day}"
    if closure.count > 1:
        days_told += f" to {closure.last_day}"
    effect = f"{settled_again(marked)}{billed}"
    print(f"Account {account} is {done} on {days_told}. {effect}")


def _print_table(
    closed: "Sequence[ClosedDay]",
    zones: "Mapping[str, ZoneInfo]",
    *,
    removed_too: bool,
) -> None:
    from rich.markup import escape
    from rich.table import Table

    from keywatt.commands.common import console

    table = Table(header_style="bold")
    columns = ["account", "day", "reason", "entered"]
    for column in (*columns, *(["removed", "why"] * removed_too)):
        table.add_column(column, overflow="fold")
    for one in closed:
        steps = steps_told(one, zones[one.account], removed_too=removed_too)
        table.add_row(one.account, str(one.day), *map(escape, (one.reason, *steps)))
    console().print(table)
