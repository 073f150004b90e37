import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from psycopg import Connection
from psycopg.rows import TupleRow

from alerts.desk import acknowledge, mark_planned
from alerts.judge_meters import judge_meters
from meters.presence import Presence
from storage.alerts import Alert, load_alerts, load_events
from storage.clocks import store_drifts
from storage.database import connect, connect_async
from storage.interval_store import ENSURE_PARTITIONS
from tests.fix_seeded_accounts import INSERT_READING, NOW, add_account
from tests.fix_timescale import Store
from tests.storage_data import tell_presence

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@dataclass
class Site:
    """Two accounts with a meter each; both were heard two minutes ago."""

    url: str
    conn: Connection[TupleRow]
    steel: int
    """`meter_id`, as the next."""
    clinic: int
    point_id: int

    def judge(self, at: datetime, **options) -> list[tuple[str, str]]:
        """Judge, and return what came of it: action and kind."""
        events = judge_meters(self.conn, at, **options)
        self.conn.commit()
        steps = [
            (e, a) for a in self.alerts() for e in load_events(self.conn, a.alert_id)
        ]
        return [(e.action, a.kind) for e, a in steps if e.event_id in events]

    def alerts(self) -> list[Alert]:
        every = load_alerts(self.conn, resolved_since=NOW - timedelta(days=999))
        return sorted(every, key=lambda alert: alert.alert_id)

    def why(self, alert: Alert) -> list[tuple[str, str]]:
        return [(e.action, e.why) for e in load_events(self.conn, alert.alert_id)]

    def hear(self, meter_id: int, at: datetime) -> None:
        self.conn.execute(ENSURE_PARTITIONS, {"first": at, "last": at})
        self.conn.execute(INSERT_READING, {"meter_id": meter_id, "at": at})

    def compare(self, meter_id: int, *drifts: tuple[datetime, float]) -> None:
        """Compare a meter's clock, as the collector does."""

        async def work() -> None:
            async with await connect_async(self.url) as conn:
                at, drift_s = zip(*drifts, strict=True)
                await store_drifts(conn, [meter_id] * len(at), at, drift_s)

        self.conn.commit()
        asyncio.run(work())

    def tell(self, meter_id: int, at: datetime, *, is_online: bool) -> None:
        """Say that a meter is online or not, as the collector does."""
        self.conn.commit()
        tell_presence(Store(self.url), Presence(meter_id, is_online, at))


@pytest.fixture
def site(database: str) -> Iterator[Site]:
    with connect(database) as conn:
        steel = add_account(conn, "steel", name="Hanbit Steel")
        clinic = add_account(conn, "clinic", name="Naru Clinic")
        conn.commit()
        yield Site(database, conn, steel.meter_id, clinic.meter_id, steel.point_id)


HEARD = NOW - 2 * MINUTE


def test_a_meter_that_falls_silent_opens_one_alert_and_closes_it(site) -> None:
    assert site.judge(HEARD + 14 * MINUTE) == []
    site.hear(site.clinic, HEARD + 14 * MINUTE)
    assert site.judge(HEARD + 16 * MINUTE) == [("opened", "meter-silent")]
    assert site.judge(HEARD + 17 * MINUTE) == []
    (alert,) = site.alerts()
    assert (alert.point_id, alert.code) == (site.point_id, "meter-silent")
    # Nobody looked for a minute: it is told as of the quarter-hour's end.
    assert alert.opened_at == HEARD + 15 * MINUTE
    assert alert.figures == {
        "serial": "M-steel",
        "since_at": HEARD.isoformat(),
        "every_s": 10.0,
        "silent_meters": 1,
        "meters": 2,
    }
    site.hear(site.steel, HEARD + 18 * MINUTE)
    assert site.judge(HEARD + 19 * MINUTE) == [("resolved", "meter-silent")]
    (alert,) = site.alerts()
    assert alert.resolved_at == HEARD + 18 * MINUTE
    assert site.why(alert) == [
        ("opened", "no-reading-in-time"),
        ("resolved", "heard-again"),
    ]


def test_an_old_reading_that_is_filled_in_late_is_a_sign_of_life_to_nobody(
    site,
) -> None:
    site.judge(HEARD + HOUR)
    late = {"meter_id": site.steel, "at": HEARD - HOUR}
    site.conn.execute(INSERT_READING, late)
    assert site.judge(HEARD + HOUR + MINUTE) == []


def test_a_meter_whose_clock_is_hours_behind_still_speaks(site) -> None:
    site.conn.execute(
        "INSERT INTO reading (meter_id, measured_at, received_at)"
        " VALUES (%(meter_id)s, %(at)s, %(now)s)",
        {"meter_id": site.steel, "at": HEARD + MINUTE, "now": HEARD + HOUR},
    )
    site.hear(site.clinic, HEARD + HOUR)
    assert site.judge(HEARD + HOUR + MINUTE) == []


def test_how_often_it_reports_says_when_it_is_silent(site) -> None:
    site.conn.execute("UPDATE meter SET poll_every_s = 3600")
    assert site.judge(HEARD + 119 * MINUTE) == []
    assert site.judge(HEARD + 120 * MINUTE) == [("opened", "meter-silent")] * 2


def test_a_meter_that_never_spoke_is_told_so(database) -> None:
    with connect(database) as conn:
        add_account(conn, "mute", read_at=None)
        judge_meters(conn, NOW)
        (alert,) = load_alerts(conn)
    assert (alert.code, alert.opened_at) == ("meter-never-heard", NOW)


def test_a_meter_that_leaves_takes_its_alerts_with_it(site) -> None:
    site.compare(site.steel, (HEARD, 400.0))
    assert len(site.judge(HEARD + HOUR)) == 3
    leave = "UPDATE installation SET removed_at = %(at)s WHERE meter_id = %(meter_id)s"
    site.conn.execute(leave, {"at": HEARD + HOUR, "meter_id": site.steel})
    assert sorted(site.judge(HEARD + HOUR + MINUTE)) == [
        ("resolved", "meter-clock"),
        ("resolved", "meter-silent"),
    ]
    steel = [alert for alert in site.alerts() if alert.point_id == site.point_id]
    assert {site.why(alert)[-1] for alert in steel} == {("resolved", "meter-left")}


def test_the_silence_of_the_next_meter_at_a_point_is_an_alert_of_its_own(site) -> None:
    site.judge(HEARD + HOUR)
    rename = "UPDATE meter SET serial = 'M-new' WHERE meter_id = %(meter_id)s"
    site.conn.execute(rename, {"meter_id": site.steel})
    assert site.judge(HEARD + 2 * HOUR) == [
        ("resolved", "meter-silent"),
        ("opened", "meter-silent"),
    ]
    assert site.alerts()[-1].figures["serial"] == "M-new"
    assert site.alerts()[-1].opened_at == HEARD + 2 * HOUR


def test_a_last_will_opens_an_alert_at_once_that_ends_by_being_online(site) -> None:
    site.tell(site.steel, HEARD + MINUTE, is_online=False)
    assert site.judge(HEARD + 2 * MINUTE) == [("opened", "meter-silent")]
    assert site.judge(HEARD + 3 * MINUTE) == []
    (alert,) = site.alerts()
    assert (alert.code, alert.opened_at) == ("meter-offline", HEARD + MINUTE)
    assert alert.figures["offline_at"] == (HEARD + MINUTE).isoformat()
    assert alert.figures["since_at"] == HEARD.isoformat()
    # An hour on it is still that one alert.
    site.hear(site.clinic, HEARD + HOUR)
    assert site.judge(HEARD + HOUR) == []
    site.tell(site.steel, HEARD + HOUR, is_online=True)
    assert site.judge(HEARD + HOUR + MINUTE) == [("resolved", "meter-silent")]
    (alert,) = site.alerts()
    assert alert.resolved_at == HEARD + HOUR
    assert site.why(alert) == [("opened", "last-will"), ("resolved", "online-again")]
    # It has a quarter-hour from then on to give a reading.
    site.hear(site.clinic, HEARD + HOUR + 10 * MINUTE)
    assert site.judge(HEARD + HOUR + 14 * MINUTE) == []
    assert site.judge(HEARD + HOUR + 15 * MINUTE) == [("opened", "meter-silent")]
    assert site.alerts()[-1].code == "meter-silent"
    assert site.alerts()[-1].opened_at == HEARD + HOUR + 15 * MINUTE


def test_a_reading_ends_what_a_last_will_began(site) -> None:
    site.tell(site.steel, HEARD + MINUTE, is_online=False)
    site.judge(HEARD + 2 * MINUTE)
    site.hear(site.steel, HEARD + 3 * MINUTE)
    assert site.judge(HEARD + 4 * MINUTE) == [("resolved", "meter-silent")]
    (alert,) = site.alerts()
    assert alert.resolved_at == HEARD + 3 * MINUTE
    assert site.why(alert)[-1] == ("resolved", "heard-again")
    # The old will opens nothing more; a silence after it is one like any other.
    site.hear(site.clinic, HEARD + 18 * MINUTE)
    assert site.judge(HEARD + 18 * MINUTE) == [("opened", "meter-silent")]
    assert site.alerts()[-1].code == "meter-silent"


def test_a_silent_meter_that_only_connects_stays_one_alert(site) -> None:
    site.hear(site.clinic, HEARD + HOUR)
    assert site.judge(HEARD + HOUR) == [("opened", "meter-silent")]
    for minute, is_online in enumerate([False, True, False, True], start=1):
        at = HEARD + HOUR + minute * MINUTE
        site.tell(site.steel, at, is_online=is_online)
        assert site.judge(at) == []
    (alert,) = site.alerts()
    assert alert.code == "meter-silent"


def test_where_nobody_looked_each_silence_is_told_apart(site) -> None:
    site.tell(site.steel, HEARD + MINUTE, is_online=False)
    site.judge(HEARD + MINUTE)
    site.tell(site.steel, HEARD + 2 * MINUTE, is_online=True)
    site.hear(site.clinic, HEARD + HOUR)
    assert site.judge(HEARD + HOUR) == [
        ("resolved", "meter-silent"),
        ("opened", "meter-silent"),
    ]
    first, second = site.alerts()
    assert (first.resolved_at, second.code) == (HEARD + 2 * MINUTE, "meter-silent")


def test_a_planned_silence_is_judged_again_when_its_time_is_over(site) -> None:
    site.judge(HEARD + HOUR)
    (alert, _) = site.alerts()
    asked = {"who": "mei", "why": "rewired", "now": HEARD + HOUR}
    acknowledge(site.conn, alert.alert_id, **asked)
    mark_planned(site.conn, alert.alert_id, **asked, until=HEARD + 3 * HOUR)
    assert site.judge(HEARD + 2 * HOUR) == []
    assert site.judge(HEARD + 3 * HOUR) == [
        ("resolved", "meter-silent"),
        ("opened", "meter-silent"),
    ]
    assert site.judge(HEARD + 4 * HOUR) == []
    assert site.why(site.alerts()[0])[-1] == ("resolved", "planned-time-ended")


def test_a_clock_that_is_off_opens_one_alert_with_its_evidence(site) -> None:
    at = HEARD - 20 * MINUTE  # 04:48; it was right until an hour before
    drifts = [(at - 2 * HOUR, 20.0), (at - HOUR, -250.0), (at, -252.4)]
    site.compare(site.steel, *drifts)
    assert site.judge(NOW) == [("opened", "meter-clock")]
    assert site.judge(NOW) == []
    (alert,) = site.alerts()
    assert (alert.code, alert.opened_at) == ("meter-clock-behind", at)
    assert alert.figures == {
        "serial": "M-steel",
        "off_s": 252.4,
        "since_at": "2026-03-12T03:00:00+00:00",
        "limit_s": 180.0,
    }
    site.compare(site.steel, (HEARD, -100.0))
    assert site.judge(NOW) == []
    site.compare(site.steel, (HEARD + MINUTE, -89.0))
    assert site.judge(NOW) == [("resolved", "meter-clock")]
    (alert,) = site.alerts()
    assert site.why(alert) == [("opened", "clock-off"), ("resolved", "clock-right")]


def test_how_far_a_clock_may_be_off_can_be_said(site) -> None:
    site.compare(site.steel, (HEARD, 70.0))
    assert site.judge(NOW) == []
    assert site.judge(NOW, clock_limit_s=60.0) == [("opened", "meter-clock")]
    assert site.alerts()[0].code == "meter-clock-ahead"


def test_what_a_clock_showed_where_it_sat_before_is_no_news(site) -> None:
    site.compare(site.steel, (HEARD - HOUR, 400.0))
    come = "UPDATE installation SET installed_at = %(at)s"
    site.conn.execute(come, {"at": HEARD - MINUTE})
    assert site.judge(NOW) == []


def test_two_workers_open_one_alert(site) -> None:
    with connect(site.url) as other:
        assert len(judge_meters(other, HEARD + HOUR)) == 2
        other.commit()
    assert site.judge(HEARD + HOUR) == []
    assert len(site.alerts()) == 2
