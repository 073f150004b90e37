"""Points with readings in a real database, for `benchmarks.settle`."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.calendar import SiteCalendar
from keywatt.settling import settle_point
from meters.quantity import COLUMN, QUANTITIES, REGISTERS, Quantity
from meters.reading import ReadingBatch, from_utc_us
from storage.binary import float_column, time_column
from storage.database import connect, connect_async
from storage.dirty import mark_touched
from storage.migrate import migrate
from storage.reading_store import write_batch
from storage.readings import load_readings

FloatArray = npt.NDArray[np.float64]

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
    def meter_ids(self) -> list[int]:
        """One a point, from 1 on."""
        return list(range(1, len(self.point_ids) + 1))

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """How much was done a second."""

    by_core: float
    """Of processor time, ours and the server's together: what one core does. Other
    work on the machine changes it little."""
    by_clock: float


def settle_all(stage: Stage) -> Rate:
    """Settle every point once; return point-days a second."""
    with connect(stage.url) as conn:
        mark_touched(conn)
        conn.commit()
        conn.execute("ANALYZE")
        conn.commit()
    days = len(stage.point_ids) * stage.days
    return _settled(stage, from_utc_us(stage.end_us), days * 96, days)


def settle_next(stage: Stage, points: int) -> Rate:
    """Settle a further quarter-hour; return points a second.

    It comes of every point; timed are so many of them.
    """
    some = replace(stage, point_ids=stage.point_ids[:points])
    # The first of a day has the day before settled again; it is no usual one.
    for number in (1, 2):
        boundary = stage.days * 96 + number
        asyncio.run(_write(stage, stage.meter_ids, boundary, boundary))
        now = from_utc_us(stage.end_us + number * QUARTER_US)
        rate = _settled(some, now, points, points)
    return rate


def settle_bare(stage: Stage, work: Callable[[ReadingBatch], FloatArray]) -> Rate:
    """Do bare arithmetic between the barest reading and writing of the same rows.

    No versions, no verdicts, no dirty days: what a database lets anyone reach.
    """
    with connect(stage.url) as conn:
        conn.execute("CREATE UNLOGGED TABLE bare (LIKE energy_interval INCLUDING ALL)")
        conn.commit()
        first, end = from_utc_us(stage.start_us), from_utc_us(stage.end_us)
        begin_s, clock_s = _core_s(conn), time.perf_counter()
        for meter_id in stage.meter_ids:
            batch = load_readings(conn, meter_id, first, end, only=REGISTERS)
            energies = dict(zip(_COLUMNS, work(batch), strict=True))
            columns = {name: float_column(kwh) for name, kwh in energies.items()}
            starts = time_column(batch.measured_us[:-1])
            row = {"point_id": meter_id, "start": starts, "now": end}
            conn.execute(INSERT_BARE, row | columns)
            conn.commit()
        return _rate(conn, begin_s, clock_s, len(stage.point_ids) * stage.days)


_COLUMNS = ("import_kwh", "export_kwh", "lagging_kvarh", "leading_kvarh")
INSERT_BARE = """
    INSERT INTO bare (point_id, start, length_min, import_kwh, export_kwh,
                      lagging_kvarh, leading_kvarh, quality, settled_at, confidence,
                      status, firm)
    SELECT %(point_id)s, start, 15, import_kwh, export_kwh, lagging_kvarh,
           leading_kvarh, 'measured', %(now)s, 1, 0, true
      FROM unnest(%(start)s, %(import_kwh)s, %(export_kwh)s, %(lagging_kvarh)s,
                  %(leading_kvarh)s)
           AS given (start, import_kwh, export_kwh, lagging_kvarh, leading_kvarh)
"""


def _settled(stage: Stage, now: datetime, intervals: int, of: int) -> Rate:
    """Settle every point; refuse to time what did not come to so many intervals."""
    with connect(stage.url) as conn:
        begin_s, clock_s = _core_s(conn), time.perf_counter()
        changed = sum(
            settle_point(conn, point_id, now).intervals_changed
            for point_id in stage.point_ids
        )
        rate = _rate(conn, begin_s, clock_s, of)
    if changed != intervals:
        raise AssertionError(f"{changed} intervals were settled, not {intervals}")
    return rate


def _rate(
    conn: Connection[TupleRow], begin_s: float, clock_s: float, done: int
) -> Rate:
    return Rate(
        by_core=done / (_core_s(conn) - begin_s),
        by_clock=done / (time.perf_counter() - clock_s),
    )


def _core_s(conn: Connection[TupleRow]) -> float:
    """Return processor time of this process and of a connection's server process."""
    stat = Path(f"/proc/{conn.info.backend_pid}/stat").read_text("ascii")
    # man 5 proc: 14 and 15 are utime and stime; names may hold blanks.
    fields = stat.rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")
