"""Meters behind one gateway, polled while a block lasts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from collector.counting.counts import Counts
from collector.modbus.breaker import Breaker
from collector.modbus.bus import ModbusBus
from collector.modbus.poller import PolledMeter, poll
from collector.parcel import ParcelQueue
from meters.meter import BusAddress, Framing, Meter, Transport
from tests.collector.modbus.gateway import Unit, gateway, modbus_profile
from tests.fix_broker import HOST

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Even(Random):
    """Jitter of none."""

    def random(self) -> float:
        return 0.5


def meter(unit: int = 1, port: int = 502, **fields) -> Meter:
    return Meter(
        **{
            "meter_id": unit,
            "serial": f"M{unit}",
            "profile": "eastron-sdm630",
            "transport": Transport.MODBUS,
            "host": HOST,
            "port": port,
            "unit": unit,
        }
        | fields
    )


def polled(meter: Meter, bus: ModbusBus) -> PolledMeter:
    return PolledMeter.of(meter, modbus_profile(meter.profile), bus)


@dataclass
class Polling:
    """What the polls share, and how each fares, by unit."""

    bus: ModbusBus
    queue: ParcelQueue
    counts: dict[int, Counts] = field(default_factory=dict)
    polled: dict[int, PolledMeter] = field(default_factory=dict)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(
        self,
        unit: Unit,
        meter: Meter,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        backs_off_s: float = 2.0,
        **fields,
    ) -> PolledMeter:
        """Poll one meter."""
        one = PolledMeter.of(meter, unit.profile, self.bus)
        one.health.breaker = Breaker(first_s=backs_off_s, random=Even())
        for name, value in fields.items():
            setattr(one, name, value)
        self.counts[unit.unit], self.polled[unit.unit] = Counts(), one
        task = poll(one, self.queue, self.counts[unit.unit], now)
        self.tasks.append(asyncio.create_task(task))
        return one

    def health(self, unit: int):
        return self.polled[unit].health


@contextlib.asynccontextmanager
async def on_a_bus(
    port: int,
    *,
    timeout_s: float = 2.0,
    limit: int = 1000,
    framing: Framing = Framing.TCP,
) -> AsyncIterator[Polling]:
    """Have a bus on which meters can be polled."""
    address = BusAddress(framing=framing, host=HOST, port=port)
    bus = ModbusBus(address, timeout_s=timeout_s)
    bus.breaker = Breaker(first_s=0.05, random=Even())
    all_of = Polling(bus=bus, queue=ParcelQueue(limit=limit))
    try:
        yield all_of
    finally:
        for task in all_of.tasks:
            task.cancel()
        if all_of.tasks:
            await asyncio.wait(all_of.tasks)
        bus.close()


@contextlib.asynccontextmanager
async def polling(
    *units: Unit,
    every_s: float,
    timeout_s: float = 2.0,
    limit: int = 1000,
    backs_off_s: float = 0.0,
    **fields,
) -> AsyncIterator[Polling]:
    """Poll units behind one gateway; without backing off, unless it is said."""
    async with (
        gateway(*units) as port,
        on_a_bus(port, timeout_s=timeout_s, limit=limit) as all_of,
    ):
        for unit in units:
            one = meter(unit.unit, port, poll_every_s=every_s)
            all_of.start(unit, one, backs_off_s=backs_off_s, **fields)
        yield all_of
