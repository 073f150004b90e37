"""What a bill says: energy and cost as of its moment, the same whenever it is asked.

Energy is computed again from the versions that were believed then; prices are those of
the tariffs that held in the period.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import fsum

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Account
from accounts.calendar import DayArray, SiteCalendar
from analytics.bill import (
    EnergyLine,
    MonthPeak,
    energy_lines,
    month_peaks,
    summed,
)
from analytics.settlement.intervals import FloatArray, IntArray, Intervals
from meters.reading import from_utc_us, utc_us
from storage.bills import (
    Bill,
    BilledEnergy,
    BillError,
    load_billed_energy,
    load_bills,
    sums_of,
)
from storage.intervals import load_intervals
from storage.master import load_account, load_points
from storage.tariffs import TariffHeld, load_tariffs

_QUARTERS_PER_HOUR = 4
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class BilledPoint:
    """One point of a bill."""

    name: str
    energy: BilledEnergy
    """As it is computed now, from what was believed then."""
    as_pinned: bool
    """Whether that is what was kept when the bill was pinned."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TariffPart:
    """The time of a bill in which one version of a tariff held."""

    code: str
    name: str
    version: int
    currency: str
    start: datetime
    stop: datetime
    lines: tuple[EnergyLine, ...]

    @property
    def charge(self) -> Decimal:
        """Sum of its lines."""
        return sum((line.charge for line in self.lines), Decimal("0.00"))


@dataclass(frozen=True, kw_only=True, slots=True)
class DemandLine:
    """The highest quarter-hour of a month that the bill holds as a whole."""

    month: date
    """Its first day."""
    peak_kw: float
    peak_at: datetime
    price: Decimal
    """Of the tariff that held then. [currency per kW and month]"""
    charge: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class BillFigures:
    """A bill's energy and cost."""

    bill: Bill
    account: Account
    points: tuple[BilledPoint, ...]
    parts: tuple[TariffPart, ...]
    """By time; empty without a tariff."""
    demand: tuple[DemandLine, ...]
    unpriced_kwh: float
    """Energy of time without a tariff."""

    @property
    def import_kwh(self) -> float:
        """Energy of all points. [kWh]."""
        return round(fsum(one.energy.import_kwh or 0.0 for one in self.points), 6)

    @property
    def missing(self) -> int:
        """How many intervals are not known, and so not billed."""
        return sum(one.energy.missing for one in self.points)

    @property
    def currency(self) -> str | None:
        """Of the charge; None where there is no one currency."""
        known = {part.currency for part in self.parts}
        return known.pop() if len(known) == 1 else None

    @property
    def charge(self) -> Decimal | None:
        """Sum of all lines; None where not all of the time has a price."""
        if self.currency is None or self.unpriced_kwh:
            return None
        charges = [part.charge for part in self.parts]
        charges += [line.charge for line in self.demand]
        return sum(charges, Decimal("0.00"))


def bill_figures(conn: Connection[TupleRow], bill_id: int) -> BillFigures:
    """Compute a bill again as of its moment.

    Raises
    ------
    BillError
        There is no such bill.

    """
    bills = load_bills(conn, bill_id=bill_id)
    if not bills:
        raise BillError(
            f"There is no bill {bill_id}; “keywatt bill list” shows those there are."
        )
    [bill] = bills
    account = load_account(conn, bill.account_id)
    names = {one.point_id: one.name for one in load_points(conn, bill.account_id)}
    pinned = load_billed_energy(conn, bill_id)
    believed = [
        load_intervals(
            conn, one.point_id, bill.starts_at, bill.stops_at, as_of=bill.as_of
        )
        for one in pinned
    ]
    priced = _priced(
        _Load.of(bill, account, believed),
        load_tariffs(conn, bill.account_id, bill.starts_at, bill.stops_at),
    )
    return BillFigures(
        bill=bill,
        account=account,
        points=tuple(
            _point(names.get(one.point_id, "?"), one, its)
            for one, its in zip(pinned, believed, strict=True)
        ),
        parts=priced.parts,
        demand=priced.demand,
        unpriced_kwh=priced.unpriced_kwh,
    )


def _point(name: str, pinned: BilledEnergy, believed: Intervals) -> BilledPoint:
    sums: dict[str, float | int | None] = {"point_id": pinned.point_id}
    energy = BilledEnergy(**(sums | sums_of(believed)))  # type: ignore[arg-type]
    return BilledPoint(name=name, energy=energy, as_pinned=energy == pinned)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Load:
    """All quarter-hours of a bill, of all its points together; shape (n,)."""

    start_us: IntArray
    local_day: DayArray
    slot: IntArray
    known_kwh: FloatArray
    whole_kwh: FloatArray
    """NaN where one of the points is not known."""
    whole_months: tuple[date, ...]
    """First days of those that the bill holds from end to end."""

    @classmethod
    def of(cls, bill: Bill, account: Account, believed: Sequence[Intervals]) -> "_Load":
        calendar = SiteCalendar(account.time_zone, account.country)
        start_us = calendar.quarter_hours_us(bill.first_day, bill.last_day)
        local_day, slot = calendar.days_and_slots(start_us)
        none = np.full(start_us.size, np.inf)
        each = [none]
        for one in believed:
            placed = none.copy()
            placed[np.searchsorted(start_us, one.start_us)] = one.import_kwh
            each.append(placed)
        known_kwh, whole_kwh = summed(each)
        return cls(
            start_us=start_us,
            local_day=local_day,
            slot=slot,
            known_kwh=known_kwh,
            whole_kwh=whole_kwh,
            whole_months=_whole_months(bill.first_day, bill.last_day),
        )


def _whole_months(first: date, last: date) -> tuple[date, ...]:
    """Return the months that lie within [first, last], by their first days."""
    months = []
    month = first if first.day == 1 else _next_month(first)
    while _next_month(month) - _DAY <= last:
        months.append(month)
        month = _next_month(month)
    return tuple(months)


def _next_month(day: date) -> date:
    return (day.replace(day=28) + 4 * _DAY).replace(day=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Priced:
    parts: tuple[TariffPart, ...]
    demand: tuple[DemandLine, ...]
    unpriced_kwh: float


def _priced(load: _Load, held: Sequence[TariffHeld]) -> _Priced:
    parts = []
    priced = np.zeros(load.start_us.size, dtype=np.bool_)
    for one in held:
        rows = (load.start_us >= utc_us(one.start)) & (load.start_us < utc_us(one.stop))
        priced |= rows
        parts.append(
            TariffPart(
                code=one.tariff.code,
                name=one.tariff.name,
                version=one.version,
                currency=one.tariff.currency,
                start=one.start,
                stop=one.stop,
                lines=energy_lines(load.known_kwh[rows], load.slot[rows], one.tariff),
            )
        )
    peaks = month_peaks(_QUARTERS_PER_HOUR * load.whole_kwh, load.local_day)
    lines = (_demand(load, peak, held) for peak in peaks)
    return _Priced(
        parts=tuple(parts),
        demand=tuple(line for line in lines if line is not None),
        unpriced_kwh=round(float(np.nansum(load.known_kwh[~priced])), 6),
    )


def _demand(
    load: _Load, peak: MonthPeak, held: Sequence[TariffHeld]
) -> DemandLine | None:
    at = from_utc_us(int(load.start_us[peak.row]))
    tariff = next((one.tariff for one in held if one.start <= at < one.stop), None)
    if tariff is None or peak.month not in load.whole_months:
        return None
    charge, price = tariff.demand_charge(peak.kw), tariff.demand_price_per_kw_month
    if charge is None or price is None:
        return None
    return DemandLine(
        month=peak.month, peak_kw=peak.kw, peak_at=at, price=price, charge=charge
    )
