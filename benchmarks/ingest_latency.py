"""Seconds from publishing a reading to its commit, at a steady load.

A process of its own publishes at QoS 1 at the given pace; each reading's measured time
is the moment of publishing, and the server keeps the moment of each commit. The
baseline is a bare paho subscriber under the same load: publishing to receiving.

    python -m benchmarks.ingest_latency --json
"""

import argparse
import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import numpy as np
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from psycopg import Connection
from psycopg.rows import TupleRow

from benchmarks.brokers import running
from benchmarks.feed import (
    METERS,
    OURS,
    TOPIC,
    collect_until,
    enter_meters,
    house_profile,
    open_session,
)
from benchmarks.report import Result, report
from benchmarks.servers import temporary_postgres
from collector.mqtt.broker import BrokerAddress
from collector.mqtt.publish import connected
from meters.payload import encode_payload
from meters.quantity import QUANTITIES
from meters.topic import topic_of
from storage.database import connect

_TICK_S = 0.01
SELECT_LATENCIES = """
    SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin) - measured_at)::float8
      FROM reading
"""


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--pace", type=int, default=10_000, help="messages a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    expected = int(given.pace * given.seconds)
    settings = "track_commit_timestamp=on"
    with temporary_postgres(settings) as url, running("mosquitto") as broker:
        with connect(url) as conn:
            enter_meters(conn)
        bare_s = listen_bare(broker, given.pace, expected)
        asyncio.run(open_session(broker, OURS))
        with publishing(broker, given.pace, expected):
            asyncio.run(
                collect_until(url, broker, lambda counts: counts.stored >= expected)
            )
        with connect(url) as conn:
            ours_s = load_latencies(conn)
    bare, ours = (np.percentile(each, [50, 99]) for each in (bare_s, ours_s))
    report(
        Result(
            name="ingest_latency",
            value=float(ours[1]),
            unit="s, 99th percentile",
            baseline=float(bare[1]),
            settings={
                "messages_a_second": given.pace,
                "seconds": given.seconds,
                "baseline": "bare paho subscriber, publishing to receiving",
            },
            server="mosquitto, embedded PostgreSQL",
            more={"median": float(ours[0]), "median_bare": float(bare[0])},
        )
    )


def load_latencies(conn: Connection[TupleRow]) -> list[float]:
    """Return the seconds from measuring to commit of every reading."""
    return [row[0] for row in conn.execute(SELECT_LATENCIES)]


@contextmanager
def publishing(broker: BrokerAddress, pace: int, count: int) -> Iterator[None]:
    """Publish in another process while the block lasts."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=publish, args=(broker, pace, count))
    process.start()
    try:
        yield
    finally:
        process.join(30)
        process.kill()


def publish(broker: BrokerAddress, pace: int, count: int) -> None:
    """Publish at a pace, each message with the moment of publishing."""
    profile = house_profile()
    values = {quantity: 1234.56 + i for i, quantity in enumerate(QUANTITIES)}
    serials = [f"KW-{n + 1}" for n in range(METERS)]
    topics = [topic_of(profile, serial) for serial in serials]

    async def run() -> None:
        async with connected(broker, client_id="publisher") as link:
            begun, sent = time.perf_counter(), 0
            while sent < count:
                due = min(int((time.perf_counter() - begun) * pace), count)
                now = datetime.now(UTC)
                batch = [
                    (
                        topics[n % METERS],
                        encode_payload(profile, serials[n % METERS], now, values),
                    )
                    for n in range(sent, min(due, sent + METERS))
                ]
                sent += len(batch)
                await link.publish_all(batch)
                if sent >= due:
                    await asyncio.sleep(_TICK_S)

    asyncio.run(run())


def listen_bare(broker: BrokerAddress, pace: int, expected: int) -> list[float]:
    """Return the seconds from publishing to receiving, by the barest means."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bare")
    seen: list[tuple[float, bytes]] = []

    def on_message(
        client: paho.Client, _data: object, message: paho.MQTTMessage
    ) -> None:
        seen.append((time.time(), bytes(message.payload)))
        if len(seen) == expected:
            client.disconnect()

    client.on_message = on_message
    client.connect(broker.host, broker.port)
    client.subscribe(TOPIC, 1)
    with publishing(broker, pace, expected):
        client.loop_forever()
    return [at - moment_of(payload) for at, payload in seen]


def moment_of(payload: bytes) -> float:
    """Return the time that stands in a payload, in seconds since 1970 UTC."""
    begin = payload.index(b'"time":"') + len(b'"time":"')
    text = payload[begin : payload.index(b'"', begin)].decode()
    return datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    main()
