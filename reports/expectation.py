"""Lays an account's load out by local day and says what was expected of each day.

The rules are those by which alerts are raised (METHODS §6): days with a deviation
alert or a planned change are not learnt, unless the newest like days all had alerts
and so are the new normal; a band of few days is wider.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from accounts.account import Account
from accounts.calendar import QUARTER_HOUR_US, SLOTS, SiteCalendar
from analytics.deviation import HISTORY_DAYS, WIDTH, Band, expected_band, like_days
from analytics.finding import Finding
from meters.reading import utc_us
from reports.load_curve import BoolArray, FloatArray, IntArray, LoadCurve
from storage.portfolio import PointLoad, UnusualSpan

LOOK_BACK_DAYS = 45
"""Enough for ten Saturdays less some with alerts, and for every workday."""
BAND_DAYS = 31
"""Longer curves are drawn without a band."""
NEW_NORMAL_DAYS = 5
COMPLETE_SLOTS = 72
"""A day with less than three quarters of its slots known is no example."""
WIDER = 2.0
SETTLED_AFTER = timedelta(minutes=30)
"""A quarter-hour that ended longer ago and has no value is missing, not just late."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Quarter-hours of some local days and where each stands."""

    start_us: IntArray
    """shape (n,)"""
    day: IntArray
    """shape (n,), index of the day"""
    slot: IntArray
    """shape (n,), 0 to 95"""
    dates: tuple[date, ...]
    day_type: npt.NDArray[np.str_]
    """shape (days,)"""


def calendar_of(account: Account) -> SiteCalendar:
    """Return the calendar on the wall of an account."""
    return SiteCalendar(time_zone=account.time_zone, country=account.country)


@lru_cache(maxsize=64)
def layout(calendar: SiteCalendar, first: date, last: date) -> Layout:
    """Lay out local days, both included; accounts of one zone share it."""
    start_us = calendar.quarter_hours_us(first, last)
    days, slot = calendar.days_and_slots(start_us)
    every = np.arange(days[0], days[-1] + 1)
    return Layout(
        start_us=start_us,
        day=(days - days[0]).astype(np.int64),
        slot=slot,
        dates=tuple(every.astype(object)),
        day_type=calendar.day_types(every),
    )


@dataclass(frozen=True, eq=False)
class LaidOut:
    """An account's load on its layout."""

    on: Layout
    load_kw: FloatArray
    """shape (n,), sum of its points; NaN where any of them is not known"""
    estimated: BoolArray
    learnt: BoolArray
    """shape (days,): False on days that touch a planned change"""
    alarmed: BoolArray
    """shape (days,): True on days that touch a deviation alert"""


def lay_out(
    loads: Sequence[PointLoad], unusual: Iterable[UnusualSpan], on: Layout
) -> LaidOut:
    """Sum an account's points on one time axis.

    A point without any interval here (not yet metered) is left out.
    """
    load_kw = np.zeros(on.start_us.size) if loads else np.full(on.start_us.size, np.nan)
    estimated = np.zeros(on.start_us.size, dtype=np.bool_)
    for load in loads:
        one = np.full(on.start_us.size, np.nan)
        place = (load.start_us - on.start_us[0]) // QUARTER_HOUR_US
        inside = (place >= 0) & (place < on.start_us.size)
        one[place[inside]] = load.load_kw[inside]
        estimated[place[inside]] |= load.estimated[inside]
        load_kw += one
    planned = np.zeros(len(on.dates), dtype=np.bool_)
    alarmed = np.zeros(len(on.dates), dtype=np.bool_)
    for span in unusual:
        (planned if span.planned else alarmed)[_touched(span, on)] = True
    return LaidOut(
        on=on,
        load_kw=load_kw,
        estimated=estimated & ~np.isnan(load_kw),
        learnt=~planned,
        alarmed=alarmed,
    )


def curve_of(
    laid: LaidOut, first_day: int, now: datetime, *, with_band: bool = True
) -> tuple[LoadCurve, int | Finding]:
    """Cut the days from `first_day` on, with the band of each.

    Parameters
    ----------
    laid : LaidOut
        With days before `first_day` to learn from.
    first_day : int
        Index of the first day to return.
    now : datetime
        What ended long enough before and has no value is missing.
    with_band : bool
        Without, the band is NaN everywhere.

    Returns
    -------
    curve : LoadCurve
    like_days : int or Finding
        How many days the last day's band is made of, or why it has none.

    """
    on = laid.on
    first = int(np.searchsorted(on.day, first_day))
    band_kw = np.full((3, on.start_us.size), np.nan)
    made_of: int | Finding = 0
    if with_band:
        grid_kw = np.full((len(on.dates), SLOTS), np.nan)
        grid_kw[on.day, on.slot] = laid.load_kw
        for day in range(first_day, len(on.dates)):
            band, made_of = _band_of(laid, grid_kw, day)
            if band is None:
                continue
            here = slice(*np.searchsorted(on.day, [day, day + 1]))
            edges = np.stack([band.low_kw, band.median_kw, band.high_kw])
            band_kw[:, here] = edges[:, on.slot[here]]
    low, expected, high = band_kw[:, first:]
    return (
        LoadCurve(
            start_us=on.start_us[first:],
            load_kw=laid.load_kw[first:],
            estimated=laid.estimated[first:],
            missing=_missing(laid, now)[first:],
            low_kw=low,
            expected_kw=expected,
            high_kw=high,
        ),
        made_of,
    )


def _band_of(
    laid: LaidOut, grid_kw: FloatArray, day: int
) -> tuple[Band | None, int | Finding]:
    complete = (~np.isnan(grid_kw[:day])).sum(axis=1) >= COMPLETE_SLOTS
    types, wanted = laid.on.day_type[:day], laid.on.day_type[day]
    usable, alarmed = complete & laid.learnt[:day], laid.alarmed[:day]
    chosen = like_days(types, wanted, usable, most=NEW_NORMAL_DAYS)
    if isinstance(chosen, Finding) or not alarmed[chosen].all():
        chosen = like_days(types, wanted, usable & ~alarmed)
    if isinstance(chosen, Finding):
        return None, chosen
    k = WIDTH if chosen.size >= HISTORY_DAYS else WIDER * WIDTH
    return expected_band(grid_kw[chosen], k=k), int(chosen.size)


def _missing(laid: LaidOut, now: datetime) -> BoolArray:
    """Mark what should be known: after the first known value, well before now."""
    known = ~np.isnan(laid.load_kw)
    if not known.any():
        return np.zeros(known.size, dtype=np.bool_)
    settled_us = utc_us(now - SETTLED_AFTER) - QUARTER_HOUR_US
    due = laid.on.start_us <= settled_us
    due[: int(np.argmax(known))] = False
    return due & ~known


def _touched(span: UnusualSpan, on: Layout) -> slice:
    """Return the days that a span touches."""
    first = int(np.searchsorted(on.start_us, utc_us(span.starts_at), side="right")) - 1
    last = on.start_us.size - 1
    if span.ends_at is not None:
        last = int(np.searchsorted(on.start_us, utc_us(span.ends_at))) - 1
    if last < 0 or first >= on.start_us.size:
        return slice(0, 0)
    return slice(int(on.day[max(first, 0)]), int(on.day[max(last, 0)]) + 1)
