"""What is expected of a local day: its band, made of which days, or why there is none.

As docs/methods.md says, Deviation. Alerts are judged by this band and pages draw it, so
only this file decides it. An incomplete day, one with a planned change and one with a
deviation alert are not learnt; but once `NEW_LEVEL_DAYS` like days in a row had alerts,
the load has found a new level, and history begins with them. Only the `LOOK_BACK_DAYS`
before a day count: its own load and its own alerts do not change its band, nor does how
much was loaded. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from accounts.calendar import QUARTER_HOUR_US, DayArray, SiteCalendar, TypeArray
from analytics.deviation import (
    HISTORY_DAYS,
    WIDTH,
    Band,
    expected_band,
    like_days,
    z_scores,
)
from analytics.finding import Finding
from analytics.load import day_grid
from meters.reading import utc_us

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

LOOK_BACK_DAYS = 100
"""Fourteen Saturdays: ten of them, and some that do not count."""
NEW_LEVEL_DAYS = 5
COMPLETE_SLOTS = 72
"""A day with less than three quarters of its slots known is no example."""
WIDER = 2.0
"""Below `HISTORY_DAYS` like days the band is this much wider."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Some time of an alert or of a planned change."""

    start_us: int
    stop_us: int | None
    """Exclusive; None = still going on."""

    @classmethod
    def of(cls, starts_at: datetime, ends_at: datetime | None) -> "Span":
        """Return the time between two moments."""
        stop_us = None if ends_at is None else utc_us(ends_at)
        return cls(start_us=utc_us(starts_at), stop_us=stop_us)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Layout:
    """All quarter-hours of some local days, one day after the other, and their place.

    The arrays by quarter-hour have shape (n,), those by day (days,).
    """

    start_us: IntArray
    """Ascending, without a hole. [microseconds since 1970 UTC]"""
    local_day: DayArray
    day: IntArray
    """Index of the day."""
    slot: IntArray
    """0 to 95 on the wall clock."""
    day_type: TypeArray
    edges_us: IntArray
    """shape (days + 1,), where each day starts, and where the last one ends"""

    def quarter_hours(self, day: int) -> slice:
        """Return where the quarter-hours of a day stand."""
        first, stop = np.searchsorted(self.day, [day, day + 1])
        return slice(int(first), int(stop))

    def place(self, start_us: IntArray, values: FloatArray) -> FloatArray:
        """Put values of shape (m,) at their quarter-hours; NaN where there is none."""
        placed = np.full(self.start_us.size, np.nan)
        at = (start_us - self.start_us[0]) // QUARTER_HOUR_US
        inside = (at >= 0) & (at < placed.size)
        placed[at[inside]] = values[inside]
        return placed

    def touched(self, spans: Iterable[Span]) -> BoolArray:
        """Mark the days that any of the spans touches."""
        starts_us, stops_us = self.edges_us[:-1], self.edges_us[1:]
        touched = np.zeros(starts_us.size, dtype=np.bool_)
        for span in spans:
            begun = stops_us > span.start_us
            touched |= (
                begun if span.stop_us is None else begun & (starts_us < span.stop_us)
            )
        return touched


@lru_cache(maxsize=64)
def layout(calendar: SiteCalendar, first: date, last: date) -> Layout:
    """Lay out local days, both included; accounts of one calendar share it."""
    start_us = calendar.quarter_hours_us(first, last)
    local_day, slot = calendar.days_and_slots(start_us)
    day = (local_day - local_day[0]).astype(np.int64)
    every = np.arange(local_day[0], local_day[-1] + 1)
    starts_us = start_us[np.searchsorted(local_day, every)]
    return Layout(
        start_us=start_us,
        local_day=local_day,
        day=day,
        slot=slot,
        day_type=calendar.day_types(every),
        edges_us=np.append(starts_us, start_us[-1] + QUARTER_HOUR_US),
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Days:
    """What some local days were like, oldest first, without a day left out."""

    grid_kw: FloatArray
    """shape (days, 96); NaN = missing"""
    day_type: TypeArray
    """shape (days,), as the two below"""
    planned: BoolArray
    """With a planned change."""
    alarmed: BoolArray
    """With a deviation alert."""


def days_of(
    on: Layout, load_kw: FloatArray, *, planned: Iterable[Span], alarms: Iterable[Span]
) -> Days:
    """Lay load out by day, and say which days are no examples of usual load.

    Parameters
    ----------
    on : Layout
    load_kw : array, shape (n,)
        Of its quarter-hours; NaN = missing. [kW]
    planned, alarms : Span
        Times of planned changes and of deviation alerts.

    """
    return Days(
        grid_kw=day_grid(load_kw, on.local_day, on.slot).power_kw,
        day_type=on.day_type,
        planned=on.touched(planned),
        alarmed=on.touched(alarms),
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Expectation:
    """The band of one day."""

    band: Band
    made_of: IntArray
    """shape (like days,), indices of the days it was learnt from, newest last"""
    wider: float
    """How much wider it is for want of days; 1 = not at all."""

    def z(self, load_kw: FloatArray, slot: IntArray) -> FloatArray:
        """Return `z_scores`, so that what leaves the band is beyond `WIDTH`."""
        return z_scores(load_kw, slot, self.band) / self.wider


def expect(days: Days, day: int) -> Expectation | Finding:
    """Say which load is expected of a day.

    Parameters
    ----------
    days : Days
        With the `LOOK_BACK_DAYS` before it, as far as anything is known of them.
    day : int
        Its index.

    Returns
    -------
    Expectation; or
    Finding
        `too-few-like-days`.

    """
    first = max(0, day - LOOK_BACK_DAYS)
    before = slice(first, day)
    complete = (~np.isnan(days.grid_kw[before])).sum(axis=1) >= COMPLETE_SLOTS
    types, wanted = days.day_type[before], days.day_type[day]
    usable = _learnt(
        types == wanted, complete & ~days.planned[before], days.alarmed[before]
    )
    chosen = like_days(types, wanted, usable)
    if isinstance(chosen, Finding):
        return chosen
    made_of = first + chosen
    wider = 1.0 if made_of.size >= HISTORY_DAYS else WIDER
    band = expected_band(days.grid_kw[made_of], k=WIDTH * wider)
    return Expectation(band=band, made_of=made_of, wider=wider)


def _learnt(like: BoolArray, normal: BoolArray, alarmed: BoolArray) -> BoolArray:
    """Mark the like days to learn from; all shapes (days,)."""
    usable = normal & ~alarmed
    every = np.flatnonzero(like & normal)
    if every.size < NEW_LEVEL_DAYS:
        return usable
    in_a_row = np.convolve(alarmed[every], np.ones(NEW_LEVEL_DAYS), "valid")
    levels = np.flatnonzero(in_a_row == NEW_LEVEL_DAYS)
    if levels.size:
        level = every[levels[-1] : levels[-1] + NEW_LEVEL_DAYS]
        usable[: level[0]] = False
        usable[level] = True
    return usable
