"""Named equipment of an account that may run at another time."""

from dataclasses import dataclass
from datetime import time


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
