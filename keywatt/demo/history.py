"""Sixty days that the simulated meters have behind them, through the normal writer."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from meters.meter import Meter, Transport
from simulators.history import STEP, history, reading_times
from simulators.plant_meter import PlantMeter
from storage.database import connect_async
from storage.reading_store import write_batch


@dataclass(kw_only=True, slots=True)
class Filled:
    """How many readings of history came to what, by transport."""

    stored: dict[Transport, int] = field(
        default_factory=lambda: dict.fromkeys(Transport, 0)
    )
    repeated: dict[Transport, int] = field(
        default_factory=lambda: dict.fromkeys(Transport, 0)
    )

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.stored.values()) + sum(self.repeated.values())


def expected(meters: Sequence[Meter], start: datetime, stop: datetime) -> int:
    """Return about how many readings `fill` will write."""
    return len(reading_times(start, stop, STEP)) * len(meters)


def fill(
    database_url: str,
    meters: Sequence[Meter],
    simulated: Mapping[str, PlantMeter],
    *,
    start: datetime,
    stop: datetime,
    filled: Filled,
    on_written: Callable[[], None] = lambda: None,
) -> None:
    """Write what the meters would have said in [start, stop].

    Parameters
    ----------
    database_url : str
        Of a migrated database.
    meters : sequence of Meter
        As the database knows them.
    simulated : mapping of str to PlantMeter
        The same, by serial.
    start, stop : datetime
        What is there already stays; none is written twice.
    filled : Filled
        Counts on, batch by batch.
    on_written : callable
        Called after each batch.

    """

    async def write() -> None:
        async with await connect_async(database_url) as conn:
            for transport in Transport:
                of_it = [meter for meter in meters if meter.transport is transport]
                for batch in history(of_it, simulated, start=start, stop=stop):
                    written = await write_batch(conn, batch, transport=transport)
                    filled.stored[transport] += written.stored
                    filled.repeated[transport] += written.repeated
                    on_written()

    asyncio.run(write())
