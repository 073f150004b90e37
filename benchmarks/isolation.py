"""How late healthy meters are polled beside dead and slow ones.

200 meters on 20 gateways, ten each; one of every ten is dead, or answers after 0.4 s or
after 3 s. How late a poll is, its meter says: the time between two requests to it, less
the period. A plain sequential poller, which asks the meters of each gateway one after
another by bare pymodbus with the same time-out, is measured in the same run.

    python -m benchmarks.isolation --json
"""

import argparse
import asyncio
import logging
import statistics
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from benchmarks.modbus_meters import DEAD, HOST, Gateway, modbus_profile
from benchmarks.report import Result, report
from collector.counting.counts import Counts
from collector.modbus.bus import ModbusBus
from collector.modbus.poller import PolledMeter, poll
from collector.parcel import ParcelQueue
from meters.blocks import plan_blocks
from meters.meter import Meter, Transport

PROFILE = "eastron-sdm630"
GATEWAYS, UNITS = 20, 10
BAD = (DEAD, DEAD, 0.4, 3.0)
"""What one of each gateway's meters takes to answer, in turn. [s]"""
TIMEOUT_S = 2.0


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--period", type=float, default=1.0, help="of polls, seconds")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each poller")
    given = parser.parse_args()
    logging.disable(logging.WARNING)  # dead meters are the point here
    plain = asyncio.run(measure(sequential, given))
    ours = asyncio.run(measure(collector, given))
    if not given.json:
        for name, late in ("sequential", plain), ("collector", ours):
            print(
                f"{name:10} p99 {quantile(late, 0.99):7.3f} s, worst {max(late):.3f} s"
            )
    report(
        Result(
            name="isolation",
            value=max(ours),
            unit="s, worst lateness of a healthy meter's poll",
            baseline=max(plain),
            settings={
                "meters": GATEWAYS * UNITS,
                "gateways": GATEWAYS,
                "dead_or_slow": GATEWAYS,
                "period_s": given.period,
                "timeout_s": TIMEOUT_S,
                "seconds": given.seconds,
                "baseline": "a plain sequential poller for each gateway",
            },
            server="asyncio in the same process",
            more={
                "late_by_more_than_a_period": sum(x > given.period for x in ours),
                "polls": len(ours),
                "p99_s": round(quantile(ours, 0.99), 3),
                "median_s": round(statistics.median(ours), 3),
                "sequential_late_by_more_than_a_period": sum(
                    x > given.period for x in plain
                ),
                "sequential_polls": len(plain),
                "sequential_p99_s": round(quantile(plain, 0.99), 3),
                "pymodbus": version("pymodbus"),
            },
        )
    )


Poller = Callable[[Sequence[Gateway], argparse.Namespace], Awaitable[None]]


async def measure(poller: Poller, given: argparse.Namespace) -> list[float]:
    """Return how late each poll of a healthy meter was, in seconds."""
    profile = modbus_profile(PROFILE)
    gateways = []
    for at in range(GATEWAYS):
        delays_s = dict.fromkeys(range(1, UNITS + 1), 0.01)
        delays_s[at % UNITS + 1] = BAD[at % len(BAD)]
        gateways.append(Gateway(profile, delays_s))
    servers = [await gateway.open() for gateway in gateways]
    await poller(gateways, given)
    for server in servers:
        server.close()
    late: list[float] = []
    end = asyncio.get_running_loop().time()
    for gateway in gateways:
        for unit, times in gateway.asked_at.items():
            if gateway.delays_s[unit] > 0.01:
                continue
            # Whoever was not asked any more was late, too.
            gaps = [b - a for a, b in zip(times, [*times[1:], end], strict=True)]
            gaps = gaps if gaps[-1] > given.period else gaps[:-1]
            late += [max(0.0, gap - given.period) for gap in gaps]
    return late


async def sequential(gateways: Sequence[Gateway], given: argparse.Namespace) -> None:
    """Poll as a plain program does."""
    (block,) = plan_blocks(modbus_profile(PROFILE))

    async def one(gateway: Gateway) -> None:
        client = AsyncModbusTcpClient(
            HOST, port=gateway.port, timeout=TIMEOUT_S, retries=0
        )
        await client.connect()
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + given.period
            for unit in gateway.delays_s:
                try:
                    await client.read_input_registers(
                        block.address, count=block.count, device_id=unit
                    )
                except ModbusException:
                    continue
            await asyncio.sleep(max(0.0, due - loop.time()))

    await _for_a_while([one(gateway) for gateway in gateways], given.seconds)


async def collector(gateways: Sequence[Gateway], given: argparse.Namespace) -> None:
    """Poll as the collector does."""
    profile, queue = modbus_profile(PROFILE), ParcelQueue()
    buses = [
        ModbusBus.tcp(HOST, gateway.port, timeout_s=TIMEOUT_S) for gateway in gateways
    ]

    def polls() -> list[Awaitable[None]]:
        found: list[Awaitable[None]] = []
        for at, bus in enumerate(buses):
            for unit in range(1, UNITS + 1):
                meter = Meter(
                    meter_id=at * UNITS + unit,
                    serial=f"M{at}-{unit}",
                    profile=PROFILE,
                    transport=Transport.MODBUS,
                    host=HOST,
                    port=gateways[at].port,
                    unit=unit,
                    poll_every_s=given.period,
                )
                polled = PolledMeter.of(meter, profile, bus)
                found.append(poll(polled, queue, Counts(), lambda: datetime.now(UTC)))
        return found

    async def drain() -> None:
        while True:
            await asyncio.sleep(0.1)
            queue.take_nowait(10_000)

    await _for_a_while([*polls(), drain()], given.seconds)
    for bus in buses:
        bus.close()


async def _for_a_while(works: Sequence[Awaitable[None]], seconds: float) -> None:
    tasks = [asyncio.ensure_future(work) for work in works]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value that so large a part is not above."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


if __name__ == "__main__":
    main()
