"""What the fleet simulator itself can serve: it must not be the wall of other tests.

Messages a second of one process to Mosquitto, against paho publishing the same payloads
through a link with a window of 1000; complete Modbus reads a second, against pymodbus'
server; and the memory of 10,000 meters that publish and 1,000 that are asked.

    python -m benchmarks.fleet_simulator --json
"""

import argparse
import asyncio
import multiprocessing
import os
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection

import psutil

from benchmarks.brokers import running
from benchmarks.chaos.ground import free_ports
from benchmarks.read_modbus import HOST, serve, wait_for
from benchmarks.report import Result, report
from collector.mqtt.broker import BrokerAddress
from collector.mqtt.publish import connected
from meters.blocks import plan_blocks
from meters.payload import encode_payload
from meters.profile import ModbusProfile, load_profile
from meters.reading import from_utc_us
from meters.topic import topic_of
from simulators.meter_fleet.meter import LightMeter
from simulators.meter_fleet.mqtt_line import BrokerPlace
from simulators.meter_fleet.plan import FleetPlan, make_fleet
from simulators.meter_fleet.report import FleetRun
from simulators.meter_fleet.running import run_meter_fleet

PROFILE = "eastron-sdm630"
_CONNECTIONS = 20


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--mqtt", type=int, default=10_000)
    parser.add_argument("--modbus", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each figure")
    given = parser.parse_args()
    with running("mosquitto") as broker:
        ours = publish_as_fleet(broker, given)
        paho = asyncio.run(publish_with_paho(broker, given))
    reads, memory_mb = asyncio.run(read_fleet(given))
    peer_reads = asyncio.run(read_pymodbus(given))
    if not given.json:
        print(f"{ours:8.0f} messages/s, paho {paho:.0f}")
        print(f"{reads:8.0f} reads/s, pymodbus' server {peer_reads:.0f}")
        print(f"{memory_mb:8.0f} MB with all meters")
    report(
        Result(
            name="fleet_simulator",
            value=ours,
            unit="messages/s",
            baseline=paho,
            settings=vars(given) | {"baseline": "paho publishing the same payloads"},
            server="Mosquitto",
            more={
                "reads_per_s": round(reads),
                "pymodbus_server_reads_per_s": round(peer_reads),
                "memory_mb": round(memory_mb),
                "modbus_profile": PROFILE,
            },
        )
    )


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def publish_as_fleet(broker: BrokerAddress, given: argparse.Namespace) -> float:
    """Return the messages a second of a fleet that always has more to say."""

    async def run() -> float:
        stop = asyncio.Event()
        # A tenth of a second between a meter's readings: far more than can be done.
        plan = FleetPlan(mqtt=given.mqtt, modbus=0, start_ms=now_ms(), every_ms=100)
        place = BrokerPlace(host=broker.host, port=broker.port)
        asyncio.get_running_loop().call_later(given.seconds, stop.set)
        begun = time.perf_counter()
        fleet = FleetRun(plan=plan, now_ms=now_ms, broker=place, drain_s=60)
        done = await run_meter_fleet(fleet, stop)
        return done.messages / (time.perf_counter() - begun)

    return asyncio.run(run())


async def publish_with_paho(broker: BrokerAddress, given: argparse.Namespace) -> float:
    """Return the messages a second of paho's client, payloads made beforehand."""
    fleet = make_fleet(FleetPlan(mqtt=given.mqtt, modbus=0, start_ms=now_ms()))
    messages = [_message(meter) for meter in fleet]
    sent, begun = 0, time.perf_counter()
    async with connected(broker, client_id="paho") as link:
        while time.perf_counter() - begun < given.seconds:
            await link.publish_all(messages)
            sent += len(messages)
        return sent / (time.perf_counter() - begun)


def _message(meter: LightMeter) -> tuple[str, bytes]:
    profile, shown = meter.profile, meter.show(now_ms())
    if isinstance(profile, ModbusProfile):
        raise TypeError("not a meter that publishes")
    moment = from_utc_us(shown.measured_ms * 1000)
    payload = encode_payload(profile, meter.serial, moment, shown.values)
    return topic_of(profile, meter.serial), payload


async def read_fleet(given: argparse.Namespace) -> tuple[float, float]:
    """Return complete reads a second of all units, and the fleet's memory in MB."""
    units = -(-given.modbus // _CONNECTIONS)
    ports = free_ports(_CONNECTIONS)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    fleet = context.Process(
        target=_be_fleet,
        args=(there, given.mqtt, given.modbus, ports[0], units),
        daemon=True,
    )
    fleet.start()
    try:
        await asyncio.to_thread(here.recv)
        rate = await _reads_a_second(ports, units, given.seconds)
        memory_mb = psutil.Process(fleet.pid).memory_info().rss / 1e6
    finally:
        fleet.terminate()
        fleet.join()
    return rate, memory_mb


def _be_fleet(
    there: Connection, mqtt: int, modbus: int, base_port: int, units: int
) -> None:
    """Be the fleet until killed; those that publish have no broker here."""
    plan = FleetPlan(
        mqtt=mqtt,
        modbus=modbus,
        start_ms=now_ms(),
        base_port=base_port,
        units_per_port=units,
        modbus_profiles=(PROFILE,),
    )
    ready = FleetRun(plan=plan, now_ms=now_ms, on_ready=lambda: there.send(os.getpid()))
    asyncio.run(run_meter_fleet(ready, asyncio.Event()))


async def read_pymodbus(given: argparse.Namespace) -> float:
    """Return complete reads a second of pymodbus' server with one unit."""
    [port] = free_ports(1)
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=serve, args=(PROFILE, port), daemon=True)
    server.start()
    try:
        await asyncio.to_thread(wait_for, port)
        return await _reads_a_second([port] * _CONNECTIONS, 1, given.seconds)
    finally:
        server.terminate()
        server.join()


async def _reads_a_second(ports: Sequence[int], units: int, seconds: float) -> float:
    """Read over one connection a port, unit after unit, as fast as it is answered."""
    profile = load_profile(PROFILE)
    if not isinstance(profile, ModbusProfile):
        raise TypeError(f"{PROFILE} is not a profile of Modbus")
    [block] = plan_blocks(profile)
    asked = block.address.to_bytes(2, "big") + block.count.to_bytes(2, "big")
    answer_size = 9 + 2 * block.count
    until = time.perf_counter() + seconds

    async def read(port: int) -> int:
        reader, writer = await asyncio.open_connection(HOST, port)
        done = 0
        while time.perf_counter() < until:
            unit = done % units + 1
            writer.write(bytes([0, done & 0xFF, 0, 0, 0, 6, unit, 4]) + asked)
            await reader.readexactly(answer_size)
            done += 1
        writer.close()
        return done

    return sum(await asyncio.gather(*(read(port) for port in ports))) / seconds


if __name__ == "__main__":
    main()
