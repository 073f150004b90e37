"""Messages a second from a broker to committed rows, against a bare paho subscriber.

Both drain the same messages, at QoS 1, from the queue of their persistent session on
the same broker; the bare one only counts. Rounds alternate; the medians are compared.

    python -m benchmarks.ingest_mqtt --json
"""

import argparse
import asyncio
import statistics
import time

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.brokers import running
from benchmarks.feed import OURS, TOPIC, Feed, drain, enter_meters, open_session
from benchmarks.report import Result, report
from benchmarks.servers import temporary_postgres
from collector.mqtt.broker import BrokerAddress
from collector.mqtt.publish import connected
from meters.quantity import QUANTITIES
from storage.database import connect

BARE = "bare"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--messages", type=int, default=20_000, help="a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--broker", choices=["mosquitto", "iotcore"], default="mosquitto"
    )
    given = parser.parse_args()
    with temporary_postgres() as url, running(given.broker) as broker:
        with connect(url) as conn:
            enter_meters(conn)
        rates = asyncio.run(measure(url, broker, given))
    bare, ours = (statistics.median(rates[name]) for name in (BARE, OURS))
    rounds = {name: [round(rate) for rate in rates[name]] for name in rates}
    report(
        Result(
            name="ingest_mqtt",
            value=ours,
            unit="messages/s",
            baseline=bare,
            settings={
                "messages": given.messages,
                "rounds": given.rounds,
                "values_a_reading": len(QUANTITIES),
                "baseline": "bare paho subscriber that only counts",
            },
            server=f"{given.broker}, embedded PostgreSQL",
            more={"rounds": rounds},
        )
    )


async def measure(
    url: str, broker: BrokerAddress, given: argparse.Namespace
) -> dict[str, list[float]]:
    """Return the messages a second of each, a figure a round."""
    feed = Feed(given.messages)
    for name in (BARE, OURS):
        await open_session(broker, name)
    rates: dict[str, list[float]] = {BARE: [], OURS: []}
    for number in range(given.rounds):
        async with connected(broker, client_id="publisher") as link:
            await link.publish_all(feed.of_round(number))
        for name in (BARE, OURS) if number % 2 else (OURS, BARE):
            if name == BARE:
                took_s = await asyncio.to_thread(count, broker, given.messages)
            else:
                took_s = await drain(url, broker, given.messages)
            rates[name].append(given.messages / took_s)
            if not given.json:
                print(f"{name:20} {rates[name][-1]:8.0f} messages/s")
    return rates


def count(broker: BrokerAddress, expected: int) -> float:
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
    client.subscribe(TOPIC, 1)
    client.loop_forever()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
