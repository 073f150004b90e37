"""Rules about what a supply can be: sign, size, standstill. Pure.

Each returns what broke it, or one verdict that it held, with the figures.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from analytics.settlement.ruleset import (
    Cap,
    Flatline,
    Negative,
    Outage,
    Reactive,
    Reverse,
    Severity,
    ZeroRun,
)
from analytics.settlement.span import Span
from analytics.settlement.verdict import BROKEN, Status, Verdict, runs

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_ENDS = 2


def negative(import_kwh: FloatArray, span: Span, rule: Negative) -> list[Verdict]:
    """Find an import below nothing.

    Parameters
    ----------
    import_kwh : array, shape (n,)
        NaN = not known. [kWh]

    """
    found = [
        span.verdict(
            "negative",
            BROKEN[rule.severity],
            first,
            stop,
            {"least_kwh": float(import_kwh[first:stop].min())},
        )
        for first, stop in runs(import_kwh < 0)
    ]
    return found or [span.held("negative", {})]


def reverse(
    import_kwh: FloatArray,
    export_kwh: FloatArray,
    expected_kwh: FloatArray,
    span: Span,
    rule: Reverse,
) -> list[Verdict]:
    """Find energy fed by a point that has nothing to feed.

    Parameters
    ----------
    import_kwh, export_kwh : arrays, shape (n,)
        NaN = not known. [kWh]
    expected_kwh : array, shape (n,)
        What like days let expect to be drawn; NaN = nothing. [kWh]

    Returns
    -------
    list of Verdict
        The figure `reversed` is 1 where the meter is taken to be connected the wrong
        way round: nothing was drawn, and what was fed is as much as was expected.

    """
    fed = np.nan_to_num(export_kwh)
    least = rule.least_share * float(np.nanmean(import_kwh)) if fed.any() else 0.0
    found = []
    for first, stop in runs(fed > max(least, 0.0)):
        rows = slice(first, stop)
        # In its first and last interval it may have been the right way round.
        inside = slice(first + 1, stop - 1) if stop - first > _ENDS else rows
        drawn, expected = np.nansum(import_kwh[inside]), np.nansum(expected_kwh[rows])
        whole = float(fed[rows].sum())
        wrong_way = drawn <= rule.least_share * whole and (
            rule.like_from * expected <= whole <= rule.like_to * expected
        )
        figures = {
            "export_kwh": whole,
            "import_kwh": float(drawn),
            "expected_kwh": float(expected),
            "reversed": float(wrong_way),
        }
        found.append(
            span.verdict("reverse", BROKEN[rule.severity], first, stop, figures)
        )
    return found or [span.held("reverse", {"export_kwh": float(fed.sum())})]


def cap(
    energy_kwh: FloatArray, most_kw: float | None, span: Span, rule: Cap
) -> list[Verdict]:
    """Find power beyond what contract and transformers allow: ``4 E > 1.2 most``.

    Parameters
    ----------
    energy_kwh : array, shape (n,)
        NaN = not known. [kWh]
    most_kw : float or None
        None = no bound is known. [kW]

    """
    if most_kw is None:
        return [span.whole("cap", Status.SKIPPED, {})]
    limit_kw = rule.margin * most_kw
    power_kw = energy_kwh / span.hours
    figures = {"limit_kw": limit_kw}
    found = [
        span.verdict(
            "cap",
            BROKEN[rule.severity],
            first,
            stop,
            figures | {"highest_kw": float(power_kw[first:stop].max())},
        )
        for first, stop in runs(power_kw > limit_kw)
    ]
    if found or not (~np.isnan(power_kw)).any():
        return found or [span.whole("cap", Status.SKIPPED, figures)]
    return [span.held("cap", figures | {"highest_kw": float(np.nanmax(power_kw))})]


def zero_run(
    import_kwh: FloatArray, out: BoolArray, span: Span, rule: ZeroRun
) -> list[Verdict]:
    """Find long times of nothing without a known outage.

    Parameters
    ----------
    import_kwh : array, shape (n,)
    out : array, shape (n,)
        Known outages and closures of the site.

    """
    found = []
    for first, stop in runs((import_kwh == 0) & ~out):
        hours = (stop - first) * span.hours
        if hours < rule.warn_hours:
            continue
        fails = hours >= rule.fail_hours and rule.severity is Severity.FAIL
        status = Status.FAIL if fails else Status.WARN
        found.append(span.verdict("zero_run", status, first, stop, {"hours": hours}))
    return found or [span.held("zero_run", {})]


def outage(
    import_kwh: FloatArray,
    off: BoolArray,
    holes: Iterable[tuple[int, int, float]],
    span: Span,
    rule: Outage,
) -> list[Verdict]:
    """Find energy that was counted while the supply is said to have been off.

    It stays: a register is trusted more than what was said of the supply.

    Parameters
    ----------
    import_kwh : array, shape (n,)
        NaN = not known. [kWh]
    off : array, shape (n,)
        Wholly in an outage.
    holes
        First interval, end (exclusive) and energy of each time between two readings
        whose energy cannot have flowed outside of outages. [kWh]

    """
    counted = [
        (first, stop, float(import_kwh[first:stop].sum()))
        for first, stop in runs((import_kwh > 0) & off)
    ]
    if not off.any() and not counted:
        return [span.whole("outage", Status.SKIPPED, {})]
    found = [
        span.verdict(
            "outage",
            BROKEN[rule.severity],
            first,
            stop,
            {"kwh": kwh, "hours": (stop - first) * span.hours},
        )
        for first, stop, kwh in sorted([*counted, *holes])
    ]
    return found or [span.held("outage", {})]


def flatline(import_kwh: FloatArray, span: Span, rule: Flatline) -> list[Verdict]:
    """Find the same energy, not zero, in many intervals on end."""
    same = (import_kwh[1:] == import_kwh[:-1]) & (import_kwh[1:] != 0)
    found = []
    for first, stop in runs(same):
        slots = stop - first + 1
        if slots >= rule.slots:
            figures = {"slots": slots, "kwh": float(import_kwh[first])}
            found.append(
                span.verdict(
                    "flatline", BROKEN[rule.severity], first, stop + 1, figures
                )
            )
    return found or [span.held("flatline", {})]


def reactive(
    import_kwh: FloatArray, kvarh: FloatArray, span: Span, rule: Reactive
) -> list[Verdict]:
    """Find whole days of active energy without any reactive.

    Parameters
    ----------
    import_kwh : array, shape (n,)
    kvarh : array, shape (n,)
        Lagging and leading together; NaN = not known. [kvarh]

    """
    turned = span.by_day(kvarh)
    known = ~np.isnan(turned)
    if not known.any():
        return [span.whole("reactive", Status.SKIPPED, {})]
    turns = (known & (turned != 0)).any(axis=1)
    none = ~turns & (known.sum(axis=1) >= np.diff(span.first))
    if not none.any():
        return [span.held("reactive", {})]
    active = np.nansum(span.by_day(import_kwh), axis=1)
    rows = span.day_rows()
    found = [
        span.verdict(
            "reactive",
            BROKEN[rule.severity],
            *rows[day],
            {"import_kwh": float(active[day]), "kvarh": 0.0},
        )
        for day in np.flatnonzero(none & (active > 0)).tolist()
    ]
    return found or [span.held("reactive", {})]
