from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from functools import partial

import numpy as np
import pytest
from psycopg.errors import RaiseException

from analytics.settlement.verdict import Status
from keywatt.settling import Settled, settle_point
from meters.quantity import COLUMN, Quantity
from storage.database import connect
from storage.dirty import mark_touched, take_dirty
from storage.judging import GRACE, lock_judged_to, points_due, store_judged_to
from storage.master import load_points
from storage.site import apply_site
from tests.fix_seeded_accounts import add_account
from tests.keywatt.settled_point import LOAD_KW, QUARTER, START, Point
from tests.registers import part, readings_of, write
from tests.storage_data import meter, site
from tests.storage_data import point as site_point


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


def test_a_gap_that_is_over_is_estimated_at_once_and_measured_by_late_readings(
    point,
) -> None:
    every = readings_of(point.meter_id, START, LOAD_KW)
    now = START + 8 * QUARTER
    write(point.url, part(every, np.array([0, 1, 2, 5, 6, 7, 8])))
    point.settle(now)
    # Boundaries 3 and 4 are unknown, their neighbours 45 minutes apart: the register
    # says 20 + 25 + 50 = 95 kWh, and there is no other day to shape them.
    kwh = point.kwh()
    assert kwh[:2] + kwh[5:] == [25, 30, 25, 25, 25]
    assert kwh[2:5] == pytest.approx([95 / 3] * 3, abs=0.01)
    assert sum(kwh[2:5]) == pytest.approx(95, abs=1e-9)
    found = point.intervals()
    assert found.quality.tolist() == (
        ["measured"] * 2 + ["estimated"] * 3 + ["measured"] * 3
    )
    assert found.method.tolist() == [""] * 2 + ["linear"] * 3 + [""] * 3
    assert found.confidence.tolist() == [1, 1, 0.5, 0.5, 0.5, 1, 1, 1]
    assert found.firm.tolist() == [True] * 2 + [False] * 3 + [True] * 3
    write(point.url, part(every, np.array([3, 4])))
    settled = point.settle(now)
    assert (settled.intervals_changed, settled.first_start) == (3, START + 2 * QUARTER)
    assert point.kwh() == [25, 30, 20, 25, 50, 25, 25, 25]


def test_days_without_a_reading_in_between_are_estimated_not_absent(point) -> None:
    every = readings_of(point.meter_id, START, np.full(96 * 4, 100.0))
    inside = np.concatenate([np.arange(97), np.arange(96 * 3, 96 * 4 + 1)])
    write(point.url, part(every, inside))
    point.settle(START + timedelta(days=4))
    settled = point.intervals()
    estimated = (settled.quality == "estimated").reshape(4, 96).sum(axis=1)
    assert estimated.tolist() == [0, 96, 96, 0]
    # What the register counted meanwhile: two days of 96 quarters of 25 kWh.
    assert settled.import_kwh[96:288].sum() == pytest.approx(2 * 96 * 25, abs=1e-6)


def test_a_hole_is_settled_as_a_whole_once_it_ends(point) -> None:
    # A silent meter is guessed day by day; what it says when it is back is for all of
    # them, though only the last day is touched.
    every = readings_of(point.meter_id, START, np.full(96 * 4, 100.0))
    write(point.url, part(every, slice(49)))
    point.settle(START + timedelta(days=3))
    assert set(point.intervals().quality[48:]) == {"missing"}
    end = START + timedelta(days=3, hours=12)
    write(point.url, part(every, slice(96 * 3 + 48, 96 * 3 + 49)))
    settled = point.settle(end)
    assert settled.first_start == START + timedelta(hours=12)
    assert point.kwh() == pytest.approx([25.0] * (96 * 3 + 48))
    assert set(point.intervals().quality[48:]) == {"estimated"}


# Does something before an interval from some time on is stored.
GATE = """
    CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF new.start >= '{start}' THEN {act}; END IF;
        RETURN new;
    END $$;
    CREATE TRIGGER gate BEFORE INSERT ON energy_interval
        FOR EACH ROW EXECUTE FUNCTION gate();
"""


def test_a_pass_that_fails_undoes_no_earlier_one_and_leaves_its_days_dirty(
    point,
) -> None:
    write(point.url, readings_of(point.meter_id, START, np.full(96 * 60, 100.0)))
    now = START + timedelta(days=60)
    act = "RAISE 'no room'"
    with connect(point.url) as conn:
        conn.execute(GATE.format(start=START + timedelta(days=40), act=act))
        conn.commit()
        with pytest.raises(RaiseException, match="no room"):
            settle_point(conn, point.point_id, now)
    # The 2nd of March, a day touched only, and 30 days of load: 31 in one pass.
    assert point.kwh() == [25.0] * 96 * 30
    with connect(point.url) as conn:
        dirty = [d.local_day for d in take_dirty(conn)]
        assert (dirty[0], len(dirty)) == (date(2026, 4, 2), 31)
        conn.rollback()
        conn.execute("DROP TRIGGER gate ON energy_interval")
    assert point.settle(now).intervals_changed == 96 * 30
    assert point.kwh() == [25.0] * 96 * 60


def test_the_collector_does_not_wait_while_its_days_are_settled(point) -> None:
    every = readings_of(point.meter_id, START, np.full(96 * 3, 100.0))
    write(point.url, part(every, slice(96 * 3)))
    now = START + timedelta(days=3) - QUARTER
    held = "SELECT * FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
    with connect(point.url) as gate, ThreadPoolExecutor() as pool:
        gate.execute(GATE.format(start=START, act="PERFORM pg_advisory_xact_lock(1)"))
        gate.commit()
        gate.execute("SELECT pg_advisory_xact_lock(1)")
        settling = pool.submit(point.settle, now)
        try:
            while not gate.execute(held).fetchall():
                assert not settling.done()
            for rows in (slice(5), slice(96 * 3, None)):  # old ones again, and new
                written = pool.submit(write, point.url, part(every, rows))
                written.result(timeout=20)
        finally:
            gate.rollback()
        settling.result()
    assert point.kwh() == [25.0] * (96 * 3 - 1)


def test_days_in_anothers_hands_are_passed_over(point) -> None:
    write(point.url, readings_of(point.meter_id, START, LOAD_KW))
    with connect(point.url) as conn:
        mark_touched(conn)
        conn.commit()
        assert len(take_dirty(conn)) == 2
        assert point.settle(START + 8 * QUARTER).days == ()


def test_sixty_days_are_settled_in_order_of_seconds(point) -> None:
    load_kw = np.random.default_rng(7).uniform(50, 400, 96 * 60).round()
    write(point.url, readings_of(point.meter_id, START, load_kw))
    settled = point.settle(START + timedelta(days=60))
    assert settled.intervals_changed == 96 * 60
    assert point.kwh() == pytest.approx((load_kw / 4).tolist(), abs=0.011)


def test_nothing_that_grows_is_read_whole(point) -> None:
    """Of a table with little in it the server would read all, and stay with that."""
    write(point.url, readings_of(point.meter_id, START, np.full(96 * 3, 100.0)))
    with connect(point.url) as conn:
        conn.execute("ANALYZE")
        conn.execute("SELECT pg_stat_reset()")
        settle_point(conn, point.point_id, START + timedelta(days=3))
        conn.execute("SELECT pg_stat_force_next_flush()")
        conn.commit()
        read = conn.execute(
            "SELECT relname FROM pg_stat_user_tables"
            " WHERE relname IN ('energy_day', 'day_curve', 'settled_day_2026_03',"
            "                   'energy_interval_2026_03', 'dirty_point_day')"
            "   AND seq_scan > 0"
        ).fetchall()
    assert read == []


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
        mark_touched(conn)
        assert points_due(conn, now) == [point.point_id]
        settle_point(conn, point.point_id, now)
        lock_judged_to(conn, point.point_id)
        store_judged_to(conn, point.point_id, now)
        conn.commit()
        assert points_due(conn, now) == []
        write(point.url, part(every, slice(5, 6)))
        mark_touched(conn)
        assert points_due(conn, now + QUARTER - timedelta(seconds=1)) == []
        assert points_due(conn, now + QUARTER) == [point.point_id]


def test_a_wild_reading_is_not_billed_and_says_so(point) -> None:
    # The contract demand is 500 kW; 900 000 kWh fit into its 8 digits.
    every = readings_of(point.meter_id, START, LOAD_KW)
    every.values[3, COLUMN[Quantity.ENERGY_IMPORT_KWH]] = 900_000.0
    write(point.url, every)
    point.settle(START + 8 * QUARTER)
    kwh = point.kwh()
    assert kwh[:2] + kwh[4:] == [25, 30, 50, 25, 25, 25]
    # The register beside it says 20 + 25 kWh for both together.
    assert kwh[2:4] == [22.5, 22.5]
    [(day, broken)] = [
        (day.local_day, day.broken) for day in point.days() if day.broken
    ]
    assert day == date(2026, 3, 3)
    (glitch,) = (one for one in broken if one.rule == "plausible")
    assert glitch.figures["shown_counts"] == 90_000_000
    assert glitch.status is Status.WARN


@pytest.mark.parametrize(
    ("load_kw", "known"),
    [
        # 3 times 500 kW, and 1.2 times that for what a register may run faster.
        pytest.param(1800.0, True, id="far above its contract"),
        pytest.param(1801.0, False, id="more than it can draw"),
    ],
)
def test_a_customer_above_the_contract_demand_is_believed(
    point, load_kw, known
) -> None:
    write(point.url, readings_of(point.meter_id, START, np.full(2, load_kw)))
    point.settle(START + 2 * QUARTER)
    assert (point.kwh() == [load_kw / 4] * 2) == known


def test_without_a_contract_demand_no_load_is_too_high(point) -> None:
    with connect(point.url) as conn:
        conn.execute("UPDATE point SET contract_demand_kw = NULL")
    write(point.url, readings_of(point.meter_id, START, np.full(2, 90_000.0)))
    point.settle(START + 2 * QUARTER)
    assert point.kwh() == [22_500.0, 22_500.0]


def test_a_gap_with_nothing_to_estimate_from_says_why(point) -> None:
    write(point.url, part(readings_of(point.meter_id, START, LOAD_KW), slice(6)))
    point.settle(START + 8 * QUARTER)
    assert point.causes() == ["no-reading"] * 2
    assert np.isnan(point.kwh()[5:7]).all()


def entered(url: str, *points: dict[str, object]) -> None:
    with connect(url) as conn:
        apply_site(conn, site(points=list(points)))


@pytest.mark.parametrize("new_point_first", [True, False])
def test_the_energy_of_a_meter_that_was_elsewhere_counts_there_only(
    database, new_point_first
) -> None:
    mill, hall = partial(site_point, name="Mill"), partial(site_point, name="Hall")
    entered(database, mill(meter("A")), hall())
    with connect(database) as conn:
        ids = {p.name: p.point_id for p in load_points(conn)}
    a, b = (Point(database, ids[name], 1) for name in ("Mill", "Hall"))
    write(database, readings_of(1, START, LOAD_KW))
    now = START + 8 * QUARTER
    a.settle(now)
    assert sum(a.kwh()) == 225
    moved = [mill(), hall(meter("A"))]
    entered(database, *(reversed(moved) if new_point_first else moved))
    assert a.settle(now).first_start == START
    b.settle(now)
    assert (a.kwh(), sum(b.kwh())) == ([], 225)


def test_a_meter_that_came_later_than_was_thought_has_no_earlier_energy(
    database,
) -> None:
    entered(database, site_point(meter("A")))
    write(database, readings_of(1, START, LOAD_KW))
    point = Point(database, 1, 1)
    now = START + 8 * QUARTER
    point.settle(now)
    with connect(database) as conn:
        lock_judged_to(conn, 1)
        store_judged_to(conn, 1, now)
    came = START + 3 * QUARTER + timedelta(minutes=5)
    entered(database, site_point(meter("A", installed_at=came)))
    settled = point.settle(now)
    # Three are gone, the one in which it came is not known.
    assert (settled.intervals_changed, settled.first_start) == (4, START)
    kwh = point.kwh()
    assert np.isnan(kwh[0])
    assert kwh[1:] == [50, 25, 25, 25]
    assert point.causes() == ["no-reading"]
    with connect(database) as conn:
        assert lock_judged_to(conn, 1) == START
    assert point.settle(now).intervals_changed == 0
