"""Which meters a fleet has, where they are, and which faults fall on whom. Pure."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from meters.meter import Transport
from meters.profile import ModbusProfile, Profile, load_profile
from simulators.meter_fleet.energy import TwoSteps
from simulators.meter_fleet.fault_request import FaultRequest, FleetFaultError
from simulators.meter_fleet.faults import FOR_EVER_MS, KINDS, Fault, Spell
from simulators.meter_fleet.meter import LightMeter, Place, given_by
from simulators.meter_fleet.modbus_frames import FramingKind
from simulators.noise import seed_of

INSTALLED_BEFORE_MS = 86_400_000
MOST_UNITS = 247
"""Ids that Modbus gives to units; a gateway's port has no more."""
_LEAST_W, _MOST_W = 700_000, 2_000_000
"""So much that even a register of 0.1 kWh moves every second."""
_MOST_OPENING = 1_000_000
"""Counts: low enough that a float32 still tells one from the next."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FleetPlan:
    """What a fleet is to be."""

    mqtt: int
    """How many meters publish."""
    modbus: int
    """How many are asked."""
    start_ms: int
    """When it begins, in milliseconds since 1970 UTC."""
    installed_ms: int | None = None
    """When the meters were installed: the same at every start, or their registers jump.
    None: a day before."""
    every_ms: int = 10_000
    host: str = "127.0.0.1"
    base_port: int = 15100
    units_per_port: int = 50
    framing: FramingKind = FramingKind.TCP
    mqtt_profile: str = "keywatt-json"
    modbus_profiles: tuple[str, ...] = (
        "eastron-sdm630",
        "carlo-gavazzi-em340",
        "schneider-iem3155",
        "keywatt-logger",
    )
    """Taken in turn."""
    prefix: str = "F"
    """Begins every serial."""
    seed: int = 0

    @property
    def ports(self) -> Sequence[int]:
        """Where Modbus meters listen."""
        count = -(-self.modbus // self.units_per_port)
        return range(self.base_port, self.base_port + count)


def make_fleet(
    plan: FleetPlan, faults: Iterable[FaultRequest] = ()
) -> list[LightMeter]:
    """Return the meters, those that publish first.

    Raises
    ------
    FleetFaultError
        A fault names a meter that is not there, or that cannot have it.

    """
    publishing = load_profile(plan.mqtt_profile)
    asked = [load_profile(name) for name in plan.modbus_profiles]
    fleet = [
        _meter(plan, index, f"{plan.prefix}Q{index + 1:05d}", publishing, None)
        for index in range(plan.mqtt)
    ]
    for number, profile in enumerate(islice(cycle(asked), plan.modbus)):
        port, unit = divmod(number, plan.units_per_port)
        place = Place(host=plan.host, port=plan.base_port + port, unit=unit + 1)
        serial = f"{plan.prefix}B{number + 1:05d}"
        fleet.append(_meter(plan, plan.mqtt + number, serial, profile, place))
    for number, request in enumerate(faults):
        _spoil(fleet, request, plan, number)
    return fleet


def _meter(
    plan: FleetPlan, index: int, serial: str, profile: Profile, place: Place | None
) -> LightMeter:
    chance = random.Random(seed_of(plan.seed, serial))  # noqa: S311 - no secret
    first_w = chance.randint(_LEAST_W, _MOST_W)
    installed_ms = plan.installed_ms
    if installed_ms is None:
        installed_ms = plan.start_ms - INSTALLED_BEFORE_MS
    return LightMeter(
        index=index,
        serial=serial,
        profile=profile,
        load=TwoSteps(first_w=first_w, second_w=first_w * 3 // 5),
        installed_ms=installed_ms,
        opening=chance.randrange(_MOST_OPENING),
        gives=given_by(profile),
        place=place,
    )


def _spoil(
    fleet: Sequence[LightMeter], request: FaultRequest, plan: FleetPlan, number: int
) -> None:
    """Give one fault to those it falls on."""
    if request.fault is Fault.BROKER_RESTART:
        return  # of no meter
    until_s = request.until_s
    spell = Spell(
        fault=request.fault,
        size=request.size,
        from_ms=plan.start_ms + round(request.from_s * 1000),
        until_ms=FOR_EVER_MS
        if until_s is None
        else plan.start_ms + round(until_s * 1000),
    )
    for meter in _stricken(fleet, request, seed_of(plan.seed, number, request.fault)):
        meter.spells = (*meter.spells, spell)


def _stricken(
    fleet: Sequence[LightMeter], request: FaultRequest, seed: int
) -> Sequence[LightMeter]:
    able = [meter for meter in fleet if can_have(meter, request.fault)]
    if request.serial is not None:
        named = [meter for meter in fleet if meter.serial == request.serial]
        if not named:
            raise FleetFaultError(f"There is no meter {request.serial} in the fleet.")
        if named[0] not in able:
            raise FleetFaultError(
                f"Meter {request.serial} cannot have the fault {request.fault}."
            )
        return named
    if not able:
        raise FleetFaultError(f"No meter of the fleet can have {request.fault}.")
    count = max(1, round((request.share or 0.0) * len(able)))
    return random.Random(seed).sample(able, count)  # noqa: S311 - no secret


def can_have(meter: LightMeter, fault: Fault) -> bool:
    """Say whether a meter can have a fault: not every one has a clock, or a will."""
    if meter.transport not in KINDS[fault].transports:
        return False
    if fault in (Fault.CLOCK_DRIFT, Fault.SUMMER_CLOCK):
        return meter.has_clock
    if fault is Fault.LAST_WILL and not isinstance(meter.profile, ModbusProfile):
        return meter.profile.presence is not None
    if fault is Fault.BURST and not isinstance(meter.profile, ModbusProfile):
        return meter.profile.batch is not None
    return meter.transport is Transport.MQTT or meter.place is not None
