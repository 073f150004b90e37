from datetime import UTC, datetime, timedelta

import pytest

from alerts.broker_silent import judge_brokers
from alerts.collector_silent import collecting_of
from meters.meter import Transport
from storage.collector_beats import CollectorBeat

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LONG_AGO = NOON - timedelta(days=9)
BROKER = "mqtt.example:1883"


def beat(
    name: str = "a", *, ago_s: float = 1, heard_ago_s: float | None, broker=BROKER
) -> CollectorBeat:
    """One that has been there for an hour and could not hear for a while."""
    heard_at = None
    if heard_ago_s is not None:
        heard_at = NOON - timedelta(seconds=heard_ago_s)
    return CollectorBeat(
        collector=name,
        polls=True,
        hears=True,
        since_at=NOON - HOUR,
        beat_at=NOON - timedelta(seconds=ago_s),
        broker=broker,
        heard_at=heard_at,
        hearing_since=None if heard_at is None else heard_at - MINUTE,
    )


@pytest.mark.parametrize(
    ("beats", "looking_since", "silent"),
    [
        pytest.param([], LONG_AGO, [], id="there is no collector"),
        pytest.param([beat(heard_ago_s=59)], LONG_AGO, [], id="away for a moment"),
        pytest.param(
            [beat(heard_ago_s=60)], LONG_AGO, [NOON - MINUTE], id="away for long enough"
        ),
        pytest.param(
            [beat(heard_ago_s=None)], LONG_AGO, [NOON - HOUR], id="never reached"
        ),
        pytest.param(
            [beat(heard_ago_s=600), beat("b", heard_ago_s=2)], LONG_AGO, [],
            id="another collector reaches it",
        ),
        pytest.param(
            [beat(heard_ago_s=600), beat("b", heard_ago_s=2, broker="other:1883")],
            LONG_AGO, [NOON - 10 * MINUTE], id="another one reaches another",
        ),
        pytest.param(
            [beat(ago_s=600, heard_ago_s=600)], LONG_AGO, [],
            id="the collector itself is not there",
        ),
        pytest.param(
            [beat(heard_ago_s=600, broker=None)], LONG_AGO, [], id="does not say",
        ),
        pytest.param(
            [beat(heard_ago_s=3600)], NOON - MINUTE / 2, [],
            id="the database was away until just now",
        ),
    ],
)  # fmt: skip
def test_a_broker_is_silent_that_no_collector_reaches(
    beats, looking_since, silent
) -> None:
    found = judge_brokers(beats, looking_since, NOON, MINUTE)
    assert [one.since for one in found] == silent
    assert all(one.broker == BROKER for one in found)


def test_it_is_proven_a_minute_after_the_connection_broke() -> None:
    (one,) = judge_brokers([beat(heard_ago_s=90)], LONG_AGO, NOON, MINUTE)
    assert one.proven_at == NOON - MINUTE / 2


def test_meters_are_heard_only_while_the_broker_is_reached() -> None:
    beats = [beat(heard_ago_s=600)]
    mqtt = collecting_of(Transport.MQTT, beats, NOON)
    assert mqtt.until == NOON - 10 * MINUTE
    assert mqtt.since == NOON - 11 * MINUTE
    modbus = collecting_of(Transport.MODBUS, beats, NOON)
    assert (modbus.since, modbus.until) == (NOON - HOUR, NOON - timedelta(seconds=1))
