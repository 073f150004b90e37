"""Says every few seconds, in the database, that this collector is there."""

from collections.abc import Callable
from datetime import datetime
from time import monotonic

from collector.mqtt.broker import BrokerAddress
from collector.telling import Teller
from storage.collector_beats import CollectorBeat, store_beat
from storage.database import transaction_async

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
        broker: BrokerAddress | None,
        is_hearing: Callable[[], bool],
    ) -> None:
        super().__init__("heartbeat", BEAT_EVERY_S)
        self._url, self._now, self._name = database_url, now, name
        self._polls, self._broker, self._is_hearing = polls, broker, is_hearing
        self._since = now()
        self._told_s: float | None = None
        self._hearing_since: datetime | None = None
        self._heard_at: datetime | None = None
        self._heard_s = float("-inf")

    async def run(self) -> None:
        """Beat at once, and then until cancelled."""
        await self.tell()
        await super().run()

    async def _tell(self) -> None:
        at, at_s = self._now(), monotonic()
        if self._told_s is not None and at_s - self._told_s > _BREAK_S:
            self._since = at
        if self._is_hearing():
            self._note_hearing(at, at_s)
        beat = CollectorBeat(
            collector=self._name,
            polls=self._polls,
            hears=self._broker is not None,
            since_at=self._since,
            beat_at=at,
            broker=None if self._broker is None else str(self._broker),
            heard_at=self._heard_at,
            hearing_since=self._hearing_since,
        )
        async with transaction_async(self._url) as conn:
            await store_beat(conn, beat)
        self._told_s = at_s

    def _note_hearing(self, at: datetime, at_s: float) -> None:
        if at_s - self._heard_s > _BREAK_S:
            self._hearing_since = at
        self._heard_at, self._heard_s = at, at_s
