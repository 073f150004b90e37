"""Memory of a collector under full load: after so many minutes, against after five.

A real collector process takes messages as fast as another process can publish them.
The table of readings is emptied every half minute, since memory is the question here.

    python -m benchmarks.soak --minutes 30 --json
"""

import argparse
import asyncio
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks.brokers import running
from benchmarks.feed import Feed, enter_meters
from benchmarks.report import Result, report
from benchmarks.servers import temporary_postgres
from collector.mqtt.broker import BrokerAddress
from collector.mqtt.publish import connected
from storage.database import connect
from storage.meter_counts import fold_meter_counts

_EVERY_S = 30.0
_LONG_AGO = datetime(2025, 6, 1, tzinfo=UTC)
"""Each reading is a second later: there is room for some hundred rounds a minute."""
_MEGABYTE = 1e6
SELECT_ANSWERED = "SELECT sum(answered)::bigint FROM meter_hour"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument(
        "--first", type=float, default=5.0, help="minutes before the baseline"
    )
    given = parser.parse_args()
    with temporary_postgres() as url, running("mosquitto") as broker:
        with connect(url) as conn:
            enter_meters(conn)
        with collecting(url, broker) as collector, publishing(broker):
            sizes = watch(url, collector, given)
        with connect(url) as conn:
            readings = conn.execute(SELECT_ANSWERED).fetchone()
    first = next(size for minutes, size in sizes if minutes >= given.first)
    report(
        Result(
            name="soak",
            value=sizes[-1][1],
            unit="MB resident",
            baseline=first,
            settings={"minutes": given.minutes, "baseline_after": given.first},
            server="mosquitto, embedded PostgreSQL",
            more={
                "readings": readings[0] if readings else 0,
                "most": max(size for _, size in sizes),
                "sizes": [round(size, 1) for _, size in sizes],
            },
        )
    )


def watch(
    url: str, collector: psutil.Process, given: argparse.Namespace
) -> list[tuple[float, float]]:
    """Return the collector's resident memory in MB, by minutes since the start."""
    begun, sizes = time.monotonic(), []
    while (minutes := (time.monotonic() - begun) / 60) < given.minutes:
        sizes.append((minutes, collector.memory_info().rss / _MEGABYTE))
        if not given.json:
            print(f"{minutes:6.1f} min  {sizes[-1][1]:8.1f} MB")
        with connect(url) as conn:
            conn.execute("TRUNCATE reading, touched")
            fold_meter_counts(conn)
        time.sleep(min(_EVERY_S, given.minutes * 6))
    sizes.append((minutes, collector.memory_info().rss / _MEGABYTE))
    return sizes


@contextmanager
def collecting(url: str, broker: BrokerAddress) -> Iterator[psutil.Process]:
    """Run a collector process while the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready"
        surroundings = os.environ | {
            "KEYWATT_DATABASE_URL": url,
            "KEYWATT_BROKER_HOST": broker.host,
            "KEYWATT_BROKER_PORT": str(broker.port),
            "KEYWATT_STATE_DIR": folder,
            "KEYWATT_READY_FILE": str(ready),
            "KEYWATT_LOG_LEVEL": "warning",
        }
        command = [sys.executable, "-m", "keywatt", "collect"]
        process = subprocess.Popen(command, env=surroundings)
        try:
            while not ready.exists():
                if process.poll() is not None:
                    raise SystemExit("the collector did not start")
                time.sleep(0.05)
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def publishing(broker: BrokerAddress) -> Iterator[None]:
    """Publish without end in another process while the block lasts."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=publish, args=(broker,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join(10)


def publish(broker: BrokerAddress) -> None:
    """Publish round after round, as fast as the broker confirms."""

    async def run() -> None:
        number = 0
        async with connected(broker, client_id="publisher") as link:
            while True:
                feed = Feed(10_000, start=_LONG_AGO)
                await link.publish_all(feed.of_round(number))
                number += 1

    asyncio.run(run())


if __name__ == "__main__":
    main()
