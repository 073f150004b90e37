"""Intervals out of a meter's memory, on their way to the database. Blocks nobody.

They need no journal: the meter keeps them, and a gap is left only once its intervals
are committed. What a kill interrupts is found again at the next start, since the gap
between the readings is still there and its intervals are not.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import psycopg

from meters.load_profile import LogRecord
from meters.load_profile_form import LoadProfile
from meters.quantity import REGISTERS
from meters.reading import utc_us
from storage.database import DatabaseError, connect
from storage.meter_interval_store import store_recorded
from storage.meter_intervals import MeterIntervals


class NotStoredError(Exception):
    """The database takes none now; the meter still has them."""


class RecordedIntervals:
    """Where intervals go."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url

    async def store(self, intervals: MeterIntervals, received_at: datetime) -> int:
        """Commit intervals of one meter; return how many were news.

        Raises
        ------
        NotStoredError
            None of them is; try again later.

        """
        try:
            return await asyncio.to_thread(self._store, intervals, received_at)
        except (DatabaseError, psycopg.Error, OSError) as exc:
            raise NotStoredError(str(exc)) from exc

    def _store(self, intervals: MeterIntervals, received_at: datetime) -> int:
        with connect(self._url) as conn, conn.transaction():
            return store_recorded(conn, intervals, received_at)


def intervals_of(
    meter_id: int, memory: LoadProfile, records: Sequence[LogRecord]
) -> MeterIntervals:
    """Lay records out by the column; each ends where its time says."""
    length = timedelta(seconds=memory.interval_s)
    energy = [
        np.array([record.values.get(quantity, np.nan) for record in records])
        for quantity in REGISTERS
    ]
    return MeterIntervals(
        meter_id=meter_id,
        start_us=np.array([utc_us(r.measured_at - length) for r in records], np.int64),
        length_min=np.full(len(records), memory.interval_s // 60, np.int64),
        import_kwh=energy[0],
        export_kwh=energy[1],
        lagging_kvarh=energy[2],
        leading_kvarh=energy[3],
        power_failure=np.array([r.power_failure for r in records], np.bool_),
    )
