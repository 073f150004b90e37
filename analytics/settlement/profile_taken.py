"""Takes a meter's own intervals into a draft, where its register does not object."""

from fractions import Fraction

from analytics.settlement.draft import Draft
from analytics.settlement.method import Method, State
from analytics.settlement.profile import (
    Decided,
    LoadProfile,
    Placed,
    decide,
    placed,
)
from analytics.settlement.ruleset import SumCheck


def take_profile(
    profile: LoadProfile, mine: Draft, unit: Fraction, rule: SumCheck
) -> tuple[Placed, Decided]:
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
    span = mine.span
    own = placed(profile, span, mine.quantum)
    decided = decide(own, mine.bounds, span, (mine.quantum, unit), rule)
    take = decided.by_profile
    mine.quanta[take] = own.quanta[take]
    mine.known |= take
    mine.state[take] = State.MEASURED
    mine.method[take] = Method.NONE
    mine.confidence[take] = 1.0
    # Boundaries between intervals that are taken must not be shared out again.
    for day in decided.left_quanta:
        first, stop = span.day_rows()[day]
        mine.bounds.step[first + 1 : stop] = -1
    mine.bounds.step[1:-1][take[:-1] & take[1:]] = -1
    return own, decided
