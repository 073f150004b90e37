"""What settled intervals take on disk, and how fast pages get them.

Bytes a row of 200 points and 90 days in columnstore, all chunks compressed, with
indexes and whatever else a chunk has; the baseline is plain PostgreSQL's table and
index. And the milliseconds of what pages ask, on plain PostgreSQL and on TimescaleDB:
the median and the slowest of the rounds, through the product's own functions. A day and
a month lie in columnstore; today's portfolio is asked before the newest 30 days are
compressed, as it is in service.

TimescaleDB is the server that KEYWATT_TEST_TIMESCALE_URL names (an empty database),
else the one in WebAssembly: bytes are the same there, times are not those of a server.

    python -m benchmarks.storage --json
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Sector
from accounts.site import MqttConnection, Site, SiteAccount, SiteMeter, SitePoint
from accounts.tariff import Prices, Tariff
from benchmarks.report import Result, report
from benchmarks.servers import temporary_postgres, timescale_in_node
from benchmarks.storage_data import settled_columns
from meters.reading import utc_us
from reports.portfolio import account_today, portfolio
from storage.binary import energy_column, time_column
from storage.database import connect
from storage.health import load_server
from storage.intervals import load_daily, load_hourly, load_intervals
from storage.master import apply_site, load_points
from storage.migrate import is_timescale, migrate
from storage.rollups import load_monthly

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 6, 10, 6, 10, tzinfo=UTC)
"""14:10 in Shanghai."""
YEAR = 365
COMPRESSED_AFTER = timedelta(days=30)
COLUMNS = """
    INSERT INTO energy_interval (
        point_id, start, length_min, import_kwh, export_kwh, lagging_kvarh,
        leading_kvarh, quality, method, version, settled_at, confidence, status, firm)
    SELECT %(point_id)s, start, 15, import_kwh, export_kwh, lagging_kvarh,
           leading_kvarh, quality, nullif(method, ''), version, settled_at, confidence,
           status, firm
      FROM unnest(%(start)s, %(import_kwh)s, %(export_kwh)s, %(lagging_kvarh)s,
                  %(leading_kvarh)s, %(quality)s::text[], %(method)s::text[],
                  %(version)s::int[], %(settled_at)s, %(confidence)s::real[],
                  %(status)s::smallint[], %(firm)s::boolean[])
           AS given (start, import_kwh, export_kwh, lagging_kvarh, leading_kvarh,
                     quality, method, version, settled_at, confidence, status, firm)
"""
READINGS = """
    INSERT INTO reading (meter_id, measured_at, received_at, energy_import_kwh)
    SELECT meter_id, start + interval '15 minutes', settled_at, import_kwh
      FROM energy_interval JOIN installation USING (point_id)
     WHERE start >= %(since)s
"""
COMPRESS = """
    SELECT compress_chunk(chunk)
      FROM show_chunks('energy_interval', older_than => %(until)s) AS chunk
     ORDER BY chunk
"""
PLAIN_BYTES = """
    SELECT sum(pg_total_relation_size(inhrelid))::bigint
      FROM pg_inherits WHERE inhparent = 'energy_interval'::regclass
"""
COLUMN_BYTES = """
    SELECT sum(after_compression_total_bytes)::bigint
      FROM chunk_compression_stats('energy_interval')
"""
Conn = Connection[TupleRow]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    found = {}
    for name, server in (("plain", temporary_postgres()), ("timescale", timescale())):
        with server as url, connect(url, autocommit=True) as conn:
            migrate(conn)
            found[name] = measure(conn, given.points, given.days, given.rounds)
        if not given.json:
            print(name, found[name])
    report(
        Result(
            name="storage",
            value=found["timescale"]["bytes_a_row"],
            unit="bytes a row",
            baseline=found["plain"]["bytes_a_row"],
            settings=vars(given),
            server=f"{found['timescale']['server']}; {found['plain']['server']}",
            more=found,
        )
    )


@contextmanager
def timescale() -> Iterator[str]:
    """Yield the URL of a TimescaleDB with an empty database."""
    if url := os.environ.get("KEYWATT_TEST_TIMESCALE_URL"):
        yield url
        return
    with timescale_in_node() as url:
        yield url


def measure(conn: Conn, points: int, days: int, rounds: int) -> dict[str, Any]:
    """Fill a migrated database and ask it what pages ask."""
    apply_site(conn, site(points))
    ids = [point.point_id for point in load_points(conn)]
    begun = time.perf_counter()
    for point_id in ids:
        store(conn, point_id, days)
    filled_s = time.perf_counter() - begun
    conn.execute(READINGS, {"since": NOW - timedelta(days=2)})
    compress(conn, NOW - COMPRESSED_AFTER)
    answers: dict[str, Callable[[], object]] = {
        "today_of_an_account": partial(account_today, conn, "account-7", NOW),
        "today_of_the_portfolio": partial(portfolio, conn, NOW),
    }
    times = timed(answers, rounds)
    compress(conn, NOW + timedelta(days=30))
    rows = count(conn, "SELECT count(*) FROM energy_interval")
    taken = count(conn, COLUMN_BYTES if is_timescale(conn) else PLAIN_BYTES)
    # A year of one point, after what it would add to the figure of 200 points.
    store(conn, ids[0], YEAR - days, until=NOW - timedelta(days=days))
    compress(conn, NOW + timedelta(days=30))
    times |= timed(asked(conn, ids), rounds)
    return {
        "server": load_server(conn).version,
        "rows": rows,
        "bytes_a_row": round(taken / rows, 2),
        "stored_rows_per_s": round(rows / filled_s),
        "median_and_slowest_ms": times,
    }


def asked(conn: Conn, ids: list[int]) -> dict[str, Callable[[], object]]:
    """Return what is asked of columnstore, by name."""
    point_id = ids[0]
    begins = datetime(2026, 4, 15, tzinfo=ZONE)
    month = datetime(2026, 4, 1, tzinfo=ZONE), datetime(2026, 5, 1, tzinfo=ZONE)
    april = date(2026, 4, 1), date(2026, 4, 30)
    year = date(2025, 7, 1), date(2026, 6, 30)
    day = begins, begins + timedelta(days=1)
    return {
        "day_of_an_account": lambda: load_intervals(conn, point_id, *day),
        "day_by_hour": lambda: load_hourly(conn, point_id, *day),
        "month_of_an_account": lambda: load_intervals(conn, point_id, *month),
        "month_by_day": lambda: load_daily(conn, point_id, *april),
        "year_of_a_point": lambda: load_intervals(
            conn, point_id, NOW - timedelta(days=YEAR), NOW
        ),
        "year_by_month": lambda: load_monthly(conn, [point_id], *year),
        "month_of_the_portfolio": lambda: load_monthly(conn, ids, *april),
        "year_of_the_portfolio": lambda: load_monthly(conn, ids, *year),
    }


def timed(
    answers: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, tuple[float, float]]:
    """Return the median and the slowest of some rounds of each. [ms]."""
    taken: dict[str, list[float]] = {name: [] for name in answers}
    for _ in range(rounds):
        for name, ask in answers.items():
            begun = time.perf_counter()
            ask()
            taken[name].append(1000 * (time.perf_counter() - begun))
    return {
        name: (round(statistics.median(each), 1), round(max(each), 1))
        for name, each in taken.items()
    }


def store(conn: Conn, point_id: int, days: int, until: datetime = NOW) -> None:
    """Store so many settled days of a point."""
    last_us = utc_us(until) // 900_000_000 * 900_000_000
    columns = settled_columns(point_id, last_us - days * 86_400_000_000, days)
    conn.execute(
        "SELECT ensure_time_partitions(%s, %s)", (until - timedelta(days=days), until)
    )
    row = {
        "point_id": point_id,
        "start": time_column(columns.start_us),
        "import_kwh": energy_column(columns.import_kwh),
        "export_kwh": energy_column(columns.export_kwh),
        "lagging_kvarh": energy_column(columns.lagging_kvarh),
        "leading_kvarh": energy_column(columns.leading_kvarh),
        "quality": columns.quality.tolist(),
        "method": columns.method.tolist(),
        "version": columns.version.tolist(),
        "settled_at": time_column(columns.settled_us),
        "confidence": columns.confidence.tolist(),
        "status": columns.status.tolist(),
        "firm": columns.firm.tolist(),
    }
    conn.execute(COLUMNS, row)


def compress(conn: Conn, until: datetime) -> None:
    """Do what policies do in the background: columnstore, hourly sums, statistics."""
    if is_timescale(conn):
        conn.execute(COMPRESS, {"until": until})
        conn.execute("CALL refresh_continuous_aggregate('load_hourly', NULL, NULL)")
    conn.execute("ANALYZE")


def count(conn: Conn, query: str) -> int:
    """Return the one number that a query gives."""
    row = conn.execute(query).fetchone()
    assert row is not None  # noqa: S101  an aggregate always gives one
    return int(row[0])


def site(points: int) -> Site:
    """Make so many accounts of one point and one meter."""
    tariff = Tariff(
        code="flat",
        name="Flat",
        currency="CNY",
        price_per_kwh=Prices(valley="0.3", flat="0.6", peak="0.9"),
        valley_hours=("00:00-08:00",),
        peak_hours=("08:00-12:00",),
    )
    return Site(
        tariffs=(tariff,),
        accounts=tuple(account(number) for number in range(1, points + 1)),
    )


def account(number: int) -> SiteAccount:
    """Make one account."""
    meter = SiteMeter(
        serial=f"BENCH-{number}",
        profile="keywatt-json",
        connection=MqttConnection(),
        installed_at=datetime(2020, 1, 1, tzinfo=UTC),
    )
    return SiteAccount(
        code=f"account-{number}",
        name=f"Account {number}",
        sector=Sector.STEEL,
        time_zone=ZONE,
        country="CN",
        manager="Mei Tan",
        tariff="flat",
        points=(SitePoint(name="Main supply", meters=(meter,)),),
    )


if __name__ == "__main__":
    main()
