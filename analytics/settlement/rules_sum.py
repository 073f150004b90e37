"""Rules that hold two measurements of one energy against each other. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.settlement.ruleset import MainCheck, SumCheck
from analytics.settlement.span import Span
from analytics.settlement.verdict import BROKEN, Status, Verdict

FloatArray = npt.NDArray[np.float64]

_FLOAT = 1e-9
"""A ninth digit is that of floating point, not of a meter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sum:
    """Energy between two register readings, counted twice."""

    start_us: int
    stop_us: int
    intervals_kwh: float
    """Sum of the meter's own intervals."""
    register_kwh: float
    """Difference of the register, times the multiplier."""
    unit_kwh: float
    """One register count, times the multiplier."""

    def passes(self, rule: SumCheck) -> bool:
        """Whether both agree: within one count or 0.1 % (docs/methods.md)."""
        return self.difference <= self.allowed(rule)

    @property
    def difference(self) -> float:
        """How far both are apart. [kWh]."""
        return abs(self.intervals_kwh - self.register_kwh)

    def allowed(self, rule: SumCheck) -> float:
        """How far they may be apart. [kWh]."""
        share = rule.share * abs(self.register_kwh)
        return max(rule.units * self.unit_kwh, share) * (1 + _FLOAT)


def sum_check(sums: Sequence[Sum], span: Span, rule: SumCheck) -> list[Verdict]:
    """Hold a meter's own intervals against its register."""
    if not sums:
        return [span.whole("sum_check", Status.SKIPPED, {})]
    return [
        Verdict(
            rule="sum_check",
            status=Status.PASS if one.passes(rule) else BROKEN[rule.severity],
            start_us=one.start_us,
            stop_us=one.stop_us,
            figures={
                "intervals_kwh": one.intervals_kwh,
                "register_kwh": one.register_kwh,
                "difference_kwh": one.difference,
                "allowed_kwh": one.allowed(rule),
            },
        )
        for one in sums
    ]


def main_check(
    main_kwh: FloatArray, check_kwh: FloatArray, span: Span, rule: MainCheck
) -> list[Verdict]:
    """Hold the main meter against the check meter, local day by local day.

    Parameters
    ----------
    main_kwh, check_kwh : arrays, shape (n,)
        NaN = not known; only what both know is compared. [kWh]

    """
    both = ~np.isnan(main_kwh) & ~np.isnan(check_kwh)
    if not both.any():
        return [span.whole("main_check", Status.SKIPPED, {})]
    main = np.nansum(span.by_day(np.where(both, main_kwh, np.nan)), axis=1)
    check = np.nansum(span.by_day(np.where(both, check_kwh, np.nan)), axis=1)
    allowed = rule.margin * rule.combined_class * (1 + _FLOAT)
    rows = span.day_rows()
    off = np.abs(main - check)
    found = [
        span.verdict(
            "main_check",
            BROKEN[rule.severity],
            *rows[day],
            {
                "main_kwh": float(main[day]),
                "check_kwh": float(check[day]),
                "allowed_share": allowed,
            },
        )
        for day in np.flatnonzero(off > allowed * np.abs(main)).tolist()
    ]
    figures = {
        "main_kwh": float(main.sum()),
        "check_kwh": float(check.sum()),
        "allowed_share": allowed,
    }
    return found or [span.held("main_check", figures)]
