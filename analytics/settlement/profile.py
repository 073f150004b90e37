"""The intervals that a meter counts itself, beside its register. Pure.

Where both know the energy of a local day, the sum check decides: if they agree, the
meter's intervals are taken, since they tell when it flowed; if not, its register is.
Where some of its intervals are missing, what the register says is left for them.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from analytics.settlement.boundary import Boundaries
from analytics.settlement.quanta import as_energy
from analytics.settlement.rules_sum import Sum
from analytics.settlement.ruleset import SumCheck
from analytics.settlement.span import Span

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LoadProfile:
    """m intervals as a meter sent them, in any order."""

    start_us: IntArray
    counts: IntArray
    energy_of_count: Fraction
    """At the point, all multipliers in it. [kWh]"""
    power_failure: BoolArray
    """Marked by the meter."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Placed:
    """A load profile on the intervals of a span; arrays have shape (n,)."""

    quanta: IntArray
    known: BoolArray
    power_failure: BoolArray
    repeats: int
    """Intervals sent twice with the same counts."""
    contradicted: BoolArray
    """Sent twice with different counts: neither is believed."""
    off_grid_us: IntArray
    """Starts of intervals that begin where none of the span does: they overlap two."""


def placed(profile: LoadProfile, span: Span, quantum: Fraction) -> Placed:
    """Lay a load profile on the intervals of a span."""
    row = np.searchsorted(span.start_us, profile.start_us)
    row = np.minimum(row, span.start_us.size - 1)
    on_grid = span.start_us[row] == profile.start_us
    inside = (profile.start_us >= span.start_us[0]) & (
        profile.start_us < span.start_us[-1] + span.length_us
    )
    row, counts = row[on_grid], profile.counts[on_grid]
    size = span.start_us.size
    times = np.bincount(row, minlength=size)
    least = np.full(size, np.iinfo(np.int64).max)
    most = np.full(size, np.iinfo(np.int64).min)
    np.minimum.at(least, row, counts)
    np.maximum.at(most, row, counts)
    contradicted = (times > 1) & (least != most)
    failed = np.zeros(size, dtype=np.bool_)
    failed[row[profile.power_failure[on_grid]]] = True
    known = (times > 0) & ~contradicted
    factor = int(profile.energy_of_count / quantum)
    return Placed(
        quanta=np.where(known, least, 0) * factor,
        known=known,
        power_failure=failed,
        repeats=int((times[known] - 1).sum()),
        contradicted=contradicted,
        off_grid_us=np.unique(profile.start_us[inside & ~on_grid]),
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Decided:
    """Which of both is taken, of each interval, shape (n,)."""

    by_profile: BoolArray
    left_quanta: dict[int, int]
    """What the register leaves for missing intervals, by the row of their day."""
    sums: tuple[Sum, ...]
    passes: BoolArray
    """shape (d,): days whose sum the register confirms"""


def decide(
    own: Placed,
    bounds: Boundaries,
    span: Span,
    units: tuple[Fraction, Fraction],
    rule: SumCheck,
) -> Decided:
    """Let the sum check decide between a meter's intervals and its register.

    Parameters
    ----------
    own : Placed
    bounds : Boundaries
        Of the span's n + 1 boundaries.
    span : Span
    units
        The quantum, and the energy of one register count. [kWh]
    rule : SumCheck

    """
    quantum, unit = units
    by_profile = own.known.copy()
    passes = np.zeros(span.days.size, dtype=np.bool_)
    left: dict[int, int] = {}
    sums = []
    for day, (first, stop) in enumerate(span.day_rows()):
        whole = bool(bounds.known[first] and bounds.known[stop])
        if not whole or bounds.stretch[first] != bounds.stretch[stop]:
            continue
        ran = int(bounds.quanta[stop] - bounds.quanta[first])
        counted = int(own.quanta[first:stop].sum())
        kwh = as_energy(np.array([counted, ran]), quantum).tolist()
        one = Sum(
            start_us=int(span.start_us[first]),
            stop_us=int(span.start_us[stop - 1]) + span.length_us,
            intervals_kwh=kwh[0],
            register_kwh=kwh[1],
            unit_kwh=float(unit),
        )
        complete = bool(own.known[first:stop].all())
        if complete:
            sums.append(one)
            passes[day] = one.passes(rule)
            by_profile[first:stop] = passes[day]
        elif own.known[first:stop].any():
            left_over = ran - counted
            if kwh[0] - kwh[1] > one.allowed(rule):
                sums.append(one)
                by_profile[first:stop] = False
            else:
                left[day] = max(left_over, 0)
                passes[day] = True
    return Decided(
        by_profile=by_profile, left_quanta=left, sums=tuple(sums), passes=passes
    )
