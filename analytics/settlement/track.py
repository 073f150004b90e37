"""The energy of a point over time, of whatever meters counted it, in quanta. Pure.

A knot is a moment at which the cumulative energy is known: a reading, or the moment of
a new multiplier between two of them. Where the closing reading of one meter and the
opening reading of the next are of one instant, the energy goes on through the swap.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from analytics.settlement.fitting import Fitting, Multiplier
from analytics.settlement.quanta import common_quantum
from analytics.settlement.register import Register

IntArray = npt.NDArray[np.int64]

_MOST_QUANTA = 2**62


class TrackError(ValueError):
    """The energy of a point cannot be summed; the message says of which."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EnergyTrack:
    """Cumulative energy at k knots."""

    at_us: IntArray
    """shape (k,), ascending"""
    quanta: IntArray
    """shape (k,), 0 at the first"""
    stretch: IntArray
    """shape (k,); what ran between two stretches is not known"""
    gap_us: IntArray
    """shape (k - 1,): between the readings on either side of each step"""
    quantum: Fraction
    """[kWh or kvarh]"""

    def finer(self, quantum: Fraction) -> "EnergyTrack":
        """Return the same energy in quanta of which its own is a whole multiple."""
        factor = int(self.quantum / quantum)
        return replace(self, quanta=self.quanta * factor, quantum=quantum)

    def longer_than(self, length_us: int) -> tuple[IntArray, IntArray]:
        """Return where longer steps between readings begin, and where they end."""
        long = self.gap_us > length_us
        return self.at_us[:-1][long], self.at_us[1:][long]


def point_quantum(fittings: Sequence[Fitting]) -> Fraction:
    """Return the quantum of a point. [kWh or kvarh]."""
    return _quantum(
        tuple(
            energy.as_integer_ratio()
            for fitting in fittings
            for energy in fitting.energies
        )
    )


# Registers of a point are mostly of one form. Of whole numbers: fractions hash slowly.
@lru_cache(maxsize=1024)
def _quantum(energies: tuple[tuple[int, int], ...]) -> Fraction:
    return common_quantum(Fraction(*each) for each in energies)


def energy_track(
    fittings: Sequence[Fitting], registers: Sequence[Register]
) -> EnergyTrack:
    """Lay the registers of a point end to end.

    Parameters
    ----------
    fittings
        By time, none overlapping another.
    registers
        One of each fitting.

    """
    quantum = point_quantum(fittings)
    parts = [
        _in_quanta(fitting, register, quantum)
        for fitting, register in zip(fittings, registers, strict=True)
        if register.at_us.size
    ]
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return EnergyTrack(
            at_us=none, quanta=none, stretch=none, gap_us=none, quantum=quantum
        )
    whole = parts[0]
    for part in parts[1:]:
        whole = _end_to_end(whole, part)
    return whole


def _in_quanta(fitting: Fitting, register: Register, quantum: Fraction) -> EnergyTrack:
    """Multiply a register's steps, cut where the multiplier changes."""
    at_us, counts, stretch = register.at_us, register.counts, register.stretch
    gap_us = at_us[1:] - at_us[:-1]
    for later in fitting.multipliers[1:]:
        at_us, counts, stretch, gap_us = _cut(
            (at_us, counts, stretch, gap_us), later.since_us, fitting.multipliers
        )
    since = np.array([m.since_us for m in fitting.multipliers[1:]], dtype=np.int64)
    # Every energy is a whole multiple of the quantum.
    above, below = quantum.denominator, quantum.numerator
    factors = [
        energy.numerator * above // (energy.denominator * below)
        for energy in fitting.energies
    ]
    step = counts[1:] - counts[:-1]
    if step.size and int(step.sum()) * max(factors) > _MOST_QUANTA:
        raise TrackError(
            f"The energy of meter {fitting.meter_id} in steps of {quantum} is too large"
            " to be summed exactly; check its multipliers and its resolution."
        )
    factor = np.array(factors, dtype=np.int64)
    if since.size:
        factor = factor[np.searchsorted(since, at_us[:-1], side="right")]
    quanta = np.zeros(at_us.size, dtype=np.int64)
    np.cumsum(step * factor, out=quanta[1:])
    return EnergyTrack(
        at_us=at_us, quanta=quanta, stretch=stretch, gap_us=gap_us, quantum=quantum
    )


_Columns = tuple[IntArray, IntArray, IntArray, IntArray]


def _cut(
    knots: _Columns, moment_us: int, multipliers: Sequence[Multiplier]
) -> _Columns:
    """Make a knot at a moment between two readings of one stretch.

    The energy is taken to have run evenly, so the register ran the slower the greater
    its multiplier was.
    """
    at_us, counts, stretch, gap_us = knots
    after = int(np.searchsorted(at_us, moment_us))
    inside = 0 < after < at_us.size and at_us[after] != moment_us
    if not inside or stretch[after - 1] != stretch[after]:
        return knots
    begin_us, end_us = int(at_us[after - 1]), int(at_us[after])
    share = _run(begin_us, moment_us, multipliers) / _run(begin_us, end_us, multipliers)
    passed = round(int(counts[after] - counts[after - 1]) * share)
    return (
        np.insert(at_us, after, moment_us),
        np.insert(counts, after, counts[after - 1] + passed),
        np.insert(stretch, after, stretch[after]),
        np.insert(gap_us, after, gap_us[after - 1]),
    )


def _run(begin_us: int, end_us: int, multipliers: Sequence[Multiplier]) -> Fraction:
    """Return how far a register runs under an even load, in any unit."""
    since = [m.since_us for m in multipliers[1:]]
    run = Fraction(0)
    for multiplier, from_us, to_us in zip(
        multipliers, [begin_us, *since], [*since, end_us], strict=True
    ):
        time_us = min(to_us, end_us) - max(from_us, begin_us)
        run += max(time_us, 0) / multiplier.value
    return run


def _end_to_end(whole: EnergyTrack, part: EnergyTrack) -> EnergyTrack:
    """Let a meter go on where the one before ended."""
    meets = bool(whole.at_us[-1] == part.at_us[0])
    first = 1 if meets else 0
    stretch = part.stretch + whole.stretch[-1] + (0 if meets else 1)
    between = part.at_us[:1] - whole.at_us[-1:]
    return EnergyTrack(
        at_us=np.concatenate([whole.at_us, part.at_us[first:]]),
        quanta=np.concatenate([whole.quanta, part.quanta[first:] + whole.quanta[-1]]),
        stretch=np.concatenate([whole.stretch, stretch[first:]]),
        gap_us=np.concatenate([whole.gap_us, between[first:], part.gap_us]),
        quantum=whole.quantum,
    )
