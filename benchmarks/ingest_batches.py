"""Readings a second from batched messages to committed rows, against bare COPY.

Each message carries many readings of one meter. The baseline copies the same rows,
encoded beforehand, into a table of the same layout; it needs no broker, no JSON and no
acknowledgement. Rounds alternate; the medians are compared.

    python -m benchmarks.ingest_batches --json
"""

import argparse
import asyncio
import statistics
import time

from psycopg import Connection
from psycopg.rows import TupleRow

from benchmarks.brokers import running
from benchmarks.feed import OURS, START, Feed, drain, enter_meters, open_session
from benchmarks.report import Result, report
from benchmarks.servers import temporary_postgres
from benchmarks.write import COPY_BARE, MAKE_BARE
from collector.mqtt.broker import BrokerAddress
from collector.mqtt.publish import connected
from meters.quantity import QUANTITIES
from storage.database import connect
from storage.reading_store import COPY_READINGS

BARE = "bare"
TAKE_ROWS = COPY_READINGS.replace("COPY reading (", "COPY (SELECT ").replace(
    ")\n    FROM STDIN", " FROM reading) TO STDOUT"
)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--messages", type=int, default=2000, help="a round")
    parser.add_argument("--batch", type=int, default=100, help="readings a message")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with temporary_postgres() as url, running("mosquitto") as broker:
        with connect(url) as conn:
            enter_meters(conn)
            conn.execute("SELECT ensure_time_partitions(%s, %s)", [START, START])
            conn.execute(MAKE_BARE)
        rates = asyncio.run(measure(url, broker, given))
    bare, ours = (statistics.median(rates[name]) for name in (BARE, OURS))
    report(
        Result(
            name="ingest_batches",
            value=ours,
            unit="readings/s",
            baseline=bare,
            settings={
                **vars(given),
                "values_a_reading": len(QUANTITIES),
                "baseline": "binary COPY of the same rows",
            },
            server="mosquitto, embedded PostgreSQL",
            more={"rounds": {n: [round(r) for r in rates[n]] for n in rates}},
        )
    )


async def measure(
    url: str, broker: BrokerAddress, given: argparse.Namespace
) -> dict[str, list[float]]:
    """Return the readings a second of each, a figure a round."""
    feed = Feed(given.messages, given.batch)
    readings = given.messages * given.batch
    await open_session(broker, OURS)
    rates: dict[str, list[float]] = {BARE: [], OURS: []}
    for number in range(given.rounds):
        async with connected(broker, client_id="publisher") as link:
            await link.publish_all(feed.of_round(number))
        rates[OURS].append(readings / await drain(url, broker, readings))
        with connect(url) as conn:
            rates[BARE].append(readings / copy_again(conn))
        with connect(url, autocommit=True) as conn:
            conn.execute("TRUNCATE reading, bare_reading")
            conn.execute("CHECKPOINT")
        if not given.json:
            print({name: round(rates[name][-1]) for name in rates})
    return rates


def copy_again(conn: Connection[TupleRow]) -> float:
    """Copy the stored rows into another table; return the seconds it took."""
    with conn.cursor() as cur, cur.copy(TAKE_ROWS) as taken:
        rows = b"".join(bytes(part) for part in taken)
    conn.commit()
    begun = time.perf_counter()
    with conn.transaction(), conn.cursor() as cur, cur.copy(COPY_BARE) as copy:
        copy.write(rows)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
