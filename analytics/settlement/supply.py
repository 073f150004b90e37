"""Time without supply inside what registers counted at once. Pure.

Nothing flows while the supply is off, so what a register counted over a hole flowed in
the rest of it. Where that cannot be, since all of the hole was off or the rest too
short for so much, the register is right about the energy and the outage is in doubt.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.settlement.boundary import Hole, cuts_of, holes
from analytics.settlement.draft import Draft
from analytics.settlement.evidence import Evidence
from analytics.settlement.fitting import MARGIN
from analytics.settlement.quanta import as_energy

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_HOUR_US = 3_600_000_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SuppliedHole:
    """A hole, and which of its parts have its energy."""

    hole: Hole
    takes: BoolArray
    """shape (hole.last - hole.first + 1,): parts that had supply; all of them where
    the outage is in doubt"""
    doubted: bool
    """Whether energy was counted that cannot have flowed beside an outage."""


def supplied_holes(draft: Draft, evidence: Evidence) -> list[SuppliedHole]:
    """Return the holes of a draft, each with the parts that had supply."""
    return [
        _supplied(hole, draft, evidence) for hole in holes(draft.bounds, draft.track)
    ]


def _supplied(hole: Hole, draft: Draft, evidence: Evidence) -> SuppliedHole:
    cuts_us = cuts_of(hole, draft.bounds)
    takes = ~evidence.off(cuts_us)
    if takes.all():
        return SuppliedHole(hole=hole, takes=takes, doubted=False)
    hours = float(np.diff(cuts_us)[takes].sum()) / _HOUR_US
    kwh = float(as_energy(np.array([hole.quanta]), draft.quantum)[0])
    most_kw = np.inf if evidence.most_kw is None else float(MARGIN) * evidence.most_kw
    fits = hours > 0 and kwh <= most_kw * hours
    doubted = kwh > 0 and not fits
    return SuppliedHole(hole=hole, takes=takes | (not fits), doubted=doubted)
