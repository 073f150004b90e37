"""The outcome: every interval's energy, how it is known, and what led to it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from analytics.settlement.intervals import Intervals, Quality
from analytics.settlement.method import Method, State
from analytics.settlement.quanta import as_energy
from analytics.settlement.verdict import Verdict
from meters.quantity import Quantity

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_QUALITY = {
    State.EDITED: Quality.EDITED,
    State.MEASURED: Quality.MEASURED,
    State.ESTIMATED: Quality.ESTIMATED,
    State.MISSING: Quality.MISSING,
}
_QUALITIES = np.array([_QUALITY[each].value for each in State])
"""By state."""
_METHODS = np.zeros(max(Method) + 1, dtype="<U24")
"""Names by code."""
for _each in Method:
    _METHODS[_each] = _each.text


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Energy:
    """One register's energy in n intervals, in whole quanta."""

    quanta: IntArray
    """shape (n,); 0 where not `known`"""
    known: BoolArray
    """shape (n,)"""
    quantum: Fraction
    """[kWh or kvarh]"""

    @property
    def energy(self) -> FloatArray:
        """Return it in kWh or kvarh, NaN = not known."""
        return np.where(self.known, as_energy(self.quanta, self.quantum), np.nan)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Settlement:
    """n settled intervals; each is [start, start + length)."""

    start_us: IntArray
    """shape (n,) [microseconds since 1970 UTC]"""
    length_min: int
    energies: Mapping[Quantity, Energy]
    """Those of the registers that were read."""
    state: npt.NDArray[np.uint8]
    """shape (n,): `State` of the import energy"""
    method: npt.NDArray[np.uint8]
    """shape (n,): `Method` of what is estimated"""
    confidence: FloatArray
    """shape (n,): 1 where measured, 0 where missing"""
    status: npt.NDArray[np.uint8]
    """shape (n,): worst `Status` of any rule"""
    firm: BoolArray
    """shape (n,): may serve as an example; what `Series.firm` of a history asks for"""
    cause: npt.NDArray[np.str_]
    """shape (n,): `Missing` of what is missing"""
    verdicts: tuple[Verdict, ...]
    """In the order of the rules."""

    def __len__(self) -> int:
        """Count the intervals."""
        return int(self.start_us.size)

    def part(self, rows: slice) -> "Settlement":
        """Return some of the intervals, with the verdicts that touch them."""
        start_us = self.start_us[rows]
        stop_us = int(start_us[-1]) + self.length_min * 60_000_000
        return replace(
            self,
            start_us=start_us,
            energies={
                quantity: replace(one, quanta=one.quanta[rows], known=one.known[rows])
                for quantity, one in self.energies.items()
            },
            state=self.state[rows],
            method=self.method[rows],
            confidence=self.confidence[rows],
            status=self.status[rows],
            firm=self.firm[rows],
            cause=self.cause[rows],
            verdicts=tuple(
                one
                for one in self.verdicts
                if one.start_us < stop_us and one.stop_us > start_us[0]
            ),
        )

    def energy(self, quantity: Quantity) -> FloatArray:
        """Return a register's energy, shape (n,), NaN = not known."""
        if quantity not in self.energies:
            return np.full(self.start_us.shape, np.nan)
        return self.energies[quantity].energy

    @property
    def import_kwh(self) -> FloatArray:
        """Energy drawn, shape (n,), NaN = missing."""
        return self.energy(Quantity.ENERGY_IMPORT_KWH)

    def as_intervals(self) -> Intervals:
        """Return what is stored."""
        missing = self.state == State.MISSING
        method = _METHODS[self.method]
        return Intervals(
            start_us=self.start_us,
            length_min=self.length_min,
            import_kwh=self.import_kwh,
            export_kwh=self.energy(Quantity.ENERGY_EXPORT_KWH),
            lagging_kvarh=self.energy(Quantity.ENERGY_LAGGING_KVARH),
            leading_kvarh=self.energy(Quantity.ENERGY_LEADING_KVARH),
            quality=_QUALITIES[self.state],
            method=np.where(missing, self.cause, method) if missing.any() else method,
            confidence=self.confidence,
            status=self.status,
            firm=self.firm,
        )
