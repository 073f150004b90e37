import math
import threading
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from meters.reading import utc_us
from storage.database import connect
from storage.interval_store import store_intervals
from storage.intervals import load_daily, load_hourly, refresh_hourly
from storage.master import apply_site
from storage.portfolio import load_loads
from storage.rollups import load_monthly
from tests.fix_timescale import Store
from tests.storage_data import NOON, QUARTER, intervals, site

SETTLED = NOON + timedelta(days=100)


def at_midnight(zone: str, day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)


def whole_months(conn, zone: str, first: date, after: date) -> None:
    """Store 1 kWh each quarter-hour of some local months, and one on either side."""
    apply_site(conn, site(time_zone=zone))
    start, stop = at_midnight(zone, first), at_midnight(zone, after)
    quarters = (stop - start) // QUARTER + 2
    store_intervals(
        conn, 1, intervals([1.0] * quarters, start - QUARTER), settled_at=SETTLED
    )


@pytest.mark.parametrize(
    ("zone", "month", "after", "hours"),
    [
        # 31 x 24 = 744 hours, less or more the one that clocks skip or repeat.
        pytest.param("Europe/Paris", "2026-03-01", "2026-04-01", 743, id="Paris on"),
        pytest.param("Europe/Paris", "2026-10-01", "2026-11-01", 745, id="Paris off"),
        # 8 March and 1 November 2026; November has 30 days: 720 + 1.
        pytest.param(
            "America/Los_Angeles", "2026-03-01", "2026-04-01", 743, id="LA on"
        ),
        pytest.param(
            "America/Los_Angeles", "2026-11-01", "2026-12-01", 721, id="LA off"
        ),
        # Midnight in India is 18:30 UTC.
        pytest.param("Asia/Kolkata", "2026-02-01", "2026-03-01", 672, id="Kolkata"),
    ],
)
def test_months_are_the_accounts_own(
    store: Store, zone: str, month: str, after: str, hours: int
) -> None:
    first, next_month = date.fromisoformat(month), date.fromisoformat(after)
    with connect(store.url) as conn:
        whole_months(conn, zone, first, next_month)
        before, here, behind = load_monthly(
            conn, [1, 2], first - timedelta(1), next_month
        )
        days = load_daily(conn, 1, first, next_month - timedelta(1))
    assert (here.month, here.hours, here.point_id) == (first, hours, 1)
    # A kWh a quarter-hour: 4 kWh an hour, 4 kW at most.
    assert (here.import_kwh, here.measured, here.max_import_kw) == (
        4 * hours,
        4 * hours,
        4,
    )
    assert (before.import_kwh, behind.import_kwh) == (1, 1)
    assert behind.month == next_month
    assert sum(day.hours for day in days) == hours
    assert sum(day.import_kwh for day in days) == 4 * hours


def test_the_view_says_the_same_as_the_function(store: Store) -> None:
    with connect(store.url) as conn:
        whole_months(conn, "Europe/Paris", date(2026, 3, 1), date(2026, 4, 1))
        months = load_monthly(conn, [1], date(2026, 2, 1), date(2026, 4, 1))
        seen = conn.execute(
            "SELECT month, import_kwh, lagging_kvarh, max_import_kw, measured, hours"
            "  FROM load_monthly ORDER BY month"
        ).fetchall()
    assert seen == [
        (m.month, m.import_kwh, m.lagging_kvarh, m.max_import_kw, m.measured, m.hours)
        for m in months
    ]


def test_a_day_with_two_midnights_begins_at_the_first(store: Store) -> None:
    # In Havana clocks went from 01:00 back to 00:00 on 1 November 2026 (05:00 UTC): the
    # day began at 04:00 UTC and had 25 hours.
    begins = datetime(2026, 11, 1, 4, tzinfo=UTC)
    with connect(store.url) as conn:
        apply_site(conn, site(time_zone="America/Havana"))
        around = intervals([1.0] * 102, begins - QUARTER)
        store_intervals(conn, 1, around, settled_at=SETTLED)
        days = load_daily(conn, 1, date(2026, 10, 31), date(2026, 11, 2))
    assert [day.import_kwh for day in days] == [1, 100, 1]
    assert days[1].hours == 25


def test_a_late_interval_reaches_its_hour_day_and_month(store: Store) -> None:
    # 2026-01-15 00:30 in Kolkata, more than a month ago; half of it was there.
    day = date(2026, 1, 15)
    begins = at_midnight("Asia/Kolkata", day)
    window = begins - timedelta(hours=1), begins + timedelta(hours=3)
    with connect(store.url, autocommit=True) as conn:
        apply_site(conn, site(time_zone="Asia/Kolkata"))
        old = intervals([1.0, 2.0, math.nan, 4.0], begins)
        store_intervals(conn, 1, old, settled_at=SETTLED)
        refresh_hourly(conn, None, None)
        late = intervals([3.0, 4.0, 5.0], begins + 2 * QUARTER)
        store_intervals(conn, 1, late, settled_at=SETTLED)
        refresh_hourly(conn, *window)
        hours = load_hourly(conn, 1, *window)
        (of_day,) = load_daily(conn, 1, day, day)
        (month,) = load_monthly(conn, [1], day, day)
    # Midnight is 18:30 UTC: the first hour has 1 + 2, the second 3 + 4 + 5 kWh.
    assert [hour.import_kwh for hour in hours] == [3, 12]
    for sums in (of_day, month):
        assert (sums.import_kwh, sums.max_import_kw) == (15, 20)
        assert (sums.measured, sums.missing) == (5, 0)


def test_what_is_taken_away_leaves_the_day(store: Store) -> None:
    with connect(store.url, autocommit=True) as conn:
        apply_site(conn, site())
        store_intervals(conn, 1, intervals([1.0, 2.0, 4.0]), settled_at=SETTLED)
        day = NOON.date()
        conn.execute("DELETE FROM energy_interval WHERE start = %s", (NOON + QUARTER,))
        (left,) = load_daily(conn, 1, day, day)
        assert (left.import_kwh, left.measured) == (5, 2)
        conn.execute("DELETE FROM energy_interval")
        assert load_daily(conn, 1, day, day) == []
        assert load_monthly(conn, [1], day, day) == []


def test_another_zone_makes_other_days(store: Store) -> None:
    # 20:00 UTC of 2 March is the 3rd in Shanghai and the 2nd in Paris.
    with connect(store.url, autocommit=True) as conn:
        apply_site(conn, site())
        evening = NOON + timedelta(hours=8)
        store_intervals(conn, 1, intervals([1.0], evening), settled_at=SETTLED)
        for zone, day in (("Asia/Shanghai", 3), ("Europe/Paris", 2)):
            apply_site(conn, site(time_zone=zone))
            (found,) = load_daily(conn, 1, date(2026, 3, 1), date(2026, 3, 4))
            assert found.local_day == date(2026, 3, day)


def test_sums_are_exact(store: Store) -> None:
    # 96 x 85.8 = 8236.8 kWh; added up as doubles it is 8236.800000000005.
    begins = at_midnight("Asia/Shanghai", date(2026, 3, 2))
    with connect(store.url) as conn:
        apply_site(conn, site())
        store_intervals(conn, 1, intervals([85.8] * 96, begins), settled_at=SETTLED)
        (day,) = load_daily(conn, 1, date(2026, 3, 2), date(2026, 3, 2))
        (month,) = load_monthly(conn, [1], date(2026, 3, 2), date(2026, 3, 2))
        hours = load_hourly(conn, 1, begins, begins + timedelta(days=1))
    assert day.import_kwh == month.import_kwh == 8236.8
    assert sum([85.8] * 96) != 8236.8
    # 4 x 85.8, though 85.8 is kept as a whole number of 2^-20 kWh.
    assert [hour.import_kwh for hour in hours] == [343.2] * 24
    assert {hour.max_import_kw for hour in hours} == {343.2}


@pytest.mark.parametrize("before", [[1.0], []], ids=["begun", "new"])
def test_two_who_change_one_day_at_once_both_count(plain_database: str, before) -> None:
    """The second waits for the first at the day, then adds up what both left."""
    day = NOON.date()
    with connect(plain_database) as one, connect(plain_database) as other:
        apply_site(one, site())
        store_intervals(one, 1, intervals(before), settled_at=SETTLED)
        one.commit()
        store_intervals(one, 1, intervals([2.0], NOON + QUARTER), settled_at=SETTLED)

        def store_another() -> None:
            third = intervals([4.0], NOON + 2 * QUARTER)
            store_intervals(other, 1, third, settled_at=SETTLED)
            other.commit()

        thread = threading.Thread(target=store_another)
        thread.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        with connect(plain_database, autocommit=True) as watch:
            while watch.execute(waiting).fetchone() == (0,) and thread.is_alive():
                pass
        one.commit()
        thread.join(30)
        (sums,) = load_daily(one, 1, day, day)
    assert (sums.import_kwh, sums.measured) == (sum(before) + 6, len(before) + 2)


def test_loads_are_the_same_with_and_without_curves_of_days(store: Store) -> None:
    """A whole day has a curve, one that goes on has none; late changes count."""
    begins = at_midnight("Europe/Paris", date(2026, 3, 28))
    with connect(store.url, autocommit=True) as conn:
        apply_site(conn, site(time_zone="Europe/Paris"))
        # Three whole days, of which 29 March has 23 hours, and half of one.
        energy = [float(n) for n in range(96 + 92 + 96 + 48)]
        energy[5] = math.nan
        store_intervals(conn, 1, intervals(energy, begins), settled_at=SETTLED)
        late = intervals([7.0], begins + 100 * QUARTER)
        store_intervals(conn, 1, late, settled_at=SETTLED)
        window = begins + 3 * QUARTER, begins + 330 * QUARTER
        curved = load_loads(conn, [1, 2], *window)
        days = conn.execute("SELECT local_day FROM day_curve ORDER BY 1").fetchall()
        conn.execute("DELETE FROM day_curve")
        bare = load_loads(conn, [1, 2], *window)
    assert [day.day for (day,) in days] == [28, 29, 30]
    assert list(curved) == list(bare) == [1]
    energy[100] = 7.0
    for loads in (curved[1], bare[1]):
        assert loads.start_us[0] == utc_us(window[0])
        # A kWh in a quarter-hour is 4 kW.
        np.testing.assert_array_equal(loads.load_kw, 4 * np.array(energy[3:330]))


def test_curves_of_old_days_go(store: Store) -> None:
    begins = at_midnight("Asia/Shanghai", date(2026, 3, 1))
    with connect(store.url, autocommit=True) as conn:
        apply_site(conn, site())
        store_intervals(conn, 1, intervals([1.0] * 192, begins), settled_at=SETTLED)
        # 110 days after 2 March is 20 June.
        conn.execute("SELECT drop_expired('2026-06-20Z')")
        days = conn.execute("SELECT local_day FROM day_curve").fetchall()
        assert days == [(date(2026, 3, 2),)]
        assert len(load_daily(conn, 1, date(2026, 3, 1), date(2026, 3, 2))) == 2
