"""What the collector tells the database now and then, beside the readings.

Polls without an answer, which no transaction of readings would carry, and the adding up
of what was counted by meter and hour. A kill loses the failed polls of some seconds, as
asked and as failed.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

import numpy as np

from collector.counting.counts import Counters
from collector.telling import Teller
from meters.meter import Transport
from meters.reading import utc_us
from storage.database import connect
from storage.meter_counts import (
    FAILED,
    OUTCOMES,
    MeterCounts,
    add_failed,
    fold_meter_counts,
    summed,
)

TELL_EVERY_S = 10.0


class Ledger(Teller):
    """Tells what has failed since it last told."""

    def __init__(
        self, database_url: str, counts: Counters, now: Callable[[], datetime]
    ) -> None:
        super().__init__("failed polls", TELL_EVERY_S)
        self._url, self._counts, self._now = database_url, counts, now
        self._told: dict[Transport, dict[int, int]] = {t: {} for t in counts}

    async def _tell(self) -> None:
        await asyncio.to_thread(self._tell_in_thread)

    def _tell_in_thread(self) -> None:
        with connect(self._url) as conn:
            for transport in self._counts:
                failed = self._failed(transport)
                told = self._told[transport]
                news = {m: n - told.get(m, 0) for m, n in failed.items()}
                news = {meter_id: count for meter_id, count in news.items() if count}
                if news:
                    with conn.transaction():
                        add_failed(conn, self._counted(news), transport)
                    told.update(failed)
            with conn.transaction():
                fold_meter_counts(conn)

    def _failed(self, transport: Transport) -> dict[int, int]:
        meters = self._counts[transport].meters
        return {meter_id: counts.failed for meter_id, counts in list(meters.items())}

    def _counted(self, failed: dict[int, int]) -> MeterCounts:
        readings = np.zeros((len(failed), len(OUTCOMES)), np.int64)
        readings[:, FAILED] = list(failed.values())
        now_us = np.full(len(failed), utc_us(self._now()), np.int64)
        return summed(np.array(list(failed), np.int32), now_us, readings)
