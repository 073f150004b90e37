"""When does one account use power, what does it cost, what would cost less."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import numpy.typing as npt
from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Account, Point
from accounts.calendar import DayType, SiteCalendar
from accounts.tariff import PERIODS, Tariff
from analytics.expectation import LOOK_BACK_DAYS, layout
from analytics.finding import Finding
from analytics.load import (
    day_grid,
    load_duration,
    load_factor,
    tou_split,
    typical_day,
)
from meters.reading import from_utc_us
from reports.account_views import (
    AccountReview,
    DurationCurve,
    PeriodShare,
    QualityCounts,
    TypicalDay,
)
from reports.advice import advice_of
from reports.alert_views import AlertView, alerts_of
from reports.expectation import (
    BAND_DAYS,
    curve_of,
    lay_out,
)
from reports.load_curve import QUARTERS_PER_HOUR, FloatArray, IntArray, LoadCurve
from reports.portfolio import account_of, contract_demand_kw, newest_of
from reports.review_findings import findings_of
from storage import portfolio as stored
from storage.alerts import load_alerts
from storage.bill_changes import load_bill_changes
from storage.master import load_points, load_processes, load_tariff
from storage.settlement_master import calendar_of

DURATION_POINTS = 400


@dataclass(frozen=True, eq=False)
class _Period:
    """The days shown: their load and where each quarter-hour stands."""

    curve: LoadCurve
    calendar: SiteCalendar
    like_days: int | Finding


def account_review(
    conn: Connection[TupleRow],
    account_code: str,
    now: datetime,
    *,
    days: int = 30,
    manager: str | None = None,
) -> AccountReview:
    """Return all that an account's page shows of some days.

    Parameters
    ----------
    conn : Connection
    account_code : str
    now : datetime
        Aware.
    days : int
        So many local days of the account, today included.
    manager : str or None
        Who asks; None may see every account.

    Raises
    ------
    NoSuchAccountError
        There is none, or it is another manager's.

    """
    account = account_of(conn, account_code, manager)
    points = load_points(conn, account.account_id)
    ids = [point.point_id for point in points]
    period = _period_of(conn, account, ids, now, days)
    curve = period.curve
    local_day, slot = period.calendar.days_and_slots(curve.start_us)
    grid = day_grid(curve.load_kw, local_day, slot)
    day_type = period.calendar.day_types(grid.days)
    typical = tuple(_typical(grid.power_kw, day_type, kind) for kind in DayType)
    tariff = load_tariff(conn, account.account_id, now)
    processes = [one for point_id in ids for one in load_processes(conn, point_id)]
    tou = () if tariff is None else _tou(curve, slot, tariff)
    spans = stored.load_data_spans(conn, ids)
    newest = newest_of(ids, stored.load_newest_readings(conn, ids))
    start_us = curve.peak_start_us
    return AccountReview(
        account=account,
        now=now,
        days=days,
        data_from=min((a for a, _ in spans.values() if a), default=None),
        data_until=max((b for _, b in spans.values() if b), default=None),
        curve=curve,
        contract_demand_kw=contract_demand_kw(points),
        peak_kw=curve.peak_kw,
        peak_at=None if start_us is None else from_utc_us(start_us),
        mean_kw=float(np.nanmean(curve.load_kw)) if curve.known.any() else np.nan,
        load_factor=load_factor(curve.load_kw),
        energy_kwh=curve.energy_kwh,
        quality=_quality(curve),
        typical_days=typical,
        duration=_duration(curve),
        tariff_name=None if tariff is None else tariff.name,
        tou=tou,
        energy_charge=_charge(tou),
        advice=advice_of(processes, tariff, typical[0].median_kw, period.calendar, now),
        has_processes=bool(processes),
        alerts=_alerts(conn, account, points, curve),
        findings=findings_of(
            curve,
            days_seen=int((~np.isnan(grid.power_kw)).any(axis=1).sum()),
            like_days=period.like_days,
            newest_reading_at=newest,
            now=now,
            has_tariff=tariff is not None,
            has_contract_demand=contract_demand_kw(points) is not None,
            bills=load_bill_changes(conn, account.account_id),
        ),
    )


def _period_of(
    conn: Connection[TupleRow],
    account: Account,
    ids: Sequence[int],
    now: datetime,
    days: int,
) -> _Period:
    calendar = calendar_of(conn, account)
    today = calendar.local_day(now)
    with_band = days <= BAND_DAYS
    before = LOOK_BACK_DAYS if with_band else 0
    on = layout(calendar, today - timedelta(days=before + days - 1), today)
    start = from_utc_us(int(on.start_us[0]))
    loads = stored.load_loads(conn, ids, start, now + timedelta(days=1))
    unusual = stored.load_unusual(conn, ids, start) if with_band else []
    laid = lay_out(list(loads.values()), unusual, on)
    curve, like_days = curve_of(laid, before, now, with_band=with_band)
    return _Period(curve.since_first_known(), calendar, like_days)


def _typical(
    grid_kw: FloatArray, day_type: npt.NDArray[np.str_], wanted: DayType
) -> TypicalDay:
    found = typical_day(grid_kw, day_type, wanted, least_days=1)
    if found is None:
        none = np.full(grid_kw.shape[1], np.nan)
        return TypicalDay(
            day_type=wanted, days=0, median_kw=none, p10_kw=none, p90_kw=none
        )
    return TypicalDay(
        day_type=wanted,
        days=found.days,
        median_kw=found.median_kw,
        p10_kw=found.p10_kw,
        p90_kw=found.p90_kw,
    )


def _duration(curve: LoadCurve) -> DurationCurve:
    """Thin the duration curve evenly; its ends, and so the peak, stay."""
    full = load_duration(curve.load_kw)
    count = min(full.kw.size, DURATION_POINTS)
    shown = np.linspace(0, max(full.kw.size - 1, 0), count).round().astype(np.int64)
    return DurationCurve(
        exceedance_percent=100 * full.exceedance[shown], load_kw=full.kw[shown]
    )


def _quality(curve: LoadCurve) -> QualityCounts:
    known, estimated = int(curve.known.sum()), int(curve.estimated.sum())
    edited = int(curve.edited.sum())
    return QualityCounts(
        measured=known - estimated - edited,
        estimated=estimated,
        edited=edited,
        missing=int(curve.missing.sum()),
    )


def _tou(curve: LoadCurve, slot: IntArray, tariff: Tariff) -> tuple[PeriodShare, ...]:
    kwh = tou_split(curve.load_kw / QUARTERS_PER_HOUR, slot, tariff.period_of_slot())
    total = sum(kwh.values())
    charges = tariff.energy_lines(kwh)
    return tuple(
        PeriodShare(
            period=period,
            kwh=kwh[period],
            percent=100 * kwh[period] / total if total > 0 else 0.0,
            charge=charges[period],
        )
        for period in PERIODS
    )


def _charge(tou: Sequence[PeriodShare]) -> Decimal | None:
    return sum((share.charge for share in tou), Decimal("0.00")) if tou else None


def _alerts(
    conn: Connection[TupleRow],
    account: Account,
    points: Sequence[Point],
    curve: LoadCurve,
) -> tuple[AlertView, ...]:
    since = from_utc_us(int(curve.start_us[0]))
    rows = load_alerts(conn, account_id=account.account_id, resolved_since=since)
    return alerts_of(conn, rows, [account], points)[account.account_id]
