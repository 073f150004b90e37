"""A site file: all that a person enters about accounts, in one TOML file.

`docs/handbook/example-site.toml` shows every key. Errors: `SiteError`, one sentence
with the file, the key and the reason; forms made in Python raise pydantic's own.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationInfo,
    field_validator,
)
from pydantic import model_validator as check_after

from accounts.account import Sector
from accounts.calendar import SiteCalendar
from accounts.equipment import ShiftableProcess
from accounts.form import (
    Amount,
    Code,
    Host,
    Moment,
    QuarterHour,
    Text,
    Whole,
)
from accounts.tariff import Tariff
from meters.form import Form, checked, read_toml, refuse_repeats
from meters.meter import Parity
from meters.profile import Profile, ProfileError, load_profile, profile_names

SERIAL = "^[A-Za-z0-9._-]{1,64}$"
Serial = Annotated[str, StringConstraints(pattern=SERIAL)]
Ratio = Annotated[Whole, Field(gt=0)]
"""CT x PT x constant applied to register counts; 1 where set in the meter."""
RegisterDigits = Annotated[Whole, Field(ge=1, le=15)]
RegisterResolution = Annotated[Amount, Field(gt=0)]
"""kWh (kvarh) of one register count."""

_FOLDER = "folder"
"""In pydantic's context: where relative paths start."""


class SiteError(ValueError):
    """The site file cannot be used; the message names file, key and reason."""


class OnModbus(Form):
    """What every meter has that is asked over Modbus."""

    unit: Annotated[Whole, Field(ge=0, le=255)]
    """Unit id on its bus: behind the gateway, or on the line."""
    poll_every_s: Annotated[Amount, Field(gt=0)] = 10.0


class ModbusConnection(OnModbus):
    """A meter that is asked over Modbus TCP, or through a serial-device server."""

    transport: Literal["modbus"] = "modbus"
    framing: Literal["tcp", "rtu-over-tcp"] = "tcp"
    """`rtu-over-tcp`: the server hands frames of Modbus RTU on as they are."""
    host: Host
    port: Annotated[Whole, Field(ge=1, le=65535)] = 502

    @property
    def place(self) -> str:
        """Where its bus is."""
        return f"{self.host}:{self.port}"

    @property
    def manner(self) -> str:
        """How its bus is spoken to: the same for all meters there."""
        return f"in {self.framing} framing"


class SerialConnection(OnModbus):
    """A meter on a serial line of the collector's machine, asked over Modbus RTU."""

    transport: Literal["modbus"] = "modbus"
    framing: Literal["serial"] = "serial"
    device: Annotated[str, StringConstraints(pattern=r"^/[^\s\x00]+$", max_length=255)]
    """Of the line, such as /dev/ttyUSB0 or, better, /dev/serial/by-id/..."""
    baud_rate: Annotated[Whole, Field(ge=300, le=4_000_000)] = 9600
    parity: Parity = "none"
    stop_bits: Literal[1, 2] = 1

    @property
    def place(self) -> str:
        """Where its bus is."""
        return self.device

    @property
    def manner(self) -> str:
        """How its bus is spoken to: the same for all meters there."""
        bits = f"{self.stop_bits} stop bit{'s' if self.stop_bits > 1 else ''}"
        return f"at {self.baud_rate} baud, parity {self.parity}, {bits}"


class MqttConnection(Form):
    """A meter that publishes by itself, under its serial."""

    transport: Literal["mqtt"] = "mqtt"
    report_every_s: Annotated[Amount, Field(gt=0)] = 10.0
    """How often it publishes: its silence is judged by that."""


def _framing(entered: object) -> object:
    """Say which form of a Modbus connection is meant; left out, it is TCP."""
    if isinstance(entered, Mapping):
        return entered.get("framing", "tcp")
    return getattr(entered, "framing", "tcp")


Connection = Annotated[
    Annotated[
        Annotated[ModbusConnection, Tag("tcp")]
        | Annotated[ModbusConnection, Tag("rtu-over-tcp")]
        | Annotated[SerialConnection, Tag("serial")],
        Discriminator(_framing),
    ]
    | MqttConnection,
    Field(discriminator="transport"),
]


class SiteMeter(Form):
    """A meter and its time at the point."""

    serial: Serial
    profile: Text
    """One of ours by its name, or the path of a TOML file, made absolute."""
    connection: Connection
    installed_at: Moment
    removed_at: Moment | None = None
    ratio: Ratio = 1
    register_digits: RegisterDigits = Field(
        default_factory=lambda given: _of_profile(given).register_digits
    )
    register_resolution: RegisterResolution = Field(
        default_factory=lambda given: _of_profile(given).register_resolution
    )

    @field_validator("profile")
    @classmethod
    def _known_profile(cls, entered: str, info: ValidationInfo) -> str:
        return find_profile(entered, (info.context or {}).get(_FOLDER, "."))[0]

    @check_after(mode="after")
    def _fits_together(self) -> Self:
        profile = load_profile(self.profile)
        if profile.transport != self.connection.transport:
            raise ValueError(
                f"profile {self.profile} is read over {profile.transport},"
                f" but the connection is {self.connection.transport}"
            )
        if profile.ratio_in_meter and self.ratio != 1:
            raise ValueError(f"ratio is {self.ratio}, {twice(self.profile)}")
        if self.removed_at is not None and self.removed_at <= self.installed_at:
            raise ValueError("removed_at must be later than installed_at")
        return self


def twice(profile: str) -> str:
    """Say why an installation of a meter that multiplies itself has no ratio."""
    return (
        f"but profile {profile} says that the meter multiplies with its ratios itself: "
        "leave it out, or energy would be multiplied twice"
    )


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
    meters: tuple[SiteMeter, ...] = ()
    processes: tuple[SiteProcess, ...] = ()

    @check_after(mode="after")
    def _one_meter_at_a_time(self) -> Self:
        refuse_repeats("process", (process.name for process in self.processes))
        _refuse_overlap(self.meters, "installed")
        return self


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

    @check_after(mode="after")
    def _calendar_is_known(self) -> Self:
        SiteCalendar(self.time_zone, self.country)
        refuse_repeats("point", (point.name for point in self.points))
        return self


class Site(Form):
    """Everything a person enters, checked as a whole."""

    tariffs: tuple[Tariff, ...]
    accounts: tuple[SiteAccount, ...]

    @check_after(mode="after")
    def _names_are_clear(self) -> Self:
        refuse_repeats("tariff", (tariff.code for tariff in self.tariffs))
        refuse_repeats("account", (account.code for account in self.accounts))
        meters = self.meters()
        _refuse_two_of_one_serial(meters)
        for address, there in _by_address(meters).items():
            _refuse_overlap(there, f"at {address}")
        _refuse_two_manners(meters)
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
        """Return the meters of all accounts, in the file's order."""
        points = [point for account in self.accounts for point in account.points]
        return [meter for point in points for meter in point.meters]


def find_profile(entered: str, folder: str | Path) -> tuple[str, Profile]:
    """Return the name under which an entered profile is kept, and the profile.

    Parameters
    ----------
    entered : str
        One of ours by its name, or the path of a TOML file.
    folder : path
        Where a relative path starts.

    Raises
    ------
    ValueError
        There is none, or it holds a mistake: a sentence without its full stop.

    """
    if not entered.endswith(".toml"):
        if entered not in profile_names():
            known = ", ".join(profile_names())
            raise ValueError(
                f"no profile is called {entered!r}; there are {known}, and your"
                " own by the path of a .toml file"
            )
        return entered, load_profile(entered)
    path = Path(folder, entered).resolve()
    try:
        return str(path), load_profile(path)
    except ProfileError as exc:
        raise ValueError(str(exc).removesuffix(".")) from None


def load_site(path: Path) -> Site:
    """Read a site file; paths of profiles in it start at its folder.

    Raises
    ------
    SiteError
        With one sentence, if the file cannot be read, is not TOML or holds a mistake.

    """
    check = partial(Site.model_validate, context={_FOLDER: path.parent})
    return checked(check, read_toml(path, SiteError), path, SiteError)


def _of_profile(given: dict[str, object]) -> Profile:
    return load_profile(str(given["profile"]))


def _by_address(meters: Iterable[SiteMeter]) -> dict[str, list[SiteMeter]]:
    found: dict[str, list[SiteMeter]] = {}
    for meter in meters:
        to = meter.connection
        if not isinstance(to, MqttConnection):
            found.setdefault(f"{to.place}/{to.unit}", []).append(meter)
    return found


def _refuse_two_manners(meters: Iterable[SiteMeter]) -> None:
    """All meters of one bus are spoken to in one way."""
    first: dict[str, tuple[str, str]] = {}
    for meter in meters:
        to = meter.connection
        if isinstance(to, MqttConnection):
            continue
        serial, manner = first.setdefault(to.place, (meter.serial, to.manner))
        if manner != to.manner:
            raise ValueError(
                f"meter {meter.serial} is asked {to.manner} at {to.place},"
                f" but meter {serial} {manner}; all meters there need the same"
            )


def _refuse_two_of_one_serial(meters: Iterable[SiteMeter]) -> None:
    """Let a meter move: its serial may be there again, for another time."""
    by_serial: dict[str, list[SiteMeter]] = {}
    for meter in meters:
        by_serial.setdefault(meter.serial, []).append(meter)
    for serial, entries in by_serial.items():
        first = entries[0]
        known = (first.profile, first.connection)
        if any((other.profile, other.connection) != known for other in entries):
            raise ValueError(
                f"meter {serial} is entered with two profiles or connections;"
                " a meter that moved has its present ones in every entry"
            )
        if next(_overlaps(entries), None):
            raise ValueError(
                f"meter {serial} is at two points at one time;"
                " give it an earlier removed_at where it was first"
            )


def _refuse_overlap(meters: Iterable[SiteMeter], where: str) -> None:
    """Where there is place for one meter, the next comes when the one before left."""
    for earlier, later in _overlaps(meters):
        raise ValueError(
            f"meter {earlier.serial} is still {where} when {later.serial} comes;"
            " give it an earlier removed_at"
        )


def _overlaps(meters: Iterable[SiteMeter]) -> Iterator[tuple[SiteMeter, SiteMeter]]:
    by_time = sorted(meters, key=lambda meter: meter.installed_at)
    for earlier, later in pairwise(by_time):
        if earlier.removed_at is None or earlier.removed_at > later.installed_at:
            yield earlier, later
