"""Replays settled load against the expected band and says what changes. Pure.

Each local day is judged by a band made of like days before it (analytics.deviation).
A day with a deviation alert or a planned change never becomes history, so that faults
are not learnt; but once `NEW_NORMAL_DAYS` like days in a row had alerts, the load has
found a new level, and history begins with them. A missing interval proves nothing
either way: without data nothing opens and nothing closes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accounts.calendar import QUARTER_HOUR_US, SLOTS, SiteCalendar
from analytics.deviation import (
    HISTORY_DAYS,
    WIDTH,
    Hysteresis,
    Verdict,
    expected_band,
    like_days,
    z_scores,
)
from analytics.finding import Finding

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

WIDER = 2.0
"""Below `HISTORY_DAYS` like days the band is this much wider (METHODS §6)."""
NEW_NORMAL_DAYS = 5
COMPLETE_SLOTS = 72
"""A day with less than three quarters of its slots measured is no history."""
_TAIL = 8
"""Intervals shown to the hysteresis: more than it needs."""
_HOURS = 0.25
PLANNED_ENDED = "the planned change has ended; the load is judged again"
LOW = "load-below-expected"
HIGH = "load-above-expected"


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Some time of a point: of an alert or of a planned change."""

    start_us: int
    stop_us: int
    """Exclusive; a far future where the end is open."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Why an alert opened: means and sums over the intervals that proved it."""

    code: str
    since_us: int
    """Start of the first of them."""
    intervals: int
    load_kw: float
    expected_kw: float
    low_kw: float
    """Mean lower edge of the band."""
    high_kw: float
    measured_kwh: float
    expected_kwh: float
    like_days: int
    """How many days the band was made of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """An alert opens (with evidence) or closes."""

    at_us: int
    """End of the interval that proved it."""
    evidence: Evidence | None
    """None = closes."""
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A deviation alert that is not resolved."""

    planned_until_us: int | None = None
    """End of its planned change: it closes then, and the load is judged again."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """Mean load of a point's quarter-hours, in order, laid out by local day."""

    start_us: IntArray
    """shape (n,)"""
    kw: FloatArray
    """shape (n,); NaN = missing"""
    day: IntArray
    """shape (n,), row of `grid_kw`"""
    slot: IntArray
    """shape (n,), 0 to 95"""
    grid_kw: FloatArray
    """shape (days, 96); the mean where autumn's clock shows an hour twice"""
    day_type: npt.NDArray[np.str_]
    """shape (days,)"""
    day_start_us: IntArray
    """shape (days + 1,)"""


def lay_out(start_us: IntArray, kw: FloatArray, calendar: SiteCalendar) -> Load:
    """Lay intervals out by local day and slot.

    Parameters
    ----------
    start_us : array, shape (n,), n > 0, ascending
        Starts of quarter-hours. [microseconds since 1970 UTC]
    kw : array, shape (n,)
        Mean load; NaN = missing. [kW]
    calendar : SiteCalendar
        Of the account.

    """
    days, slot = calendar.days_and_slots(start_us)
    every = np.arange(days[0], days[-1] + 1)
    day = (days - days[0]).astype(np.int64)
    measured = ~np.isnan(kw)
    sums = np.zeros((every.size, SLOTS))
    counts = np.zeros((every.size, SLOTS))
    np.add.at(sums, (day[measured], slot[measured]), kw[measured])
    np.add.at(counts, (day[measured], slot[measured]), 1)
    grid_kw = np.full_like(sums, np.nan)
    np.divide(sums, counts, out=grid_kw, where=counts > 0)
    starts = [calendar.quarter_hours_us(d, d)[0] for d in every.astype(object)]
    last = calendar.quarter_hours_us(every[-1].item(), every[-1].item())[-1]
    return Load(
        start_us=start_us,
        kw=kw,
        day=day,
        slot=slot,
        grid_kw=grid_kw,
        day_type=calendar.day_types(every),
        day_start_us=np.array([*starts, last + QUARTER_HOUR_US], dtype=np.int64),
    )


class Replay:
    """Walks over a point's load, day by day, from the first interval to judge.

    Parameters
    ----------
    load : Load
        With enough days before the first to judge.
    windows : list of Span
        Planned changes: within them nothing opens, and nothing is learnt.
    alerts : list of Span
        Deviation alerts on record; their days are no history.

    """

    def __init__(self, load: Load, *, windows: list[Span], alerts: list[Span]) -> None:
        self._load = load
        self._hysteresis = Hysteresis()
        self._complete = (~np.isnan(load.grid_kw)).sum(axis=1) >= COMPLETE_SLOTS
        self._planned_day = self._days_of(windows)
        self._alarmed_day = self._days_of(alerts)
        self._muted = np.zeros(load.start_us.size, dtype=np.bool_)
        for window in windows:
            edges = [window.start_us, window.stop_us]
            start, stop = np.searchsorted(load.start_us, edges)
            self._muted[start:stop] = True
        self._z = np.full(load.start_us.size, np.nan)
        self._band_kw = np.full((3, load.start_us.size), np.nan)
        self._like_days = 0

    def changes(self, from_us: int, standing: Standing | None) -> list[Change]:
        """Judge every interval from `from_us` on.

        Parameters
        ----------
        from_us : int
            Start of the first interval to judge. [microseconds since 1970 UTC]
        standing : Standing or None
            The deviation alert that stood at that time, if one did.

        Returns
        -------
        list of Change
            In their order; openings and closings alternate.

        """
        load, changes = self._load, []
        first = int(np.searchsorted(load.start_us, from_us))
        if first == load.start_us.size:
            return []
        first_day = int(load.day[first])
        if first_day > 0:  # what is proven now may have begun the evening before
            self._score(first_day - 1)
        for day in range(first_day, load.day_type.size):
            start, stop = (int(i) for i in np.searchsorted(load.day, [day, day + 1]))
            self._score(day)
            today = self._walk(max(start, first), stop, standing)
            if standing or today:
                self._alarmed_day[day] = True
            if today:
                standing = None if today[-1].evidence is None else Standing()
                changes += today
        return changes

    def _walk(self, start: int, stop: int, standing: Standing | None) -> list[Change]:
        """Judge the intervals of one day, [start, stop)."""
        load, changes = self._load, []
        if standing and standing.planned_until_us is not None:
            until_us = standing.planned_until_us
            start += int(np.searchsorted(load.start_us[start:stop], until_us))
            if start == stop:
                return []
            changes.append(Change(at_us=until_us, evidence=None, why=PLANNED_ENDED))
            standing = None
        is_open = standing is not None
        size = np.abs(self._z[start:stop])
        # Only a loud interval can open an alert and only a calm one can close it.
        loud, calm = size > self._hysteresis.k, size < self._hysteresis.k / 2
        for i in start + np.flatnonzero(loud | calm):
            if loud[i - start] == is_open:
                continue
            tail = self._z[max(0, i + 1 - _TAIL) : i + 1]
            verdict = self._hysteresis.judge(tail, is_open=is_open)
            if verdict is not Verdict.STAY:
                is_open = verdict is Verdict.OPEN
                end_us = int(load.start_us[i]) + QUARTER_HOUR_US
                evidence = self._evidence(int(i)) if is_open else None
                why = verdict.value
                changes.append(Change(at_us=end_us, evidence=evidence, why=why))
        return changes

    def _score(self, day: int) -> None:
        """Fill in z and the band of one day's intervals; without one they stay NaN."""
        load = self._load
        types = load.day_type
        like = like_days(types[:day], types[day], self._usable(day))
        if isinstance(like, Finding):
            return
        wider = 1.0 if like.size >= HISTORY_DAYS else WIDER
        band = expected_band(load.grid_kw[like], k=WIDTH * wider)
        now = slice(*np.searchsorted(load.day, [day, day + 1]))
        slot = load.slot[now]
        edges = (band.median_kw, band.low_kw, band.high_kw)
        self._band_kw[:, now] = np.stack([edge[slot] for edge in edges])
        z = z_scores(load.kw[now], slot, band) / wider
        self._z[now] = np.where(self._muted[now], np.nan, z)
        self._like_days = int(like.size)

    def _usable(self, day: int) -> npt.NDArray[np.bool_]:
        """Mark the days before `day` that may be learnt from; shape (day,)."""
        types, told = self._load.day_type, self._alarmed_day[:day]
        normal = self._complete[:day] & ~self._planned_day[:day]
        usable: npt.NDArray[np.bool_] = normal & ~told
        like = np.flatnonzero(normal & (types[:day] == types[day]))
        if like.size < NEW_NORMAL_DAYS:
            return usable
        in_a_row = np.convolve(told[like], np.ones(NEW_NORMAL_DAYS), "valid")
        levels = np.flatnonzero(in_a_row == NEW_NORMAL_DAYS)
        if levels.size:
            first = int(levels[-1])
            usable[: like[first]] = False
            usable[like[first : first + NEW_NORMAL_DAYS]] = True
        return usable

    def _evidence(self, i: int) -> Evidence:
        """Sum up the intervals that prove the deviation, the last being `i`."""
        measured = np.flatnonzero(~np.isnan(self._z[: i + 1]))
        proof = measured[-self._hysteresis.n :]
        kw, (expected, low, high) = self._load.kw[proof], self._band_kw[:, proof]
        return Evidence(
            code=LOW if self._z[i] < 0 else HIGH,
            since_us=int(self._load.start_us[proof[0]]),
            intervals=int(proof.size),
            load_kw=float(kw.mean()),
            expected_kw=float(expected.mean()),
            low_kw=float(low.mean()),
            high_kw=float(high.mean()),
            measured_kwh=float(kw.sum()) * _HOURS,
            expected_kwh=float(expected.sum()) * _HOURS,
            like_days=self._like_days,
        )

    def _days_of(self, spans: list[Span]) -> npt.NDArray[np.bool_]:
        """Mark the days that any of the spans touches."""
        starts, stops = self._load.day_start_us[:-1], self._load.day_start_us[1:]
        touched = np.zeros(starts.size, dtype=np.bool_)
        for span in spans:
            touched |= (starts < span.stop_us) & (stops > span.start_us)
        return touched
