"""Fleets and meters for tests."""

from simulators.meter_fleet.faults import KINDS, Fault, Spell
from simulators.meter_fleet.meter import LightMeter
from simulators.meter_fleet.plan import FleetPlan, make_fleet

START_MS = 1_800_000_000_000
"""2027-01-15 08:00 UTC."""
MODBUS_PROFILES = FleetPlan(mqtt=0, modbus=0, start_ms=0).modbus_profiles


def plan(mqtt: int = 0, modbus: int = 0, **others: object) -> FleetPlan:
    """A fleet that begins at START_MS, its ports free ones."""
    return FleetPlan(mqtt=mqtt, modbus=modbus, **{"start_ms": START_MS} | others)


def one_meter(profile: str, *faults: Fault, size: float | None = None) -> LightMeter:
    """A meter of a type, with faults from the start on."""
    if profile in MODBUS_PROFILES:
        meter = make_fleet(plan(modbus=1, modbus_profiles=(profile,)))[0]
    else:
        meter = make_fleet(plan(mqtt=1, mqtt_profile=profile))[0]
    meter.spells = tuple(
        Spell(
            fault=fault,
            size=size if size is not None else KINDS[fault].size or 0.0,
            from_ms=START_MS,
        )
        for fault in faults
    )
    return meter
