"""Readings of a meter that counted a given load, through the normal writer."""

import asyncio
import math
from datetime import datetime

import numpy as np

from meters.quantity import COLUMN, QUANTITIES, Quantity
from meters.reading import ReadingBatch, utc_us
from storage.database import connect_async
from storage.reading_store import write_batch

QUARTER_US = 900_000_000


def readings_of(meter_id: int, start: datetime, load_kw: np.ndarray) -> ReadingBatch:
    """Import register at every boundary of quarter-hours of that load, 0 at first."""
    count = load_kw.size + 1
    values = np.full((count, len(QUANTITIES)), math.nan)
    register = np.concatenate([[0.0], np.cumsum(load_kw / 4)])
    values[:, COLUMN[Quantity.ENERGY_IMPORT_KWH]] = np.round(register, 2)
    measured_us = utc_us(start) + QUARTER_US * np.arange(count, dtype=np.int64)
    return ReadingBatch(
        meter_id=np.full(count, meter_id, dtype=np.int32),
        measured_us=measured_us,
        received_us=measured_us,
        values=values,
    )


def part(batch: ReadingBatch, rows: slice | np.ndarray) -> ReadingBatch:
    """Some of the readings."""
    return ReadingBatch(
        meter_id=batch.meter_id[rows],
        measured_us=batch.measured_us[rows],
        received_us=batch.received_us[rows],
        values=batch.values[rows],
    )


def write(url: str, batch: ReadingBatch) -> None:
    """Store readings and mark their days dirty, as the collector does."""

    async def work() -> None:
        async with await connect_async(url) as conn:
            await write_batch(conn, batch, transport="mqtt")

    asyncio.run(work())
