import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from analytics.settlement.intervals import Intervals
from storage.database import connect
from storage.interval_store import delete_intervals, store_intervals
from storage.intervals import load_daily, load_hourly, load_intervals, refresh_hourly
from storage.master import apply_site
from tests.fix_timescale import Store
from tests.storage_data import NOON, QUARTER, intervals, site

SETTLED = NOON + timedelta(days=1)


def assert_same(one: Intervals, other: Intervals) -> None:
    assert one.length_min == other.length_min
    for column in Intervals.__dataclass_fields__:
        if column != "length_min":
            np.testing.assert_array_equal(getattr(one, column), getattr(other, column))


def versions(conn) -> list[int]:
    rows = conn.execute("SELECT version FROM energy_interval ORDER BY start").fetchall()
    return [version for (version,) in rows]


def test_what_is_stored_is_loaded(store: Store) -> None:
    settled = intervals([1.5, math.nan, 3.141592])
    settled.quality[2], settled.method[2] = "estimated", "interpolated"
    with connect(store.url) as conn:
        stored = store_intervals(conn, 1, settled, settled_at=SETTLED)
        assert (stored.changed, stored.first_start) == (3, NOON)
        assert_same(load_intervals(conn, 1, NOON, NOON + 3 * QUARTER), settled)
        # [start, stop): the second alone.
        (second,) = load_intervals(conn, 1, NOON + QUARTER, NOON + 2 * QUARTER).quality
        assert second == "missing"


def test_without_intervals_the_columns_are_empty(store: Store) -> None:
    with connect(store.url) as conn:
        assert_same(load_intervals(conn, 1, NOON, SETTLED), intervals([]))
        assert store_intervals(conn, 1, intervals([]), settled_at=SETTLED).changed == 0


def test_only_a_change_makes_a_version(store: Store) -> None:
    with connect(store.url) as conn:
        store_intervals(conn, 1, intervals([1, math.nan, 3]), settled_at=SETTLED)
        again = store_intervals(
            conn, 1, intervals([1, math.nan, 3]), settled_at=SETTLED
        )
        assert (again.changed, again.first_start) == (0, None)
        later = store_intervals(conn, 1, intervals([1, 2, 3, 4]), settled_at=SETTLED)
        assert (later.changed, later.first_start) == (2, NOON + QUARTER)
        assert versions(conn) == [1, 2, 1, 1]


def then(conn, at: datetime) -> list[float]:
    """What was believed at a moment."""
    known = load_intervals(conn, 1, NOON, NOON + 9 * QUARTER, as_of=at)
    return known.import_kwh.tolist()


def test_what_was_believed_when(store: Store) -> None:
    first, second, third = (SETTLED + n * QUARTER for n in range(3))
    with connect(store.url) as conn:
        store_intervals(conn, 1, intervals([1, 2, 3]), settled_at=first)
        store_intervals(conn, 1, intervals([1, 20, 3, 4]), settled_at=second)
        store_intervals(conn, 1, intervals([1, 21, 3, 4]), settled_at=third)
        assert then(conn, first - QUARTER) == []
        assert then(conn, first) == then(conn, second - QUARTER) == [1, 2, 3]
        assert then(conn, second) == [1, 20, 3, 4]
        assert then(conn, third) == [1, 21, 3, 4]
        assert versions(conn) == [1, 3, 1, 1]
        past = conn.execute(
            "SELECT import_kwh, version, settled_at, replaced_at"
            " FROM energy_interval_past ORDER BY version"
        ).fetchall()
        assert past == [(2, 1, first, second), (20, 2, second, third)]


def test_what_was_taken_away_is_still_known_then_and_counts_its_versions_on(
    store: Store,
) -> None:
    settled = intervals([1, 2])
    first, second, third, fourth = (SETTLED + n * QUARTER for n in range(4))
    with connect(store.url) as conn:
        store_intervals(conn, 1, settled, settled_at=first)
        gone = delete_intervals(conn, 1, settled.start_us[1:], at=second)
        assert (gone.changed, gone.first_start) == (1, NOON + QUARTER)
        assert then(conn, second - QUARTER) == [1, 2]
        assert then(conn, second) == [1]
        store_intervals(conn, 1, settled, settled_at=third)
        store_intervals(conn, 1, intervals([1, 5]), settled_at=fourth)
        assert versions(conn) == [1, 3]
        assert then(conn, third) == [1, 2]
        assert then(conn, fourth) == [1, 5]


def test_each_is_believed_once_though_clocks_differ(store: Store) -> None:
    # Two workers whose clocks are a quarter apart, the one that is ahead comes first.
    early, ahead, behind = (SETTLED + n * QUARTER for n in (0, 2, 1))
    settled = intervals([1, 2])
    with connect(store.url) as conn:
        store_intervals(conn, 1, settled, settled_at=early)
        store_intervals(conn, 1, intervals([10, 2]), settled_at=ahead)
        store_intervals(conn, 1, intervals([11, 2]), settled_at=behind)
        assert then(conn, behind) == then(conn, ahead - timedelta(seconds=1)) == [1, 2]
        assert then(conn, ahead) == [11, 2]
        # And what was taken away, and what comes back.
        delete_intervals(conn, 1, settled.start_us, at=behind)
        assert then(conn, behind) == [1]
        assert then(conn, ahead) == []
        store_intervals(conn, 1, intervals([12, 13]), settled_at=behind)
        assert then(conn, behind) == [1, 13]
        assert then(conn, ahead) == [12, 13]
        backwards = conn.execute(
            "SELECT count(*) FROM energy_interval_past WHERE replaced_at < settled_at"
        ).fetchone()
        assert backwards == (0,)


def test_how_sure_it_is_is_a_version_too(store: Store) -> None:
    settled = intervals([1, 2, math.nan])
    doubted = replace(
        settled,
        quality=np.array(["measured", "estimated", "missing"]),
        method=np.array(["", "scaled", "no-reading"]),
        confidence=np.array([1.0, 0.75, 0.0]),
        status=np.array([2, 0, 3], dtype=np.uint8),
        firm=np.array([True, False, False]),
    )
    with connect(store.url) as conn:
        store_intervals(conn, 1, settled, settled_at=SETTLED)
        later = SETTLED + QUARTER
        assert store_intervals(conn, 1, doubted, settled_at=later).changed == 3
        assert_same(load_intervals(conn, 1, NOON, SETTLED), doubted)
        assert_same(load_intervals(conn, 1, NOON, SETTLED, as_of=SETTLED), settled)
        again = store_intervals(conn, 1, doubted, settled_at=later + QUARTER)
        assert again.changed == 0


@pytest.mark.parametrize(
    # 12 months later the readings are still there, 13 months later perhaps not.
    ("later", "kept"),
    [
        (datetime(2027, 3, 3, tzinfo=UTC), False),
        (datetime(2027, 4, 3, tzinfo=UTC), True),
    ],
)
def test_what_outlives_its_readings_only_gains(
    store: Store, *, later: datetime, kept: bool
) -> None:
    first = intervals([1, 2, 3, math.nan, 5])
    first.quality[2], first.method[2] = "estimated", "interpolated"
    again = intervals([math.nan, 20, 30, 40, 50])
    again.quality[1], again.method[1] = "estimated", "interpolated"
    with connect(store.url) as conn:
        store_intervals(conn, 1, first, settled_at=SETTLED)
        changed = store_intervals(conn, 1, again, settled_at=later).changed
        loaded = load_intervals(conn, 1, NOON, SETTLED)
    assert changed == (3 if kept else 5)
    # The first was known and would be missing, the second measured and be an estimate.
    gained = [1, 2, 30, 40, 50] if kept else [math.nan, 20, 30, 40, 50]
    np.testing.assert_array_equal(loaded.import_kwh, gained)


@pytest.mark.parametrize(
    ("method", "confidence", "gains"),
    [
        ("scaled", 0.9, True),
        ("scaled", 0.8, False),
        # Surer, but of no register: the sum of a hole would be another.
        ("average-like-day", 0.9, False),
        ("zero", 0.95, False),
    ],
)
def test_what_outlives_its_readings_is_estimated_again_by_a_surer_register_alone(
    store: Store, *, method: str, confidence: float, gains: bool
) -> None:
    def estimated(kwh: float, method: str, confidence: float) -> Intervals:
        return replace(
            intervals([kwh]),
            quality=np.array(["estimated"]),
            method=np.array([method]),
            confidence=np.array([confidence]),
        )

    later = datetime(2027, 4, 3, tzinfo=UTC)
    with connect(store.url) as conn:
        store_intervals(conn, 1, estimated(5, "scaled", 0.8), settled_at=SETTLED)
        again = estimated(6, method, confidence)
        changed = store_intervals(conn, 1, again, settled_at=later).changed
        assert changed == gains
        loaded = load_intervals(conn, 1, NOON, SETTLED)
        assert loaded.import_kwh.tolist() == [6 if gains else 5]


def test_a_gap_cannot_be_a_zero(store: Store) -> None:
    wrong = intervals([0.0])
    wrong.quality[0] = "missing"
    with connect(store.url) as conn, pytest.raises(Exception, match="check constraint"):
        store_intervals(conn, 1, wrong, settled_at=SETTLED)


@pytest.mark.parametrize("refreshed", [False, True])
def test_hours_sum_up(store: Store, refreshed: bool) -> None:  # noqa: FBT001
    with connect(store.url, autocommit=True) as conn:
        settled = intervals([1, 2, math.nan, 4, 5])
        settled.quality[1] = "estimated"
        store_intervals(conn, 1, settled, settled_at=SETTLED)
        if refreshed:
            refresh_hourly(conn, None, NOON + timedelta(days=30))
        first, second = load_hourly(conn, 1, NOON, NOON + timedelta(hours=2))
    # 1 + 2 + 4 kWh; the highest quarter-hour is 4 kWh x 4 = 16 kW.
    assert (first.hour, first.import_kwh, first.max_import_kw) == (NOON, 7, 16)
    assert (first.lagging_kvarh, first.export_kwh) == (3.5, None)
    counts = (first.measured, first.estimated, first.edited, first.missing)
    assert counts == (2, 1, 0, 1)
    assert (second.import_kwh, second.max_import_kw) == (5, 20)


def test_late_intervals_reach_the_hours(store: Store) -> None:
    with connect(store.url, autocommit=True) as conn:
        store_intervals(conn, 1, intervals([1]), settled_at=SETTLED)
        refresh_hourly(conn, None, None)
        month_ago = NOON - timedelta(days=30)
        store_intervals(conn, 1, intervals([2], month_ago), settled_at=SETTLED)
        store_intervals(conn, 1, intervals([3]), settled_at=SETTLED)
        refresh_hourly(conn, month_ago, NOON + timedelta(hours=1))
        hours = load_hourly(conn, 1, month_ago, SETTLED)
    assert [hour.import_kwh for hour in hours] == [2, 3]


@pytest.mark.parametrize(
    ("time_zone", "start", "day", "quarter_hours"),
    [
        # Clocks go from 02:00 to 03:00 and from 02:00 back to 01:00 in Los Angeles.
        ("America/Los_Angeles", "2018-03-11T08:00Z", date(2018, 3, 11), 92),
        ("America/Los_Angeles", "2018-11-04T07:00Z", date(2018, 11, 4), 100),
        ("Asia/Shanghai", "2018-03-10T16:00Z", date(2018, 3, 11), 96),
    ],
)
def test_days_are_the_accounts_own(
    store: Store, time_zone: str, start: str, day: date, quarter_hours: int
) -> None:
    midnight = datetime.fromisoformat(start).astimezone(UTC)
    with connect(store.url) as conn:
        apply_site(conn, site(time_zone=time_zone))
        # One quarter-hour before the day and one after belong to its neighbours.
        around = intervals([1.0] * (quarter_hours + 2), midnight - QUARTER)
        store_intervals(conn, 1, around, settled_at=SETTLED)
        days = load_daily(conn, 1, day - timedelta(1), day + timedelta(1))
    assert [d.import_kwh for d in days] == [1, quarter_hours, 1]
    assert days[1].local_day == day
    assert days[1].hours == quarter_hours / 4
    assert days[1].measured == quarter_hours
