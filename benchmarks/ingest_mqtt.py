"""Messages a second from a broker to committed rows, against a bare paho subscriber.

Both drain the same messages, at QoS 1, from the queue of their persistent session on
the same broker; the bare one only counts. Rounds alternate; the medians are compared.

    python -m benchmarks.ingest_mqtt --json
"""

import argparse
import asyncio
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.report import Result, report
from benchmarks.servers import temporary_postgres
from collector.counts import new_counters
from collector.mqtt.broker import BrokerAddress
from collector.mqtt.link import MqttLink
from collector.mqtt.publish import connected
from collector.run import collect
from meters.meter import Transport
from meters.payload import encode_batch, encode_payload
from meters.profile import MqttProfile, load_profile
from meters.quantity import QUANTITIES
from meters.topic import subscription, topic_of
from storage.database import connect
from storage.migrate import migrate

HOST = "127.0.0.1"
START = datetime(2026, 1, 1, tzinfo=UTC)
METERS = 200
MOSQUITTO = """
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_inflight_messages 1000
max_queued_messages 0
max_queued_bytes 0
log_dest none
"""
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
BARE, OURS = "bare", "keywatt-collector"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--messages", type=int, default=20_000, help="a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=1, help="readings a message")
    parser.add_argument(
        "--broker", choices=["mosquitto", "iotcore"], default="mosquitto"
    )
    given = parser.parse_args()
    with temporary_postgres() as url, running(given.broker) as broker:
        with connect(url) as conn:
            migrate(conn)
            conn.execute(ENTER_METERS, {"meters": METERS})
        rates = asyncio.run(measure(url, broker, given))
    bare, ours = (statistics.median(rates[name]) for name in (BARE, OURS))
    report(
        Result(
            name="ingest_mqtt",
            value=ours,
            unit="messages/s",
            baseline=bare,
            settings={
                "messages": given.messages,
                "rounds": given.rounds,
                "readings_a_message": given.batch,
                "values_a_reading": len(QUANTITIES),
                "baseline": "bare paho subscriber that only counts",
            },
            server=f"{given.broker}, embedded PostgreSQL",
            more={
                "rounds": {
                    name: [round(rate) for rate in rates[name]] for name in rates
                }
            },
        )
    )


@contextmanager
def running(kind: str) -> Iterator[BrokerAddress]:
    """Run a broker on a free loopback port while the block lasts."""
    with closing(socket.socket()) as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
    address = BrokerAddress(host=HOST, port=port)
    if kind == "iotcore":
        from iotcore import Broker  # noqa: PLC0415 - optional part

        with Broker(port=port, listen=HOST, max_inflight_count=1000):
            yield address
        return
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None:
        raise SystemExit("Mosquitto is not installed: apt-get install mosquitto")
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "mosquitto.conf"
        config.write_text(MOSQUITTO.format(port=port))
        process = subprocess.Popen([program, "-c", str(config)])
        try:
            time.sleep(0.5)
            yield address
        finally:
            process.terminate()
            process.wait()


async def measure(
    url: str, broker: BrokerAddress, given: argparse.Namespace
) -> dict[str, list[float]]:
    """Return the messages a second of each, a figure a round."""
    profile = load_profile("keywatt-json")
    if not isinstance(profile, MqttProfile):
        raise TypeError("keywatt-json is a profile of MQTT")
    topic = subscription(profile)
    for name in (BARE, OURS):
        await open_session(broker, name, topic)
    rates: dict[str, list[float]] = {BARE: [], OURS: []}
    for number in range(given.rounds):
        async with connected(broker, client_id="publisher") as link:
            await link.publish_all(messages(profile, number, given))
        for name in (BARE, OURS) if number % 2 else (OURS, BARE):
            if name == BARE:
                took_s = await asyncio.to_thread(count, broker, topic, given.messages)
            else:
                took_s = await drain(url, broker, given.messages * given.batch)
            rates[name].append(given.messages / took_s)
            if not given.json:
                print(f"{name:20} {rates[name][-1]:8.0f} messages/s")
    return rates


async def open_session(broker: BrokerAddress, name: str, topic: str) -> None:
    """Let the broker keep messages for a client that is not there."""
    link = MqttLink(broker, client_id=name, on_message=lambda *_: None)
    link.listen((topic,))
    await link.connect()
    await link.close()


def messages(
    profile: MqttProfile, number: int, given: argparse.Namespace
) -> Iterator[tuple[str, bytes]]:
    """Return a round's messages, each of another meter and instant."""
    values = {quantity: 1234.56 + i for i, quantity in enumerate(QUANTITIES)}
    for n in range(given.messages):
        serial = f"KW-{n % METERS + 1}"
        at = START + timedelta(seconds=(number * given.messages + n) * given.batch)
        readings = [(at + timedelta(seconds=i), values) for i in range(given.batch)]
        yield (
            topic_of(profile, serial),
            (
                encode_batch(profile, serial, readings)
                if given.batch > 1
                else encode_payload(profile, serial, *readings[0])
            ),
        )


def count(broker: BrokerAddress, topic: str, expected: int) -> float:
    """Drain the session of the bare subscriber; return the seconds it took."""
    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=BARE, clean_session=False
    )
    seen = 0

    def on_message(client: paho.Client, _data: object, _message: object) -> None:
        nonlocal seen
        seen += 1
        if seen == expected:
            client.disconnect()

    client.on_message = on_message
    begun = time.perf_counter()
    client.connect(broker.host, broker.port)
    client.subscribe(topic, 1)
    client.loop_forever()
    return time.perf_counter() - begun


async def drain(url: str, broker: BrokerAddress, expected: int) -> float:
    """Let the collector drain its session; return the seconds to the last commit."""
    counts = new_counters()
    begun = time.perf_counter()
    task = asyncio.create_task(
        collect(url, broker, lambda: datetime.now(UTC), counts=counts, client_id=OURS)
    )
    mqtt = counts[Transport.MQTT]
    while mqtt.stored < expected:
        await asyncio.wait([task], timeout=0.005)
        if task.done():
            task.result()
    took_s = time.perf_counter() - begun
    task.cancel()
    await asyncio.wait([task])
    return took_s


if __name__ == "__main__":
    main()
