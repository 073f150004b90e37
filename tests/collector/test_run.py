"""The whole collector, from meters and brokers to committed rows."""

import asyncio
import contextlib
import json
import sys
from datetime import UTC, datetime, timedelta

from collector.counting.counts import new_counters
from collector.mqtt.link import MqttLink
from collector.mqtt.publish import connected
from collector.run import collect
from meters.meter import Transport
from storage.database import connect
from tests.collector.master import (
    enter_meters,
    outcomes,
    quarantined,
    stored,
)
from tests.collector.modbus.gateway import Unit, gateway
from tests.collector.proxy import line_to
from tests.collector.waiting import until
from tests.fix_broker import HOST

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MQTT, MODBUS = Transport.MQTT, Transport.MODBUS


def now() -> datetime:
    return START + timedelta(hours=1)


def topic(serial: str) -> str:
    return f"keywatt/meters/{serial}/reading"


def payload(serial: str, minute: float = 0, energy: float = 1.0, **fields) -> bytes:
    at = START + timedelta(minutes=minute)
    message = {
        "meter": serial,
        "time": at.isoformat(),
        "values": {"energy_import_kwh": energy},
    }
    return json.dumps(message | fields).encode()


async def send(broker, *messages: tuple[str, bytes]) -> None:
    async with connected(broker, client_id="") as link, asyncio.timeout(30):
        await link.publish_all(messages)


@contextlib.asynccontextmanager
async def collecting(url, broker, client_id, **options):
    """Run the collector while the block lasts; yields its counts."""
    if broker is not None:
        await subscribed(broker, client_id)
    counts = new_counters()
    options = {"refresh_every_s": 0.1, "timeout_s": 0.2} | options
    task = asyncio.create_task(
        collect(url, broker, now, counts=counts, client_id=client_id, **options)
    )
    try:
        yield counts
    finally:
        assert not task.done() or task.exception() is None
        task.cancel()
        stopping = asyncio.get_running_loop().time()
        await asyncio.wait([task], timeout=10.0)
        assert asyncio.get_running_loop().time() - stopping < 2.5
        assert task.cancelled()


async def subscribed(broker, client_id) -> None:
    """Make the collector's session at the broker: from now on messages wait for it."""
    link = MqttLink(broker, client_id=client_id, on_message=lambda *_: None)
    link.listen((topic("+"),))
    await link.connect()
    await link.close()


def test_both_transports_reach_the_database(database, broker, unique) -> None:
    async def run() -> None:
        async with gateway(Unit(1), Unit(2)) as port:
            enter_meters(
                database,
                {"serial": f"A-{unique}", "host": HOST, "port": port, "unit": 1},
                {"serial": f"B-{unique}", "host": HOST, "port": port, "unit": 2},
                {"serial": f"C-{unique}"},
            )
            async with collecting(database, broker, unique) as counts:
                await until(lambda: counts[MODBUS].answered >= 2)
                messages = [
                    (topic(f"C-{unique}"), payload(f"C-{unique}", n / 100, n))
                    for n in range(300)
                ]
                await send(broker, *messages)
                await until(lambda: counts[MQTT].stored == 300)
                await until(lambda: counts[MODBUS].stored >= 2)
        mqtt = counts[MQTT]
        assert (mqtt.asked, mqtt.repeated, mqtt.refused, mqtt.failed) == (300, 0, 0, 0)
        # The hour by which it collects stands still: each meter has one instant.
        assert (counts[MODBUS].stored, counts[MODBUS].refused) == (2, 0)
        assert counts[MODBUS].waiting == 0

    asyncio.run(run())
    rows = stored(database)
    energies = [e for serial, _, e in rows if serial == f"C-{unique}"]
    assert energies == list(range(300))
    assert {s for s, at, _ in rows if at == now()} == {f"A-{unique}", f"B-{unique}"}
    assert outcomes(database)["mqtt", "stored"] == 300


def test_bad_messages_are_quarantined_and_counted_while_the_rest_goes_on(
    database, broker, unique
) -> None:
    serial = f"C-{unique}"
    mine, nobodys = topic(serial), topic(f"X-{unique}")
    nul = json.dumps({"meter": "\0", "time": "x", "values": {}}).encode()
    half_surrogate = b'{"meter": "\\ud800", "time": "x", "values": {}}'
    bad = [
        ("not-json", mine, b"energy=12"),
        ("too-large", mine, payload(serial, text="x" * 300_000)),
        ("unknown-meter", nobodys, payload(f"X-{unique}")),
        ("not-a-number", mine, payload(serial, 2, float("nan"))),
        ("negative-energy", mine, payload(serial, 3, -1.0)),
        ("far-future", mine, payload(serial, 60 * 24)),
        ("before-installation", mine, payload(serial, -60 * 24 * 365)),
        ("wrong-topic", mine, payload(f"Y-{unique}")),
        ("not-in-schema", mine, nul),
        ("not-json", mine, half_surrogate),
    ]
    messages: list[tuple[str, bytes]] = []
    for minute, (_, where, what) in enumerate(bad):
        messages += [(where, what), (mine, payload(serial, minute / 10, minute))]

    async def run() -> None:
        enter_meters(database, {"serial": serial})
        async with collecting(database, broker, unique) as counts:
            await send(broker, *messages)
            await until(lambda: counts[MQTT].refused == len(bad))
            await until(lambda: counts[MQTT].stored == len(bad))
            assert counts[MQTT].asked == 2 * len(bad)

    asyncio.run(run())
    kept = quarantined(database)
    assert sorted(kept) == sorted((why, at, raw[: 64 * 1024]) for why, at, raw in bad)
    counted = outcomes(database)
    assert counted["mqtt", "stored"] == len(bad)
    assert counted["mqtt", "not-json"] == 2
    assert counted["mqtt", "far-future"] == 1
    assert sum(counted.values()) == 2 * len(bad)


def test_a_repeat_is_counted_and_stored_once(database, broker, unique) -> None:
    serial = f"C-{unique}"
    message = (topic(serial), payload(serial))

    async def run() -> None:
        enter_meters(database, {"serial": serial})
        async with collecting(database, broker, unique) as counts:
            await send(broker, message, message)
            await until(lambda: counts[MQTT].stored + counts[MQTT].repeated == 2)
            await send(broker, message)
            await until(lambda: counts[MQTT].repeated == 2)
            assert counts[MQTT].stored == 1

    asyncio.run(run())
    assert len(stored(database)) == 1
    assert outcomes(database) == {("mqtt", "stored"): 1, ("mqtt", "repeated"): 2}


def test_nothing_is_lost_while_the_database_is_away(
    plain_database, broker, unique, caplog
) -> None:
    serial = f"C-{unique}"

    def part(first: int) -> list[tuple[str, bytes]]:
        return [
            (topic(serial), payload(serial, n / 100, n))
            for n in range(first, first + 200)
        ]

    async def run() -> None:
        enter_meters(plain_database, {"serial": serial})
        async with (
            line_to(plain_database) as line,
            collecting(line.url, broker, unique) as counts,
        ):
            await send(broker, *part(0))
            await until(lambda: counts[MQTT].stored >= 1)
            await line.down()
            await send(broker, *part(200))
            await until(lambda: counts[MQTT].waiting > 0)
            await until(lambda: "Readings wait" in caplog.text)
            await line.up()
            await send(broker, *part(400))
            await until(lambda: counts[MQTT].stored + counts[MQTT].repeated >= 600)
            await until(lambda: counts[MQTT].waiting == 0)

    asyncio.run(run())
    assert [energy for *_, energy in stored(plain_database)] == list(range(600))


COLLECTOR = """
import asyncio, sys
from datetime import UTC, datetime
from collector.mqtt.broker import BrokerAddress
from collector.run import collect

url, port, client_id = sys.argv[1:]
broker = BrokerAddress(host="127.0.0.1", port=int(port))
now = lambda: datetime(2026, 3, 1, 13, tzinfo=UTC)
asyncio.run(collect(url, broker, now, client_id=client_id))
"""


def test_a_collector_killed_before_the_commit_gets_the_messages_again(
    database, broker, unique
) -> None:
    # A lock on the table holds the first collector's transaction back until it is
    # killed: what it had read is neither stored nor acknowledged.
    serial = f"C-{unique}"
    messages = [(topic(serial), payload(serial, n, n)) for n in range(50)]

    def held_back(conn) -> bool:
        query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        return conn.execute(query).fetchone()[0] > 0

    async def run() -> None:
        enter_meters(database, {"serial": serial})
        await subscribed(broker, unique)
        with connect(database, autocommit=True) as watch, connect(database) as conn:
            conn.execute("LOCK TABLE reading IN EXCLUSIVE MODE")
            await send(broker, *messages)
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", COLLECTOR, database, str(broker.port), unique
            )
            try:
                await until(lambda: held_back(watch), 60)
            finally:
                process.kill()
                await process.wait()
        assert stored(database) == []
        async with collecting(database, broker, unique) as counts:
            await until(lambda: counts[MQTT].stored == 50)
        assert counts[MQTT].repeated == 0

    asyncio.run(run())
    assert [energy for *_, energy in stored(database)] == list(range(50))


async def asked_no_more(removed: Unit, other: Unit) -> None:
    """Wait until a meter is not asked while another is asked five times."""
    async with asyncio.timeout(20):
        polls = -1
        while polls != len(removed.asked_at):
            polls, more = len(removed.asked_at), len(other.asked_at) + 5
            await until(lambda more=more: len(other.asked_at) >= more)


def test_a_meter_is_known_from_the_moment_it_is_entered(
    database, broker, unique
) -> None:
    # The list of meters would be read again in a minute only.
    serial, stranger = f"C-{unique}", f"X-{unique}"

    async def run() -> None:
        async with collecting(database, broker, unique, refresh_every_s=60) as counts:
            await send(broker, (topic(stranger), payload(stranger)))
            await until(lambda: counts[MQTT].refused == 1)
            enter_meters(database, {"serial": serial})
            messages = [(topic(serial), payload(serial, n, n)) for n in range(20)]
            await send(broker, *messages)
            await until(lambda: counts[MQTT].stored == 20)

    asyncio.run(run())
    assert [energy for *_, energy in stored(database)] == list(range(20))
    assert [reason for reason, *_ in quarantined(database)] == ["unknown-meter"]


def test_meters_are_added_and_removed_while_it_runs(database, broker, unique) -> None:
    async def run() -> None:
        units = Unit(1), Unit(2)
        async with (
            gateway(*units) as port,
            collecting(database, broker, unique) as counts,
        ):
            for unit in units:
                enter_meters(
                    database,
                    {
                        "serial": f"M{unit.unit}-{unique}",
                        "host": HOST,
                        "port": port,
                        "unit": unit.unit,
                    },
                )
                await until(lambda unit=unit: len(unit.asked_at) >= 3)
            with connect(database) as conn:
                conn.execute(
                    "UPDATE installation SET removed_at = %(at)s FROM meter"
                    " WHERE installation.meter_id = meter.meter_id AND unit = 1",
                    {"at": now() - timedelta(minutes=1)},
                )
            await asked_no_more(*units)
            enter_meters(database, {"serial": f"C-{unique}"})
            await send(broker, (topic(f"C-{unique}"), payload(f"C-{unique}")))
            await until(lambda: counts[MQTT].stored == 1)

    asyncio.run(run())


def test_a_stopped_collector_has_written_and_acknowledged_what_it_read(
    database, broker, unique
) -> None:
    serial = f"C-{unique}"
    messages = [(topic(serial), payload(serial, n / 100, n)) for n in range(2000)]

    async def run() -> None:
        enter_meters(database, {"serial": serial})
        await subscribed(broker, unique)
        sending = asyncio.create_task(send(broker, *messages))
        async with collecting(database, broker, unique) as first:
            await until(lambda: first[MQTT].asked > 100)
        assert first[MQTT].waiting == 0
        await sending
        async with collecting(database, broker, unique) as second:
            await until(lambda: first[MQTT].stored + second[MQTT].stored == 2000)
        # Acknowledged on the way out: nothing came twice.
        assert first[MQTT].asked + second[MQTT].asked == 2000

    asyncio.run(run())
    assert outcomes(database)["mqtt", "stored"] == 2000


def test_a_wrong_profile_or_a_dead_gateway_leaves_the_rest_alone(
    database, broker, unique, caplog
) -> None:
    serial = f"C-{unique}"

    async def run() -> None:
        async with gateway(Unit(1)) as port:
            at = {"host": HOST, "port": port}
            enter_meters(
                database,
                {"serial": f"M1-{unique}", **at, "unit": 1},
                {"serial": f"M2-{unique}", **at, "unit": 2, "profile": "none-such"},
                {"serial": f"M3-{unique}", "host": HOST, "port": 1, "unit": 3},
                {"serial": serial},
            )
            async with collecting(database, broker, unique) as counts:
                await until(lambda: counts[MODBUS].answered >= 3)
                await until(lambda: counts[MODBUS].failed >= 3)
                await send(broker, (topic(serial), payload(serial)))
                await until(lambda: counts[MQTT].stored == 1)

    asyncio.run(run())
    said = [r.getMessage() for r in caplog.records if r.name.startswith("collector")]
    assert len([s for s in said if f"M2-{unique} cannot be polled" in s]) == 1
    assert len([s for s in said if f"M3-{unique} stopped answering" in s]) == 1


def test_a_place_is_spoken_to_in_one_way_only(database, unique, caplog) -> None:
    async def run() -> None:
        async with gateway(Unit(1), Unit(2)) as port:
            at = {"host": HOST, "port": port}
            enter_meters(
                database,
                {"serial": f"M1-{unique}", **at, "unit": 1},
                {"serial": f"M2-{unique}", **at, "unit": 2},
            )
            with connect(database) as conn:
                conn.execute("UPDATE meter SET framing = 'rtu-over-tcp' WHERE unit = 2")
            async with collecting(database, None, unique) as counts:
                await until(lambda: counts[MODBUS].answered >= 3)

    asyncio.run(run())
    said = [
        r.getMessage() for r in caplog.records if "in another way" in r.getMessage()
    ]
    assert len(said) == 1
    assert said[0].startswith(f"Meter M2-{unique} cannot be polled: {HOST}:")


def test_a_database_away_at_the_start_is_said_and_waited_for(
    plain_database, caplog
) -> None:
    async def run() -> None:
        async with line_to(plain_database) as line:
            await line.down()
            unit = Unit(1)
            async with gateway(unit) as port, collecting(line.url, None, "") as counts:
                at = {"host": HOST, "port": port, "unit": 1}
                enter_meters(plain_database, {"serial": "M1", **at})
                await until(lambda: caplog.records)
                await line.up()
                await until(lambda: counts[MODBUS].stored == 1)

    asyncio.run(run())
    said = [r.getMessage() for r in caplog.records if r.name == "collector.run"]
    assert len(said) == 1
    assert said[0].startswith(
        "The list of meters cannot be read: No PostgreSQL answers"
    )
