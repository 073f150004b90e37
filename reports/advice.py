"""The single best shift of one piece of equipment, in energy and money."""

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from accounts.calendar import DayType, SiteCalendar
from accounts.equipment import ShiftableProcess
from accounts.tariff import Tariff
from analytics.shift import best_shift
from reports.account_views import ShiftAdvice
from reports.load_curve import FloatArray

_CENT = Decimal("0.01")
_DAYS_A_MONTH = 30
_YEAR = 365


def advice_of(
    processes: Sequence[ShiftableProcess],
    tariff: Tariff | None,
    workday_kw: FloatArray,
    calendar: SiteCalendar,
    now: datetime,
) -> ShiftAdvice | None:
    """Return the shift that saves most; None if none saves anything.

    Parameters
    ----------
    processes : sequence of ShiftableProcess
        Of all the account's points.
    tariff : Tariff or None
        Without one nothing can be said in money.
    workday_kw : array, shape (96,)
        Typical working day; NaN = not known.
    calendar : SiteCalendar
        Counts the working days of the coming year.
    now : datetime
        Aware.

    """
    if tariff is None or np.isnan(workday_kw).all():
        return None
    month = tariff.demand_price_per_kw_month or Decimal(0)
    hints = [
        best_shift(
            process,
            tariff.price_of_slot(),
            workday_kw,
            demand_price_per_kw_day=float(month) / _DAYS_A_MONTH,
        )
        for process in processes
    ]
    best = max(
        (hint for hint in hints if hint is not None),
        key=lambda hint: hint.saved,
        default=None,
    )
    if best is None:
        return None
    working_days = _working_days(calendar, now)
    saved = _rounded(best.saved)
    return ShiftAdvice(
        process=best.process,
        from_time=best.from_start,
        to_time=best.to_start,
        moved_kwh=best.moved_kwh,
        saved_money=saved,
        year_money=_rounded(best.saved * working_days),
        working_days=working_days,
        peak_kw=best.peak_kw,
        new_peak_kw=best.new_peak_kw,
    )


def _working_days(calendar: SiteCalendar, now: datetime) -> int:
    today = np.datetime64(calendar.local_day(now), "D")
    days = np.arange(today, today + np.timedelta64(_YEAR, "D"))
    return int((calendar.day_types(days) == DayType.WORKDAY.value).sum())


def _rounded(amount: float) -> Decimal:
    return Decimal(f"{amount:.6f}").quantize(_CENT, ROUND_HALF_UP)
