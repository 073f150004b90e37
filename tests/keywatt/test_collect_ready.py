"""When the collector says that it is ready, nothing published from then on is lost."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from collector.counting.counts import new_counters
from collector.mqtt.publish import connected
from collector.run import collect
from meters.meter import Transport
from tests.collector.master import enter_meters
from tests.collector.waiting import until

NOW = datetime(2026, 3, 1, 13, tzinfo=UTC)


@asynccontextmanager
async def collecting(database, broker, client_id):
    """Run the collector; yields its counts and how often it said it was ready."""
    said: list[bool] = []
    counts = new_counters()
    task = asyncio.create_task(
        collect(
            database,
            broker,
            lambda: NOW,
            counts=counts,
            on_ready=lambda: said.append(True),
            client_id=client_id,
        )
    )
    try:
        yield counts[Transport.MQTT], said
    finally:
        task.cancel()
        await asyncio.wait([task])


async def publish(broker, serial: str, energy_kwh: float) -> None:
    values = {"energy_import_kwh": energy_kwh}
    content = {"meter": serial, "time": NOW.isoformat(), "values": values}
    async with connected(broker, client_id="") as link:
        topic = f"keywatt/meters/{serial}/reading"
        await link.publish(topic, json.dumps(content).encode())


def test_once_ready_it_hears_what_is_published_and_says_so_once(
    database, own_broker, unique
) -> None:
    serial = f"C-{unique}"

    async def run() -> None:
        enter_meters(database, {"serial": serial})
        async with collecting(database, own_broker.address, unique) as (mqtt, said):
            await until(lambda: bool(said))
            # Its session is new: what comes before it subscribes is kept for nobody.
            await publish(own_broker.address, serial, 1.0)
            await until(lambda: mqtt.stored == 1)
            own_broker.stop()
            own_broker.start()
            # Heard, so it has connected and subscribed a second time.
            await publish(own_broker.address, serial, 1.0)
            await until(lambda: mqtt.repeated == 1)
        assert said == [True]

    asyncio.run(run())


def test_without_a_broker_it_is_ready_once_it_knows_the_meters(database) -> None:
    async def run() -> None:
        async with collecting(database, None, "") as (_, said):
            await until(lambda: bool(said))
        assert said == [True]

    asyncio.run(run())


def test_it_is_not_ready_while_the_broker_is_away(database, own_broker, unique) -> None:
    async def run() -> None:
        enter_meters(database, {"serial": f"C-{unique}"})
        own_broker.stop()
        async with collecting(database, own_broker.address, unique) as (_, said):
            await until(lambda: "mqtt" in {t.get_name() for t in asyncio.all_tasks()})
            assert said == []
            own_broker.start()
            await until(lambda: bool(said))

    asyncio.run(run())


def test_the_collect_command_marks_itself_ready(
    keywatt_started, tmp_path: Path, database, mosquitto
) -> None:
    ready = tmp_path / "ready"
    keywatt_started(
        "collect",
        database_url=database,
        broker_port=str(mosquitto.port),
        ready_file=str(ready),
    )
    asyncio.run(until(ready.exists))
