"""Named equipment of an account that may run at another time."""

from dataclasses import dataclass
from datetime import time

from accounts.calendar import SLOT_MIN, SLOTS


@dataclass(frozen=True, kw_only=True, slots=True)
class ShiftableProcess:
    """One piece of equipment whose daily run can start earlier or later."""

    name: str
    power_kw: float
    """While it runs."""
    duration_min: int
    """One uninterrupted run a working day, a multiple of 15."""
    usual_start: time
    """Local, on a quarter-hour."""
    earliest_start: time
    latest_end: time
    """00:00 means the end of the day; a run never crosses midnight."""

    @property
    def slots(self) -> int:
        """Quarter-hours of one run."""
        return self.duration_min // SLOT_MIN

    @property
    def usual_slot(self) -> int:
        """Quarter-hour of the day in which it usually starts."""
        return _slot(self.usual_start)

    @property
    def start_slots(self) -> range:
        """Every quarter-hour of the day in which it may start."""
        end = _slot(self.latest_end) or SLOTS
        return range(_slot(self.earliest_start), end - self.slots + 1)


def _slot(clock: time) -> int:
    return (clock.hour * 60 + clock.minute) // SLOT_MIN
