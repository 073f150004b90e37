"""How far each meter's clock was off, kept until it is told to the database.

Of all comparisons since it last told, a meter's newest is told, and the two furthest
off either way: what an hour's least and most are made of.
"""

import asyncio
import logging

import psycopg

from collector.modbus.drift import ClockDrift
from storage.clocks import store_drifts
from storage.database import DatabaseError, connect_async

log = logging.getLogger(__name__)

TELL_EVERY_S = 10.0


class Clocks:
    """Takes comparisons, and tells them now and then."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._told: dict[int, tuple[ClockDrift, ClockDrift, ClockDrift]] = {}

    def note(self, drift: ClockDrift) -> None:
        """Take one comparison."""
        _, least, most = self._told.get(drift.meter_id, (drift, drift, drift))
        self._told[drift.meter_id] = (
            drift,
            min(least, drift, key=_drift_s),
            max(most, drift, key=_drift_s),
        )

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            await self.tell()

    async def tell(self) -> None:
        """Tell once; where the database is away, the next time will do."""
        if not self._told:
            return
        told, self._told = self._told, {}
        drifts = list(dict.fromkeys(each for three in told.values() for each in three))
        try:
            conn = await connect_async(self._url)
            async with conn:
                await store_drifts(
                    conn,
                    [drift.meter_id for drift in drifts],
                    [drift.measured_at for drift in drifts],
                    [drift.drift_s for drift in drifts],
                )
        except (DatabaseError, psycopg.Error) as exc:  # the writer says that it is away
            log.debug("Clocks are told of later: %s", exc)
            newer, self._told = self._told, told
            for three in newer.values():
                for drift in sorted(three, key=lambda each: each.measured_at):
                    self.note(drift)


def _drift_s(drift: ClockDrift) -> float:
    return drift.drift_s
