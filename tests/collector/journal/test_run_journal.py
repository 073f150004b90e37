"""The collector with its journal, killed and without its database."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from collector.counting.counts import new_counters
from collector.journal.journal import Journal
from collector.run import collect
from meters.meter import Transport
from meters.quantity import Quantity
from tests.collector.master import enter_meters, outcomes, stored
from tests.collector.modbus.gateway import Unit, gateway
from tests.collector.proxy import line_to
from tests.collector.waiting import until
from tests.fix_broker import HOST

COLLECTOR = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from collector.journal.journal import Journal
from collector.run import collect

url, folder = sys.argv[1:]
journal = Journal.open(Path(folder), most_bytes=50_000_000)
now = lambda: datetime.now(UTC)
asyncio.run(collect(url, None, now, journal=journal, timeout_s=5))
"""


@dataclass
class Counting(Unit):
    """A meter whose energy is the number of the poll that reads it."""

    first: int = 0
    polls: int = 0

    async def _answer(self, function, first, address, *rest):
        self.first = self.first or address
        if address == self.first:  # of the blocks of a poll, the first
            self.polls += 1
            self.values = {Quantity.ENERGY_IMPORT_KWH: float(self.polls)}
        return await super()._answer(function, first, address, *rest)


@asynccontextmanager
async def collector_process(url, folder) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a collector that is killed at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COLLECTOR, url, str(folder))
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def test_polled_readings_outlast_the_database_and_the_collector(
    plain_database, tmp_path
) -> None:
    units = [Counting(1), Counting(2)]
    at_kill: list[list[int]] = []
    by_serial = {f"M{unit.unit}": unit for unit in units}

    async def polled(more: int) -> None:
        counts = [unit.polls + more for unit in units]
        await until(
            lambda: all(u.polls >= n for u, n in zip(units, counts, strict=True))
        )

    async def run() -> None:
        async with gateway(*units) as port, line_to(plain_database) as line:
            for serial, unit in by_serial.items():
                at = {"host": HOST, "port": port, "unit": unit.unit}
                enter_meters(plain_database, {"serial": serial, **at})
            async with collector_process(line.url, tmp_path / "j"):
                await until(lambda: stored(plain_database))
                await line.down()
                await polled(10)
            at_kill.append([unit.polls for unit in units])
            await line.up()
            # Found again in the journal, while new ones come.
            async with collector_process(line.url, tmp_path / "j"):
                await polled(10)
                await line.down()
                await polled(5)
                await line.up()
                await polled(5)
            at_kill.append([unit.polls for unit in units])
            for unit in units:
                unit.delay_s = float("inf")
            counts = new_counters()
            journal = Journal.open(tmp_path / "j", most_bytes=50_000_000)
            work = collect(
                *(plain_database, None, lambda: datetime.now(UTC)),
                journal=journal,
                counts=counts,
            )
            task = asyncio.create_task(work)
            await until(lambda: journal.waiting == 0)
            task.cancel()
            await asyncio.wait([task])
            modbus = counts[Transport.MODBUS]
            assert modbus.answered == modbus.stored + modbus.repeated

    asyncio.run(run())
    energies = {serial: [] for serial in by_serial}
    for serial, _, energy in stored(plain_database):
        energies[serial].append(energy)
    for number, (serial, unit) in enumerate(by_serial.items()):
        assert energies[serial] == sorted(set(energies[serial]))
        # Only what a kill caught between the meter and the disk can be missing.
        missing = set(range(1, unit.polls + 1)) - set(energies[serial])
        last_before = {polls[number] for polls in at_kill}
        assert missing <= last_before | {unit.polls}
        assert len(energies[serial]) > 25
    counted = outcomes(plain_database)
    assert counted["modbus", "stored"] == sum(map(len, energies.values()))
