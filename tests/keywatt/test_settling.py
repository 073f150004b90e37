from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from analytics.settle import Intervals
from keywatt.settling import Settled, settle_point
from storage.database import connect
from storage.dirty import take_dirty
from storage.intervals import load_intervals
from storage.judging import GRACE, lock_judged_to, points_due, store_judged_to
from tests.fix_seeded_accounts import add_account
from tests.registers import part, readings_of, write

# 2 March 2026, 15:00 UTC is midnight in Seoul: the local 3rd of March begins.
START = datetime(2026, 3, 2, 15, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
LOAD_KW = np.array([100.0, 120.0, 80.0, 100.0, 200.0, 100.0, 100.0, 100.0])
"""25, 30, 20, 25, 50, 25, 25 and 25 kWh."""


@dataclass
class Point:
    url: str
    point_id: int
    meter_id: int

    def settle(self, now: datetime) -> Settled:
        with connect(self.url) as conn:
            return settle_point(conn, self.point_id, now)

    def intervals(self) -> Intervals:
        with connect(self.url) as conn:
            far = timedelta(days=400)
            return load_intervals(conn, self.point_id, START - far, START + far)

    def kwh(self) -> list[float]:
        return self.intervals().import_kwh.tolist()


@pytest.fixture
def point(database: str) -> Point:
    with connect(database) as conn:
        seeded = add_account(conn, "mill", read_at=None)
    return Point(database, seeded.point_id, seeded.meter_id)


def test_dirty_days_become_intervals_and_are_clean(point) -> None:
    write(point.url, readings_of(point.meter_id, START, LOAD_KW))
    settled = point.settle(START + 8 * QUARTER)
    assert settled.intervals_changed == 8
    assert settled.first_start == START
    # Touched within 22.5 minutes: the day before, too.
    assert settled.days == (date(2026, 3, 2), date(2026, 3, 3))
    assert point.kwh() == [25, 30, 20, 25, 50, 25, 25, 25]
    assert point.settle(START + 8 * QUARTER) == Settled(
        days=(), intervals_changed=0, first_start=None
    )


def test_a_running_interval_waits_for_its_end(point) -> None:
    every = readings_of(point.meter_id, START, LOAD_KW)
    write(point.url, part(every, slice(4)))
    now = START + 3 * QUARTER + timedelta(minutes=10)
    point.settle(now)
    assert point.kwh() == [25, 30, 20]
    write(point.url, part(every, slice(4, 5)))
    assert point.settle(START + 4 * QUARTER).first_start == START + 3 * QUARTER
    assert point.kwh() == [25, 30, 20, 25]


def test_a_silent_meter_leaves_missing_intervals_after_the_grace(point) -> None:
    write(point.url, part(readings_of(point.meter_id, START, LOAD_KW), slice(3)))
    end = START + 3 * QUARTER
    point.settle(end + GRACE - timedelta(seconds=1))
    assert point.kwh() == [25, 30]
    assert point.settle(end + GRACE).intervals_changed == 1
    assert point.intervals().quality.tolist() == ["measured", "measured", "missing"]
    assert np.isnan(point.kwh()[2])


def test_a_gap_that_is_over_is_missing_at_once_and_filled_by_late_readings(
    point,
) -> None:
    every = readings_of(point.meter_id, START, LOAD_KW)
    now = START + 8 * QUARTER
    write(point.url, part(every, np.array([0, 1, 2, 5, 6, 7, 8])))
    point.settle(now)
    # Boundaries 3 and 4 are unknown: their neighbours are 45 minutes apart.
    assert np.isnan(point.kwh()).tolist() == [
        False, False, True, True, True, False, False, False
    ]  # fmt: skip
    write(point.url, part(every, np.array([3, 4])))
    settled = point.settle(now)
    assert (settled.intervals_changed, settled.first_start) == (3, START + 2 * QUARTER)
    assert point.kwh() == [25, 30, 20, 25, 50, 25, 25, 25]


def test_days_without_a_reading_in_between_are_missing_not_absent(point) -> None:
    every = readings_of(point.meter_id, START, np.full(96 * 4, 100.0))
    inside = np.concatenate([np.arange(97), np.arange(96 * 3, 96 * 4 + 1)])
    write(point.url, part(every, inside))
    point.settle(START + timedelta(days=4))
    missing = (point.intervals().quality == "missing").reshape(4, 96).sum(axis=1)
    assert missing.tolist() == [0, 96, 96, 0]


def test_a_rollback_leaves_the_days_dirty(point) -> None:
    write(point.url, readings_of(point.meter_id, START, LOAD_KW))
    with connect(point.url) as conn:
        settle_point(conn, point.point_id, START + 8 * QUARTER)
        conn.rollback()
    assert point.kwh() == []
    with connect(point.url) as conn:
        assert len(take_dirty(conn)) == 2
        conn.rollback()


def test_days_in_anothers_hands_are_passed_over(point) -> None:
    write(point.url, readings_of(point.meter_id, START, LOAD_KW))
    with connect(point.url) as conn:
        assert len(take_dirty(conn)) == 2
        assert point.settle(START + 8 * QUARTER).days == ()


def test_sixty_days_are_settled_in_order_of_seconds(point) -> None:
    load_kw = np.random.default_rng(7).uniform(50, 400, 96 * 60).round()
    write(point.url, readings_of(point.meter_id, START, load_kw))
    settled = point.settle(START + timedelta(days=60))
    assert settled.intervals_changed == 96 * 60
    assert point.kwh() == pytest.approx((load_kw / 4).tolist(), abs=0.011)


def test_energy_outlives_the_readings_that_it_was_settled_from(point) -> None:
    every = readings_of(point.meter_id, START, LOAD_KW)
    write(point.url, every)
    point.settle(START + 8 * QUARTER)
    later = START + timedelta(days=450)  # 13 months and the rest of the last one
    with connect(point.url) as conn:
        conn.execute("UPDATE installation SET removed_at = %s", (START + 8 * QUARTER,))
        conn.execute("SELECT drop_expired(%s)", (later,))
        assert conn.execute("SELECT count(*) FROM reading").fetchone() == (0,)
    write(point.url, part(every, slice(4, 5)))
    settled = point.settle(later)
    assert date(2026, 3, 3) in settled.days
    assert settled.intervals_changed == 0
    assert point.kwh() == [25, 30, 20, 25, 50, 25, 25, 25]


def test_what_late_readings_change_is_judged_again(point) -> None:
    every = readings_of(point.meter_id, START, LOAD_KW)
    now = START + 8 * QUARTER
    write(point.url, part(every, np.array([0, 1, 2, 5, 6, 7, 8])))
    point.settle(now)
    with connect(point.url) as conn:
        lock_judged_to(conn, point.point_id)
        store_judged_to(conn, point.point_id, now)
    write(point.url, part(every, np.array([3, 4])))
    point.settle(now)
    with connect(point.url) as conn:
        assert lock_judged_to(conn, point.point_id) == START + 2 * QUARTER


def test_a_point_is_due_when_dirty_and_a_further_interval_can_be_complete(
    point,
) -> None:
    every = readings_of(point.meter_id, START, LOAD_KW)
    write(point.url, part(every, slice(5)))
    now = START + 4 * QUARTER
    with connect(point.url) as conn:
        assert points_due(conn, now) == [point.point_id]
        settle_point(conn, point.point_id, now)
        lock_judged_to(conn, point.point_id)
        store_judged_to(conn, point.point_id, now)
        conn.commit()
        assert points_due(conn, now) == []
        write(point.url, part(every, slice(5, 6)))
        assert points_due(conn, now + QUARTER - timedelta(seconds=1)) == []
        assert points_due(conn, now + QUARTER) == [point.point_id]
