"""Rules about what is usual: spikes, usage, peaks. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accounts.calendar import SiteCalendar
from analytics.settlement.evidence import Series
from analytics.settlement.ruleset import Peak, Rule, Spike, Usage
from analytics.settlement.span import Span
from analytics.settlement.verdict import BROKEN, Status, Verdict

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_THIRD = 3
WEEK = 7
_REFERENCE_FROM, _REFERENCE_DAYS = 34, 28
"""The four weeks before the week that ends with a day."""
_LEAST_DAYS = 3.5
"""So much must be known of a week, and of the weeks of reference. [d]"""
_LOOK_BACK_DAYS = 35
_FLOAT = 1e-9
"""A ninth digit is that of floating point, not of a meter."""


def spike(
    import_kwh: FloatArray,
    sum_passes: BoolArray,
    most_kw: float | None,
    span: Span,
    rule: Spike,
) -> list[Verdict]:
    """Hold each day's highest interval against its third-highest (Oracle).

    A spike in a day whose sum the register confirms is probably real: a warning only.

    Parameters
    ----------
    import_kwh : array, shape (n,)
        NaN = not known. [kWh]
    sum_passes : array, shape (d,)
        Whether the register confirms each local day's energy.
    most_kw : float or None
        The most that can flow; of the span's own peak if None. [kW]

    """
    by_day = span.by_day(import_kwh)
    if by_day.shape[1] < _THIRD:
        return [span.whole("spike", Status.SKIPPED, {})]
    ordered = np.sort(np.where(np.isnan(by_day), 0.0, by_day), axis=1)
    highest, third = ordered[:, -1], ordered[:, -_THIRD]
    most = highest.max() if most_kw is None else most_kw * span.hours
    judged = (third > 0) & (third >= rule.least_share * most)
    if not judged.any():
        return [span.whole("spike", Status.SKIPPED, {})]
    ratio = np.zeros(highest.shape)
    np.divide(highest - third, third, out=ratio, where=judged)
    rows = span.day_rows()
    found = []
    for day in np.flatnonzero(ratio > rule.ratio).tolist():
        first, _ = rows[day]
        at = first + int(np.nanargmax(by_day[day]))
        status = Status.WARN if sum_passes[day] else BROKEN[rule.severity]
        figures = {
            "highest_kwh": float(highest[day]),
            "third_kwh": float(third[day]),
            "ratio": float(ratio[day]),
            "limit_ratio": rule.ratio,
            "sum_passes": float(sum_passes[day]),
        }
        found.append(span.verdict("spike", status, at, at + 1, figures))
    return found or [span.held("spike", {"greatest_ratio": float(ratio.max())})]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Daily:
    """What is known of a point day by day; arrays have shape (e + d,).

    Of e days before a span and its d days, so that what a day is held against does not
    depend on which days are settled with it.
    """

    before: int
    """e"""
    kwh: FloatArray
    """Of the intervals that are known."""
    intervals: FloatArray
    """How many these are."""
    highest_kwh: FloatArray
    """Of an interval; 0 where none is known."""
    judged: BoolArray
    """shape (d,): whole days"""

    def window(self, column: FloatArray, first: int, count: int) -> FloatArray:
        """Sum `count` days from each day's `first` before it on, shape (d,)."""
        total = np.concatenate([[0.0], np.cumsum(column)])
        begin = self.before + np.arange(self.judged.size) - first
        summed: FloatArray = total[begin + count] - total[begin]
        return summed


def daily(
    history: Series, import_kwh: FloatArray, span: Span, calendar: SiteCalendar
) -> Daily:
    """Lay a point's history and a span out by local day.

    Parameters
    ----------
    history : Series
        Only what is firm counts.
    import_kwh : array, shape (n,)
        NaN = not known. [kWh]
    span : Span
    calendar : SiteCalendar

    """
    of_day = span.by_day(import_kwh)
    known = ~np.isnan(of_day)
    filled = np.where(known, of_day, 0.0)
    before = _before(history, span, calendar)
    return Daily(
        before=_LOOK_BACK_DAYS,
        kwh=np.append(before[0], filled.sum(axis=1)),
        intervals=np.append(before[1], known.sum(axis=1)),
        highest_kwh=np.append(before[2], filled.max(axis=1, initial=0.0)),
        judged=_whole(span, calendar) & known.any(axis=1),
    )


def _before(history: Series, span: Span, calendar: SiteCalendar) -> FloatArray:
    """Return energy, number and highest of the days before, shape (3, e)."""
    before = np.zeros((3, _LOOK_BACK_DAYS))
    if not history.start_us.size:
        return before
    rows = history.firm & (history.start_us < span.start_us[0])
    days, _ = calendar.days_and_slots(history.start_us[rows])
    row = (days - span.days[0]).astype(np.int64) + _LOOK_BACK_DAYS
    # A span may begin in the middle of a day: that one is its own.
    near = (row >= 0) & (row < _LOOK_BACK_DAYS)
    kwh, row = history.kwh[rows][near], row[near]
    before[0] = np.bincount(row, weights=kwh, minlength=_LOOK_BACK_DAYS)
    before[1] = np.bincount(row, minlength=_LOOK_BACK_DAYS)
    np.maximum.at(before[2], row, kwh)
    return before


def _whole(span: Span, calendar: SiteCalendar) -> BoolArray:
    """Tell which days are whole: the first and the last may be cut."""
    whole = np.ones(span.days.size, dtype=np.bool_)
    for row, day in ((0, span.days[0]), (-1, span.days[-1])):
        start, stop = calendar.day_bounds(day.astype(object))
        intervals = (stop - start).total_seconds() / 3600 / span.hours
        whole[row] = np.diff(span.first)[row] == intervals
    return whole


def usage(each: Daily, span: Span, rule: Usage) -> list[Verdict]:
    """Hold the average daily usage of a week against that of the four weeks before.

    A week, so that no Sunday is held against working days. Each day is judged by the
    week that ends with it.
    """
    reference = _kwh_a_day(each, span, _REFERENCE_FROM, _REFERENCE_DAYS)
    a_day = _kwh_a_day(each, span, WEEK - 1, WEEK)
    ratio = np.full(a_day.shape, np.nan)
    np.divide(a_day, reference, out=ratio, where=reference > 0)
    judged = each.judged & ~np.isnan(ratio)

    figures = {
        "kwh_a_day": a_day,
        "reference_kwh_a_day": reference,
        "ratio": ratio,
        "least_ratio": np.full(ratio.shape, rule.low),
        "limit_ratio": np.full(ratio.shape, rule.high),
    }
    broken = ~((ratio >= rule.low - _FLOAT) & (ratio <= rule.high + _FLOAT))
    return _by_day("usage", (judged, broken), figures, span, rule)


def peak(each: Daily, span: Span, rule: Peak) -> list[Verdict]:
    """Hold each day's peak against that of the week before (after Itron).

    Itron's periods are equally long; a week has every kind of day.
    """
    known = each.window(each.intervals, WEEK, WEEK) * span.hours / 24
    days = each.judged.size
    firsts = range(each.before - WEEK, each.before)
    previous = np.max([each.highest_kwh[n : n + days] for n in firsts], axis=0)
    highest = each.highest_kwh[each.before :]
    ratio = np.full(highest.shape, np.nan)
    np.divide(highest, previous, out=ratio, where=previous > 0)
    judged = each.judged & (known >= _LEAST_DAYS) & ~np.isnan(ratio)

    figures = {
        "peak_kw": highest / span.hours,
        "previous_kw": previous / span.hours,
        "ratio": ratio,
        "limit_ratio": np.full(ratio.shape, rule.ratio),
    }
    return _by_day("peak", (judged, ratio > rule.ratio), figures, span, rule)


def _kwh_a_day(each: Daily, span: Span, first: int, count: int) -> FloatArray:
    """Return mean energy a day over days before each day; NaN = too little known."""
    a_day = 24 / span.hours
    known = each.window(each.intervals, first, count)
    mean = np.full(known.shape, np.nan)
    enough = known >= _LEAST_DAYS * a_day
    np.divide(each.window(each.kwh, first, count), known, out=mean, where=enough)
    return mean * a_day


def _by_day(
    name: str,
    days: tuple[BoolArray, BoolArray],
    figures: Mapping[str, FloatArray],
    span: Span,
    rule: Rule,
) -> list[Verdict]:
    """Return what broke day by day, or that it held, with the last day's figures.

    Parameters
    ----------
    name
        Of the rule.
    days
        Which were judged, and which of these broke it, shape (d,).
    figures
        Of each day, shape (d,).

    """
    judged, broken = days
    if not judged.any():
        return [span.whole(name, Status.SKIPPED, {})]
    rows, status = span.day_rows(), BROKEN[rule.severity]
    found = [
        span.verdict(name, status, *rows[day], _of(figures, day))
        for day in np.flatnonzero(broken & judged).tolist()
    ]
    return found or [span.held(name, _of(figures, int(np.flatnonzero(judged)[-1])))]


def _of(figures: Mapping[str, FloatArray], day: int) -> dict[str, float]:
    """Return a day's figures, the same to the last digit whatever was summed first."""
    return {name: round(float(each[day]), 6) for name, each in figures.items()}
