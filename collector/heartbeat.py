"""Says every few seconds, in the database, that this collector is there."""

from collections.abc import Callable
from datetime import datetime
from time import monotonic

from collector.telling import Teller
from storage.collector_beats import CollectorBeat, store_beat
from storage.database import connect_async

BEAT_EVERY_S = 5.0
_BREAK_S = 60.0
"""After so long without a word it begins anew: what it read meanwhile comes late."""


class Heartbeat(Teller):
    """The beat of one collector."""

    def __init__(
        self,
        database_url: str,
        now: Callable[[], datetime],
        name: str,
        *,
        polls: bool,
        hears: bool,
    ) -> None:
        super().__init__("heartbeat", BEAT_EVERY_S)
        self._url, self._now, self._name = database_url, now, name
        self._polls, self._hears = polls, hears
        self._since = now()
        self._told_s: float | None = None

    async def run(self) -> None:
        """Beat at once, and then until cancelled."""
        await self.tell()
        await super().run()

    async def _tell(self) -> None:
        at, at_s = self._now(), monotonic()
        if self._told_s is not None and at_s - self._told_s > _BREAK_S:
            self._since = at
        beat = CollectorBeat(
            collector=self._name,
            polls=self._polls,
            hears=self._hears,
            since_at=self._since,
            beat_at=at,
        )
        conn = await connect_async(self._url)
        async with conn:
            await store_beat(conn, beat)
        self._told_s = at_s
