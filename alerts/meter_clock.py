"""When a meter's clock counts as wrong. Pure.

A clock that is minutes off puts energy into the wrong quarter-hour: into another tariff
period, and beside the peak that is billed.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Protocol

from reports.meter_views import CLOCK_LIMIT_S

KIND = "meter-clock"
AHEAD = "meter-clock-ahead"
BEHIND = "meter-clock-behind"
LIMIT_S = CLOCK_LIMIT_S


class ClockVerdict(Enum):
    """What to do about a clock's alert; the value is the code of why."""

    STAY = "no-change"
    OPEN = "clock-off"
    CLOSE = "clock-right"


class Hour(Protocol):
    """What a clock showed in one hour."""

    @property
    def hour(self) -> datetime:
        """Its start."""
        ...

    @property
    def compared_at(self) -> datetime:
        """When it was compared last."""
        ...

    @property
    def least_s(self) -> float:
        """The least it was ahead."""
        ...

    @property
    def most_s(self) -> float:
        """The most it was ahead."""
        ...


def judge_clock(
    drift_s: float, *, is_open: bool, limit_s: float = LIMIT_S
) -> ClockVerdict:
    """Decide from how far a clock is ahead (positive) or behind.

    An alert opens beyond the limit and closes well within it, so that a clock at its
    edge does not open one after another.

    Examples
    --------
    >>> judge_clock(-181.0, is_open=False)
    <ClockVerdict.OPEN: 'clock-off'>
    >>> judge_clock(100.0, is_open=True)
    <ClockVerdict.STAY: 'no-change'>

    """
    if not is_open:
        return ClockVerdict.OPEN if abs(drift_s) > limit_s else ClockVerdict.STAY
    is_right = abs(drift_s) < limit_s / 2
    return ClockVerdict.CLOSE if is_right else ClockVerdict.STAY


def off_since(hours: Sequence[Hour], limit_s: float = LIMIT_S) -> datetime:
    """Return since when a clock that is off now has been so.

    Parameters
    ----------
    hours : sequence
        The newest first, at least one.
    limit_s : float

    Returns
    -------
    datetime
        Start of the first of the hours, up to the newest, in which it was never right;
        where it was right within the newest, when it was compared last.

    """
    since = hours[0].compared_at
    for one in hours:
        is_off = one.least_s > limit_s or one.most_s < -limit_s
        if not is_off:
            break
        since = one.hour
    return since
