"""Which method estimates a gap: the first that applies. Pure.

With the gap's energy known from registers, the ladder only shapes it: check meter, then
like days with what lies around the gap. Without: check meter, known outage, like days
with what lies around the gap, a line up to two hours, the year before, what was agreed.

The standard (docs/methods.md) has the line before like days. Like days alone are worse
than a line up to two hours; with what lies around the gap they are better at every
length (docs/benchmarks.md), so the line waits for points with fewer than `least_days`
of them.
`line_first` restores the order of the standard.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from analytics.settlement.estimate import (
    Estimate,
    Gap,
    by_agreement,
    by_check_meter,
    by_like_days,
    by_line,
    by_previous_year,
    by_zero,
)
from analytics.settlement.method import Method
from analytics.settlement.reference import THREE, LoadHistory

LINEAR_UP_TO_MIN = 120.0
_NEAR_DAYS = 45
"""Like days further away say no more of a day than the year before does."""
_EVEN_CONFIDENCE = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Ladder:
    """What a rule set says of estimating."""

    linear_up_to_min: float = LINEAR_UP_TO_MIN
    line_first: bool = False
    near_days: int = _NEAR_DAYS
    least_days: int = THREE
    agreed_kw: float | None = None


def estimate(
    gap: Gap, history: LoadHistory, ladder: Ladder, total_kwh: float | None = None
) -> Estimate | None:
    """Estimate a gap by the first method that applies.

    Parameters
    ----------
    gap : Gap
    history : LoadHistory
    ladder : Ladder
    total_kwh : float, optional
        Energy of the gap, if registers know it.

    Returns
    -------
    Estimate or None
        None without anything to estimate from; with a total there always is one.

    """
    if total_kwh is not None:
        return _shaped(gap, history, ladder, total_kwh)
    near = _near(gap, history, ladder)
    many = near.usable.sum() >= ladder.least_days and not ladder.line_first
    steps: Iterable[Callable[[], Estimate | None]] = (
        lambda: by_check_meter(gap),
        lambda: by_zero(gap),
        lambda: by_like_days(gap, near, None) if many else None,
        lambda: by_line(gap, ladder.linear_up_to_min),
        lambda: by_like_days(gap, near, None),
        lambda: by_previous_year(gap, history),
        lambda: by_agreement(gap, ladder.agreed_kw),
    )
    return next((found for step in steps if (found := step())), None)


def _shaped(
    gap: Gap, history: LoadHistory, ladder: Ladder, total_kwh: float
) -> Estimate:
    """Shape an energy that is known."""
    if total_kwh == 0:
        # Nothing ran through the register: measured, whatever like days did.
        return Estimate(kwh=np.zeros(gap.size), method=Method.SCALED, confidence=1.0)
    check = by_check_meter(gap)
    if check is not None and check.kwh.sum() > 0:
        factor = total_kwh / float(check.kwh.sum())
        figures = dict(check.figures) | {"factor": factor}
        return replace(check, kwh=check.kwh * factor, figures=figures)
    like = by_like_days(gap, _near(gap, history, ladder), total_kwh)
    if like is not None:
        return like
    year = by_previous_year(gap, history)
    if year is not None and year.kwh.sum() > 0:
        scaled = year.kwh * (total_kwh / float(year.kwh.sum()))
        return replace(year, kwh=scaled, method=Method.SCALED)
    return Estimate(
        kwh=np.full(gap.size, total_kwh / gap.size),
        method=Method.LINEAR,
        confidence=1.0 if gap.size == 1 else _EVEN_CONFIDENCE,
    )


def _near(gap: Gap, history: LoadHistory, ladder: Ladder) -> LoadHistory:
    """Leave only days near the gap usable."""
    if not history.usable.any():
        return history
    asked = gap.local_day[gap.asked]
    first, last = history.row(asked[0]), history.row(asked[-1])
    rows = np.arange(history.usable.size)
    away = np.maximum(first - rows, rows - last)
    return replace(history, usable=history.usable & (away <= ladder.near_days))
