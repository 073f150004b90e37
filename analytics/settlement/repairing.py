"""Takes what the meter itself says where its import register cannot be believed."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from analytics.settlement.counting import CountedPoint
from analytics.settlement.draft import Draft
from analytics.settlement.filling import Filler
from analytics.settlement.method import Method
from analytics.settlement.standstill import mean_power
from analytics.settlement.verdict import Verdict

_TURNED_CONFIDENCE = 0.9
_POWER_CONFIDENCE = 0.95
_LEAST_COMPARED = 8
"""Intervals in which register and momentary power are compared."""


def turn_round(verdicts: Iterable[Verdict], drawn: Draft, fed: Draft | None) -> None:
    """Take what a meter connected the wrong way round fed for what was drawn.

    Only where the rule found that nothing was drawn and that what was fed is as much
    as was expected; the failed rule stays for a person to confirm.
    """
    span = drawn.span
    for one in verdicts:
        if fed is None or one.rule != "reverse" or not one.figures.get("reversed"):
            continue
        within = (span.start_us >= one.start_us) & (span.start_us < one.stop_us)
        rows = np.flatnonzero(within & fed.known)
        kwh = np.nan_to_num(drawn.counted_kwh[rows]) + fed.counted_kwh[rows]
        drawn.put(rows, kwh, Method.CALCULATED, _TURNED_CONFIDENCE)
        nothing = np.zeros(rows.size)
        fed.put(rows, nothing, Method.CALCULATED, _TURNED_CONFIDENCE)


def calculate(counted: CountedPoint, drawn: Draft, filler: Filler) -> None:
    """Take momentary power where the register stood while that power went on changing.

    How many kWh a kW of it is worth is seen where the register counted.
    """
    moving = [one for one in counted.standstills if not one.frozen]
    if not moving:
        return
    span = drawn.span
    power_kw = mean_power(
        counted.power_us, counted.power_kw, span.start_us, span.length_us
    )
    both = ~np.isnan(power_kw) & filler.firm & ~np.isnan(drawn.kwh)
    if both.sum() < _LEAST_COMPARED or power_kw[both].sum() <= 0:
        return
    kwh = power_kw * (drawn.kwh[both].sum() / power_kw[both].sum())
    stood: npt.NDArray[np.bool_] = np.zeros(kwh.shape, dtype=np.bool_)
    for one in moving:
        stood |= span.touched(one.start_us, one.stop_us)
    # The intervals at its ends were counted in part: never less than that.
    kwh = np.fmax(kwh, np.where(drawn.known, drawn.counted_kwh, np.nan))
    rows = np.flatnonzero(drawn.distrusted & stood & (kwh >= 0))
    drawn.put(rows, kwh[rows], Method.CALCULATED, _POWER_CONFIDENCE)
