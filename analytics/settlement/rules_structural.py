"""Rules about the form of what came: gaps, repeats, master data, clocks. Pure.

Each returns what broke it, or one verdict that it held, with the figures.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import isclose
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analytics.settlement.evidence import StatedMultiplier
from analytics.settlement.fitting import Fitting
from analytics.settlement.given import Rows
from analytics.settlement.register import BREAKS, Doubtful
from analytics.settlement.ruleset import (
    Clock,
    Gap,
    MasterData,
    Plausible,
    Repeats,
)
from analytics.settlement.span import Span
from analytics.settlement.verdict import BROKEN, Status, Verdict, runs

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_MINUTE_US = 60_000_000
_SECOND_US = 1_000_000
_STEADY_US = 5 * _MINUTE_US
"""Lags that differ by less are those of a clock."""
_KEPT_US = 30 * _MINUTE_US
"""Lags that differ by more are those of a line."""
_SAME = 1e-6
"""What a float32 register rounds a ratio by is no difference."""


def gap(missing: BoolArray, span: Span, rule: Gap) -> list[Verdict]:
    """Find intervals that nothing was read of.

    Parameters
    ----------
    missing : array, shape (n,)
    span : Span
    rule : Gap

    """
    found = [
        span.verdict(
            "gap", BROKEN[rule.severity], first, stop, {"intervals": stop - first}
        )
        for first, stop in runs(missing)
    ]
    return found or [span.held("gap", {"intervals": 0})]


def repeats(rows: Rows, span: Span, rule: Repeats) -> list[Verdict]:
    """Find moments that are told twice; the same again only warns of nothing."""
    figures = {"repeats": rows.repeats, "late": rows.late}
    found = [
        Verdict(
            rule="repeats",
            status=BROKEN[rule.severity],
            start_us=moment_us,
            stop_us=moment_us + 1,
            figures=figures | {"at_us": moment_us},
        )
        for moment_us in rows.contradicted_us.tolist()
    ]
    return found or [span.held("repeats", figures)]


def overlaps(start_us: IntArray, length_us: int) -> BoolArray:
    """Tell of each of a meter's own intervals whether it overlaps the one before.

    Parameters
    ----------
    start_us : array, shape (n,)
        Ascending. [microseconds since 1970 UTC]
    length_us : int

    """
    overlapping = np.zeros(start_us.shape, dtype=np.bool_)
    overlapping[1:] = np.diff(start_us) < length_us
    return overlapping


def master_data(
    stated: Sequence[StatedMultiplier],
    fittings: Sequence[Fitting],
    span: Span,
    rule: MasterData,
) -> list[Verdict]:
    """Compare the multiplier that meters state with the one entered, as each holds.

    A meter that was given no ratio states 1: that says nothing of its transformers.

    Parameters
    ----------
    stated
        By time, each until the meter states another.
    fittings
        Of the register in question.

    """
    given = [
        one
        for fitting in fittings
        for one in _stated_and_entered(fitting, stated)
        if one.stated != 1 and span.touched(one.from_us, one.to_us).any()
    ]
    found = [
        span.verdict(
            "master_data",
            BROKEN[rule.severity],
            *_rows(span.touched(one.from_us, one.to_us)),
            {"stated": one.stated, "entered": one.entered},
        )
        for one in given
        if not isclose(one.stated, one.entered, rel_tol=_SAME)
    ]
    if not given:
        return [span.whole("master_data", Status.SKIPPED, {})]
    return found or [span.held("master_data", {"stated": given[-1].stated})]


class _Compared(NamedTuple):
    from_us: int
    to_us: int
    stated: float
    entered: float


def _stated_and_entered(
    fitting: Fitting, stated: Sequence[StatedMultiplier]
) -> Iterator[_Compared]:
    """Yield each time of a fitting during which neither changed."""
    own = [one for one in stated if one.meter_id == fitting.meter_id]
    stated_until = [*(one.since_us for one in own[1:]), fitting.to_us]
    entered_until = [*(m.since_us for m in fitting.multipliers[1:]), fitting.to_us]
    for one, one_until in zip(own, stated_until, strict=False):
        for other, until in zip(fitting.multipliers, entered_until, strict=True):
            from_us = max(one.since_us, other.since_us, fitting.from_us)
            to_us = min(one_until, until, fitting.to_us)
            if from_us < to_us:
                yield _Compared(from_us, to_us, one.value, float(other.value))


def _rows(touched: BoolArray) -> tuple[int, int]:
    """Return the first interval and the end (exclusive) of those that are touched."""
    rows = np.flatnonzero(touched)
    return int(rows[0]), int(rows[-1]) + 1


def clock_offset_s(measured_us: IntArray, received_us: IntArray) -> float | None:
    """Return how far a meter's clock is ahead of ours; None if that cannot be told.

    A moment in the future is a clock ahead. Behind, what is sent takes time, so the
    reading that took the least says the most; readings kept while a line was down lag
    by all kinds of times and tell of no slow clock.

    Parameters
    ----------
    measured_us, received_us : arrays, shape (m,)
        [microseconds since 1970 UTC]

    """
    if measured_us.size == 0:
        return None
    ahead = measured_us - received_us
    most = int(ahead.max())
    if most >= 0:
        return most / _SECOND_US
    behind = int(np.median(ahead))
    if most - behind > _KEPT_US:
        return None
    return (behind if most - behind < _STEADY_US else most) / _SECOND_US


def clock(
    measured_us: IntArray,
    received_us: IntArray,
    day_of: IntArray,
    span: Span,
    rule: Clock,
) -> list[Verdict]:
    """Compare a meter's clock with ours, local day by local day.

    Parameters
    ----------
    measured_us, received_us : arrays, shape (m,)
        By measured time. [microseconds since 1970 UTC]
    day_of : array, shape (m,)
        Row of the span's day in which each was measured; -1 = outside.

    """
    tolerance_us = round(rule.tolerance_min * _MINUTE_US)
    ahead = measured_us - received_us
    if (np.abs(ahead) <= tolerance_us).all():  # as of most meters
        return [span.held("clock", {"greatest_offset_s": 0.0})]
    rows = span.day_rows()
    first = np.searchsorted(day_of, np.arange(len(rows) + 1))
    found, greatest = [], 0.0
    for day, (begin, stop) in enumerate(pairwise(first.tolist())):
        of_day = slice(begin, stop)
        # Most days are within the tolerance from end to end.
        if begin == stop or np.abs(ahead[of_day]).max() <= tolerance_us:
            continue
        offset_s = clock_offset_s(measured_us[of_day], received_us[of_day])
        if offset_s is None:
            continue
        greatest = max(greatest, abs(offset_s))
        if abs(offset_s) * _SECOND_US > tolerance_us:
            figures = {"offset_s": offset_s, "tolerance_s": rule.tolerance_min * 60}
            found.append(
                span.verdict("clock", BROKEN[rule.severity], *rows[day], figures)
            )
    return found or [span.held("clock", {"greatest_offset_s": greatest})]


def plausible(
    doubtful: Mapping[str, tuple[Doubtful, ...]],
    disagrees: Iterable[tuple[str, int, int, int]],
    span: Span,
    rule: Plausible,
) -> list[Verdict]:
    """Tell which readings were put aside, and where registers broke.

    Parameters
    ----------
    doubtful
        By quantity.
    disagrees
        `opening` or `closing`, its moment, what was written down, what was read.

    """
    found = [
        Verdict(
            rule="plausible",
            # A reading put aside costs nothing while those beside it hold.
            status=BROKEN[rule.severity] if one.doubt in BREAKS else Status.WARN,
            start_us=one.before_us,
            stop_us=max(one.at_us, one.before_us + 1),
            figures={
                "quantity": quantity,
                "doubt": one.doubt.value,
                "shown_counts": one.shown,
                "before_counts": one.before,
                "at_us": one.at_us,
            },
        )
        for quantity, each in doubtful.items()
        for one in each
    ]
    found += [
        Verdict(
            rule="plausible",
            status=Status.WARN,
            start_us=at_us,
            stop_us=at_us + 1,
            figures={"what": what, "written_counts": written, "read_counts": read},
        )
        for what, at_us, written, read in disagrees
    ]
    return found or [span.held("plausible", {"put_aside": 0})]
