"""Let a measured file appear as a meter, and enter that meter in the database."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from accounts.account import Sector
from accounts.site import SERIAL, ModbusConnection, MqttConnection, Site
from accounts.tariff import Prices, Tariff
from collector.mqtt.broker import BrokerAddress
from collector.mqtt.publish import connected
from meters.form import checked
from meters.meter import Transport
from meters.modbus_profile import ModbusProfile
from meters.mqtt_profile import MqttProfile
from meters.profile import Profile, load_profile
from meters.reading import from_utc_us
from simulators.modbus_meter import ModbusMeters, Unit
from simulators.replay import FileClock, ReplayMeter, publish_replay
from simulators.replay_file import Series
from simulators.replay_form import ReplayError, ReplayForm, form_beside, make_form

USUAL_PROFILE = {
    Transport.MODBUS: "schneider-iem3155",
    Transport.MQTT: "keywatt-json",
}
_LOCKSTEP_POLL_S = 0.01
_MOST_POLL_S = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Appearance:
    """As what meter a file appears, and how fast."""

    profile: Profile
    profile_name: str
    """As a site file names it: a path where it is none of ours."""
    serial: str
    speed: float | None
    """None: in lockstep with whoever reads."""
    port: int
    unit: int


def form_of(file: Path, entered: dict[str, Any]) -> ReplayForm:
    """Join what stands in `FILE.toml` with what was typed, which wins.

    Any: what a person enters is only known once it has been checked.
    """
    written = form_beside(file)
    source = f"{file}.toml" if written else f"{file}, options"
    given = {key: value for key, value in entered.items() if value not in (None, {})}
    return make_form(written | given, source)


def profile_for(name: str | None, transport: Transport | None) -> Profile:
    """Return the profile asked for, or the usual one of a transport."""
    profile = load_profile(name or USUAL_PROFILE[transport or Transport.MODBUS])
    if transport is not None and profile.transport != transport:
        raise ReplayError(
            f"Profile {profile.name} is read over {profile.transport}, not "
            f"{transport}: leave out --transport or choose another --profile."
        )
    return profile


def serial_for(file: Path, entered: str | None) -> str:
    """Return the serial asked for, or make one of the file's name."""
    if entered is None:
        return re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem)[:64] or "replay"
    if not re.fullmatch(SERIAL, entered):
        raise ReplayError(
            f"--serial is {entered!r}; a serial has 1 to 64 Latin letters, digits, "
            "dots, hyphens and underscores."
        )
    return entered


async def replay(
    series: Series,
    appearance: Appearance,
    broker: BrokerAddress,
    now: Callable[[], datetime],
    on_open: Callable[[str], None],
) -> int:
    """Show a series from its first display to its last; return how many were read.

    Parameters
    ----------
    series : Series
        From `read_series`.
    appearance : Appearance
        As what it appears.
    broker : BrokerAddress
        Used over MQTT only.
    now : callable
        The machine's time.
    on_open : callable
        Told where the meter can be read, once it can.

    """
    speed = appearance.speed
    clock = None if speed is None else FileClock(series, speed=speed, now=now)
    meter = ReplayMeter(series, appearance.profile, clock=clock)
    profile = appearance.profile
    if isinstance(profile, MqttProfile):
        name = f"keywatt-replay-{appearance.serial}"
        async with connected(broker, client_id=name) as link:
            on_open(f"publishes to {broker} as {appearance.serial}")
            await publish_replay(meter, appearance.serial, profile, link.publish)
        return meter.sent
    unit = Unit(unit=appearance.unit, profile=profile, meter=meter)
    async with ModbusMeters([unit], host="127.0.0.1", port=appearance.port) as server:
        on_open(f"answers on 127.0.0.1:{server.port}, unit {appearance.unit}")
        await meter.finished()
        await asyncio.sleep(0)  # the last answer leaves before the port is closed
    return meter.sent


def site_of(
    series: Series,
    form: ReplayForm,
    appearance: Appearance,
    *,
    source: str,
    account: str,
    manager: str,
    country: str,
) -> Site:
    """Describe the account at whose point the replayed meter sits.

    Raises
    ------
    ReplayError
        One sentence with `source`, if what was typed makes no account.

    """
    meter = {
        "serial": appearance.serial,
        "profile": appearance.profile_name,
        "connection": _connection(series, appearance),
        "installed_at": from_utc_us(int(series.start_us[0])),
    }
    described = {
        # A name without one Latin letter or digit leaves the serial for a code.
        "code": _code_of(account) or _code_of(appearance.serial) or "replay",
        "name": account,
        "sector": Sector.OTHER,
        "time_zone": form.zone,
        "country": country,
        "manager": manager,
        "tariff": _TARIFF.code,
        "points": [{"name": "Replayed meter", "meters": [meter]}],
    }
    entered = {"tariffs": [_TARIFF], "accounts": [described]}
    return checked(Site.model_validate, entered, source, ReplayError)


def _code_of(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _connection(
    series: Series, appearance: Appearance
) -> ModbusConnection | MqttConnection:
    if not isinstance(appearance.profile, ModbusProfile):
        return MqttConnection()
    poll_every_s = _LOCKSTEP_POLL_S
    if appearance.speed is not None:
        # Twice an interval, so that none is passed over.
        poll_every_s = min(series.step_us / 2e6 / appearance.speed, _MOST_POLL_S)
    return ModbusConnection(
        host="127.0.0.1",
        port=appearance.port,
        unit=appearance.unit,
        poll_every_s=poll_every_s,
    )


_TARIFF = Tariff(
    code="replay",
    name="Three periods, for replayed meters",
    currency="CNY",
    price_per_kwh=Prices.model_validate(
        {"valley": "0.30", "flat": "0.60", "peak": "0.90"}
    ),
    valley_hours=("00:00-08:00",),
    peak_hours=("08:00-12:00", "17:00-21:00"),
)
