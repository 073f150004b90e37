"""What the completeness ledger says, as values: made by completeness.py."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from accounts.account import Account, Point
from analytics.completeness.cause import Cause
from analytics.completeness.ledger import Category, Count, Kind, Unsettled, total
from analytics.settlement.verdict import Status

NOT_LOST = frozenset({Cause.NOT_INSTALLED, Cause.PLANNED_OUTAGE})
"""Causes for which nobody has to do anything."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """Expected intervals by what became of them."""

    counts: tuple[Count, ...]
    """Each kind once, from the best to the worst; they sum to `expected`."""

    @property
    def expected(self) -> int:
        """How many there are by the calendar."""
        return sum(one.intervals for one in self.counts)

    @property
    def due(self) -> int:
        """Those of them that are over, while a meter sat there: shares are of these."""
        absent = self.of(Category.MISSING, Cause.NOT_INSTALLED)
        return self.expected - self.of(Category.NOT_SETTLED, Unsettled.NOT_DUE) - absent

    def of(self, category: Category, cause: str | None = None) -> int:
        """Count those of a category, or of one cause in it."""
        return sum(
            one.intervals
            for one in self.counts
            if one.kind.category is category and cause in {None, one.kind.cause}
        )

    def percent(self, category: Category) -> float:
        """Return a category's share of what is due; NaN where nothing is."""
        intervals = self.of(category)
        if category is Category.NOT_SETTLED:
            intervals -= self.of(category, Unsettled.NOT_DUE)
        elif category is Category.MISSING:
            intervals -= self.of(category, Cause.NOT_INSTALLED)
        return 100 * intervals / self.due if self.due else math.nan

    @property
    def lost(self) -> int:
        """Those that are due and not known, and should be."""
        return self.gone + self.waiting

    @property
    def gone(self) -> int:
        """Those that were settled as missing, and should be known."""
        excused = sum(self.of(Category.MISSING, cause) for cause in NOT_LOST)
        return self.of(Category.MISSING) - excused

    @property
    def waiting(self) -> int:
        """Those that are over and still to be settled: nobody knows if they lack."""
        return self.of(Category.NOT_SETTLED, Unsettled.WAITING)

    @property
    def guessed(self) -> int:
        """Those that had to be estimated for want of a measurement."""
        between = self.of(Category.ESTIMATED, Cause.BETWEEN_READINGS)
        planned = self.of(Category.ESTIMATED, Cause.PLANNED_OUTAGE)
        return self.of(Category.ESTIMATED) - between - planned

    def causes(self, category: Category) -> tuple[tuple[Kind, int], ...]:
        """Return a category's causes with their intervals, the most frequent first."""
        sums: dict[tuple[str, str], int] = {}
        for one in self.counts:
            if one.kind.category is category:
                why = (one.kind.cause, one.kind.detail)
                sums[why] = sums.get(why, 0) + one.intervals
        ranked = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
        return tuple(
            (Kind(category=category, cause=cause, detail=detail), intervals)
            for (cause, detail), intervals in ranked
        )

    @property
    def main_causes(self) -> tuple[tuple[Kind, int], ...]:
        """Why what is not known is not, or else was estimated; the most first."""
        waits = [
            (kind, n)
            for kind, n in self.causes(Category.NOT_SETTLED)
            if kind.cause == Unsettled.WAITING
        ]
        lost = sorted((*self.causes(Category.MISSING), *waits), key=lambda it: -it[1])
        told = tuple(one for one in lost if one[0].cause != Cause.NOT_INSTALLED)
        return told or self.causes(Category.ESTIMATED)

    @property
    def main_cause(self) -> Kind | None:
        """Why most is not known, or else estimated; None = all is, or no meter."""
        return next((kind for kind, _ in self.main_causes), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class DayLedger(Counted):
    """One local day of a point."""

    local_day: date
    worst: Status | None = None
    """What the rules said of it, at its worst; None = they did not judge it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PointLedger(Counted):
    """One point over the period."""

    point: Point
    days: tuple[DayLedger, ...]
    """Every day of the period."""

    @property
    def failed_days(self) -> int:
        """How many of them a rule failed on."""
        return sum(day.worst is Status.FAIL for day in self.days)


@dataclass(frozen=True, kw_only=True, slots=True)
class Completeness(Counted):
    """One account over a period."""

    account: Account
    first_day: date
    last_day: date
    now: datetime
    points: tuple[PointLedger, ...]

    @property
    def failed_days(self) -> int:
        """How many days of its points a rule failed on."""
        return sum(point.failed_days for point in self.points)


@dataclass(frozen=True, kw_only=True, slots=True)
class AllCompleteness(Counted):
    """All accounts of a manager, those that need someone first."""

    first_day: date
    last_day: date
    now: datetime
    accounts: tuple[Completeness, ...]


def summed(parts: Iterator[Counted]) -> tuple[Count, ...]:
    """Add up what became of the intervals of several."""
    return total(count for part in parts for count in part.counts)
