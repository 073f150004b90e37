"""A fleet as a person would enter it: a list of meters, or the form of a site.

The list has one line a meter, under the heads that `keywatt meters apply` reads.
"""

import csv
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from accounts.account import Sector
from accounts.site import (
    ModbusConnection,
    MqttConnection,
    Site,
    SiteAccount,
    SiteMeter,
    SitePoint,
)
from accounts.tariff import Prices, Tariff
from meters.reading import from_utc_us
from simulators.meter_fleet.meter import LightMeter
from simulators.simulator_error import SimulatorError

HEADS = (
    "account",
    "point",
    "serial",
    "profile",
    "transport",
    "host",
    "port",
    "unit",
    "poll_every_s",
    "installed_at",
)
POINTS_PER_ACCOUNT = 50
TARIFF = Tariff(
    code="fleet",
    name="Of simulated fleets",
    currency="EUR",
    price_per_kwh=Prices(
        valley=Decimal("0.1"), flat=Decimal("0.1"), peak=Decimal("0.1")
    ),
    valley_hours=("00:00-08:00",),
    peak_hours=("08:00-12:00",),
)


def write_meter_list(
    fleet: Sequence[LightMeter],
    file: Path,
    *,
    every_s: float,
    reached_at: str | None = None,
) -> None:
    """Write the list as CSV.

    Parameters
    ----------
    fleet : sequence of LightMeter
        From `make_fleet`.
    file : Path
        Where it goes; replaced.
    every_s : float
        How often Modbus meters are to be asked. [s]
    reached_at : str, optional
        Host under which a collector finds the meters, if not where they listen.

    Raises
    ------
    SimulatorError
        The file cannot be written.

    """
    try:
        with file.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(HEADS)
            for meters in _by_account(fleet):
                code = _code(meters[0])
                for meter in meters:
                    writer.writerow((code, *_cells(meter, every_s, reached_at)))
    except OSError as exc:
        raise SimulatorError(
            f"The list of meters {file} cannot be written: {exc.strerror or exc}."
        ) from None


def fleet_site(
    fleet: Sequence[LightMeter], *, every_s: float, reached_at: str | None = None
) -> Site:
    """Return the same as the form of a site."""
    return Site(
        tariffs=(TARIFF,),
        accounts=tuple(
            SiteAccount(
                code=_code(meters[0]),
                name=f"Simulated fleet, {meters[0].serial} and on",
                sector=Sector.OTHER,
                time_zone=ZoneInfo("UTC"),
                country="DE",
                manager="Simulator",
                tariff=TARIFF.code,
                points=tuple(_point(m, every_s, reached_at) for m in meters),
            )
            for meters in _by_account(fleet)
        ),
    )


def _by_account(fleet: Sequence[LightMeter]) -> Iterator[Sequence[LightMeter]]:
    for at in range(0, len(fleet), POINTS_PER_ACCOUNT):
        yield fleet[at : at + POINTS_PER_ACCOUNT]


def _point(meter: LightMeter, every_s: float, reached_at: str | None) -> SitePoint:
    place = meter.place
    connection: ModbusConnection | MqttConnection = MqttConnection()
    if place is not None:
        connection = ModbusConnection(
            host=reached_at or place.host,
            port=place.port,
            unit=place.unit,
            poll_every_s=every_s,
        )
    entry = SiteMeter(
        serial=meter.serial,
        profile=meter.profile.name,
        connection=connection,
        installed_at=_installed_at(meter),
    )
    return SitePoint(name=meter.serial, meters=(entry,))


def _code(first: LightMeter) -> str:
    """Name an account after its first meter: fleets of other prefixes have others."""
    return f"fleet-{first.serial.lower()}"


def _cells(
    meter: LightMeter, every_s: float, reached_at: str | None
) -> tuple[object, ...]:
    place = meter.place
    address: tuple[object, ...] = ("", "", "", "")
    if place is not None:
        address = (reached_at or place.host, place.port, place.unit, every_s)
    installed_at = _installed_at(meter).isoformat()
    named = (meter.serial, meter.serial, meter.profile.name)
    return (*named, str(meter.transport), *address, installed_at)


def _installed_at(meter: LightMeter) -> datetime:
    return from_utc_us(meter.installed_ms * 1000)
