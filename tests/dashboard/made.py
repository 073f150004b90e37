"""Reports made by hand, for tests of charts and pages."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

from accounts.account import Account, Sector
from accounts.calendar import DayType
from accounts.tariff import Period
from meters.reading import utc_us
from reports.account_views import (
    AccountReview,
    DurationCurve,
    PeriodShare,
    QualityCounts,
    ShiftAdvice,
    TypicalDay,
)
from reports.alert_views import AlertEventView, AlertView
from reports.load_curve import QUARTER_US, LoadCurve
from reports.meter_views import MeterView
from reports.portfolio import Portfolio
from reports.today import AccountToday

SEOUL = ZoneInfo("Asia/Seoul")
NOW = datetime(2026, 3, 12, 5, 10, tzinfo=UTC)
"""14:10 in Seoul."""
TODAY = datetime(2026, 3, 11, 15, tzinfo=UTC)
"""Midnight in Seoul."""


def account(code: str = "steel", name: str = "Hanbit Steel") -> Account:
    return Account(
        account_id=1,
        code=code,
        name=name,
        sector=Sector.STEEL,
        time_zone=SEOUL,
        country="KR",
        manager="Mei Tan",
        currency="KRW",
    )


def curve(
    load_kw: np.ndarray | None = None,
    *,
    start: datetime = TODAY,
    estimated: tuple[int, ...] = (),
    edited: tuple[int, ...] = (),
    missing: tuple[int, ...] = (),
    expected_kw: float = 100.0,
) -> LoadCurve:
    """Make a curve: 100 kW until 14:00 unless told, within a band of 80 to 120 kW."""
    if load_kw is None:
        load_kw = np.where(np.arange(96) < 56, 100.0, np.nan)
    count = load_kw.size
    load_kw = load_kw.copy()
    load_kw[list(missing)] = np.nan
    places = np.arange(count)
    return LoadCurve(
        start_us=utc_us(start) + QUARTER_US * places,
        load_kw=load_kw,
        estimated=np.isin(places, estimated),
        edited=np.isin(places, edited),
        missing=np.isin(places, missing),
        low_kw=np.full(count, 0.8 * expected_kw),
        expected_kw=np.full(count, expected_kw),
        high_kw=np.full(count, 1.2 * expected_kw),
    )


def alert(
    state: str = "open", alert_id: int = 7, *, why: str = "<b>crane</b> repair"
) -> AlertView:
    opened = NOW - timedelta(hours=1)
    events = [AlertEventView(at=opened, action="opened", who="keywatt", why="3 over")]
    if state != "open":
        events.append(AlertEventView(at=NOW, action=state, who="Mei Tan", why=why))
    return AlertView(
        alert_id=alert_id,
        account_code="steel",
        point_name="Main supply",
        kind="deviation",
        state=state,
        opened_at=opened,
        resolved_at=NOW if state == "resolved" else None,
        code="load-above-expected",
        figures={
            "load_kw": 412.0,
            "low_kw": 80.0,
            "high_kw": 120.0,
            "since_at": opened.isoformat(),
        },
        events=tuple(events),
    )


def today(
    *,
    of: Account | None = None,
    load: LoadCurve | None = None,
    alerts: tuple[AlertView, ...] = (),
    contract_kw: float | None = 500.0,
    read_at: datetime | None = NOW - timedelta(minutes=2),
) -> AccountToday:
    return AccountToday(
        account=of or account(),
        now=NOW,
        curve=load or curve(),
        contract_demand_kw=contract_kw,
        newest_reading_at=read_at,
        alerts=alerts,
        like_days=10,
    )


def portfolio(*rows: AccountToday, disturbances=()) -> Portfolio:
    return Portfolio(now=NOW, rows=rows, disturbances=disturbances)


def review(
    *,
    load: LoadCurve | None = None,
    alerts: tuple[AlertView, ...] = (),
    advice: bool = True,
    days: int = 30,
) -> AccountReview:
    load = load or curve()
    day = np.full(96, 100.0)
    return AccountReview(
        account=account(),
        now=NOW,
        days=days,
        data_from=TODAY,
        data_until=NOW,
        curve=load,
        contract_demand_kw=500.0,
        peak_kw=412.44,
        peak_at=datetime(2026, 3, 11, 16, 30, tzinfo=UTC),
        mean_kw=100.0,
        load_factor=0.2425,
        energy_kwh=1400.0,
        quality=QualityCounts(measured=56, estimated=0, edited=0, missing=0),
        typical_days=tuple(
            TypicalDay(
                day_type=kind,
                days=5 if kind is DayType.WORKDAY else 0,
                median_kw=day,
                p10_kw=0.9 * day,
                p90_kw=1.1 * day,
            )
            for kind in DayType
        ),
        duration=DurationCurve(
            exceedance_percent=np.array([25.0, 75.0]), load_kw=np.array([412.0, 100.0])
        ),
        tariff_name="Three periods",
        tou=tuple(
            PeriodShare(period=p, kwh=kwh, percent=kwh / 14, charge=Decimal("10.50"))
            for p, kwh in zip(Period, (700.0, 420.0, 280.0), strict=True)
        ),
        energy_charge=Decimal("31.50"),
        advice=ShiftAdvice(
            process="Arc furnace",
            from_time=time(10),
            to_time=time(6),
            moved_kwh=200.0,
            saved_money=Decimal("103.00"),
            year_money=Decimal("25544.00"),
            working_days=248,
            peak_kw=508.8,
            new_peak_kw=508.8,
        )
        if advice
        else None,
        has_processes=True,
        alerts=alerts,
        findings=(),
    )


def meter(
    serial: str,
    *,
    age_s: float | None,
    drift_s: float | None,
    offline_s: float | None = None,
) -> MeterView:
    """One meter of the account."""
    return MeterView(
        serial=serial,
        profile="eastron-sdm630",
        point_name="Main supply",
        newest_at=None if age_s is None else NOW - timedelta(seconds=age_s),
        age_s=age_s,
        drift_s=drift_s,
        compared_at=None if drift_s is None else NOW,
        offline_at=None if offline_s is None else NOW - timedelta(seconds=offline_s),
    )
