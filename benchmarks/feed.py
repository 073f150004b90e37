"""Messages of many meters for the benchmarks of MQTT, and their collection."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg import Connection
from psycopg.rows import TupleRow

from collector.counting.counts import Counts, new_counters
from collector.mqtt.broker import BrokerAddress
from collector.mqtt.link import MqttLink
from collector.run import collect
from meters.meter import Transport
from meters.mqtt_profile import MqttProfile
from meters.payload import encode_batch, encode_payload
from meters.profile import load_profile
from meters.quantity import QUANTITIES
from meters.topic import subscription, topic_of
from storage.migrate import migrate

START = datetime(2026, 1, 1, tzinfo=UTC)
METERS = 200
OURS = "keywatt-collector"
ENTER_METERS = """
    WITH account AS (
        INSERT INTO account
            (code, name, sector, time_zone, country, manager, currency)
        VALUES ('mill', 'Mill', 'steel', 'Europe/Paris', 'FR', 'ann', 'EUR')
        RETURNING account_id),
    point AS (
        INSERT INTO point (account_id, name)
        SELECT account_id, n::text
          FROM account, generate_series(1, %(meters)s) AS n
        RETURNING point_id, name),
    meter AS (
        INSERT INTO meter (serial, profile, transport)
        SELECT 'KW-' || n, 'keywatt-json', 'mqtt'
          FROM generate_series(1, %(meters)s) AS n
        RETURNING meter_id, serial)
    INSERT INTO installation (
        point_id, meter_id, installed_at, register_digits, register_resolution)
    SELECT point_id, meter_id, '2025-01-01Z', 11, 0.001
      FROM point JOIN meter ON serial = 'KW-' || name
"""


def house_profile() -> MqttProfile:
    """Return the profile that all these meters have."""
    profile = load_profile("keywatt-json")
    if not isinstance(profile, MqttProfile):
        raise TypeError("keywatt-json is a profile of MQTT")
    return profile


TOPIC = subscription(house_profile())


def enter_meters(conn: Connection[TupleRow]) -> None:
    """Make the tables and the meters."""
    migrate(conn)
    conn.execute(ENTER_METERS, {"meters": METERS})


@dataclass(frozen=True, slots=True)
class Feed:
    """So many messages a round, of so many readings each."""

    messages: int
    batch: int = 1
    start: datetime = START

    def of_round(self, number: int) -> Iterator[tuple[str, bytes]]:
        """Yield a round's messages, each of another meter and instant."""
        profile = house_profile()
        values = {quantity: 1234.56 + i for i, quantity in enumerate(QUANTITIES)}
        for n in range(self.messages):
            serial = f"KW-{n % METERS + 1}"
            first = (number * self.messages + n) * self.batch
            times = [
                self.start + timedelta(seconds=first + i) for i in range(self.batch)
            ]
            payload = (
                encode_batch(profile, serial, [(at, values) for at in times])
                if self.batch > 1
                else encode_payload(profile, serial, times[0], values)
            )
            yield topic_of(profile, serial), payload


async def open_session(broker: BrokerAddress, name: str) -> None:
    """Let the broker keep messages for a client that is not there."""
    link = MqttLink(broker, client_id=name, on_message=lambda *_: None)
    link.listen((TOPIC,))
    await link.connect()
    await link.close()


async def drain(url: str, broker: BrokerAddress, expected: int) -> float:
    """Let the collector drain its session; return the seconds to the last commit."""
    begun = time.perf_counter()
    await collect_until(url, broker, lambda counts: counts.stored >= expected)
    return time.perf_counter() - begun


async def collect_until(
    url: str, broker: BrokerAddress, holds: Callable[[Counts], bool]
) -> None:
    """Let a collector run until its counts are such."""
    counts = new_counters()
    task = asyncio.create_task(
        collect(url, broker, lambda: datetime.now(UTC), counts=counts, client_id=OURS)
    )
    while not holds(counts[Transport.MQTT].total):
        await asyncio.wait([task], timeout=0.005)
        if task.done():
            task.result()
    task.cancel()
    await asyncio.wait([task])
