"""Which meters are online, kept until it is told to the database.

A message is acknowledged when its state is noted here, not when it is stored: readings
do not wait for it, and no more than one state a meter waits in memory. A kill loses the
states of the last seconds. The broker has them still, since they are retained, and
tells them when we subscribe at the next start; what changes until then waits for us in
our persistent session.
"""

import asyncio
import logging

import psycopg

from meters.presence import Presence
from storage.database import DatabaseError, connect_async
from storage.presence import store_presences

log = logging.getLogger(__name__)

TELL_EVERY_S = 2.0


class Presences:
    """Takes the state of each meter, and tells the newest now and then."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._untold: dict[int, Presence] = {}
        self._is_telling = asyncio.Lock()

    def note(self, presence: Presence) -> None:
        """Take what was told; it replaces what was told before."""
        self._untold[presence.meter_id] = presence

    async def run(self) -> None:
        """Tell until cancelled; what it tells then, the next `tell` waits for.

        The driver drops a connection unclosed that is cancelled when nearly open.
        """
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            telling = asyncio.create_task(self.tell(), name="presences told")
            await asyncio.shield(telling)

    async def tell(self) -> None:
        """Tell once; where the database is away, the next time will do."""
        async with self._is_telling:
            if self._untold:
                await self._tell()

    async def _tell(self) -> None:
        told = dict(self._untold)
        try:
            conn = await connect_async(self._url)
            async with conn:
                await store_presences(conn, list(told.values()))
        except (DatabaseError, psycopg.Error) as exc:  # the writer says that it is away
            log.debug("Presences are told of later: %s", exc)
            return
        newer = self._untold.items()
        self._untold = {key: one for key, one in newer if told.get(key) is not one}
