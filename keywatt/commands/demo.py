"""`keywatt demo`: see all of it on one machine, without a meter."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

import os
import sys
import webbrowser
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import AsJson, epilogue, print_json, settings_of

if TYPE_CHECKING:
    from keywatt.demo.starting import Wishes

_EPILOGUE = epilogue(
    "Starts an embedded PostgreSQL and MQTT broker, simulated meters, the collector, "
    "the background worker and the dashboard, with two months of history. The data "
    "stays in --state: the next start goes on with it.",
    "Faults: phase-loss, stuck-on, outage, overload, silent. Accounts: steel, "
    "rolling-mill, cold-store, fruit-depot, hospital, water-works, maternity, office, "
    "science-park, pumping-station, data-centre.",
    examples=(
        "keywatt demo",
        "keywatt demo --speed 60 --fault phase-loss@steel",
        "keywatt demo --headless --for 60 --json",
    ),
)

Headless = Annotated[
    bool, typer.Option("--headless", help="Everything but the dashboard.")
]
For = Annotated[
    float | None,
    typer.Option(
        "--for", metavar="SECONDS", min=0.0, help="End so long after it is ready."
    ),
]
Speed = Annotated[
    float, typer.Option(min=0.1, max=3600.0, help="Site seconds in a second.")
]
Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault", metavar="KIND@ACCOUNT", help="What goes wrong from now; repeatable."
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option("--state", metavar="DIR", help="Where it keeps all; .keywatt."),
]
Port = Annotated[
    int | None, typer.Option(min=1, max=65535, help="The dashboard's; a free one.")
]
Days = Annotated[
    int, typer.Option(min=0, max=800, help="History before a first start.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Forget earlier runs' data.")]
NoOpen = Annotated[bool, typer.Option("--no-open", help="Open no browser.")]


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("demo", epilog=_EPILOGUE)
    def demo(
        ctx: typer.Context,
        *,
        headless: Headless = False,
        for_s: For = None,
        as_json: AsJson = False,
        speed: Speed = 1.0,
        fault: Faults = None,
        state: Folder = None,
        port: Port = None,
        days: Days = 60,
        fresh: Fresh = False,
        no_open: NoOpen = False,
    ) -> None:
        """See all of it on this machine: meters, database, dashboard."""
        from keywatt.demo.starting import Wishes

        settings = settings_of(ctx)
        archive = settings.log_archive_dir
        wishes = Wishes(
            folder=state or settings.state_dir,
            log_archive=archive.absolute() if archive else None,
            headless=headless,
            for_s=for_s,
            speed=speed,
            faults=fault or [],
            port=port,
            days=days,
            fresh=fresh,
            on_ready=_ignore if no_open or headless else _open,
        )
        _run(wishes, as_json=as_json)


def _run(wishes: "Wishes", *, as_json: bool) -> None:
    from keywatt.demo.run import run_demo
    from keywatt.demo.screen import Screen

    summary = run_demo(wishes, Screen(for_scripts=as_json))
    if as_json:
        print_json(asdict(summary))
        return
    for transport, count in summary.readings.items():
        print(_counted(transport, count))


def _counted(transport: str, count: dict[str, int]) -> str:
    """Say what became of the readings that meters gave while the demo ran.

    Examples
    --------
    >>> count = {"sent": 9, "stored": 8, "repeated": 0, "refused": 0, "unheard": 1}
    >>> _counted("mqtt", count | {"lost": 0})
    'MQTT    9 readings sent: 8 stored, 1 unheard, none lost.'

    """
    label = {"modbus": "Modbus", "mqtt": "MQTT"}[transport]
    became = [f"{count['stored']:,} stored"]
    became += [
        f"{count[what]:,} {what}"
        for what in ("repeated", "refused", "unheard")
        if count[what]
    ]
    became.append(f"{count['lost'] or 'none'} lost")
    return f"{label:6}  {count['sent']:,} readings sent: {', '.join(became)}."


def _ignore(_url: str) -> None:
    """Open nothing."""


def _open(url: str) -> None:
    """Open a browser where there is a screen to show it on."""
    has_screen = sys.platform == "darwin" or {"DISPLAY", "WAYLAND_DISPLAY"} & set(
        os.environ
    )
    if has_screen:
        webbrowser.open(url)
