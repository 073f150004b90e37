from datetime import UTC, datetime, timedelta

import pytest

from alerts.collector_silent import collecting_of, judge_collectors
from meters.meter import Transport
from storage.collector_beats import CollectorBeat

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MODBUS, MQTT = Transport.MODBUS, Transport.MQTT
LONG_AGO = NOON - timedelta(days=9)


def beat(name: str, ago_s: float, *, polls: bool = False) -> CollectorBeat:
    """One that hears, and perhaps polls."""
    return CollectorBeat(
        collector=name,
        polls=polls,
        hears=True,
        since_at=NOON - timedelta(hours=1),
        beat_at=NOON - timedelta(seconds=ago_s),
    )


@pytest.mark.parametrize(
    ("beats", "wanted", "looking_since", "silent"),
    [
        pytest.param([], [MODBUS, MQTT], LONG_AGO, {}, id="none ever said it is there"),
        pytest.param([beat("a", 59, polls=True)], [MODBUS], LONG_AGO, {}, id="there"),
        pytest.param(
            [beat("a", 60, polls=True)], [MODBUS, MQTT], LONG_AGO,
            {"a": (MODBUS, MQTT)}, id="silent",
        ),
        pytest.param(
            [beat("a", 60, polls=True)], [MQTT], LONG_AGO, {"a": (MQTT,)},
            id="there is nothing to poll",
        ),
        pytest.param(
            [beat("a", 60, polls=True)], [], LONG_AGO, {}, id="there are no meters",
        ),
        pytest.param(
            [beat("a", 60), beat("b", 1)], [MQTT], LONG_AGO, {},
            id="another one hears them",
        ),
        pytest.param(
            [beat("a", 60, polls=True), beat("b", 1)], [MODBUS, MQTT], LONG_AGO,
            {"a": (MODBUS,)}, id="another one hears, but nobody polls",
        ),
        pytest.param(
            [beat("a", 3600, polls=True)], [MQTT], NOON - MINUTE / 2, {},
            id="the database was away for an hour until just now",
        ),
    ],
)  # fmt: skip
def test_a_collector_is_silent_whose_meters_nobody_else_collects(
    beats, wanted, looking_since, silent
) -> None:
    found = judge_collectors(beats, wanted, looking_since, NOON, MINUTE)
    assert {one.collector: one.transports for one in found} == silent


def test_it_is_proven_a_minute_after_its_last_word() -> None:
    (one,) = judge_collectors([beat("a", 90)], [MQTT], LONG_AGO, NOON, MINUTE)
    assert one.since == NOON - 1.5 * MINUTE
    assert one.proven_at == NOON - 0.5 * MINUTE


def test_meters_are_collected_until_the_last_word_of_anybody() -> None:
    beats = [beat("a", 300, polls=True), beat("b", 2)]
    of_modbus = collecting_of(MODBUS, beats, NOON)
    assert of_modbus.until == NOON - 5 * MINUTE
    assert of_modbus.since == NOON - timedelta(hours=1)
    assert collecting_of(MQTT, beats, NOON).until == NOON - timedelta(seconds=2)
    always = collecting_of(MQTT, [], NOON)
    assert (always.since, always.until) == (None, NOON)
