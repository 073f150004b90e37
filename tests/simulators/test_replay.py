import asyncio
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from meters.mqtt_profile import MqttProfile
from meters.payload import decode_payload
from meters.profile import load_profile
from meters.quantity import Quantity
from meters.reading import utc_us
from simulators.replay import FileClock, ReplayMeter, publish_replay
from simulators.replay_file import Series
from simulators.replay_form import ReplayError

Q = Quantity
START = datetime(2018, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=15)
JSON = load_profile("keywatt-json")
assert isinstance(JSON, MqttProfile)


def series_of(starts: list[int], kwh: list[float]) -> Series:
    """Intervals that begin so many steps after START."""
    energy = np.full((4, len(kwh)), np.nan)
    energy[0] = kwh
    return Series(
        start_us=np.array([utc_us(START + n * STEP) for n in starts]),
        step_us=STEP // timedelta(microseconds=1),
        energy=energy,
        findings=(),
    )


def shown(meter: ReplayMeter) -> tuple[int, float]:
    """Steps since START and the register's reading."""
    display = meter.show()
    steps = (display.measured_at - START) // STEP
    return steps, display.values[Q.ENERGY_IMPORT_KWH]


def test_lockstep_moves_on_when_it_was_read() -> None:
    meter = ReplayMeter(series_of([0, 1, 2], [1.0, 2.5, 4.0]), JSON)
    seen = []
    for _ in range(meter.displays):
        assert shown(meter) == shown(meter)
        seen.append(shown(meter))
        meter.was_read()
    assert seen == [(0, 0.0), (1, 1.0), (2, 3.5), (3, 7.5)]
    assert meter.sent == 4
    assert meter.following(1) == []
    asyncio.run(asyncio.wait_for(meter.finished(), 1))
    assert shown(meter) == (3, 7.5)  # goes on showing the last


def test_power_is_the_mean_of_the_interval_that_ended() -> None:
    meter = ReplayMeter(series_of([0, 1], [1.0, 2.5]), JSON)
    assert Q.ACTIVE_POWER_KW not in meter.show().values
    meter.was_read()
    assert meter.show().values[Q.ACTIVE_POWER_KW] == 4.0  # 1 kWh in a quarter-hour


@pytest.mark.parametrize(
    ("starts", "expected"),
    [
        # Intervals 2 and 3 are not known: nothing is shown inside the gap.
        pytest.param([0, 1, 4], [(0, 0), (1, 1), (2, 3), (4, 3), (5, 7)], id="two"),
        # Interval 2 is not known: with both its ends shown it would be a zero.
        pytest.param([0, 1, 3], [(0, 0), (1, 1), (2, 3), (4, 7)], id="one"),
    ],
)
def test_a_gap_stays_a_gap(starts, expected) -> None:
    meter = ReplayMeter(series_of(starts, [1.0, 2.0, 4.0]), JSON)
    seen = []
    for _ in range(meter.displays):
        seen.append(shown(meter))
        meter.was_read()
    assert seen == expected


def test_at_a_speed_the_files_time_goes_by() -> None:
    moment = datetime(2026, 11, 22, tzinfo=UTC)
    series = series_of([0, 1, 2], [1.0, 2.0, 4.0])
    clock = FileClock(series, speed=900, now=lambda: moment)
    meter = ReplayMeter(series, JSON, clock=clock)
    assert shown(meter) == (0, 0)
    meter.was_read()
    assert shown(meter) == (0, 0)  # reading does not move it, time does
    moment += timedelta(seconds=1.5)  # 22.5 min in the file
    assert shown(meter) == (1, 1)
    moment += timedelta(hours=1)
    assert shown(meter) == (3, 7)
    meter.was_read()
    asyncio.run(asyncio.wait_for(meter.finished(), 1))


@pytest.mark.parametrize("at_once", [1, 2, 50])
def test_everything_is_published_in_order(at_once) -> None:
    meter = ReplayMeter(series_of([0, 1, 5], [1.0, 2.0, 4.0]), JSON)
    sent: list[bytes] = []

    async def publish(topic: str, payload: bytes) -> None:
        assert topic == "keywatt/meters/KW-9/reading"
        sent.append(payload)

    asyncio.run(publish_replay(meter, "KW-9", JSON, publish, at_once=at_once))
    (readings) = [decode_payload(JSON, payload)[0] for payload in sent]
    assert [r.values[Q.ENERGY_IMPORT_KWH] for r in readings] == [0, 1, 3, 3, 7]
    assert [(r.measured_at - START) // STEP for r in readings] == [0, 1, 2, 5, 6]
    assert meter.sent == 5


def test_at_a_speed_messages_wait_for_their_time() -> None:
    series = series_of([0, 1, 2], [1.0, 2.0, 4.0])
    sent = []

    def now() -> datetime:
        return datetime.now(UTC)

    async def run() -> None:
        clock = FileClock(series, speed=45_000, now=now)  # an interval in 20 ms
        meter = ReplayMeter(series, JSON, clock=clock)

        async def publish(_topic: str, payload: bytes) -> None:
            measured_at = decode_payload(JSON, payload)[0].measured_at
            sent.append(clock() - measured_at)

        await publish_replay(meter, "KW-9", JSON, publish)

    asyncio.run(run())
    assert len(sent) == 4
    assert all(late >= -STEP / 10 for late in sent)


def test_a_modbus_meter_without_a_clock_is_refused() -> None:
    profile = load_profile("eastron-sdm630")
    with pytest.raises(ReplayError, match="eastron-sdm630 has no clock"):
        ReplayMeter(series_of([0], [1.0]), profile)


def test_a_profile_without_the_files_register_is_refused() -> None:
    fields = tuple(f for f in JSON.fields if f.quantity is not Q.ENERGY_IMPORT_KWH)
    profile = JSON.model_copy(update={"fields": fields})
    with pytest.raises(ReplayError, match="has no energy_import_kwh, which the file"):
        ReplayMeter(series_of([0], [1.0]), profile)
