"""`keywatt verdicts`: the rules that were broken, and when."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import (
    AsJson,
    console,
    epilogue,
    print_json,
    settings_of,
)

if TYPE_CHECKING:
    from datetime import date

    from keywatt.settings import Settings
    from reports.verdicts import Only, Verdicts

_HELP = epilogue(
    "A line is one rule on one day of a point: when it was broken, and the figures "
    "that led to it. What failed comes first, then what warned, of each the newest.",
    "Without --account it is the whole portfolio. Days are those of each account's own "
    "time zone; without --from and --to they are the last seven. “keywatt trace” then "
    "tells what an interval came from.",
    examples=(
        "keywatt verdicts",
        "keywatt verdicts --severity fail",
        "keywatt verdicts --account steel --from 2026-03-01 --to 2026-03-31",
        "keywatt verdicts --rule spike --json | jq '.verdicts[].figures'",
    ),
)
_COLOURS = {"fail": "bold red", "warn": "yellow"}


class Severity(StrEnum):
    """How a rule was broken."""

    FAIL = "fail"
    WARN = "warn"


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("verdicts", epilog=_HELP)
    def verdicts(
        ctx: typer.Context,
        *,
        account: Annotated[
            str | None, typer.Option(metavar="CODE", help="Only this account.")
        ] = None,
        point: Annotated[
            str | None, typer.Option(metavar="NAME", help="Only this point of it.")
        ] = None,
        first: Annotated[
            str | None,
            typer.Option(
                "--from", metavar="DAY", help="First local day; 6 days before --to."
            ),
        ] = None,
        last: Annotated[
            str | None,
            typer.Option("--to", metavar="DAY", help="Last local day; today."),
        ] = None,
        rule: Annotated[
            str | None, typer.Option(metavar="NAME", help="Only this rule.")
        ] = None,
        severity: Annotated[
            Severity | None, typer.Option(help="Only what failed, or only what warned.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """List the days on which a rule failed or warned, with the figures."""
        from accounts.wall_clock import day_typed

        if point is not None and account is None:
            raise typer.BadParameter("Say with --account whose point it is.")
        only = _only(rule, severity)
        typed = tuple(None if at is None else day_typed(at) for at in (first, last))
        found = _found(settings_of(ctx), (account, point), typed, only)
        if as_json:
            from reports.verdict_lines import as_json as lines

            print_json(lines(found))
        else:
            _print(found, only)


def _only(rule: str | None, severity: Severity | None) -> "Only":
    from analytics.settlement.verdict import Status
    from reports.verdicts import Only, rule_called

    return Only(
        rule=None if rule is None else rule_called(rule),
        status=None if severity is None else Status[severity.name],
    )


def _found(
    settings: "Settings",
    of: tuple[str | None, str | None],
    typed: "tuple[date | None, ...]",
    only: "Only",
) -> "Verdicts":
    from reports.completeness import period_of
    from reports.verdicts import USUAL_DAYS, verdicts_of, verdicts_of_all
    from storage.database import connect
    from storage.master import load_account

    now = settings.site_clock().now()
    code, point = of
    with connect(settings.database()) as conn:
        account = None if code is None else load_account(conn, code)
        period = period_of(account, now, *typed, usual_days=USUAL_DAYS)
        if account is None:
            return verdicts_of_all(conn, period, only)
        return verdicts_of(conn, account.code, period, only, point=point)


def _print(found: "Verdicts", only: "Only") -> None:
    from rich.table import Table

    from reports.verdict_lines import figures_told, when_told
    from reports.writing import Reader

    span = f"{found.first_day} to {found.last_day}"
    if not found.broken:
        print(_none(found, only, span))
        return
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("day", "account", "point", "rule", "", "when", "figures"):
        table.add_column(name, overflow="fold", no_wrap=name in {"day", "rule"})
    for one in found.broken:
        reader = Reader(zone=one.account.time_zone)
        severity = one.status.name.lower()
        table.add_row(
            one.local_day.isoformat(),
            one.account.code,
            one.point.name,
            one.rule,
            f"[{_COLOURS[severity]}]{severity}[/]",
            when_told(one, reader),
            figures_told(one, reader),
        )
    console().print(table)
    print(f"{_judged(found, span)}, of which {found.failed} failed.")


def _none(found: "Verdicts", only: "Only", span: str) -> str:
    if not found.judged:
        return f"The rules have judged no day from {span}."
    is_all = only.rule is None and only.status is None
    held = "All rules held." if is_all else "Nothing of the kind was found."
    return f"{held} {_judged(found, span)}."


def _judged(found: "Verdicts", span: str) -> str:
    return f"Point-days judged from {span}: {found.judged}"
