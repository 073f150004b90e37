"""Rules about what is usual: spikes, usage, peaks. Pure."""

import numpy as np
import numpy.typing as npt

from analytics.settlement.ruleset import Peak, Spike, Usage
from analytics.settlement.span import Span
from analytics.settlement.verdict import BROKEN, Status, Verdict

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_THIRD = 3


def spike(
    import_kwh: FloatArray,
    sum_passes: BoolArray,
    most_kw: float | None,
    span: Span,
    rule: Spike,
) -> list[Verdict]:
    """Hold each day's highest interval against its third-highest (Oracle).

    A spike in a day whose sum the register confirms is probably real: a warning only.

    Parameters
    ----------
    import_kwh : array, shape (n,)
        NaN = not known. [kWh]
    sum_passes : array, shape (d,)
        Whether the register confirms each local day's energy.
    most_kw : float or None
        The most that can flow; of the span's own peak if None. [kW]

    """
    by_day = span.by_day(import_kwh)
    if by_day.shape[1] < _THIRD:
        return [span.whole("spike", Status.SKIPPED, {})]
    ordered = np.sort(np.where(np.isnan(by_day), 0.0, by_day), axis=1)
    highest, third = ordered[:, -1], ordered[:, -_THIRD]
    most = highest.max() if most_kw is None else most_kw * span.hours
    judged = (third > 0) & (third >= rule.least_share * most)
    if not judged.any():
        return [span.whole("spike", Status.SKIPPED, {})]
    ratio = np.zeros(highest.shape)
    np.divide(highest - third, third, out=ratio, where=judged)
    rows = span.day_rows()
    found = []
    for day in np.flatnonzero(ratio > rule.ratio).tolist():
        first, _ = rows[day]
        at = first + int(np.nanargmax(by_day[day]))
        status = Status.WARN if sum_passes[day] else BROKEN[rule.severity]
        figures = {
            "highest_kwh": float(highest[day]),
            "third_kwh": float(third[day]),
            "ratio": float(ratio[day]),
            "sum_passes": float(sum_passes[day]),
        }
        found.append(span.verdict("spike", status, at, at + 1, figures))
    return found or [span.held("spike", {"greatest_ratio": float(ratio.max())})]


def usage(
    import_kwh: FloatArray, reference_kwh_a_day: float | None, span: Span, rule: Usage
) -> list[Verdict]:
    """Hold average daily usage against that of reference days.

    Parameters
    ----------
    import_kwh : array, shape (n,)
        NaN = not known. [kWh]
    reference_kwh_a_day : float or None
        None = there are no reference days. [kWh]

    """
    known = ~np.isnan(import_kwh)
    if reference_kwh_a_day is None or reference_kwh_a_day <= 0 or not known.any():
        return [span.whole("usage", Status.SKIPPED, {})]
    a_day = float(import_kwh[known].mean()) * 24 / span.hours
    ratio = a_day / reference_kwh_a_day
    figures = {
        "kwh_a_day": a_day,
        "reference_kwh_a_day": reference_kwh_a_day,
        "ratio": ratio,
    }
    if rule.low <= ratio <= rule.high:
        return [span.held("usage", figures)]
    return [span.whole("usage", BROKEN[rule.severity], figures)]


def peak(
    import_kwh: FloatArray, previous_kw: float | None, span: Span, rule: Peak
) -> list[Verdict]:
    """Hold the peak against that of the equally long period before (Itron).

    Parameters
    ----------
    import_kwh : array, shape (n,)
        NaN = not known. [kWh]
    previous_kw : float or None
        None = not known. [kW]

    """
    known = import_kwh[~np.isnan(import_kwh)]
    if previous_kw is None or previous_kw <= 0 or not known.size:
        return [span.whole("peak", Status.SKIPPED, {})]
    highest_kw = float(known.max()) / span.hours
    ratio = highest_kw / previous_kw
    figures = {"peak_kw": highest_kw, "previous_kw": previous_kw, "ratio": ratio}
    if ratio <= rule.ratio:
        return [span.held("peak", figures)]
    at = int(np.nanargmax(import_kwh))
    return [span.verdict("peak", BROKEN[rule.severity], at, at + 1, figures)]
