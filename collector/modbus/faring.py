"""Tells the database how polled meters fare: what ails them, and what they state.

Only what is new is told. The first time that is all of it: what an earlier collector
left may be over since.
"""

from collections import deque
from collections.abc import Callable, Mapping

from collector.telling import Teller
from storage.database import transaction_async
from storage.meter_events import ToldEvents, store_events
from storage.meter_troubles import Trouble, store_troubles
from storage.stated_multipliers import ToldMultiplier, store_multipliers

TELL_EVERY_S = 10.0
_MOST_UNTOLD = 10_000
"""That wait while the database is away: of more, the oldest are forgotten."""
_MOST_MULTIPLIERS = 200_000
"""The same; each meter tells one at the start."""


class Faring(Teller):
    """Keeps what is not told yet."""

    def __init__(self, database_url: str) -> None:
        super().__init__("troubles", TELL_EVERY_S)
        self._url = database_url
        self.troubles: Callable[[], Mapping[int, Trouble | None]] = dict
        """Returns what ails every meter that is to be polled; None: nothing."""
        self._told: dict[int, Trouble | None] = {}
        self._untold: deque[ToldEvents] = deque(maxlen=_MOST_UNTOLD)
        self._multipliers: deque[ToldMultiplier] = deque(maxlen=_MOST_MULTIPLIERS)

    def note(self, told: ToldEvents) -> None:
        """Take what a meter says of itself, whenever that changes."""
        self._untold.append(told)

    def note_multiplier(self, told: ToldMultiplier) -> None:
        """Take the multiplier that a meter states, whenever that changes."""
        self._multipliers.append(told)

    async def _tell(self) -> None:
        now = dict(self.troubles())
        news = {
            meter_id: one
            for meter_id, one in now.items()
            if meter_id not in self._told or self._told[meter_id] != one
        }
        gone = self._told.keys() - now.keys()
        ailing = [(key, one) for key, one in news.items() if one is not None]
        well = {key for key, one in news.items() if one is None} | gone
        events, multipliers = list(self._untold), list(self._multipliers)
        if not (ailing or well or events or multipliers):
            return
        async with transaction_async(self._url) as conn:
            await store_troubles(conn, ailing, well)
            await store_events(conn, events)
            await store_multipliers(conn, multipliers)
        self._told = now
        for _ in events:
            self._untold.popleft()
        for _ in multipliers:
            self._multipliers.popleft()
