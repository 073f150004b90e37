"""Points with readings in a real database, for `benchmarks.settle`."""

import asyncio
import time
from dataclasses import dataclass
from datetime import date

import numpy as np

from accounts.calendar import SiteCalendar
from keywatt.settling import settle_point
from meters.quantity import COLUMN, QUANTITIES, REGISTERS, Quantity
from meters.reading import ReadingBatch, from_utc_us
from storage.database import connect, connect_async
from storage.dirty import mark_touched
from storage.migrate import migrate
from storage.reading_store import write_batch

QUARTER_US = 900_000_000
_AT_ONCE = 50
INSERT_POINTS = """
    WITH account AS (
        INSERT INTO account (code, name, sector, time_zone, country, manager, currency)
        VALUES ('bench', 'Bench', 'other', %(zone)s, %(country)s, 'Nobody', 'CNY')
        RETURNING account_id),
    points AS (
        INSERT INTO point (account_id, name, contract_demand_kw)
        SELECT account_id, 'Point ' || n, 700
          FROM account, generate_series(1, %(points)s) AS n
        RETURNING point_id),
    meters AS (
        INSERT INTO meter (serial, profile, transport)
        SELECT 'B-' || n, 'keywatt-json', 'mqtt'
          FROM generate_series(1, %(points)s) AS n
        RETURNING meter_id)
    INSERT INTO installation (point_id, meter_id, installed_at, ratio, register_digits,
                              register_resolution)
    SELECT point_id, meter_id, '2020-01-01Z', 60, 8, 0.01
      FROM (SELECT point_id, row_number() OVER (ORDER BY point_id) AS n
              FROM points) AS p
      JOIN (SELECT meter_id, row_number() OVER (ORDER BY meter_id) AS n
              FROM meters) AS m USING (n)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A database with points whose readings wait to be settled."""

    url: str
    point_ids: list[int]
    days: int
    start_us: int

    @property
    def end_us(self) -> int:
        """When the readings end."""
        return self.start_us + self.days * 96 * QUARTER_US


def set_up(
    url: str, calendar: SiteCalendar, points: int, first: date, days: int
) -> Stage:
    """Migrate a database and fill it with points and their readings."""
    start_us = int(calendar.quarter_hours_us(first, first)[0])
    with connect(url) as conn:
        migrate(conn)
        named = {"points": points, "zone": calendar.time_zone.key}
        conn.execute(INSERT_POINTS, named | {"country": calendar.country})
        sat = conn.execute("SELECT point_id, meter_id FROM installation ORDER BY 1")
        pairs = sat.fetchall()
    stage = Stage(
        url=url, point_ids=[p for p, _ in pairs], days=days, start_us=start_us
    )
    asyncio.run(_write(stage, [m for _, m in pairs], 0, days * 96))
    return stage


async def _write(stage: Stage, meter_ids: list[int], first: int, last: int) -> None:
    """Write the readings of boundaries [first, last]."""
    conn = await connect_async(stage.url)
    async with conn:
        for begin in range(0, len(meter_ids), _AT_ONCE):
            some = meter_ids[begin : begin + _AT_ONCE]
            await write_batch(
                conn, _readings(stage, some, first, last), transport="mqtt"
            )
        await conn.execute("VACUUM ANALYZE") if False else None


def _readings(
    stage: Stage, meter_ids: list[int], first: int, last: int
) -> ReadingBatch:
    place = np.arange(first, last + 1)
    at_us = stage.start_us + QUARTER_US * place
    values = np.full((len(meter_ids), place.size, len(QUANTITIES)), np.nan)
    for row, meter_id in enumerate(meter_ids):
        hour = place / 4 % 24 + meter_id
        # The same whenever it is asked: a load between 100 and 300 counts a quarter.
        step = np.rint(200 + 100 * np.sin(np.arange(last + 1) / 4 + meter_id))
        for quantity in REGISTERS:
            share = 0.01 if quantity is Quantity.ENERGY_EXPORT_KWH else 1.0
            counts = np.cumsum(np.rint(step * share))[first : last + 1]
            values[row, :, COLUMN[quantity]] = (counts + 99_000_000) % 10**8 / 100
        values[row, :, COLUMN[Quantity.ENERGY_EXPORT_KWH]] = 0.0
        values[row, :, COLUMN[Quantity.ACTIVE_POWER_KW]] = 400 + 100 * np.sin(hour)
    measured_us = np.tile(at_us, len(meter_ids))
    return ReadingBatch(
        meter_id=np.repeat(np.array(meter_ids, dtype=np.int32), place.size),
        measured_us=measured_us,
        received_us=measured_us + 200_000,
        values=values.reshape(-1, len(QUANTITIES)),
    )


def settle_all(stage: Stage) -> float:
    """Settle every point once; return point-days a second."""
    now = from_utc_us(stage.end_us)
    with connect(stage.url) as conn:
        mark_touched(conn)
        conn.commit()
        conn.execute("ANALYZE")
        conn.commit()
        begin = time.perf_counter()
        changed = sum(
            settle_point(conn, point_id, now).intervals_changed
            for point_id in stage.point_ids
        )
        took_s = time.perf_counter() - begin
    expected = len(stage.point_ids) * stage.days * 96
    if changed != expected:
        raise AssertionError(f"{changed} intervals were settled, not {expected}")
    return len(stage.point_ids) * stage.days / took_s


def settle_next(stage: Stage) -> float:
    """Settle one further quarter-hour of every point; return points a second."""
    meter_ids = list(range(1, len(stage.point_ids) + 1))
    boundary = stage.days * 96 + 1
    asyncio.run(_write(stage, meter_ids, boundary, boundary))
    now = from_utc_us(stage.end_us + QUARTER_US)
    with connect(stage.url) as conn:
        begin = time.perf_counter()
        changed = sum(
            settle_point(conn, point_id, now).intervals_changed
            for point_id in stage.point_ids
        )
        took_s = time.perf_counter() - begin
    if changed != len(stage.point_ids):
        raise AssertionError(f"{changed} intervals were settled")
    return len(stage.point_ids) / took_s
