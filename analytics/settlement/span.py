"""The intervals that are settled together, and the local days they belong to. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from accounts.calendar import DayArray, SiteCalendar
from analytics.settlement.verdict import Status, Verdict

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MINUTE_US = 60_000_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Span:
    """n intervals, each following the other, over d local days."""

    start_us: IntArray
    """shape (n,) [microseconds since 1970 UTC]"""
    edges_us: IntArray
    """shape (n + 1,): start of each interval, and the end"""
    length_min: int
    days: DayArray
    """shape (d,)"""
    first: IntArray
    """shape (d + 1,): first interval of each day, and the end"""

    @classmethod
    def of(cls, calendar: SiteCalendar, start_us: IntArray, length_min: int) -> "Span":
        """Cut intervals into local days.

        Parameters
        ----------
        calendar : SiteCalendar
        start_us : array, shape (n,)
            Each `length_min` after the one before. [microseconds since 1970 UTC]
        length_min : int

        """
        of_each, _ = calendar.days_and_slots(start_us)
        turns = (of_each[1:] != of_each[:-1]).nonzero()[0] + 1
        first = np.concatenate([[0], turns])
        return cls(
            start_us=start_us,
            edges_us=np.append(start_us, start_us[-1] + length_min * MINUTE_US),
            length_min=length_min,
            days=of_each[first],
            first=np.append(first, start_us.size),
        )

    @property
    def length_us(self) -> int:
        """Length of each interval. [microseconds]."""
        return self.length_min * MINUTE_US

    @property
    def hours(self) -> float:
        """Length of each interval. [h]."""
        return self.length_min / 60

    def day_rows(self) -> list[tuple[int, int]]:
        """Return first interval and end (exclusive) of each local day."""
        return list(pairwise(self.first.tolist()))

    def touched(self, from_us: int, to_us: int) -> BoolArray:
        """Tell which intervals a time touches, shape (n,)."""
        touched: BoolArray = (self.start_us < to_us) & (
            self.start_us > from_us - self.length_us
        )
        return touched

    def by_day(self, values: FloatArray) -> FloatArray:
        """Lay values out by day, shape (d, most intervals of a day), NaN beyond."""
        count = np.diff(self.first)
        width = int(count.max(initial=0))
        if (count == width).all():
            return values.reshape(count.size, width)
        laid = np.full((count.size, width), np.nan)
        laid[np.arange(width) < count[:, None]] = values
        return laid

    def verdict(
        self,
        rule: str,
        status: Status,
        first: int,
        stop: int,
        figures: Mapping[str, float | str],
    ) -> Verdict:
        """Judge the intervals [first, stop)."""
        return Verdict(
            rule=rule,
            status=status,
            start_us=int(self.start_us[first]),
            stop_us=int(self.start_us[stop - 1]) + self.length_us,
            figures=figures,
        )

    def whole(
        self, rule: str, status: Status, figures: Mapping[str, float | str]
    ) -> Verdict:
        """Judge all of it."""
        return self.verdict(rule, status, 0, self.start_us.size, figures)

    def held(self, rule: str, figures: Mapping[str, float | str]) -> Verdict:
        """Say that a rule held everywhere."""
        return self.whole(rule, Status.PASS, figures)
