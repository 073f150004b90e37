"""Accounts with settled load in a database, for tests of reports and pages."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.tariff import Prices, Tariff
from analytics.settlement.intervals import Intervals
from meters.reading import from_utc_us, utc_us
from storage.database import connect
from storage.interval_store import ENSURE_PARTITIONS, store_intervals

QUARTER_US = 15 * 60 * 1_000_000
SEOUL = ZoneInfo("Asia/Seoul")
NOW = datetime(2026, 3, 12, 5, 10, tzinfo=UTC)
"""Thursday 14:10 in Seoul."""

TARIFF = Tariff(
    code="three-period",
    name="Three periods",
    currency="KRW",
    price_per_kwh=Prices(valley="60", flat="100", peak="150"),
    valley_hours=("23:00-08:00",),
    peak_hours=("10:00-12:00", "17:00-19:00"),
    demand_price_per_kw_month="8320",
)

INSERT_ACCOUNT = """
    INSERT INTO account (code, name, sector, time_zone, country, manager, currency)
    VALUES (%(code)s, %(name)s, %(sector)s, %(zone)s, %(country)s, %(manager)s, 'KRW')
    RETURNING account_id
"""
INSERT_POINT = """
    INSERT INTO point (account_id, name, contract_demand_kw)
    VALUES (%(account_id)s, %(name)s, %(contract_kw)s) RETURNING point_id
"""
INSERT_METER = """
    INSERT INTO meter (serial, profile, transport)
    VALUES (%(serial)s, 'keywatt-json', 'mqtt') RETURNING meter_id
"""
INSERT_INSTALLATION = """
    INSERT INTO installation (point_id, meter_id, installed_at, register_digits,
                              register_resolution)
    VALUES (%(point_id)s, %(meter_id)s, '2020-01-01Z', 8, 0.01)
"""
INSERT_TARIFF = """
    INSERT INTO tariff (code, version, definition)
    VALUES (%(code)s, 1, %(definition)s)
    ON CONFLICT (code, version) DO UPDATE SET definition = excluded.definition
    RETURNING tariff_id
"""
INSERT_CONTRACT = """
    INSERT INTO contract (account_id, tariff_id, valid_from)
    VALUES (%(account_id)s, %(tariff_id)s, '-infinity')
"""
INSERT_READING = """
    INSERT INTO reading (meter_id, measured_at, received_at, energy_import_kwh)
    VALUES (%(meter_id)s, %(at)s, %(at)s, 1)
"""
INSERT_PROCESS = """
    INSERT INTO shiftable_process (point_id, name, power_kw, duration_min, usual_start,
                                   earliest_start, latest_end)
    VALUES (%(point_id)s, %(name)s, %(power_kw)s, 120, '10:00', '06:00', '22:00')
"""


@dataclass(frozen=True)
class SeededPoint:
    """What was stored."""

    account_id: int
    point_id: int
    meter_id: int


def scalar(conn: Connection[TupleRow], query: str, values: dict[str, object]) -> int:
    """Run an insert that returns one number."""
    row = conn.execute(query, values).fetchone()
    assert row is not None
    return int(row[0])


def add_account(
    conn: Connection[TupleRow],
    code: str,
    *,
    name: str | None = None,
    sector: str = "steel",
    manager: str = "Mei Tan",
    zone: str = "Asia/Seoul",
    country: str = "KR",
    contract_kw: float | None = 500.0,
    tariff: Tariff | None = TARIFF,
    read_at: datetime | None = NOW - timedelta(minutes=2),
) -> SeededPoint:
    """Store an account with one point and one meter."""
    named = {
        "code": code,
        "name": name or code.title(),
        "sector": sector,
        "manager": manager,
        "zone": zone,
        "country": country,
    }
    account_id = scalar(conn, INSERT_ACCOUNT, named)
    point = {
        "account_id": account_id,
        "name": "Main supply",
        "contract_kw": contract_kw,
    }
    point_id = scalar(conn, INSERT_POINT, point)
    meter_id = scalar(conn, INSERT_METER, {"serial": f"M-{code}"})
    conn.execute(INSERT_INSTALLATION, {"point_id": point_id, "meter_id": meter_id})
    if tariff is not None:
        form = {"code": tariff.code, "definition": tariff.model_dump_json()}
        tariff_id = scalar(conn, INSERT_TARIFF, form)
        conn.execute(
            INSERT_CONTRACT, {"account_id": account_id, "tariff_id": tariff_id}
        )
    if read_at is not None:
        conn.execute(ENSURE_PARTITIONS, {"first": read_at, "last": read_at})
        conn.execute(INSERT_READING, {"meter_id": meter_id, "at": read_at})
    return SeededPoint(account_id, point_id, meter_id)


def add_process(conn: Connection[TupleRow], point_id: int) -> None:
    """Store an arc furnace that runs two hours from 10:00."""
    named = {"point_id": point_id, "name": "Arc furnace", "power_kw": 100.0}
    conn.execute(INSERT_PROCESS, named)


def add_load(
    conn: Connection[TupleRow],
    point_id: int,
    start: datetime,
    load_kw: np.ndarray,
    *,
    estimated: np.ndarray | None = None,
    edited: np.ndarray | None = None,
    settled_at: datetime = NOW,
) -> None:
    """Store quarter-hours; NaN = missing."""
    missing = np.isnan(load_kw)
    quality = np.where(missing, "missing", "measured")
    if estimated is not None:
        quality = np.where(estimated & ~missing, "estimated", quality)
    if edited is not None:
        quality = np.where(edited & ~missing, "edited", quality)
    none = np.full(load_kw.size, math.nan)
    intervals = Intervals(
        start_us=utc_us(start) + QUARTER_US * np.arange(load_kw.size),
        length_min=15,
        import_kwh=load_kw / 4,
        export_kwh=none,
        lagging_kvarh=none,
        leading_kvarh=none,
        quality=quality.astype(str),
        method=np.where(quality == "estimated", "linear", ""),
    )
    store_intervals(conn, point_id, intervals, settled_at=settled_at)


def working_day_load(
    start: datetime, stop: datetime, zone: ZoneInfo = SEOUL, seed: int = 1
) -> np.ndarray:
    """Base of 100 kW, 300 kW more from 08:00 to 18:00 on weekdays, some noise."""
    count = (utc_us(stop) - utc_us(start)) // QUARTER_US
    load_kw = 100 + np.random.default_rng(seed).normal(0, 3, count)
    for i in range(count):
        local = from_utc_us(utc_us(start) + i * QUARTER_US).astimezone(zone)
        if local.isoweekday() <= 5 and 8 <= local.hour < 18:
            load_kw[i] += 300
    return load_kw


@dataclass(frozen=True)
class Seeded:
    """A database with three accounts of two managers."""

    url: str
    now: datetime
    steel: SeededPoint
    clinic: SeededPoint
    other: SeededPoint


@pytest.fixture
def seeded(database: str) -> Seeded:
    """Steel and clinic of Mei Tan with 60 days of load, other of Jo Park without."""
    start, stop = NOW - timedelta(days=60, minutes=10), NOW - timedelta(minutes=10)
    with connect(database) as conn:
        steel = add_account(conn, "steel", name="Hanbit Steel")
        add_process(conn, steel.point_id)
        clinic = add_account(conn, "clinic", name="Naru Clinic", sector="hospital")
        other = add_account(
            conn, "other", name="Other Ltd", manager="Jo Park", read_at=None
        )
        for point, seed in ((steel, 1), (clinic, 2)):
            load_kw = working_day_load(start, stop, seed=seed)
            add_load(conn, point.point_id, start, load_kw)
        conn.commit()
    return Seeded(database, NOW, steel, clinic, other)
