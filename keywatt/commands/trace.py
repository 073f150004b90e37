"""`keywatt trace`: what one interval came from."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

from dataclasses import asdict
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import AsJson, epilogue, print_json, settings_of

if TYPE_CHECKING:
    from rich.console import Console

    from analytics.settlement.verdict import Verdict
    from reports.interval_trace import IntervalTrace, TracedMeter, TracedOwn

_EPILOGUE = epilogue(
    "It shows every version of the interval, what the rules said of it, edits, the "
    "readings around it with the multiplier in force, what was refused at that time, "
    "and the bill that pins it.",
    "A moment without an offset is by the account's own clock.",
    examples=(
        'keywatt trace steel "Main supply" "2026-03-03 10:00"',
        'keywatt trace steel "" 2026-03-03T01:00:00Z --json',
    ),
)


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("trace", epilog=_EPILOGUE)
    def trace(
        ctx: typer.Context,
        account: Annotated[str, typer.Argument(help="Code of the account.")],
        point: Annotated[
            str, typer.Argument(help='Name of the point; "" where there is one.')
        ],
        moment: Annotated[
            str, typer.Argument(help="Any moment in the interval, as ISO 8601.")
        ],
        *,
        as_json: AsJson = False,
    ) -> None:
        """Tell what one interval came from, down to the readings."""
        from reports.interval_trace import interval_trace
        from storage.database import connect
        from storage.master import load_account

        settings = settings_of(ctx)
        with connect(settings.database()) as conn:
            zone = load_account(conn, account).time_zone
            found = interval_trace(conn, account, point, _moment(moment, zone))
        if as_json:
            print_json(_plain(found))
        else:
            _print(found)


def _moment(text: str, zone: tzinfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text} is no moment; write it as 2026-03-03 10:00."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _plain(found: "IntervalTrace") -> dict[str, object]:
    from meters.reading import from_utc_us

    plain = asdict(found)
    plain["account"] = found.account.code
    plain["point"] = found.point.name
    plain["start"], plain["stop"] = found.start.isoformat(), found.stop.isoformat()
    plain["verdicts"] = [
        {
            "rule": one.rule,
            "status": one.status.name.lower(),
            "start": from_utc_us(one.start_us).isoformat(),
            "stop": from_utc_us(one.stop_us).isoformat(),
            "figures": dict(one.figures),
        }
        for one in found.verdicts
    ]
    return plain


def _print(found: "IntervalTrace") -> None:
    from rich.console import Console

    console = Console(highlight=False)
    zone = found.account.time_zone
    start = found.start.astimezone(zone)
    stop = found.stop.astimezone(zone)
    console.print(
        f"[bold]{found.account.name}, {found.point.name}[/bold]: "
        f"{start:%a %d %b %Y %H:%M} to {stop:%H:%M %Z}"
    )
    _print_versions(console, found)
    _print_circumstances(console, found)
    for verdict in found.verdicts:
        _print_verdict(console, verdict, zone)
    for edit in found.edits:
        undone = (
            f", undone by {edit.undone_by}: {edit.undone_why}" if edit.undone_by else ""
        )
        console.print(
            f"Edit {edit.edit_id} by {edit.edited_by} at "
            f"{edit.edited_at.astimezone(zone):%d %b %H:%M}: {edit.was_import_kwh} to "
            f"{edit.import_kwh} kWh, {edit.reason}{undone}",
            markup=False,
        )
    for traced in found.meters:
        _print_meter(console, traced, zone)
    for one in found.undone:
        console.print(
            f"Import {one.import_id} of {one.name} by {one.imported_by} had given of "
            f"it; undone by {one.undone_by}: {one.undone_why}",
            markup=False,
        )
    for refused in found.refused:
        console.print(
            f"Refused at {refused.received_at.astimezone(zone):%d %b %H:%M:%S}: "
            f"{refused.reason}: {refused.text}",
            markup=False,
        )
    for bill in found.bills:
        console.print(
            f"Pinned by bill {bill.bill_id} of {bill.first_day} to {bill.last_day}."
        )


def _print_versions(console: "Console", found: "IntervalTrace") -> None:
    from rich.table import Table

    if not found.versions:
        console.print("It was never settled.")
        return
    table = Table(box=None, header_style="bold")
    for name in ("version", "import kWh", "quality", "method", "sure", "settled"):
        table.add_column(name, justify="right" if "kWh" in name else "left")
    table.add_column("until")
    zone = found.account.time_zone
    for one in found.versions:
        until = one.replaced_at
        table.add_row(
            str(one.version),
            "-" if one.import_kwh is None else f"{one.import_kwh:.4f}",
            one.quality,
            one.method,
            f"{one.confidence:.0%}",
            f"{one.settled_at.astimezone(zone):%d %b %Y %H:%M}",
            "now" if until is None else f"{until.astimezone(zone):%d %b %Y %H:%M}",
        )
    console.print(table)


def _print_circumstances(console: "Console", found: "IntervalTrace") -> None:
    zone = found.account.time_zone
    for one in found.outages:
        since, until = (
            f"{at.astimezone(zone):%d %b %H:%M}" for at in (one.start, one.stop)
        )
        console.print(
            f"Without supply from {since} to {until} ({one.kind}): {one.reason}; "
            f"entered by {one.entered_by}.",
            markup=False,
            soft_wrap=True,
        )
    if found.closure is not None:
        console.print(
            f"The site was closed on that day: {found.closure.reason}; entered by "
            f"{found.closure.entered_by}.",
            markup=False,
            soft_wrap=True,
        )


def _print_verdict(console: "Console", verdict: "Verdict", zone: tzinfo) -> None:
    from reports.ledger_wording import facts_told
    from reports.writing import Reader

    colours = {"PASS": "green", "SKIPPED": "dim", "WARN": "yellow", "FAIL": "bold red"}
    figures = ", ".join(facts_told(verdict.figures, Reader(zone=zone)))
    name = verdict.status.name
    console.print(
        f"[{colours[name]}]{name.lower():8}[/]{verdict.rule:12} {figures}",
        soft_wrap=True,
    )


def _own(own: "TracedOwn", zone: tzinfo) -> str:
    """Say who gives the energy itself: the meter or a file."""
    begins, file = own.starts_at.astimezone(zone), own.file
    said = (
        f"{own.import_kwh} kWh in the {own.length_min} minutes from "
        f"{begins:%d %b %H:%M}, before the multiplier."
    )
    if file is None:
        return f"It counted {said}"
    at = file.imported_at.astimezone(zone)
    return (
        f"File {file.name}, imported by {file.imported_by} on {at:%d %b %Y %H:%M}, "
        f"gives {said}"
    )


def _print_meter(console: "Console", traced: "TracedMeter", zone: tzinfo) -> None:
    from rich.table import Table

    there = traced.meter
    ratio = f"{there.multiplier.normalize():f}"
    if there.changes_at and there.changes_to:
        at = there.changes_at.astimezone(zone)
        ratio += f", {there.changes_to.normalize():f} from {at:%H:%M:%S} on"
    console.print(
        f"Meter {there.serial} ({there.role}), multiplier {ratio}", markup=False
    )
    if traced.own is not None:
        console.print(f"  {_own(traced.own, zone)}", markup=False, soft_wrap=True)
    table = Table(box=None, header_style="bold", padding=(0, 2))
    for name in ("measured", "received", "import kWh", "counts", "kW"):
        table.add_column(name, justify="left" if "ed" in name else "right")
    for one in traced.readings:
        table.add_row(
            f"{one.measured_at.astimezone(zone):%d %b %H:%M:%S}",
            f"{one.received_at.astimezone(zone):%d %b %H:%M:%S}",
            "-" if one.import_kwh is None else str(one.import_kwh),
            "-" if one.import_counts is None else str(one.import_counts),
            "-" if one.active_power_kw is None else f"{one.active_power_kw:.3f}",
        )
    console.print(table)
