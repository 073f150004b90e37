"""Seconds to build all that an account's page shows of two years of quarter-hours.

Ours: the account's day, the review of the whole period and every chart, serialised as
it goes to the browser. The baseline fetches the same rows as `SELECT start, import_kwh`
into numpy, nothing more. Rounds alternate; the medians are compared.

    python -m benchmarks.account_page --json
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Sector
from accounts.site import MqttConnection, Site, SiteAccount, SiteMeter, SitePoint
from accounts.tariff import Prices, Tariff
from analytics.settlement.intervals import Intervals
from benchmarks.report import Result, report
from benchmarks.servers import temporary_postgres
from dashboard import charts
from meters.reading import utc_us
from reports.account_review import account_review
from reports.portfolio import account_today
from reports.writing import Reader
from storage.database import connect
from storage.health import load_server
from storage.interval_store import store_intervals
from storage.master import apply_site, load_points
from storage.migrate import migrate

NOW = datetime(2026, 3, 12, 5, 10, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Seoul")
QUARTER_US = 15 * 60 * 1_000_000
CODE = "plant"
SELECT_BARE = """
    SELECT start, import_kwh FROM energy_interval
     WHERE point_id = %(point_id)s AND start >= %(start)s ORDER BY start
"""


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--days", type=int, default=730, help="of load")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    with temporary_postgres() as url, connect(url, autocommit=True) as conn:
        migrate(conn)
        point_id = fill(conn, given.days)
        result = _measure(conn, point_id, given.days, given.rounds)
    if not given.json:
        print(
            f"Account page of {given.days} days: {1000 * result.value:.0f} ms; "
            f"the bare fetch of its rows: {1000 * result.baseline:.0f} ms."
        )
    report(result)


def _measure(
    conn: Connection[TupleRow], point_id: int, days: int, rounds: int
) -> Result:
    start = NOW - timedelta(days=days)
    pages, fetches, sizes = [], [], []
    _page(conn, days)  # once for what is imported and planned at first use
    for _ in range(rounds):
        fetches.append(_seconds(lambda: _bare(conn, point_id, start)))
        pages.append(_seconds(lambda: sizes.append(_page(conn, days))))
    reports = _seconds(lambda: account_review(conn, CODE, NOW, days=days))
    rows = _bare(conn, point_id, start)
    return Result(
        name="account_page",
        value=statistics.median(pages),
        unit="s",
        baseline=statistics.median(fetches),
        settings={"days": days, "rounds": rounds, "intervals": rows},
        server=load_server(conn).version,
        more={
            "slowest_s": round(max(pages), 3),
            "review_alone_s": round(reports, 3),
            "charts_kilobytes": round(sizes[-1] / 1000),
        },
    )


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _page(conn: Connection[TupleRow], days: int) -> int:
    """Build all that the page shows; return the size of its charts in bytes."""
    today = account_today(conn, CODE, NOW)
    review = account_review(conn, CODE, NOW, days=days)
    reader = Reader(zone=ZONE, currency=today.account.currency)
    drawn = [
        charts.load_figure(today.curve, reader, contract_kw=today.contract_demand_kw),
        charts.load_figure(review.curve, reader, contract_kw=review.contract_demand_kw),
        charts.duration_figure(review.duration, reader),
        charts.typical_figure(review.typical_days, reader),
    ]
    return sum(len(figure.to_json()) for figure in drawn)


def _bare(conn: Connection[TupleRow], point_id: int, start: datetime) -> int:
    window = {"point_id": point_id, "start": start}
    rows = conn.execute(SELECT_BARE, window).fetchall()
    starts = np.array([start.timestamp() for start, _ in rows])
    kwh = np.array([kwh for _, kwh in rows])
    return min(starts.size, kwh.size)


def fill(conn: Connection[TupleRow], days: int) -> int:
    """Store one account with so many days of load; return its point."""
    apply_site(conn, _site())
    (point,) = load_points(conn)
    start_us = utc_us(NOW - timedelta(days=days)) // QUARTER_US * QUARTER_US
    count = days * 96
    hour = (start_us // QUARTER_US + np.arange(count)) / 4 % 24 + 9
    noise = np.random.default_rng(1).normal(0, 8, count)
    load_kw = 300 + 120 * np.sin((hour - 9) / 12 * np.pi) + noise
    none = np.full(count, np.nan)
    intervals = Intervals(
        start_us=start_us + QUARTER_US * np.arange(count),
        length_min=15,
        import_kwh=load_kw / 4,
        export_kwh=none,
        lagging_kvarh=none,
        leading_kvarh=none,
        quality=np.full(count, "measured"),
        method=np.full(count, ""),
    )
    store_intervals(conn, point.point_id, intervals, settled_at=NOW)
    conn.execute("ANALYZE energy_interval")
    return point.point_id


def _site() -> Site:
    tariff = Tariff(
        code="three-period",
        name="Three periods",
        currency="KRW",
        price_per_kwh=Prices(valley="60", flat="100", peak="150"),
        valley_hours=("23:00-08:00",),
        peak_hours=("10:00-12:00", "17:00-19:00"),
        demand_price_per_kw_month="8320",
    )
    meter = SiteMeter(
        serial="BENCH-1",
        profile="keywatt-json",
        connection=MqttConnection(),
        installed_at=datetime(2020, 1, 1, tzinfo=UTC),
    )
    point = SitePoint(name="Main supply", contract_demand_kw=500.0, meters=(meter,))
    account = SiteAccount(
        code=CODE,
        name="Plant",
        sector=Sector.STEEL,
        time_zone=ZONE,
        country="KR",
        manager="Mei Tan",
        tariff=tariff.code,
        points=(point,),
    )
    return Site(tariffs=(tariff,), accounts=(account,))


if __name__ == "__main__":
    main()
