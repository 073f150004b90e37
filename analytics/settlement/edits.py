"""Figures that a person set, laid over what was settled. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from analytics.settlement.draft import Draft, draft
from analytics.settlement.method import Method, State
from analytics.settlement.quanta import as_quanta, common_quantum
from analytics.settlement.span import Span
from analytics.settlement.track import energy_track
from meters.quantity import Quantity

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

DECIMALS = 4
FINEST = Fraction(1, 10**DECIMALS)
"""Figures are set in steps of this. [kWh or kvarh]"""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Edits:
    """What counts of k edited intervals; of one that was edited twice the last edit."""

    start_us: IntArray
    """shape (k,), ascending, each once [microseconds since 1970 UTC]"""
    energies: Mapping[Quantity, FloatArray]
    """By register, shape (k,); NaN = as settled. [kWh or kvarh]"""

    def make_room(self, drafts: dict[Quantity, Draft], span: Span) -> None:
        """Draft anew what was edited, in quanta that measure what was set."""
        for quantity in self.quantities():
            found = drafts.get(quantity)
            track = energy_track((), ()) if found is None else found.track
            known = track.quantum if found is None else found.quantum
            quantum = common_quantum([known, FINEST])
            drafts[quantity] = draft(track.finer(quantum), span, quantum)

    def lay_over(self, drafts: Mapping[Quantity, Draft]) -> None:
        """Set what was edited; each draft's quantum measures `FINEST`."""
        for quantity, energy in self.energies.items():
            if quantity not in drafts:
                continue
            mine = drafts[quantity]
            row = np.searchsorted(mine.span.start_us, self.start_us)
            row = row.clip(max=mine.span.start_us.size - 1)
            given = (mine.span.start_us[row] == self.start_us) & ~np.isnan(energy)
            rows = row[given]
            mine.quanta[rows] = as_quanta(energy[given], mine.quantum)
            mine.known[rows] = True
            mine.distrusted[rows] = False
            mine.state[rows] = State.EDITED
            mine.method[rows] = Method.EDITED
            mine.confidence[rows] = 1.0

    def quantities(self) -> tuple[Quantity, ...]:
        """Return the registers of which anything was set."""
        return tuple(
            quantity
            for quantity, energy in self.energies.items()
            if not np.isnan(energy).all()
        )
