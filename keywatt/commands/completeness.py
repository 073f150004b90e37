"""`keywatt completeness`: every expected interval accounted for."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import AsJson, epilogue, print_json, settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from keywatt.settings import Settings
    from reports.completeness_views import AllCompleteness, Completeness

_HELP = epilogue(
    "Every quarter-hour that the calendar lets expect is measured, estimated by a "
    "method, edited by a person, missing with a cause, or not settled yet; the five "
    "sum to what is expected. Causes stand beside estimates too: why there was "
    "nothing to measure.",
    "Without ACCOUNT all accounts are summed up, those that lack most first. Days are "
    "those of each account's own time zone.",
    examples=(
        "keywatt completeness",
        "keywatt completeness steel --from 2026-03-01 --to 2026-03-31",
        "keywatt completeness steel --csv march.csv",
        "keywatt completeness steel --csv - | grep missing",
        "keywatt completeness --json | jq '.accounts[0]'",
    ),
)
_WIDE = 120
"""Where it is not a terminal that says how wide it is."""

Code = Annotated[
    str | None, typer.Argument(metavar="[ACCOUNT]", help="Short name of one account.")
]
First = Annotated[
    str | None,
    typer.Option("--from", metavar="DAY", help="First local day; 29 days before --to."),
]
Last = Annotated[
    str | None, typer.Option("--to", metavar="DAY", help="Last local day; today.")
]
Csv = Annotated[
    str | None,
    typer.Option(
        "--csv",
        metavar="FILE",
        help="Write one line a point, day and kind instead; - for standard output.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("completeness", epilog=_HELP)
    def completeness(
        ctx: typer.Context,
        account: Code = None,
        *,
        first: First = None,
        last: Last = None,
        csv_file: Csv = None,
        as_json: AsJson = False,
    ) -> None:
        """Account for every expected interval: measured, estimated, missing and why."""
        from accounts.wall_clock import day_typed

        if as_json and csv_file:
            raise typer.BadParameter("Ask for --json or --csv, not for both.")
        settings = settings_of(ctx)
        asked = tuple(None if at is None else day_typed(at) for at in (first, last))
        if account is None:
            every = _all(settings, asked)
            _show_all(every, csv_file, as_json=as_json)
        else:
            one = _one(settings, account, asked)
            _show_one(one, csv_file, as_json=as_json)


def _one(
    settings: "Settings", account: str, asked: "tuple[date | None, ...]"
) -> "Completeness":
    from reports.completeness import completeness, period_of
    from storage.database import connect
    from storage.master import load_account

    now = settings.site_clock().now()
    with connect(settings.database()) as conn:
        found = load_account(conn, account)
        first, last = period_of(found, now, *asked)
        return completeness(conn, found.code, first, last, now)


def _all(settings: "Settings", asked: "tuple[date | None, ...]") -> "AllCompleteness":
    from reports.completeness import completeness_of_all, period_of
    from storage.database import connect

    now = settings.site_clock().now()
    with connect(settings.database()) as conn:
        first, last = period_of(None, now, *asked)
        return completeness_of_all(conn, first, last, now)


def _show_one(found: "Completeness", csv_file: str | None, *, as_json: bool) -> None:
    if as_json:
        from reports.completeness_lines import as_json as shown

        print_json(shown(found))
    elif csv_file:
        _write(csv_file, [found])
    else:
        from keywatt.completeness_tables import account_tables

        _console_print(account_tables(found))


def _show_all(found: "AllCompleteness", csv_file: str | None, *, as_json: bool) -> None:
    if as_json:
        from reports.completeness_lines import all_as_json

        print_json(all_as_json(found))
    elif csv_file:
        _write(csv_file, found.accounts)
    else:
        from keywatt.completeness_tables import portfolio_tables

        _console_print(portfolio_tables(found))


def _write(csv_file: str, accounts: "Sequence[Completeness]") -> None:
    from reports.completeness_lines import as_csv

    if csv_file == "-":
        sys.stdout.write(as_csv(accounts))
    else:
        Path(csv_file).write_text(as_csv(accounts), encoding="utf-8")


def _console_print(shown: object) -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    console.print(shown)
