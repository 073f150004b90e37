"""What meters state of their transformers in messages: told on when it is another.

Taken once an hour, as from a meter that is asked: one that states now this and now that
would fill the database otherwise. A message that waited somewhere says nothing of now.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from meters.ratios import Statement
from storage.stated_multipliers import ToldMultiplier

TAKE_EVERY = timedelta(hours=1)


class _Taken(NamedTuple):
    at: datetime
    measured_at: datetime
    multiplier: float


class Statements:
    """The multiplier that each meter stated last."""

    def __init__(self, on_stated: Callable[[ToldMultiplier], None]) -> None:
        self._on_stated = on_stated
        self._taken: dict[int, _Taken] = {}

    def take(self, one: Statement, now: datetime) -> None:
        """Take what came in a message; it holds from now on."""
        # A clock that runs ahead must not outlast its own correction.
        taken = _Taken(now, min(one.measured_at, now), one.multiplier)
        before = self._taken.get(one.meter_id)
        if before is not None and (
            now - before.at < TAKE_EVERY or taken.measured_at < before.measured_at
        ):
            return
        self._taken[one.meter_id] = taken
        if before is None or before.multiplier != one.multiplier:
            self._on_stated(
                ToldMultiplier(meter_id=one.meter_id, at=now, multiplier=one.multiplier)
            )
