"""`keywatt export`: settled intervals as a file for others."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

import re
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from keywatt.commands.common import AsJson, epilogue, print_json, settings_of

_EPILOGUE = epilogue(
    "csv and parquet hold each interval with quality, method, confidence and version; "
    "the CSV can be imported again. green-button is an ESPI feed (NAESB REQ.21). nem12 "
    "is AEMO's format: its days are those of market time, UTC+10 all year.",
    "Days are local days of the account, both included. --as-of gives what was "
    "believed at that moment, as for a bill.",
    examples=(
        "keywatt export steel --from 2026-03-01 --to 2026-03-31 -o march.csv",
        "keywatt export steel --from 2026-03-01 --to 2026-03-31 --format nem12 -o m",
    ),
)
_OFFSET = re.compile(r"([+-])(\d{2}):(\d{2})")

AccountCode = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its code.")]
First = Annotated[str, typer.Option("--from", metavar="DAY", help="The first day.")]
Last = Annotated[str, typer.Option("--to", metavar="DAY", help="The last day.")]
Target = Annotated[
    Path, typer.Option("-o", "--output", metavar="FILE", help="The file to write.")
]
FormatName = Annotated[
    str,
    typer.Option("--format", metavar="csv|parquet|green-button|nem12", help="Which."),
]
PointName = Annotated[
    str | None, typer.Option("--point", metavar="NAME", help="Only this one.")
]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="MOMENT", help="With its offset from UTC."),
]
Nmi = Annotated[
    str | None, typer.Option("--nmi", help="NEM12: identifier of the one point.")
]
MarketOffset = Annotated[
    str, typer.Option("--market-offset", metavar="+HH:MM", help="NEM12: its clock.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("export", epilog=_EPILOGUE)
    def export(
        ctx: typer.Context,
        account: AccountCode,
        *,
        first: First,
        last: Last,
        output: Target,
        format_name: FormatName = "csv",
        point: PointName = None,
        as_of: AsOf = None,
        nmi: Nmi = None,
        market_offset: MarketOffset = "+10:00",
        as_json: AsJson = False,
    ) -> None:
        """Write settled intervals as CSV, Parquet, Green Button or NEM12."""
        from reports.exchange.exporting import Format, Wish
        from reports.exchange.exporting import export as export_
        from storage.database import connect

        known = [one.value for one in Format]
        if format_name not in known:
            raise typer.BadParameter(f"--format is one of: {', '.join(known)}.")
        settings = settings_of(ctx)
        wish = Wish(
            account=account,
            first=_day(first, "--from"),
            last=_day(last, "--to"),
            format=Format(format_name),
            point=point,
            as_of=_moment(as_of),
            now=settings.site_clock().now(),
            nmi=nmi,
            market_offset=_offset(market_offset),
        )
        with connect(settings.database()) as conn:
            made = export_(conn, wish)
        output.write_bytes(made.data)
        if as_json:
            shown = {"points": made.points, "intervals": made.intervals}
            shown |= {"missing": made.missing, "made_up": dict(made.made_up)}
            print_json({"file": str(output), **shown})
        else:
            print(
                f"{made.intervals:,} intervals of {', '.join(made.points)} are in "
                f"{output}, {made.missing:,} of them missing."
            )
            for name, stand_in in made.made_up:
                print(
                    f"Nobody gave the NMI of {name}: {stand_in} stands for it. Export "
                    "it with --point and --nmi.",
                    file=sys.stderr,
                )


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{option} {text!r} is no day such as 2026-03-31."
        ) from None


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter(
            f"--as-of {text!r} is no moment such as 2026-04-02T08:00+08:00."
        )
    return moment.astimezone(UTC)


def _offset(text: str) -> timedelta:
    found = _OFFSET.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"--market-offset {text!r} should be such as +10:00.")
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return -offset if found[1] == "-" else offset
