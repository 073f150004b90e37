"""What is told to the database now and then, beside the readings: once at a time."""

import asyncio
import logging
from abc import ABC, abstractmethod

import psycopg

from storage.database import DatabaseError

log = logging.getLogger(__name__)


class Teller(ABC):
    """Keeps something until it is told; where the database is away, a little longer."""

    def __init__(self, what: str, every_s: float) -> None:
        self.name, self._every_s = what, every_s
        self._is_telling = asyncio.Lock()

    async def run(self) -> None:
        """Tell until cancelled; what is being told then, the next `tell` waits for.

        The driver drops a connection unclosed that is cancelled when nearly open, and
        a thread goes on whoever waits for it.
        """
        while True:
            await asyncio.sleep(self._every_s)
            telling = asyncio.create_task(self.tell(), name=f"{self.name} told")
            await asyncio.shield(telling)

    async def tell(self) -> None:
        """Tell once; where the database is away, the next time will do."""
        async with self._is_telling:
            try:
                await self._tell()
            except (DatabaseError, psycopg.Error) as exc:  # the writer says it is away
                log.debug("The %s are told of later: %s", self.name, exc)

    @abstractmethod
    async def _tell(self) -> None:
        """Tell, and forget what was told."""
