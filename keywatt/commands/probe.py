"""`keywatt probe`: which meters answer behind a bus, and which profile fits each."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import AsJson, epilogue, print_json

if TYPE_CHECKING:
    from collector.modbus.bus import ModbusBus
    from collector.modbus.probing import Found
    from meters.modbus_profile import ModbusProfile

_EPILOGUE = epilogue(
    "Each unit is asked as each profile would ask it, reading only. What answers is "
    "judged by what only the right layout gives: a usual voltage and frequency, a "
    "total that is the sum of its phases, a power that voltage and current can carry. "
    "A code by which a meter says of what type it is decides.",
    "If no profile fits, the orders of words and bytes are tried on the most plausible "
    "layout. The exit code is 0 if a profile fits a unit, 1 if none does.",
    examples=(
        "keywatt probe 192.0.2.10",
        "keywatt probe 192.0.2.10 --unit 1..10 --profile eastron-sdm630",
        "keywatt probe 192.0.2.10 --port 1502 --unit 1,3 --profile ./mine.toml",
        "keywatt probe --serial /dev/ttyUSB0 --baud 9600 --parity even --unit 1..32",
    ),
)
_UNITS = re.compile(r"(\d+)(?:\.\.(\d+))?")
_MOST_UNIT = 247

Host = Annotated[
    str | None, typer.Argument(metavar="HOST", help="A meter or a gateway.")
]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Its TCP port.")]
UnitIds = Annotated[
    str, typer.Option("--unit", metavar="IDS", help="Such as 1, 1..10 or 1,3,5..7.")
]
Profiles = Annotated[
    list[str] | None,
    typer.Option(
        "--profile",
        metavar="NAME|FILE",
        help="Only these profiles; repeatable. All of ours if not given.",
    ),
]
Timeout = Annotated[
    float, typer.Option(min=0.05, max=30, help="Seconds to wait for an answer.")
]
Budget = Annotated[
    float, typer.Option(min=1, max=600, help="Most seconds to spend on one unit.")
]
Rtu = Annotated[
    bool, typer.Option("--rtu", help="HOST takes the frames of a serial line (RTU).")
]
Serial = Annotated[
    str | None, typer.Option(metavar="DEVICE", help="A serial line instead of a HOST.")
]
Baud = Annotated[int, typer.Option(min=300, max=921600, help="Of the serial line.")]
ParityName = Annotated[
    str, typer.Option("--parity", metavar="none|even|odd", help="Of the serial line.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("probe", epilog=_EPILOGUE)
    def probe(  # one parameter an option, as the library wants it
        host: Host = None,
        *,
        port: Port = 502,
        unit: UnitIds = "1",
        profile: Profiles = None,
        timeout: Timeout = 1.0,
        budget: Budget = 30.0,
        rtu: Rtu = False,
        serial: Serial = None,
        baud: Baud = 9600,
        parity: ParityName = "none",
        as_json: AsJson = False,
    ) -> None:
        """Find out which meters answer, and which profile fits each."""
        from keywatt.probed import as_record, show

        units = _units(unit)
        profiles = _modbus_profiles(profile)
        bus = _bus(host, port, serial, baud, parity, is_rtu=rtu, timeout_s=timeout)
        found = asyncio.run(_probed(bus, units, profiles, budget))
        if as_json:
            print_json({"bus": bus.address, "units": [as_record(one) for one in found]})
        else:
            show(bus.address, found)
        raise typer.Exit(0 if any(one.fits for one in found) else 1)


async def _probed(
    bus: "ModbusBus",
    units: Sequence[int],
    profiles: Sequence["ModbusProfile"],
    budget_s: float,
) -> list["Found"]:
    """Ask one unit after another while a bar on standard error shows how far it is."""
    from collector.modbus.probing import MOST_SILENT, ProbeError, probe_unit
    from keywatt.probed import bar

    # Of a single unit somebody knows that it is there: no profile's request is spared.
    most_silent = MOST_SILENT if len(units) > 1 else len(profiles)
    found: list[Found] = []
    try:
        with bar(bus.address, len(units)) as (begin, asked):
            for unit in units:
                begin(unit)
                one = await probe_unit(
                    bus,
                    unit,
                    profiles,
                    budget_s=budget_s,
                    most_silent=most_silent,
                    on_request=asked,
                )
                found.append(one)
    finally:
        bus.close()
    if not any(one.answers for one in found):
        ids = "unit" if len(units) == 1 else "any of the units"
        raise ProbeError(
            f"{bus.address} is there, but nothing answers as {ids} "
            f"{_shown(units)}: see the meter's address, and the line's baud rate and "
            "parity."
        )
    return found


def _units(text: str) -> list[int]:
    units: dict[int, None] = {}
    for part in text.split(","):
        matched = _UNITS.fullmatch(part.strip())
        if matched is None:
            raise typer.BadParameter(
                f"--unit takes ids such as 1, 1..10 or 1,3,5..7, not {text!r}."
            )
        first = int(matched[1])
        last = int(matched[2] or first)
        if not 0 <= first <= last <= _MOST_UNIT:
            raise typer.BadParameter(
                f"--unit: {part.strip()} is no range of ids from 0 to {_MOST_UNIT}."
            )
        units.update(dict.fromkeys(range(first, last + 1)))
    return list(units)


def _shown(units: Sequence[int]) -> str:
    consecutive = list(units) == list(range(units[0], units[-1] + 1))
    if len(units) > 1 and consecutive:
        return f"{units[0]} to {units[-1]}"
    return ", ".join(map(str, units))


def _modbus_profiles(names: list[str] | None) -> list["ModbusProfile"]:
    from meters.profile import ModbusProfile, load_profile, profile_names

    loaded = [load_profile(name) for name in names or profile_names()]
    profiles = [one for one in loaded if isinstance(one, ModbusProfile)]
    if names and len(profiles) < len(loaded):
        other = next(one.name for one in loaded if not isinstance(one, ModbusProfile))
        raise typer.BadParameter(f"--profile: {other} is not read over Modbus.")
    return profiles


def _bus(
    host: str | None,
    port: int,
    serial: str | None,
    baud: int,
    parity: str,
    *,
    is_rtu: bool,
    timeout_s: float,
) -> "ModbusBus":
    from typing import get_args

    from collector.modbus.bus import ModbusBus
    from meters.meter import BusAddress, Framing, Parity

    if (host is None) == (serial is None):
        raise typer.BadParameter("Give either a HOST or --serial DEVICE.")
    named: dict[str, Parity] = {name: name for name in get_args(Parity)}
    if parity not in named:
        raise typer.BadParameter(f"--parity is none, even or odd, not {parity!r}.")
    if serial is not None:
        address = BusAddress(
            framing=Framing.SERIAL,
            device=serial,
            baud_rate=baud,
            parity=named[parity],
        )
    else:
        framing = Framing.RTU_OVER_TCP if is_rtu else Framing.TCP
        address = BusAddress(framing=framing, host=host, port=port)
    return ModbusBus(address, timeout_s=timeout_s)
