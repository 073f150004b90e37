"""How a meter fares: what the collector knows of it and shows."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from collector.modbus.breaker import Breaker
from collector.modbus.drift import ClockDrift
from collector.modbus.failure import Failure
from meters.event import MeterEvent

_FORGETS = 0.25
"""By this part of the difference, each poll, a meter becomes less costly."""


@dataclass(slots=True, kw_only=True)
class Health:
    """How one meter fares since the collector began to ask it."""

    asked: int = 0
    """Polls begun, and those at which it was not asked since it was backing off."""
    answered: int = 0
    failed: Counter[Failure] = field(default_factory=Counter)
    requests: int = 0
    trouble: str = ""
    """Why it is not read now, one sentence; empty while it answers."""
    trouble_since: datetime | None = None
    """By our clock."""
    answered_at: datetime | None = None
    """By our clock."""
    drift: ClockDrift | None = None
    """The newest; None where it has no clock that it trusts."""
    events: frozenset[MeterEvent] | None = None
    """What it says of itself; None: it was not asked yet, or says nothing."""
    missing: tuple[str, ...] = ()
    """Quantities that this meter does not have, though its type does."""
    missing_since: datetime | None = None
    """By our clock."""
    breaker: Breaker = field(default_factory=Breaker)
    cost_s: float = 0.0
    """What a poll of it takes the bus, about. [s]"""
    missed: int = 0
    """How many times in a row its bus had no time for it."""

    def ails(self, why: str, at: datetime) -> None:
        """Take note of why it is not read now."""
        if not self.trouble:
            self.trouble_since = at
        self.trouble = why

    def took(self, spent_s: float) -> None:
        """Take note of a poll: what is dear is so at once, what is cheap after some."""
        if spent_s >= self.cost_s:
            self.cost_s = spent_s
        else:
            self.cost_s += _FORGETS * (spent_s - self.cost_s)
