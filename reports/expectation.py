"""Puts an account's load on one time axis, with what was expected of each day.

The band is the one by which alerts are judged (analytics.expectation). It is that of
the account's load, all its points together; an alert's is that of its point.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from accounts.calendar import QUARTER_HOUR_US
from analytics.expectation import Days, Layout, Span, days_of, expect
from analytics.finding import Finding
from meters.reading import utc_us
from reports.load_curve import BoolArray, FloatArray, LoadCurve
from storage.portfolio import PointLoad, UnusualSpan

BAND_DAYS = 31
"""Longer curves are drawn without a band."""
SETTLED_AFTER = timedelta(minutes=30)
"""A quarter-hour that ended longer ago and has no value is missing, not just late."""


@dataclass(frozen=True, eq=False)
class LaidOut:
    """An account's load on its layout."""

    on: Layout
    load_kw: FloatArray
    """shape (n,), sum of its points; NaN where any of them is not known"""
    estimated: BoolArray
    """shape (n,)"""
    edited: BoolArray
    """shape (n,); what is estimated at another point is not among them"""
    days: Days


def lay_out(
    loads: Sequence[PointLoad], unusual: Sequence[UnusualSpan], on: Layout
) -> LaidOut:
    """Sum an account's points on one time axis.

    A point without any interval here (not yet metered) is left out.
    """
    load_kw = np.zeros(on.start_us.size) if loads else np.full(on.start_us.size, np.nan)
    estimated, edited = np.zeros((2, on.start_us.size), dtype=np.bool_)
    for load in loads:
        load_kw += on.place(load.start_us, load.load_kw)
        estimated |= on.place(load.start_us, load.estimated.astype(np.float64)) > 0
        edited |= on.place(load.start_us, load.edited.astype(np.float64)) > 0
    known = ~np.isnan(load_kw)
    return LaidOut(
        on=on,
        load_kw=load_kw,
        estimated=estimated & known,
        edited=edited & known & ~estimated,
        days=days_of(
            on,
            load_kw,
            planned=_spans(each for each in unusual if each.planned),
            alarms=_spans(each for each in unusual if not each.planned),
        ),
    )


def _spans(unusual: Iterable[UnusualSpan]) -> list[Span]:
    return [Span.of(each.starts_at, each.ends_at) for each in unusual]


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
    first = on.quarter_hours(first_day).start
    band_kw = np.full((3, on.start_us.size), np.nan)
    made_of: int | Finding = 0
    for day in range(first_day, on.day_type.size) if with_band else ():
        expected = expect(laid.days, day)
        if isinstance(expected, Finding):
            made_of = expected
            continue
        made_of = int(expected.made_of.size)
        here, band = on.quarter_hours(day), expected.band
        edges = np.stack([band.low_kw, band.median_kw, band.high_kw])
        band_kw[:, here] = edges[:, on.slot[here]]
    low_kw, expected_kw, high_kw = band_kw[:, first:]
    return (
        LoadCurve(
            start_us=on.start_us[first:],
            load_kw=laid.load_kw[first:],
            estimated=laid.estimated[first:],
            edited=laid.edited[first:],
            missing=_missing(laid, now)[first:],
            low_kw=low_kw,
            expected_kw=expected_kw,
            high_kw=high_kw,
        ),
        made_of,
    )


def _missing(laid: LaidOut, now: datetime) -> BoolArray:
    """Mark what should be known: after the first known value, well before now."""
    known = ~np.isnan(laid.load_kw)
    if not known.any():
        return np.zeros(known.size, dtype=np.bool_)
    settled_us = utc_us(now - SETTLED_AFTER) - QUARTER_HOUR_US
    due = laid.on.start_us <= settled_us
    due[: int(np.argmax(known))] = False
    return due & ~known
