"""Run the demo's meters as a service that counts what they gave."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from collector.mqtt.broker import BrokerAddress
from collector.mqtt.publish import connected
from keywatt.running import cancelled_at
from meters.meter import Transport
from simulators.fleet import KEY_ACCOUNTS, demo_meters, ports_from
from simulators.running import run_fleet
from simulators.scenario import Scenario

Sent = dict[Transport, int]


async def simulate(
    scenario: Scenario,
    broker: BrokerAddress,
    now: Callable[[], datetime],
    stop: asyncio.Event,
    *,
    host: str,
    base_port: int,
    every_s: float,
    on_ready: Callable[[], None],
) -> Sent:
    """Let the fleet be read until `stop` is set; return the readings it gave.

    Parameters
    ----------
    scenario : Scenario
        What goes wrong at the plants.
    broker : BrokerAddress
        Where MQTT meters publish.
    now : callable
        The time the meters live in.
    stop : asyncio.Event
        Ends the service; messages under way are still confirmed and counted.
    host, base_port
        Where Modbus meters listen: one port a gateway, from the base on.
    every_s : float
        Pace of the MQTT meters. [s]
    on_ready : callable
        Called once all meters can be read.

    """
    sent = dict.fromkeys(Transport, 0)
    under_way: set[asyncio.Task[None]] = set()

    def was_read(code: str) -> None:
        if KEY_ACCOUNTS[code].gateway is not None:
            sent[Transport.MODBUS] += 1

    meters = demo_meters(
        epoch=scenario.epoch, now=now, faults=scenario.faults, on_read=was_read
    )
    async with connected(broker, client_id="keywatt-simulators") as link:

        async def deliver(topic: str, payload: bytes) -> None:
            await link.publish(topic, payload)
            sent[Transport.MQTT] += 1

        async def publish(topic: str, payload: bytes) -> None:
            # Stopping the meter must not make us forget a message that went out.
            delivery = asyncio.create_task(deliver(topic, payload))
            under_way.add(delivery)
            delivery.add_done_callback(under_way.discard)
            await asyncio.shield(delivery)

        fleet = run_fleet(
            meters,
            host=host,
            ports=ports_from(base_port),
            publish=publish,
            publish_every_s=every_s,
            ready=on_ready,
        )
        await cancelled_at(stop, fleet)
        await asyncio.gather(*under_way)
    return sent
