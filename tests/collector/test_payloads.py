"""Meters that speak otherwise than in the house's own payload, up to committed rows."""

import asyncio
from datetime import timedelta

from collector.mqtt.link import MqttLink
from collector.mqtt.publish import connected
from meters.meter import Transport
from meters.profile import load_profile
from meters.quantity import Quantity
from meters.sparkplug_edge import SparkplugEdge
from meters.unpack import packed
from meters.voice import voice_of
from tests.collector.master import enter_meters, quarantined, stored
from tests.collector.test_run import START, collecting
from tests.collector.waiting import until

MQTT = Transport.MQTT


def energy(kwh: float) -> dict[Quantity, float]:
    return {Quantity.ENERGY_IMPORT_KWH: kwh}


def test_an_edge_node_is_asked_for_its_birth_and_then_believed(
    database, broker, unique
) -> None:
    serial, other = f"N{unique}.1", f"N{unique}.2"
    edge = SparkplugEdge(load_profile("sparkplug-b"), "keywatt", f"N{unique}")
    edge.birth(START, {"1": None, "2": None})  # before anybody listened
    asked = asyncio.Event()

    async def run() -> None:
        enter_meters(
            database,
            {"serial": serial, "profile": "sparkplug-b", "code": "one"},
            {"serial": other, "profile": "sparkplug-b", "code": "other"},
        )
        node = MqttLink(broker, client_id=unique, on_message=lambda *_: asked.set())
        node.listen((f"spBv1.0/keywatt/NCMD/N{unique}",))
        await node.connect()
        keeping = asyncio.create_task(node.keep())
        ready = asyncio.Event()
        async with collecting(
            database, broker, f"c-{unique}", on_ready=ready.set
        ) as counts:
            async with connected(broker, client_id="") as line, asyncio.timeout(30):
                await ready.wait()
                await line.publish(*edge.data("1", [(START, energy(1))]))
                await asked.wait()
                births = edge.birth(
                    START + timedelta(minutes=1), {"1": energy(2), "2": energy(3)}
                )
                late = [(START + timedelta(minutes=m), energy(m)) for m in (2, 3, 4)]
                await line.publish_all([*births, edge.data("2", late)])
                await until(lambda: counts[MQTT].stored == 5)
            assert counts[MQTT].refused == 1
        keeping.cancel()
        await node.close()

    asyncio.run(run())
    assert sorted((s, e) for s, _, e in stored(database)) == [
        (serial, 2),
        (other, 2),
        (other, 3),
        (other, 3),
        (other, 4),
    ]
    reasons = {row[0] for row in quarantined(database)}
    assert reasons == {"no-birth"}


def test_meters_of_many_makers_packed_or_not(database, broker, unique) -> None:
    kinds = ["tasmota-sensor", "shelly-em-gen2", "shelly-em-gen1", "generic-gateway"]
    meters = {f"{kind}-{unique}.1": kind for kind in kinds}

    async def run() -> None:
        enter_meters(
            database,
            *(
                {"serial": serial, "profile": kind, "code": kind}
                for serial, kind in meters.items()
            ),
        )
        ready = asyncio.Event()
        async with collecting(
            database, broker, f"c-{unique}", on_ready=ready.set
        ) as counts:
            async with connected(broker, client_id="") as line, asyncio.timeout(30):
                await ready.wait()
                sent = [
                    (topic, packed(payload, "zstd") if number % 2 else payload)
                    for serial, kind in meters.items()
                    for number, (topic, payload) in enumerate(
                        voice_of(load_profile(kind), serial).say(START, energy(7))
                    )
                ]
                await line.publish_all(sent)
                await until(lambda: counts[MQTT].stored == len(sent))
            assert counts[MQTT].refused == 0

    asyncio.run(run())
    rows = stored(database)
    assert {serial for serial, *_ in rows} == set(meters)
    assert {kwh for *_, kwh in rows} == {7}
