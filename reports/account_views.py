"""What an account's page shows, as values: made by account_review.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from accounts.account import Account
from accounts.calendar import DayType
from accounts.tariff import Period
from reports.alert_views import AlertView
from reports.finding import Finding
from reports.load_curve import LoadCurve

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class TypicalDay:
    """Median day of one day type and where four days in five lie."""

    day_type: DayType
    days: int
    """How many it is made of; without any, the arrays are NaN."""
    median_kw: FloatArray
    """shape (96,), by the wall clock's quarter-hour"""
    p10_kw: FloatArray
    p90_kw: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class DurationCurve:
    """For which share of the time the load was at least so high; at most 400 points."""

    exceedance_percent: FloatArray
    """shape (n,), ascending"""
    load_kw: FloatArray
    """shape (n,), descending; the first is the peak"""


@dataclass(frozen=True, kw_only=True)
class PeriodShare:
    """Energy in one time-of-use period."""

    period: Period
    kwh: float
    percent: float
    charge: Decimal
    """At the tariff's price, rounded half-up to 0.01."""


@dataclass(frozen=True, kw_only=True)
class ShiftAdvice:
    """The single best shift of one named piece of equipment."""

    process: str
    from_time: time
    to_time: time
    moved_kwh: float
    """A working day."""
    saved_money: Decimal
    """A working day."""
    year_money: Decimal
    working_days: int
    peak_kw: float
    """Of the typical working day, as it is."""
    new_peak_kw: float


@dataclass(frozen=True, kw_only=True)
class QualityCounts:
    """Every quarter-hour that should be known by now is one of these."""

    measured: int
    estimated: int
    edited: int
    missing: int

    @property
    def expected(self) -> int:
        """All of them."""
        return self.measured + self.estimated + self.edited + self.missing


@dataclass(frozen=True, kw_only=True, eq=False)
class AccountReview:
    """One account over some days: when it uses power, what that costs, what is odd."""

    account: Account
    now: datetime
    days: int
    """Length of the period: so many local days, today included."""
    data_from: datetime | None
    """Start of the first settled quarter-hour ever."""
    data_until: datetime | None
    """End of the newest."""
    curve: LoadCurve
    contract_demand_kw: float | None
    peak_kw: float
    peak_at: datetime | None
    """Start of the quarter-hour with the peak, UTC."""
    mean_kw: float
    load_factor: float
    energy_kwh: float
    quality: QualityCounts
    typical_days: tuple[TypicalDay, ...]
    duration: DurationCurve
    tariff_name: str | None
    tou: tuple[PeriodShare, ...]
    """Empty without a tariff."""
    energy_charge: Decimal | None
    advice: ShiftAdvice | None
    has_processes: bool
    """Whether any shiftable equipment is entered."""
    alerts: tuple[AlertView, ...]
    """All of the period and those still open, newest first."""
    findings: Sequence[Finding]

    @property
    def open_alerts(self) -> tuple[AlertView, ...]:
        """Those not resolved."""
        return tuple(alert for alert in self.alerts if alert.is_open)

    @property
    def contract_percent(self) -> float:
        """Peak in percent of the contract demand; NaN without either."""
        if self.contract_demand_kw is None:
            return float("nan")
        return 100 * self.peak_kw / self.contract_demand_kw
