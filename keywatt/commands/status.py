"""`keywatt status`: what becomes of every reading, live."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

import time
from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import AsJson, epilogue, print_json, settings_of

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from keywatt.faring import Faring
    from keywatt.settings import Settings
    from keywatt.status import Line, Status

_EVERY_S = 2.0
_MOST_BUSES = 10
_WIDE = 140
"""Where it is not a terminal that says how wide it is."""
_STATUS = epilogue(
    "Asked = stored + repeated + refused + failed + waiting, for each transport, bus "
    "and meter. Meters and buses with the most refused and failed come first. What "
    "waits is known where the collector serves metrics: set KEYWATT_METRICS_PORT.",
    "Collectors that are not there, meters that are not read or not whole, and what "
    "meters say of themselves follow below.",
    "The table renews itself until Ctrl-C; --once and --json look once.",
    examples=(
        "keywatt status",
        "keywatt status --hours 1 --meters 50",
        "keywatt status --json | jq .transports",
    ),
)
_COLUMNS = (
    *("asked", "answered", "decoded", "stored", "repeated", "refused", "failed"),
    "waiting",
)

Once = Annotated[bool, typer.Option("--once", help="Look once and end.")]
Hours = Annotated[
    int, typer.Option(min=1, help="How far to look back; this hour counts as one.")
]
Meters = Annotated[int, typer.Option(min=0, help="How many meters to show.")]


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("status", epilog=_STATUS)
    def status(
        ctx: typer.Context,
        *,
        once: Once = False,
        as_json: AsJson = False,
        hours: Hours = 24,
        meters: Meters = 20,
    ) -> None:
        """Show what becomes of every reading."""
        settings = settings_of(ctx)
        if as_json:
            print_json(_look(settings, hours).shown())
        else:
            _show(settings, hours=hours, meters=meters, once=once)


def _look(settings: "Settings", hours: int) -> "Status":
    from keywatt.status import look
    from storage.database import connect

    metrics = None
    if settings.metrics_port is not None:
        metrics = f"{settings.metrics_host}:{settings.metrics_port}"
    with connect(settings.database()) as conn:
        clock = settings.site_clock()
        return look(conn, clock.now(), hours=hours, metrics=metrics, speed=clock.speed)


def _show(settings: "Settings", *, hours: int, meters: int, once: bool) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    if once or not console.is_terminal:
        console.print(_tables(_look(settings, hours), meters))
        return
    first = _tables(_look(settings, hours), meters)
    with Live(first, console=console, auto_refresh=False) as live:
        while True:
            time.sleep(_EVERY_S)
            live.update(_tables(_look(settings, hours), meters), refresh=True)


def _tables(status: "Status", meters: int) -> "Group":
    from rich.console import Group
    from rich.table import Table

    def table(title: str, lines: "list[tuple[str, Line]]") -> Table:
        made = Table(header_style="bold")
        made.add_column(title, overflow="fold")
        for column in _COLUMNS:
            made.add_column(column, justify="right", no_wrap=True)
        for name, line in lines:
            numbers = (getattr(line, column) for column in _COLUMNS)
            made.add_row(name, *("-" if n is None else f"{n:,}" for n in numbers))
        return made

    parts: list[Table | str] = [_heading(status)]
    parts.append(table("transport", [(t.transport, t) for t in status.transports]))
    parts += [_refused(line) for line in status.transports if line.reasons]
    if status.buses:
        shown = status.buses[:_MOST_BUSES]
        parts.append(table("bus", [(str(bus.bus), bus) for bus in shown]))
    if status.meters and meters:
        worst = status.meters[:meters]
        parts.append(table("meter", [(str(meter.meter), meter) for meter in worst]))
    return Group(*parts, *_faring(status.faring, meters))


def _heading(status: "Status") -> str:
    since = f"Since {status.since:%Y-%m-%d %H:%M} UTC; "
    if status.collector is None:
        return f"{since}{status.why_not}."
    used, most = status.collector.journal_bytes, status.collector.journal_most_bytes
    if used is None or not most:
        return f"{since}the collector answers."
    return f"{since}the journal takes {used / 1e6:.1f} of {most / 1e6:.0f} MB."


def _refused(line: "Line") -> str:
    reasons = sorted(line.reasons.items(), key=lambda item: -item[1])
    listed = ", ".join(f"{reason} {readings:,}" for reason, readings in reasons)
    return f"{line.transport} refused: {listed}"


def _faring(faring: "Faring", meters: int) -> "list[str | Table]":
    """Say how collectors and meters fare, as far as not all is well."""
    from rich.table import Table

    gone = [beat for beat in faring.collectors if not faring.is_there(beat)]
    parts: list[str | Table] = [
        f"collector {beat.collector}: not there since {beat.beat_at:%Y-%m-%d %H:%M} UTC"
        for beat in gone
    ]
    parts += faring.sentences()
    said = [
        (one.serial, one.since_at, one.text or f"does not have {', '.join(one.holes)}")
        for one in faring.troubles
    ]
    said += [(one.serial, one.at, f"says: {one.code}") for one in faring.events]
    if said and meters:
        made = Table(header_style="bold")
        for column in ("meter", "since (UTC)", f"what ails it ({len(said)})"):
            made.add_column(column, overflow="fold")
        for serial, since, text in said[:meters]:
            made.add_row(serial, f"{since:%Y-%m-%d %H:%M}", text)
        parts.append(made)
    return parts
