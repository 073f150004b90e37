"""The intervals that a meter counts itself, beside its register. Pure.

Where both know the energy of a local day, or of the time between two readings of the
register, the sum check decides: if they agree, the meter's intervals are taken, since
they tell when it flowed; if not, its register is. Where some of its intervals are
missing, what the register says is left for them.

An interval longer than those of the span is a lump: it says how much flowed in several
of them together, as two readings of a register do.
"""

from collections.abc import Sequence
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
Rows = tuple[int, int]
"""First interval and end (exclusive)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LoadProfile:
    """m intervals as a meter sent them, in any order."""

    start_us: IntArray
    length_us: IntArray
    """Of each. [microseconds]"""
    counts: IntArray
    energy_of_count: Fraction
    """At the point, all multipliers in it. [kWh]"""
    power_failure: BoolArray
    """Marked by the meter."""

    def longer_than(self, length_us: int) -> tuple[IntArray, IntArray]:
        """Return where longer intervals begin, and where they end."""
        long = self.length_us > length_us
        return self.start_us[long], self.start_us[long] + self.length_us[long]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lump:
    """Energy that is known of several intervals together."""

    first: int
    stop: int
    """Exclusive."""
    quanta: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Placed:
    """A load profile on the intervals of a span; arrays have shape (n,)."""

    quanta: IntArray
    known: BoolArray
    lumps: tuple[Lump, ...]
    """By time; none overlaps another."""
    power_failure: BoolArray
    repeats: int
    """Intervals sent twice with the same counts."""
    contradicted: BoolArray
    """Sent twice with different counts: neither is believed. Or sent as a lump that
    contradicts another, or those inside it: no lump is believed."""
    off_grid_us: IntArray
    """Starts of intervals that begin or end where none of the span does."""

    def counted(self, rows: Rows) -> tuple[int, BoolArray]:
        """Return the energy told of some intervals, and which of them it is of.

        A lump that reaches beyond them tells nothing of them.
        """
        first, stop = rows
        covered = self.known[first:stop].copy()
        total = int(self.quanta[first:stop].sum())
        for lump in self.lumps:
            if lump.first >= first and lump.stop <= stop:
                inside = slice(lump.first, lump.stop)
                # What is told of intervals inside it is a part of it.
                total += lump.quanta - int(self.quanta[inside].sum())
                covered[lump.first - first : lump.stop - first] = True
        return total, covered


def placed(profile: LoadProfile, span: Span, quantum: Fraction) -> Placed:
    """Lay a load profile on the intervals of a span."""
    size = span.start_us.size
    row = np.searchsorted(span.start_us, profile.start_us).clip(max=size - 1)
    steps, rest = np.divmod(profile.length_us, span.length_us)
    on_grid = (span.start_us[row] == profile.start_us) & (rest == 0)
    inside = (profile.start_us >= span.start_us[0]) & (
        profile.start_us < span.start_us[-1] + span.length_us
    )
    # What reaches beyond the span is not known of it.
    single, several = on_grid & (steps == 1), on_grid & (steps > 1)
    several &= row + steps <= size
    quanta = profile.counts * int(profile.energy_of_count / quantum)
    each = _Each.of(row[single], quanta[single], size)
    contradicted = each.contradicted.copy()
    lumps = _lumps(row[several], steps[several], quanta[several])
    return Placed(
        quanta=each.quanta,
        known=each.known,
        lumps=_uncontradicted(lumps, each, contradicted),
        power_failure=_failed(row, steps, profile.power_failure & on_grid, size),
        repeats=each.repeats + int(several.sum()) - len(lumps),
        contradicted=contradicted,
        off_grid_us=np.unique(profile.start_us[inside & ~on_grid]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Each:
    """What is told of each interval alone; arrays have shape (n,)."""

    quanta: IntArray
    """0 where not `known`"""
    known: BoolArray
    contradicted: BoolArray
    repeats: int

    @classmethod
    def of(cls, row: IntArray, quanta: IntArray, size: int) -> "_Each":
        times = np.bincount(row, minlength=size)
        least = np.full(size, np.iinfo(np.int64).max)
        most = np.full(size, np.iinfo(np.int64).min)
        np.minimum.at(least, row, quanta)
        np.maximum.at(most, row, quanta)
        contradicted = (times > 1) & (least != most)
        known = (times > 0) & ~contradicted
        repeats = int((times[known] - 1).sum())
        return cls(np.where(known, least, 0), known, contradicted, repeats)


def _failed(row: IntArray, steps: IntArray, marked: BoolArray, size: int) -> BoolArray:
    failed = np.zeros(size, dtype=np.bool_)
    for at in np.flatnonzero(marked).tolist():
        failed[row[at] : row[at] + steps[at]] = True
    return failed


def _lumps(row: IntArray, steps: IntArray, quanta: IntArray) -> list[Lump]:
    """Return lumps by time, each once."""
    told = {*zip(row.tolist(), (row + steps).tolist(), quanta.tolist(), strict=True)}
    return [Lump(first=first, stop=stop, quanta=of) for first, stop, of in sorted(told)]


def _uncontradicted(
    lumps: Sequence[Lump], each: _Each, contradicted: BoolArray
) -> tuple[Lump, ...]:
    """Return the lumps that agree with all else; mark what others cover, in place."""
    cover = np.zeros(each.known.size + 1, dtype=np.int64)
    for lump in lumps:
        cover[lump.first] += 1
        cover[lump.stop] -= 1
    twice = np.cumsum(cover)[:-1] > 1
    kept = []
    for lump in lumps:
        rows = slice(lump.first, lump.stop)
        inside, whole = int(each.quanta[rows].sum()), bool(each.known[rows].all())
        agrees = inside == lump.quanta if whole else inside <= lump.quanta
        if twice[rows].any() or not agrees:
            contradicted[rows] = True
        elif not whole:
            kept.append(lump)
    return tuple(kept)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Decided:
    """Where the meter's own intervals are believed."""

    believed: BoolArray
    """shape (n,): no register that knows the sum contradicts them"""
    by_profile: BoolArray
    """shape (n,): believed, and told of this interval alone"""
    sums: tuple[Sum, ...]
    passes: BoolArray
    """shape (d,): days whose sum the register confirms"""


def decide(
    own: Placed,
    bounds: Boundaries,
    span: Span,
    units: tuple[Fraction, Fraction],
    rule: SumCheck,
    *,
    holes: Sequence[Rows] = (),
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
    holes
        Intervals of which the register knows the sum alone.

    """
    quantum, unit = units
    believed = np.ones(span.start_us.size, dtype=np.bool_)
    passes = np.zeros(span.days.size, dtype=np.bool_)
    sums = []
    for first, stop in _checked(bounds, span, holes):
        ran = int(bounds.quanta[stop] - bounds.quanta[first])
        counted, covered = own.counted((first, stop))
        if not covered.any():
            continue
        kwh = as_energy(np.array([counted, ran]), quantum).tolist()
        one = Sum(
            start_us=int(span.edges_us[first]),
            stop_us=int(span.edges_us[stop]),
            intervals_kwh=kwh[0],
            register_kwh=kwh[1],
            unit_kwh=float(unit),
        )
        complete = bool(covered.all())
        holds = one.passes(rule) if complete else kwh[0] - kwh[1] <= one.allowed(rule)
        if complete or not holds:
            sums.append(one)
        believed[first:stop] = holds
        passes[(span.first[:-1] >= first) & (span.first[1:] <= stop)] = holds
    return Decided(
        believed=believed,
        by_profile=own.known & believed,
        sums=tuple(sums),
        passes=passes,
    )


def _checked(bounds: Boundaries, span: Span, holes: Sequence[Rows]) -> list[Rows]:
    """Return what is checked: whole local days, and holes that are in none of them."""
    days = [rows for rows in span.day_rows() if bounds.knows(*rows)]
    others = [
        (first, stop)
        for first, stop in holes
        if not any(first >= begin and stop <= end for begin, end in days)
        and bounds.knows(first, stop)
    ]
    return sorted(days + others)
