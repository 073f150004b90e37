import asyncio
import contextlib
from datetime import UTC, datetime

from meters.mqtt_profile import MqttProfile
from meters.payload import decode_payload
from meters.profile import load_profile
from simulators.fleet import demo_meters, ports_from
from simulators.mqtt_meter import publish_for_ever
from simulators.scenario import first_scenario

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_meter_publishes_at_its_pace_and_counts() -> None:
    counted: list[str] = []
    epoch = first_scenario(NOW, days=2).epoch
    meter = demo_meters(epoch=epoch, now=lambda: NOW, on_read=counted.append)["office"]
    profile = load_profile("keywatt-json")
    assert isinstance(profile, MqttProfile)
    sent: list[tuple[str, bytes]] = []
    enough = asyncio.Event()

    async def publish(topic: str, payload: bytes) -> None:
        sent.append((topic, payload))
        if len(sent) == 3:
            enough.set()

    async def run() -> None:
        publishing = asyncio.create_task(
            publish_for_ever(meter, meter.serial, profile, publish, every_s=0.01)
        )
        await asyncio.wait_for(enough.wait(), 10)
        publishing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await publishing

    asyncio.run(run())
    assert {topic for topic, _ in sent} == {"keywatt/meters/KW-1002/reading"}
    (reading,) = decode_payload(profile, sent[0][1])
    assert reading.serial == "KW-1002"
    assert reading.measured_at == NOW
    assert len(reading.values) == 17
    assert counted == ["office"] * len(counted)
    assert len(counted) >= 2


def test_ports_count_from_the_base() -> None:
    ports = ports_from(15020)
    assert sorted(ports.values()) == list(range(15020, 15020 + len(ports)))
