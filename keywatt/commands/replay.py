"""`keywatt replay`: a measured file appears as a meter."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import epilogue, settings_of

if TYPE_CHECKING:
    from accounts.site import Site
    from keywatt.replaying import Appearance
    from keywatt.settings import Settings
    from meters.meter import Transport
    from simulators.replay_file import Series

_EPILOGUE = epilogue(
    "The file (CSV or Parquet) holds energy or mean power per interval. Which column "
    "is what is said by options, or by a TOML file of the same keys beside it "
    "(FILE.toml). Energy appears as cumulative registers with the profile's digits, "
    "and the meter's clock shows the file's time. Without --speed it goes in lockstep: "
    "each complete reading moves the meter on by one interval.",
    examples=(
        "keywatt replay steel.csv --time date --column energy_import_kwh=usage",
        "keywatt replay steel.csv --transport mqtt --register 'Steel' --country KR",
        "keywatt replay steel.csv --speed 900 --port 1502",
    ),
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="CSV or Parquet.")]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="QUANTITY=NAME",
        help="Column of a quantity, such as energy_import_kwh=usage; repeatable.",
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=TEXT", help="Only rows with this text in that column; repeatable."
    ),
]
Time = Annotated[
    str | None, typer.Option(metavar="NAME", help="Column of the interval's time.")
]
Stamp = Annotated[
    str | None, typer.Option(metavar="start|end", help="Which end the time names.")
]
Zone = Annotated[
    str | None, typer.Option(metavar="ZONE", help="Zone of the times, as Asia/Seoul.")
]
TimeFormat = Annotated[
    str | None, typer.Option(metavar="FORMAT", help="As in strptime, if not ISO 8601.")
]
StepMin = Annotated[
    int | None,
    typer.Option(metavar="MINUTES", help="Interval length; 15 if not given."),
]
Over = Annotated[
    str | None,
    typer.Option("--transport", metavar="modbus|mqtt", help="How it can be read."),
]
ProfileName = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME|FILE", help="As what meter it appears."),
]
Speed = Annotated[
    float | None, typer.Option(min=0.001, max=1e9, help="Times the file's own pace.")
]
Lockstep = Annotated[
    bool, typer.Option("--lockstep", help="At the reader's pace (the usual).")
]
Serial = Annotated[
    str | None, typer.Option(help="The meter's serial; the file's name if not given.")
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Modbus; 0 = a free one.")]
UnitId = Annotated[int, typer.Option("--unit", min=0, max=255, help="Modbus unit id.")]
Register = Annotated[
    str | None,
    typer.Option(
        metavar="ACCOUNT",
        help="Enter account, point and meter into the database: a running collector "
        "picks it up.",
    ),
]
Country = Annotated[
    str, typer.Option(metavar="CC", help="Of the registered account's holidays.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("replay", epilog=_EPILOGUE)
    def replay(  # one parameter an option, as the library wants it
        ctx: typer.Context,
        file: File,
        *,
        column: Columns = None,
        where: Where = None,
        time: Time = None,
        stamp: Stamp = None,
        zone: Zone = None,
        time_format: TimeFormat = None,
        step_min: StepMin = None,
        transport: Over = None,
        profile: ProfileName = None,
        speed: Speed = None,
        lockstep: Lockstep = False,
        serial: Serial = None,
        port: Port = 1502,
        unit: UnitId = 1,
        register: Register = None,
        country: Country = "CN",
    ) -> None:
        """Let a measured file appear as a meter."""
        from keywatt.replaying import (
            Appearance,
            form_of,
            profile_for,
            serial_for,
            site_of,
        )
        from simulators.replay_file import read_series

        if lockstep and speed is not None:
            raise typer.BadParameter("Give either --lockstep or --speed, not both.")
        if register is not None and port == 0:
            raise typer.BadParameter("--register needs a --port that stays the same.")
        entered = {
            "columns": _pairs(column, "--column"),
            "where": _pairs(where, "--where"),
            "time": time,
            "stamp": stamp,
            "zone": zone,
            "time_format": time_format,
            "step_min": step_min,
        }
        form = form_of(file, entered)
        as_meter = profile_for(profile, _transport(transport))
        appearance = Appearance(
            profile=as_meter,
            profile_name=profile or as_meter.name,
            serial=serial_for(file, serial),
            speed=speed,
            port=port,
            unit=unit,
        )
        series = read_series(file, form)
        for finding in series.findings:
            print(finding.text, file=sys.stderr)
        settings = settings_of(ctx)
        if register is not None:
            site = site_of(
                series,
                form,
                appearance,
                source=f"{file}, options",
                account=register,
                manager=settings.manager or settings.user,
                country=country,
            )
            _register(settings, site)
            print(f"{register} is in the database, with meter {appearance.serial}.")
        _show(settings, series, appearance)


def _pairs(entered: list[str] | None, option: str) -> dict[str, str]:
    pairs = {}
    for text in entered or []:
        left, equals, right = text.partition("=")
        if not (left and equals and right):
            raise typer.BadParameter(f"{option} takes LEFT=RIGHT, not {text!r}.")
        if left in pairs:
            raise typer.BadParameter(f"{option} names {left} twice.")
        pairs[left] = right
    return pairs


def _transport(text: str | None) -> "Transport | None":
    from meters.meter import Transport

    if text is None:
        return None
    try:
        return Transport(text)
    except ValueError:
        known = " or ".join(Transport)
        raise typer.BadParameter(f"--transport is {known}, not {text!r}.") from None


def _register(settings: "Settings", site: "Site") -> None:
    from keywatt.running import migrated
    from storage.database import connect
    from storage.site import apply_site

    with connect(migrated(settings)) as conn:
        apply_site(conn, site, settings.site_clock().now())


def _show(settings: "Settings", series: "Series", appearance: "Appearance") -> None:
    from datetime import UTC, datetime

    from keywatt.commands.services import broker_of
    from keywatt.replaying import replay

    def say(where: str) -> None:
        print(f"{len(series)} intervals: the meter {where}.", flush=True)

    def now() -> datetime:
        return datetime.now(UTC)

    sent = asyncio.run(replay(series, appearance, broker_of(settings), now, say))
    print(f"Done: {sent} readings were given.")
