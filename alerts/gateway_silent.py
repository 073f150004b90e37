"""When a gateway is silent, and not each of the meters behind it. Pure.

Meters of one bus that fall silent together have one cause: what stands between them and
us. Where one of them is overdue and the last of the others is not, it is only a meter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

KIND = "gateway-silent"
OPENED = "all-meters-silent"
_LEAST_METERS = 2


class BusVerdict(Enum):
    """What the meters of a bus tell of it."""

    SPEAKS = "one-speaks"
    """One of them gives readings, or it is not said that they fell silent together."""
    SUSPECTED = "all-overdue"
    """All are overdue, but not all long enough to be silent: wait."""
    SILENT = OPENED


@dataclass(frozen=True, kw_only=True, slots=True)
class OnBus:
    """One meter of a bus."""

    since: datetime
    """When it was heard last, or installed."""
    overdue: timedelta
    """After how long without a reading one is overdue."""
    is_silent: bool
    """Long enough for an alert of its own."""


def judge_bus(meters: Sequence[OnBus], now: datetime) -> BusVerdict:
    """Decide from all meters of a bus.

    Parameters
    ----------
    meters : sequence of OnBus
    now : datetime

    Examples
    --------
    >>> from datetime import UTC
    >>> noon, minute = datetime(2026, 3, 2, 12, tzinfo=UTC), timedelta(minutes=1)
    >>> two = [
    ...     OnBus(since=noon - n * minute, overdue=2 * minute, is_silent=True)
    ...     for n in (15, 16)
    ... ]
    >>> judge_bus(two, noon)
    <BusVerdict.SILENT: 'all-meters-silent'>

    """
    if not all(one.is_silent or now - one.since >= one.overdue for one in meters):
        return BusVerdict.SPEAKS
    newest = max((one.since for one in meters), default=now)
    together = [one for one in meters if newest - one.since <= one.overdue]
    if len(together) < _LEAST_METERS:
        return BusVerdict.SPEAKS
    all_silent = all(one.is_silent for one in meters)
    return BusVerdict.SILENT if all_silent else BusVerdict.SUSPECTED
