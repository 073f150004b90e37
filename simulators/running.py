"""Run the demo's meters: Modbus ports opened, MQTT meters publishing."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

from meters.mqtt_profile import MqttProfile
from meters.profile import ModbusProfile
from simulators.fleet import KEY_ACCOUNTS, gateway_names
from simulators.modbus_meter import ModbusMeters, Unit
from simulators.mqtt_meter import Publish, publish_for_ever
from simulators.plant_meter import PlantMeter


async def run_fleet(
    meters: Mapping[str, PlantMeter],
    *,
    host: str,
    ports: Mapping[str, int],
    publish: Publish,
    publish_every_s: float = 10.0,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Let all meters be read until cancelled.

    Parameters
    ----------
    meters : mapping of str to PlantMeter
        From `fleet.demo_meters`.
    host : str
        Where Modbus meters listen.
    ports : mapping of str to int
        Port of each of `fleet.gateway_names`.
    publish : callable
        Takes a topic and a payload; returns when the broker has it.
    publish_every_s : float
        Pace of each MQTT meter. [s]
    ready : callable
        Called once all ports are open.

    Raises
    ------
    SimulatorError
        If a port cannot be opened.

    """
    async with AsyncExitStack() as open_ports:
        for name in gateway_names():
            units = _units_behind(name, meters)
            gateway = ModbusMeters(units, host=host, port=ports[name])
            await open_ports.enter_async_context(gateway)
        ready()
        by_mqtt = [
            (meter, meter.profile)
            for meter in meters.values()
            if isinstance(meter.profile, MqttProfile)
        ]
        async with asyncio.TaskGroup() as publishing:
            for at, (meter, profile) in enumerate(by_mqtt):
                publishing.create_task(
                    publish_for_ever(
                        meter,
                        meter.serial,
                        profile,
                        publish,
                        every_s=publish_every_s,
                        first_after_s=publish_every_s * at / len(by_mqtt),
                    ),
                    name=f"meter {meter.serial}",
                )


def _units_behind(gateway: str, meters: Mapping[str, PlantMeter]) -> list[Unit]:
    units = []
    for code, meter in meters.items():
        account = KEY_ACCOUNTS[code]
        if account.gateway == gateway and isinstance(meter.profile, ModbusProfile):
            units.append(Unit(unit=account.unit, profile=meter.profile, meter=meter))
    return units
