"""One alert for one cause: collectors and gateways, with a real database."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from alerts.judge_meters import judge_meters
from alerts.routing import tell_next, to_be_told
from storage.alerts import load_alerts, load_events
from storage.collector_beats import CollectorBeat, store_beat
from storage.database import connect, connect_async
from storage.interval_store import ENSURE_PARTITIONS
from storage.site_alerts import load_site_alerts
from storage.watching import load_silences
from tests.collector.master import enter_meters
from tests.fix_seeded_accounts import INSERT_READING, NOW

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
BUS = "10.0.0.1:502"
BROKER = "10.0.0.9:1883"


@dataclass
class Yard:
    """Three meters behind one gateway, one behind another, one that sends by MQTT."""

    url: str
    ids: dict[str, int]

    def hear(self, at: datetime, *serials: str) -> None:
        with connect(self.url) as conn:
            conn.execute(ENSURE_PARTITIONS, {"first": at, "last": at})
            for serial in serials or self.ids:
                conn.execute(INSERT_READING, {"meter_id": self.ids[serial], "at": at})

    def beat(
        self, at: datetime, since_at: datetime, *, reaches_broker: bool = True
    ) -> None:
        async def work() -> None:
            async with await connect_async(self.url) as conn:
                beat = CollectorBeat(
                    collector="north",
                    polls=True,
                    hears=True,
                    since_at=since_at,
                    beat_at=at,
                    broker=BROKER,
                    heard_at=at if reaches_broker else None,
                    hearing_since=since_at if reaches_broker else None,
                )
                await store_beat(conn, beat)

        asyncio.run(work())

    def judge(self, at: datetime) -> list[tuple[str, str, str]]:
        """Judge; return what came of it: action, kind, and of whom."""
        with connect(self.url) as conn:
            events = judge_meters(conn, at)
            found = []
            since = NOW - timedelta(days=999)
            for alert in load_site_alerts(conn, since):
                steps = load_events(conn, alert.alert_id)
                found += [(s, alert.kind, alert.subject) for s in steps]
            for alert in load_alerts(conn, resolved_since=since):
                steps = load_events(conn, alert.alert_id)
                serial = str(alert.figures["serial"])
                found += [(s, alert.kind, serial) for s in steps]
        return sorted((s.action, k, who) for s, k, who in found if s.event_id in events)


@pytest.fixture
def yard(database) -> Yard:
    at = {"host": "10.0.0.1", "port": 502, "poll_every_s": 10.0}
    meters = enter_meters(
        database,
        *({"serial": f"G{unit}", **at, "unit": unit} for unit in (1, 2, 3)),
        {"serial": "H1", **at, "host": "10.0.0.2", "unit": 1},
        {"serial": "M1", "poll_every_s": 10.0},
    )
    yard = Yard(database, {meter.serial: meter.meter_id for meter in meters})
    yard.hear(NOW)
    return yard


def test_a_gateway_that_is_down_is_one_alert_and_not_one_for_each_meter(yard) -> None:
    later = NOW + 16 * MINUTE
    yard.hear(NOW + 5 * timedelta(seconds=1), "G3")
    yard.hear(later, "H1", "M1")
    # G1 and G2 are silent, G3 lacks five seconds of it: that is awaited.
    assert yard.judge(NOW + 15 * MINUTE) == []
    assert yard.judge(later) == [("opened", "gateway-silent", BUS)]
    assert yard.judge(later + MINUTE) == []
    with connect(yard.url) as conn:
        (alert,) = load_site_alerts(conn)
        assert alert.figures == {
            "gateway": BUS,
            "since_at": (NOW + timedelta(seconds=5)).isoformat(),
            "silent_meters": 3,
        }
        # It stands for the silence of each: a drop of their load means nothing.
        row = conn.execute("SELECT point_id FROM installation ORDER BY 1").fetchall()
        assert [bool(load_silences(conn, p, NOW)) for (p,) in row] == [True] * 3 + [
            False
        ] * 2


def test_when_it_is_back_whoever_stays_silent_is_told_of(yard) -> None:
    back = NOW + 2 * HOUR
    yard.hear(back, "H1", "M1")
    assert yard.judge(back) == [("opened", "gateway-silent", BUS)]
    yard.hear(back + MINUTE, "G1", "G2")
    assert yard.judge(back + 2 * MINUTE) == [("resolved", "gateway-silent", BUS)]
    # G3 has a quarter-hour from then on.
    yard.hear(back + 15 * MINUTE, "G1", "G2", "H1", "M1")
    assert yard.judge(back + 15 * MINUTE) == []
    yard.hear(back + 16 * MINUTE, "G1", "G2")
    assert yard.judge(back + 16 * MINUTE) == [("opened", "meter-silent", "G3")]


def test_a_single_meter_behind_a_gateway_is_told_of_itself(yard) -> None:
    later = NOW + 16 * MINUTE
    yard.hear(later, "G1", "G3", "M1")
    assert yard.judge(later) == [
        ("opened", "meter-silent", "G2"),
        ("opened", "meter-silent", "H1"),
    ]


def test_a_collector_that_stops_is_one_alert_until_it_is_back(yard) -> None:
    begun = NOW - HOUR
    yard.beat(NOW, begun)
    for seconds in (0, 30, 60):
        yard.judge(NOW + timedelta(seconds=seconds - 10))
    opened = yard.judge(NOW + 70 * timedelta(seconds=1))
    assert opened == [("opened", "collector-silent", "north")]
    for minutes in range(2, 60):
        assert yard.judge(NOW + minutes * MINUTE) == []
    with connect(yard.url) as conn:
        (alert,) = load_site_alerts(conn)
        assert alert.figures["meters"] == 5
        assert alert.figures["since_at"] == NOW.isoformat()
    back = NOW + HOUR
    yard.beat(back, back)
    assert yard.judge(back) == [("resolved", "collector-silent", "north")]
    # All but one speak again; it is told of a quarter-hour later.
    yard.hear(back + 14 * MINUTE, "G1", "G3", "H1", "M1")
    yard.beat(back + 14 * MINUTE, back)
    assert yard.judge(back + 14 * MINUTE) == []
    yard.beat(back + 16 * MINUTE, back)
    yard.hear(back + 16 * MINUTE, "G1", "G3")
    assert yard.judge(back + 16 * MINUTE) == [("opened", "meter-silent", "G2")]


def test_a_broker_that_dies_is_one_alert_and_not_one_for_each_meter(yard) -> None:
    begun = NOW - HOUR
    yard.beat(NOW, begun)
    for seconds in range(0, 80, 20):
        at = NOW + timedelta(seconds=seconds)
        yard.beat(at, begun, reaches_broker=False)
        opened = yard.judge(at)
        assert opened == [("opened", "broker-silent", BROKER)] * (seconds == 60)
    for minutes in range(2, 40):
        at = NOW + minutes * MINUTE
        yard.hear(at, "G1", "G2", "G3", "H1")
        yard.beat(at, begun, reaches_broker=False)
        assert yard.judge(at) == []
    with connect(yard.url) as conn:
        (alert,) = load_site_alerts(conn)
        assert (alert.figures["meters"], alert.figures["broker"]) == (1, BROKER)
        assert alert.figures["since_at"] == NOW.isoformat()
        # It stands for the silence of the meter that is heard there, and of no other.
        row = conn.execute(
            "SELECT point_id, serial FROM installation JOIN meter USING (meter_id)"
        ).fetchall()
        silent = {serial for p, serial in row if load_silences(conn, p, NOW)}
        assert silent == {"M1"}
    # A collector that starts anew meanwhile has not reached the broker either.
    later = NOW + 40 * MINUTE
    yard.beat(later, later, reaches_broker=False)
    assert yard.judge(later) == []
    back = NOW + HOUR
    yard.hear(back, "G1", "G2", "G3", "H1")
    yard.beat(back, back)
    assert yard.judge(back) == [("resolved", "broker-silent", BROKER)]
    # The meter is judged again a quarter-hour later.
    for minutes in (14, 16):
        later = back + minutes * MINUTE
        yard.hear(later, "G1", "G2", "G3", "H1")
        yard.beat(later, back)
        told = yard.judge(later)
        assert told == [("opened", "meter-silent", "M1")] * (minutes == 16)


def test_a_meter_that_was_silent_before_stays_told_while_the_collector_is_away(
    yard,
) -> None:
    later = NOW + 20 * MINUTE
    yard.hear(later, "G1", "G3", "H1", "M1")
    yard.beat(later, NOW - HOUR)
    assert yard.judge(later) == [("opened", "meter-silent", "G2")]
    assert yard.judge(later + MINUTE / 2) == []
    assert yard.judge(later + MINUTE) == [("opened", "collector-silent", "north")]
    assert yard.judge(later + 1.5 * MINUTE) == []


def test_where_nobody_looked_meanwhile_no_collector_is_missed(yard) -> None:
    yard.beat(NOW, NOW - HOUR)
    yard.judge(NOW)
    later = NOW + 8 * HOUR  # the database was away as long
    assert yard.judge(later) == []
    yard.beat(later + MINUTE / 3, later + MINUTE / 3)
    assert yard.judge(later + MINUTE / 2) == []


@dataclass
class Heap:
    """Keeps what it is told."""

    name: str = "heap"

    def __post_init__(self) -> None:
        self.notices = []

    def send(self, notice) -> None:
        self.notices.append(notice)


def test_channels_are_told_of_what_stands_behind_many_points(yard) -> None:
    later = NOW + 16 * MINUTE
    yard.hear(later, "H1", "M1")
    yard.judge(later)
    heap = Heap()
    with connect(yard.url) as conn:
        to_be_told(conn, [heap.name], later)
        while tell_next(conn, heap, later, back_off_s=lambda _: 1.0):
            pass
    (notice,) = heap.notices
    assert (notice.account_code, notice.point) == ("_site", BUS)
    assert str(notice.time_zone) == "Europe/Paris"  # of most accounts
