"""A site file: all that a person enters about accounts, in one TOML file.

`docs/handbook/example-site.toml` shows every key. Errors: `SiteError`, one sentence
with the file, the key and the reason; forms made in Python raise pydantic's own.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field, Strict
from pydantic import model_validator as check_after

from accounts.account import Sector
from accounts.calendar import SiteCalendar
from accounts.connection import (
    Connection,
    ModbusConnection,
    MqttConnection,
    SerialConnection,
)
from accounts.equipment import ShiftableProcess
from accounts.form import Amount, Code, QuarterHour, Text, Whole
from accounts.site_clash import (
    by_address,
    refuse_overlap,
    refuse_two_manners,
    refuse_two_of_one_serial,
)
from accounts.site_meter import (
    FOLDER,
    SERIAL,
    Ratio,
    RegisterDigits,
    RegisterResolution,
    Serial,
    SiteMeter,
    find_profile,
    twice,
)
from accounts.supply import Closure, Outage
from accounts.tariff import Tariff
from meters.form import Form, checked, read_toml, refuse_repeats

__all__ = [
    "SERIAL",
    "Connection",
    "ModbusConnection",
    "MqttConnection",
    "Ratio",
    "RegisterDigits",
    "RegisterResolution",
    "Serial",
    "SerialConnection",
    "Site",
    "SiteAccount",
    "SiteError",
    "SiteMeter",
    "SiteOutage",
    "SitePoint",
    "SiteProcess",
    "find_profile",
    "load_site",
    "twice",
]


class SiteError(ValueError):
    """The site file cannot be used; the message names file, key and reason."""


class SiteProcess(Form):
    """Equipment that makes one uninterrupted run a working day, at a movable time."""

    name: Text
    power_kw: Annotated[Amount, Field(gt=0)]
    duration_min: Annotated[Whole, Field(gt=0, multiple_of=15)]
    usual_start: QuarterHour
    earliest_start: QuarterHour
    latest_end: QuarterHour
    """24:00 is the end of the day; a run never crosses midnight."""

    @check_after(mode="after")
    def _usual_run_fits(self) -> Self:
        process = self.as_process()
        if process.usual_slot not in process.start_slots:
            raise ValueError(
                f"its usual run of {self.duration_min} min from"
                f" {self.usual_start:%H:%M} does not fit between earliest_start"
                f" {self.earliest_start:%H:%M} and latest_end {self.latest_end:%H:%M}"
            )
        return self

    def as_process(self) -> ShiftableProcess:
        """Return it as the figures use it."""
        return ShiftableProcess(**self.model_dump())


class SitePoint(Form):
    """A metering point with the meters that sat there, and what can be shifted."""

    name: Text
    contract_demand_kw: Annotated[Amount, Field(gt=0)] | None = None
    contract_kva: Annotated[Amount, Field(gt=0)] | None = None
    """The most its transformers and its connection can carry."""
    feeds: Annotated[bool, Strict()] = False
    """Has something that can feed the grid."""
    meters: tuple[SiteMeter, ...] = ()
    check_meters: tuple[SiteMeter, ...] = ()
    """Those that count the same supply beside the main meter."""
    processes: tuple[SiteProcess, ...] = ()

    @check_after(mode="after")
    def _one_meter_at_a_time(self) -> Self:
        refuse_repeats("process", (process.name for process in self.processes))
        refuse_overlap(self.meters, "installed")
        refuse_overlap(self.check_meters, "installed as check meter")
        return self

    @property
    def all_meters(self) -> tuple[SiteMeter, ...]:
        """Main and check meters, in the file's order."""
        return self.meters + self.check_meters


class SiteOutage(Outage):
    """Time without supply at a point of an account, or at all of them."""

    point: Text | None = None
    """Its name; all of the account's, where it is left out."""


class SiteAccount(Form):
    """A customer under contract; its currency is that of its tariff."""

    code: Code
    name: Text
    sector: Sector
    time_zone: ZoneInfo
    country: Text
    """ISO 3166 code, for public holidays."""
    manager: Text
    tariff: Code
    points: tuple[SitePoint, ...] = ()
    closures: tuple[Closure, ...] = ()
    outages: tuple[SiteOutage, ...] = ()

    @check_after(mode="after")
    def _calendar_is_known(self) -> Self:
        SiteCalendar(self.time_zone, self.country)
        refuse_repeats("point", (point.name for point in self.points))
        days = (day for closure in self.closures for day in closure.days())
        refuse_repeats("closure of", (day.isoformat() for day in days))
        return self

    @check_after(mode="after")
    def _outages_are_of_its_points(self) -> Self:
        names = [point.name for point in self.points]
        for outage in self.outages:
            if outage.point is not None and outage.point not in names:
                known = ", ".join(names) or "none yet"
                raise ValueError(
                    f"an outage names point {outage.point}, which the account does not"
                    f" have; there are: {known}"
                )
        for name in names:
            told = (f"{o.start:%Y-%m-%d %H:%M} UTC" for o in self.outages_of(name))
            refuse_repeats(f"an outage of point {name} from", told)
        return self

    def outages_of(self, point: str) -> Iterator[SiteOutage]:
        """Return the outages of a point, in the file's order."""
        return (each for each in self.outages if each.point in {None, point})


class Site(Form):
    """Everything a person enters, checked as a whole."""

    tariffs: tuple[Tariff, ...]
    accounts: tuple[SiteAccount, ...]

    @check_after(mode="after")
    def _names_are_clear(self) -> Self:
        refuse_repeats("tariff", (tariff.code for tariff in self.tariffs))
        refuse_repeats("account", (account.code for account in self.accounts))
        meters = self.meters()
        refuse_two_of_one_serial(meters)
        for address, there in by_address(meters).items():
            refuse_overlap(there, f"at {address}")
        refuse_two_manners(meters)
        known = {tariff.code for tariff in self.tariffs}
        for account in self.accounts:
            if account.tariff not in known:
                raise ValueError(
                    f"account {account.code} names tariff {account.tariff},"
                    " which is not among the tariffs"
                )
        return self

    def tariff_of(self, account: SiteAccount) -> Tariff:
        """Return the tariff of one of the site's accounts."""
        return next(t for t in self.tariffs if t.code == account.tariff)

    def meters(self) -> list[SiteMeter]:
        """Return the meters of all accounts, main and check, in the file's order."""
        points = [point for account in self.accounts for point in account.points]
        return [meter for point in points for meter in point.all_meters]


def load_site(path: Path) -> Site:
    """Read a site file; paths of profiles in it start at its folder.

    Raises
    ------
    SiteError
        With one sentence, if the file cannot be read, is not TOML or holds a mistake.

    """
    check = partial(Site.model_validate, context={FOLDER: path.parent})
    return checked(check, read_toml(path, SiteError), path, SiteError)
