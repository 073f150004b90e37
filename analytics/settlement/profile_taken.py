"""Takes a meter's own intervals into a draft, where its register does not object.

A lump is taken where the register does not know both its ends; where it does, it knows
at least as much of when the energy flowed.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from analytics.settlement.boundary import chains, holes
from analytics.settlement.draft import Draft
from analytics.settlement.method import Method, State
from analytics.settlement.profile import (
    Decided,
    LoadProfile,
    Lump,
    Placed,
    decide,
    placed,
)
from analytics.settlement.quanta import shared_out
from analytics.settlement.ruleset import SumCheck

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Taken:
    """What is taken of a meter's own intervals; arrays have shape (n,)."""

    own: Placed
    decided: Decided
    lumps: tuple[Lump, ...]
    """Own long intervals whose energy is to be shared out."""
    left: tuple[Lump, ...]
    """What registers counted over holes of which own intervals tell a part: the rest
    of it is to be shared out over the rest of them."""
    quanta: IntArray
    """As counted, before anything was estimated or edited."""
    known: BoolArray


def take_profile(
    profile: LoadProfile, mine: Draft, unit: Fraction, rule: SumCheck
) -> Taken:
    """Let the sum check decide between a register and the meter's intervals.

    Parameters
    ----------
    profile : LoadProfile
    mine : Draft
        Of the register, in quanta that measure the profile's counts. Changed.
    unit : Fraction
        Energy of one register count. [kWh or kvarh]
    rule : SumCheck

    """
    span, bounds = mine.span, mine.bounds
    own = placed(profile, span, mine.quantum)
    gaps = chains(holes(bounds, mine.track))
    decided = decide(own, bounds, span, (mine.quantum, unit), rule, holes=gaps)
    take = decided.by_profile
    mine.quanta[take] = own.quanta[take]
    mine.known |= take
    mine.state[take] = State.MEASURED
    mine.method[take] = Method.NONE
    mine.confidence[take] = 1.0
    lumps = tuple(
        lump
        for lump in own.lumps
        if decided.believed[lump.first : lump.stop].all()
        and not bounds.knows(lump.first, lump.stop)
    )
    told = take.copy()
    for lump in lumps:
        told[lump.first : lump.stop] = True
    return Taken(
        own=own,
        decided=decided,
        lumps=lumps,
        left=_left(mine, gaps, told),
        quanta=mine.quanta.copy(),
        known=mine.known.copy(),
    )


def _left(
    mine: Draft, gaps: list[tuple[int, int]], told: BoolArray
) -> tuple[Lump, ...]:
    """Return holes of which a part is told; they are no longer shared out as wholes."""
    bounds, left = mine.bounds, []
    for first, stop in gaps:
        if not told[first:stop].any() or not bounds.knows(first, stop):
            continue
        bounds.step[first + 1 : stop] = -1
        if not told[first:stop].all():
            quanta = int(bounds.quanta[stop] - bounds.quanta[first])
            left.append(Lump(first=first, stop=stop, quanta=quanta))
    # Boundaries between intervals that are told must not be shared out again.
    bounds.step[1:-1][told[:-1] & told[1:]] = -1
    return tuple(left)


def share_lumps(taken: Taken, mine: Draft, shape: FloatArray) -> None:
    """Share lumps of another register out as the import flowed, in place.

    Parameters
    ----------
    taken : Taken
    mine : Draft
    shape : array, shape (n,)
        Import energy. [kWh]

    """
    quanta, known = taken.quanta.copy(), taken.known.copy()
    for lump in (*taken.lumps, *taken.left):
        inside = np.arange(lump.first, lump.stop)
        rows = inside[~known[inside]]
        if not rows.size:
            continue
        left = max(lump.quanta - int(quanta[inside[known[inside]]].sum()), 0)
        shares = shared_out(left, shape[rows], np.ones(rows.size, dtype=np.int64))
        mine.quanta[rows] = quanta[rows] = shares
        mine.known[rows] = known[rows] = True
