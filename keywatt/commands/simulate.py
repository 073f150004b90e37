"""`keywatt simulate`: the demo's meters, for any collector to read."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import (
    announce_ready,
    begin_service,
    epilogue,
    print_json,
    settings_of,
)
from keywatt.commands.services import broker_of

if TYPE_CHECKING:
    from datetime import datetime

    from keywatt.settings import Settings
    from simulators.scenario import Scenario

_EPILOGUE = epilogue(
    "Some answer over Modbus TCP, on ports from --base-port on, the others publish to "
    "the broker. With --register they are entered into the database, so that a "
    "collector reads them.",
    "What happens at the plants is kept in --scenario and goes on at the next start.",
    examples=(
        "keywatt simulate --register",
        "keywatt simulate --fault phase-loss@steel --fault silent@office",
    ),
)
Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault", metavar="KIND@ACCOUNT", help="What goes wrong from now; repeatable."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("simulate", epilog=_EPILOGUE)
    def simulate(
        ctx: typer.Context,
        *,
        fault: Faults = None,
        host: Annotated[
            str, typer.Option(help="Where Modbus meters listen.")
        ] = "127.0.0.1",
        base_port: Annotated[
            int, typer.Option(min=1, max=65000, help="First Modbus port.")
        ] = 15020,
        every_s: Annotated[
            float, typer.Option("--every", min=0.01, help="Seconds between readings.")
        ] = 10.0,
        scenario: Annotated[
            Path | None,
            typer.Option(metavar="FILE", help="What happens; kept for the next start."),
        ] = None,
        register: Annotated[
            bool, typer.Option("--register", help="Enter the meters in the database.")
        ] = False,
        reached_at: Annotated[
            str | None,
            typer.Option(metavar="HOST", help="With --register: our name elsewhere."),
        ] = None,
        counts: Annotated[
            Path | None,
            typer.Option(metavar="FILE", help="Where the counts go at the end."),
        ] = None,
    ) -> None:
        """Be the meters of the demo's plants."""
        settings = settings_of(ctx)
        begin_service(settings)
        now = settings.site_clock().now()
        happening = _scenario(settings, scenario, fault or [], now)
        if register:
            _register(settings, happening, reached_at or host, base_port, every_s)
        _simulate(
            settings,
            happening,
            host=host,
            base_port=base_port,
            every_s=every_s,
            counts=counts,
        )


def _scenario(
    settings: "Settings", file: Path | None, faults: list[str], now: "datetime"
) -> "Scenario":
    """Go on with what happened so far; without a file to keep it in, begin."""
    from simulators.faults import parse_fault
    from simulators.fleet import KEY_ACCOUNTS
    from simulators.scenario import first_scenario, load_scenario

    new = [parse_fault(text, KEY_ACCOUNTS, now) for text in faults]
    file = file or settings.state_dir / "scenario.json"
    known = load_scenario(file)
    if known is not None and not new:
        return known
    scenario = known.goes_on(now, new) if known else first_scenario(now, new_faults=new)
    file.parent.mkdir(parents=True, exist_ok=True)
    scenario.save(file)
    return scenario


def _register(
    settings: "Settings",
    scenario: "Scenario",
    host: str,
    base_port: int,
    every_s: float,
) -> None:
    from keywatt.running import migrated
    from simulators.fleet import demo_site, ports_from
    from storage.database import connect
    from storage.site import apply_site

    site = demo_site(
        epoch=scenario.epoch,
        host=host,
        ports=ports_from(base_port),
        poll_every_s=every_s,
    )
    with connect(migrated(settings)) as conn:
        apply_site(conn, site, settings.site_clock().now())


def _simulate(
    settings: "Settings",
    scenario: "Scenario",
    *,
    host: str,
    base_port: int,
    every_s: float,
    counts: Path | None,
) -> None:
    from keywatt.demo.tally import write_counts
    from keywatt.running import run_until_stopped
    from keywatt.simulating import simulate

    async def main(stop: asyncio.Event) -> None:
        sent = await simulate(
            scenario,
            broker_of(settings),
            settings.site_clock().now,
            stop,
            host=host,
            base_port=base_port,
            every_s=every_s,
            on_ready=partial(announce_ready, settings),
        )
        if counts:
            write_counts(counts, sent)
        print_json({"sent": sent})

    run_until_stopped(main)
