"""Readings a second into the database, against binary COPY of the same bytes.

The baseline copies bytes that are encoded beforehand into a table of the same layout
and commits. Ours starts from columns: it encodes, copies, says what it touched,
counts and commits. They take turns batch by batch, so that what else the machine does
hits both; the medians of all batches are compared. All repeats are measured too.

    python -m benchmarks.write --json
"""

import argparse
import asyncio
import math
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import numpy as np
from psycopg import AsyncConnection, Connection
from psycopg.rows import TupleRow

from accounts.site import Site
from benchmarks.report import Result, report
from benchmarks.servers import temporary_postgres
from meters.quantity import QUANTITIES
from meters.reading import ReadingBatch, utc_us
from storage.binary import copy_chunks
from storage.database import connect, connect_async
from storage.health import load_server
from storage.master import apply_site
from storage.migrate import migrate
from storage.reading_store import COPY_READINGS, write_batch

START_US = utc_us(datetime(2026, 1, 1, tzinfo=UTC))
EVERY_US = 10_000_000
GIVEN = (17, 11, 4)
"""How many quantities the meters of three profiles give."""
COPY_BARE = COPY_READINGS.replace("COPY reading", "COPY bare_reading")
MAKE_BARE = """
    CREATE TABLE bare_reading (LIKE reading INCLUDING ALL)
        PARTITION BY RANGE (measured_at);
    CREATE TABLE bare_reading_2026_01 PARTITION OF bare_reading
        FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
"""
EMPTY = "TRUNCATE reading, bare_reading, touched, collection_count, meter_count_new"

Write = Callable[[ReadingBatch, bytes], Awaitable[None]]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--batch", type=int, default=10_000, help="readings a batch")
    parser.add_argument("--batches", type=int, default=20, help="a round")
    parser.add_argument("--meters", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    with temporary_postgres() as url:
        with connect(url) as conn:
            server = prepare(conn, given.meters)
        batches = [
            make_batch(given.meters, given.batch, number)
            for number in range(given.batches)
        ]
        rates = asyncio.run(measure(url, batches, given.rounds))
    bare, ours, repeats = (statistics.median(rates[name]) for name in rates)
    if not given.json:
        for name, each in rates.items():
            quarters = statistics.quantiles(each)
            print(f"{name:8}", " ".join(f"{rate:9.0f}" for rate in quarters), "rows/s")
    report(
        Result(
            name="write",
            value=ours,
            unit="rows/s",
            baseline=bare,
            settings=vars(given) | {"quantities_given": GIVEN, "fsync": "on"},
            server=server,
            more={"all_repeats": repeats, "all_repeats_ratio": repeats / bare},
        )
    )


def prepare(conn: Connection[TupleRow], meters: int) -> str:
    """Make the tables and a point for each meter; return the server's name."""
    migrate(conn)
    conn.execute("SELECT ensure_time_partitions('2026-01-01', '2026-01-01')")
    conn.execute(MAKE_BARE)
    apply_site(conn, site(meters))
    return f"embedded PostgreSQL {load_server(conn).version}"


def site(meters: int) -> Site:
    """One account with as many points as there are meters."""
    return Site.model_validate(
        {
            "tariffs": [
                {
                    "code": "flat",
                    "name": "Flat",
                    "currency": "EUR",
                    "price_per_kwh": {"valley": "1", "flat": "1", "peak": "1"},
                    "valley_hours": [],
                    "peak_hours": [],
                }
            ],
            "accounts": [
                {
                    "code": "plant",
                    "name": "Plant",
                    "sector": "other",
                    "time_zone": "Asia/Shanghai",
                    "country": "CN",
                    "manager": "Nobody",
                    "tariff": "flat",
                    "points": [
                        {"name": f"Point {n}", "meters": [meter(n)]}
                        for n in range(meters)
                    ],
                }
            ],
        }
    )


def meter(number: int) -> dict[str, object]:
    """One meter of a site."""
    return {
        "serial": f"KW-{number}",
        "profile": "keywatt-json",
        "connection": {"transport": "mqtt"},
        "installed_at": datetime(2020, 1, 1, tzinfo=UTC),
    }


def make_batch(meters: int, size: int, number: int) -> ReadingBatch:
    """Make one batch of readings, meter after meter at each instant as they come in."""
    row = number * size + np.arange(size)
    meter_id = (row % meters + 1).astype(np.int32)
    values = np.random.default_rng(number).normal(100, 10, (size, len(QUANTITIES)))
    quantities = np.array(GIVEN)[meter_id % len(GIVEN)]
    values[np.arange(len(QUANTITIES)) >= quantities[:, None]] = math.nan
    measured_us = START_US + EVERY_US * (row // meters)
    return ReadingBatch(
        meter_id=meter_id,
        measured_us=measured_us,
        received_us=measured_us + 200_000,
        values=values,
    )


async def measure(
    url: str, batches: list[ReadingBatch], rounds: int
) -> dict[str, list[float]]:
    """Return rows a second of each batch: bare, ours, and ours with only repeats."""
    rates: dict[str, list[float]] = {"bare": [], "ours": [], "repeats": []}
    encoded = [
        b"".join(copy_chunks(b.meter_id, (b.measured_us, b.received_us), b.values, 1))
        for b in batches
    ]
    work = list(zip(batches, encoded, strict=True))
    conn = await connect_async(url)
    async with conn:
        pair: list[tuple[str, Write]] = [("bare", bare(conn)), ("ours", ours(conn))]
        for number in range(rounds):
            await clear(conn)
            for turn, (batch, rows) in enumerate(work):
                for name, write in pair if (number + turn) % 2 else reversed(pair):
                    rates[name].append(await timed(write, batch, rows))
            for batch, rows in work:
                rates["repeats"].append(await timed(ours(conn), batch, rows))
    return rates


async def clear(conn: AsyncConnection[TupleRow]) -> None:
    """Empty the tables, and write out what earlier rounds left to be written."""
    await conn.set_autocommit(True)
    await conn.execute(EMPTY)
    await conn.execute("CHECKPOINT")
    await conn.set_autocommit(False)


async def timed(write: Write, batch: ReadingBatch, rows: bytes) -> float:
    """Write a batch and return rows a second."""
    begin = time.perf_counter()
    await write(batch, rows)
    return len(batch) / (time.perf_counter() - begin)


def bare(conn: AsyncConnection[TupleRow]) -> Write:
    """Copy the encoded rows and commit."""

    async def write(_: ReadingBatch, rows: bytes) -> None:
        async with (
            conn.transaction(),
            conn.cursor() as cur,
            cur.copy(COPY_BARE) as copy,
        ):
            await copy.write(rows)

    return write


def ours(conn: AsyncConnection[TupleRow]) -> Write:
    """Write as the collector does."""

    async def write(batch: ReadingBatch, _: bytes) -> None:
        await write_batch(conn, batch, transport="mqtt")

    return write


if __name__ == "__main__":
    main()
