"""A thousand Modbus meters polled every second by one process: the share missed.

The meters are behind 100 gateways of ten, in a process of their own. A poll is missed
where its meter gave no reading between the time it was due and the next. The baseline
is bare pymodbus asking for the same blocks at the same pace, without decoding.

    python -m benchmarks.fleet_modbus --json
"""

import argparse
import asyncio
import logging
import resource
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from pymodbus.client import AsyncModbusTcpClient

from benchmarks.modbus_meters import HOST, fleet_of, modbus_profile
from benchmarks.report import Result, report
from collector.counting.counts import Counts
from collector.modbus.bus import ModbusBus
from collector.modbus.poller import PolledMeter, poll
from collector.parcel import ParcelQueue
from meters.blocks import plan_blocks
from meters.meter import Meter, Transport
from meters.reading import from_utc_us

PROFILE, EVERY_S = "eastron-sdm630", 1.0
GOLDEN = 0.6180339887498949
WARM_UP_S = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What became of the polls of one poller."""

    due: int
    missed: int
    processor: float
    """Seconds of processor time each second."""

    @property
    def share(self) -> float:
        """The share missed."""
        return self.missed / self.due


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--gateways", type=int, default=100)
    parser.add_argument("--units", type=int, default=10, help="behind each gateway")
    parser.add_argument("--seconds", type=int, default=60, help="of our poller")
    given = parser.parse_args()
    with fleet_of(PROFILE, given.gateways, given.units) as ports:
        bare = asyncio.run(bare_poller(ports, given))
        ours = asyncio.run(collector(ports, given))
    if not given.json:
        for name, measured in ("bare", bare), ("collector", ours):
            print(f"{name:10} {measured}")
    report(
        Result(
            name="fleet_modbus",
            value=100 * ours.share,
            unit="% of polls missed",
            baseline=max(100 * bare.share, 1e-3),
            settings={
                "meters": given.gateways * given.units,
                "gateways": given.gateways,
                "period_s": EVERY_S,
                "seconds": given.seconds,
                "baseline": "bare pymodbus at the same pace, without decoding; in a "
                "third of the time, and 0.001 where it missed none",
            },
            server="asyncio in a process of its own",
            more={
                "polls_due": ours.due,
                "polls_missed": ours.missed,
                "requests_a_poll": len(plan_blocks(modbus_profile(PROFILE))),
                "requests_a_poll_one_a_quantity": len(
                    modbus_profile(PROFILE).registers
                ),
                "processor_share": round(ours.processor, 3),
                "bare_missed": bare.missed,
                "bare_due": bare.due,
                "bare_processor_share": round(bare.processor, 3),
                "pymodbus": version("pymodbus"),
            },
        )
    )


def meters_of(ports: Sequence[int], units: int) -> list[Meter]:
    """Describe the meters behind gateways."""
    return [
        Meter(
            meter_id=at * units + unit,
            serial=f"M{at}-{unit}",
            profile=PROFILE,
            transport=Transport.MODBUS,
            host=HOST,
            port=port,
            unit=unit,
            poll_every_s=EVERY_S,
        )
        for at, port in enumerate(ports)
        for unit in range(1, units + 1)
    ]


async def collector(ports: Sequence[int], given: argparse.Namespace) -> Measured:
    """Poll as the collector does."""
    logging.disable(logging.WARNING)
    profile, queue = modbus_profile(PROFILE), ParcelQueue()
    buses = {port: ModbusBus.tcp(HOST, port) for port in ports}
    meters = meters_of(ports, given.units)
    answered: dict[int, list[float]] = {meter.meter_id: [] for meter in meters}

    async def drain() -> None:
        while True:
            await asyncio.sleep(0.05)
            for parcel in queue.take_nowait(100_000):
                for meter_id, received_us in zip(
                    parcel.batch.meter_id, parcel.batch.received_us, strict=True
                ):
                    at = from_utc_us(received_us).timestamp()
                    answered[int(meter_id)].append(at)

    begun = datetime.now(UTC).timestamp()
    works: list[Awaitable[None]] = [drain()]
    for meter in meters:
        polled = PolledMeter.of(meter, profile, buses[meter.port or 0])
        works.append(poll(polled, queue, Counts(), lambda: datetime.now(UTC)))
    measured = await _measure(works, answered, begun, given.seconds)
    for bus in buses.values():
        bus.close()
    return measured


async def bare_poller(ports: Sequence[int], given: argparse.Namespace) -> Measured:
    """Ask for the same blocks with nothing else."""
    blocks = plan_blocks(modbus_profile(PROFILE))
    clients = {port: AsyncModbusTcpClient(HOST, port=port) for port in ports}
    for client in clients.values():
        await client.connect()
    meters = meters_of(ports, given.units)
    answered: dict[int, list[float]] = {meter.meter_id: [] for meter in meters}

    async def one(meter: Meter) -> None:
        client, loop = clients[meter.port or 0], asyncio.get_running_loop()
        due = loop.time() + meter.meter_id * GOLDEN % 1.0 * EVERY_S
        while True:
            await asyncio.sleep(due - loop.time())
            for block in blocks:
                await client.read_input_registers(
                    block.address, count=block.count, device_id=meter.unit or 0
                )
            answered[meter.meter_id].append(datetime.now(UTC).timestamp())
            due += EVERY_S * (1 + max(0.0, loop.time() - due) // EVERY_S)

    begun = datetime.now(UTC).timestamp()
    works = [one(meter) for meter in meters]
    measured = await _measure(works, answered, begun, max(5, given.seconds // 3))
    for client in clients.values():
        client.close()
    return measured


async def _measure(
    works: Sequence[Awaitable[None]],
    answered: dict[int, list[float]],
    begun: float,
    seconds: int,
) -> Measured:
    """Run for a while after a warm-up, and count what was missed in that while."""
    tasks = [asyncio.ensure_future(work) for work in works]
    await asyncio.sleep(WARM_UP_S)
    used = _processor_s()
    await asyncio.sleep(seconds)
    used = _processor_s() - used
    await asyncio.sleep(2 * EVERY_S)  # for the last of them to be answered
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    periods = range(int(WARM_UP_S / EVERY_S), int((WARM_UP_S + seconds) / EVERY_S))
    missed = 0
    for meter_id, times in answered.items():
        first = begun + meter_id * GOLDEN % 1.0 * EVERY_S
        hit = {int((at - first) / EVERY_S) for at in times}
        missed += sum(period not in hit for period in periods)
    return Measured(
        due=len(periods) * len(answered), missed=missed, processor=used / seconds
    )


def _processor_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
