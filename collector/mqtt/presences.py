"""Which meters are online, kept until it is told to the database.

A message is acknowledged when its state is noted here, not when it is stored: readings
do not wait for it, and no more than one state a meter waits in memory. A kill loses the
states of the last seconds. The broker has them still, since they are retained, and
tells them when we subscribe at the next start; what changes until then waits for us in
our persistent session.
"""

from collector.telling import Teller
from meters.presence import Presence
from storage.database import transaction_async
from storage.presence import store_presences

TELL_EVERY_S = 2.0


class Presences(Teller):
    """Takes the state of each meter, and tells the newest now and then."""

    def __init__(self, database_url: str) -> None:
        super().__init__("presences", TELL_EVERY_S)
        self._url = database_url
        self._untold: dict[int, Presence] = {}

    def note(self, presence: Presence) -> None:
        """Take what was told; it replaces what was told before."""
        self._untold[presence.meter_id] = presence

    async def _tell(self) -> None:
        told = dict(self._untold)
        if not told:
            return
        async with transaction_async(self._url) as conn:
            await store_presences(conn, list(told.values()))
        newer = self._untold.items()
        self._untold = {key: one for key, one in newer if told.get(key) is not one}
