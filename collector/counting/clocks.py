"""How far each meter's clock was off, kept until it is told to the database.

Of all comparisons since it last told, a meter's newest is told, and the two furthest
off either way: what an hour's least and most are made of.
"""

from collector.modbus.drift import ClockDrift
from collector.telling import Teller
from storage.clocks import store_drifts
from storage.database import transaction_async

TELL_EVERY_S = 10.0
_Three = tuple[ClockDrift, ClockDrift, ClockDrift]


class Clocks(Teller):
    """Takes comparisons, and tells them now and then."""

    def __init__(self, database_url: str) -> None:
        super().__init__("clocks", TELL_EVERY_S)
        self._url = database_url
        self._untold: dict[int, _Three] = {}

    def note(self, drift: ClockDrift) -> None:
        """Take one comparison."""
        _, least, most = self._untold.get(drift.meter_id, (drift, drift, drift))
        self._untold[drift.meter_id] = (
            drift,
            min(least, drift, key=_drift_s),
            max(most, drift, key=_drift_s),
        )

    async def _tell(self) -> None:
        told = dict(self._untold)
        if not told:
            return
        drifts = list(dict.fromkeys(each for three in told.values() for each in three))
        async with transaction_async(self._url) as conn:
            await store_drifts(
                conn,
                [drift.meter_id for drift in drifts],
                [drift.measured_at for drift in drifts],
                [drift.drift_s for drift in drifts],
            )
        newer = self._untold.items()
        self._untold = {key: one for key, one in newer if told.get(key) is not one}


def _drift_s(drift: ClockDrift) -> float:
    return drift.drift_s
