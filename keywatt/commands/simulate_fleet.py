"""`keywatt simulate-fleet`: thousands of light meters, with every fault by name."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import (
    AsJson,
    begin_service,
    epilogue,
    print_json,
    settings_of,
)

if TYPE_CHECKING:
    from simulators.meter_fleet.reckoning import Reckoning

_EPILOGUE = epilogue(
    "Meters that publish go to the broker of the settings; Modbus meters listen on "
    "ports from --base-port on, --units of them behind each. What they give is known "
    "to the reading: --ledger keeps it, and `keywatt check-fleet` holds it against the "
    "database.",
    "A fault is KIND[=SIZE][@SHARE% or @SERIAL][:FROM..UNTIL], as often as wanted; "
    "--faults lists the kinds. Without @, all meters that can have it do.",
    "At its end, after --for or on Ctrl-C, the last line is one JSON object: what was "
    "given, by transport and certainty.",
    examples=(
        "keywatt simulate-fleet --mqtt 200 --modbus 20 --register",
        "keywatt simulate-fleet --mqtt 10000 --modbus 1000 --every 1s --for 10m",
        "keywatt simulate-fleet --fault late-reply@5% --fault dead@FQ00017:30s..2m",
        "keywatt simulate-fleet --for 5m --ledger given.parquet",
    ),
)
_CHECK = epilogue(
    "Exit code 1 where a reading is missing, or one is stored that no meter gave. What "
    "may or may not have arrived before a connection broke is counted apart.",
    examples=("keywatt check-fleet given.parquet",),
)
Mqtt = Annotated[int, typer.Option(min=0, help="Meters that publish.")]
Modbus = Annotated[int, typer.Option(min=0, help="Meters that are asked.")]
Every = Annotated[str, typer.Option(metavar="TIME", help="Between readings: 1s, 15m.")]
Lasts = Annotated[
    str | None, typer.Option("--for", metavar="TIME", help="So long, then stop.")
]
Faults = Annotated[
    list[str] | None,
    typer.Option("--fault", metavar="FAULT", help="What goes wrong; repeatable."),
]
ListFaults = Annotated[
    bool, typer.Option("--faults", help="List the kinds of faults, and stop.")
]
MeterList = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the list of meters (CSV).")
]
Register = Annotated[
    bool, typer.Option("--register", help="Enter the meters in the database.")
]
LedgerFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Keep all that is given (Parquet).")
]
Host = Annotated[str, typer.Option(help="Where Modbus meters listen.")]
BasePort = Annotated[int, typer.Option(min=1, max=65000, help="First Modbus port.")]
Units = Annotated[int, typer.Option(min=1, max=247, help="Modbus meters a port.")]
Framing = Annotated[
    str, typer.Option(metavar="tcp|rtu", help="Modbus TCP, or RTU over TCP.")
]
ReachedAt = Annotated[
    str | None, typer.Option(metavar="HOST", help="In the list: our name elsewhere.")
]
Lines = Annotated[int, typer.Option(min=1, max=1000, help="Connections to the broker.")]
Batch = Annotated[int, typer.Option(min=1, max=1000, help="Readings a message.")]
Restart = Annotated[
    str | None, typer.Option(metavar="COMMAND", help="What broker-restart runs.")
]
Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="When installed: the same, and registers go on."),
]
Prefix = Annotated[str, typer.Option(help="Begins the serials: one a fleet.")]
Seed = Annotated[int, typer.Option(help="Another one, other meters and victims.")]


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("simulate-fleet", epilog=_EPILOGUE)
    def simulate_fleet(
        ctx: typer.Context,
        *,
        mqtt: Mqtt = 100,
        modbus: Modbus = 10,
        every: Every = "10s",
        lasts: Lasts = None,
        fault: Faults = None,
        faults: ListFaults = False,
        meters: MeterList = None,
        register: Register = False,
        ledger: LedgerFile = None,
        host: Host = "127.0.0.1",
        base_port: BasePort = 15100,
        units: Units = 50,
        framing: Framing = "tcp",
        reached_at: ReachedAt = None,
        lines: Lines = 4,
        batch: Batch = 1,
        restart_broker: Restart = None,
        since: Since = None,
        prefix: Prefix = "F",
        seed: Seed = 0,
        as_json: AsJson = False,
    ) -> None:
        """Be thousands of meters at once, healthy and faulty."""
        if faults:
            _list_faults(as_json=as_json)
            return
        from keywatt.fleet_running import FleetWishes, simulate_fleet

        wishes = FleetWishes(
            mqtt=mqtt,
            modbus=modbus,
            every=every,
            lasts=lasts,
            faults=tuple(fault or ()),
            meters=meters,
            register=register,
            ledger=ledger,
            host=host,
            base_port=base_port,
            units=units,
            framing=framing,
            reached_at=reached_at,
            lines=lines,
            batch=batch,
            restart_broker=restart_broker,
            since=since,
            prefix=prefix,
            seed=seed,
        )
        settings = settings_of(ctx)
        begin_service(settings)
        report = simulate_fleet(settings, wishes, is_watched=not as_json)
        print_json(asdict(report))

    @app.command("check-fleet", epilog=_CHECK)
    def check_fleet(
        ctx: typer.Context,
        ledger: Annotated[
            Path, typer.Argument(metavar="LEDGER", help="From simulate-fleet.")
        ],
        *,
        any_clock: Annotated[
            bool,
            typer.Option("--any-clock", help="Its clock was tampered with."),
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """Check that what a fleet gave is stored once, and nothing else."""
        from keywatt.fleet_running import check_fleet

        found = check_fleet(settings_of(ctx), ledger, any_clock=any_clock)
        if as_json:
            print_json({"holds": found.holds, **asdict(found)})
        else:
            _tell(found)
        if not found.holds:
            raise typer.Exit(1)


def _tell(found: "Reckoning") -> None:
    print(
        f"{found.given:,} readings were given, {found.stored:,} are stored.\n"
        f"Known to have arrived: {found.certain:,}, of which {found.missing:,} are "
        f"missing.\n"
        f"Perhaps arrived: {found.doubtful:,}, of which {found.doubtful_stored:,} are "
        f"stored.\n"
        f"Misled by a fault: {found.refusable:,}, of which {found.refusable_stored:,} "
        f"are stored.\n"
        f"Never given, but stored: {found.invented:,}; otherwise than given: "
        f"{found.altered:,}; at another time: {found.misdated:,}."
    )
    for example in found.examples:
        print(f"  {example}")
    print("Every reading is stored once." if found.holds else "The ledger is broken.")


def _list_faults(*, as_json: bool) -> None:
    from simulators.meter_fleet.faults import KINDS

    if as_json:
        print_json(
            {
                fault: {
                    "peers_line": kind.peers_line,
                    "transports": sorted(kind.transports),
                    "does": kind.told,
                    "size": kind.size,
                    "unit": kind.unit,
                }
                for fault, kind in KINDS.items()
            }
        )
        return
    for fault, kind in KINDS.items():
        over = "/".join(sorted(kind.transports)) or "broker"
        print(f"{fault:16} {over:12} {kind.told}")
