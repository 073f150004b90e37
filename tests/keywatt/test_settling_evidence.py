"""All that is evidence for settlement comes out of the database and is used."""

from datetime import date, timedelta

import numpy as np
import pytest

from analytics.settlement.verdict import Status
from meters.reading import utc_us
from storage.database import connect
from storage.dirty import mark_days
from storage.meter_intervals import MeterIntervals, insert_meter_intervals
from tests.fix_seeded_accounts import (
    INSERT_INSTALLATION,
    INSERT_METER,
    add_account,
    add_load,
    scalar,
)
from tests.keywatt.settled_point import LOAD_KW, QUARTER, START, Point
from tests.registers import part, readings_of, write

DAY = timedelta(days=1)
NOW = START + 8 * QUARTER
START_US = utc_us(START)


@pytest.fixture
def point(database: str) -> Point:
    with connect(database) as conn:
        seeded = add_account(conn, "mill", read_at=None)
    return Point(database, seeded.point_id, seeded.meter_id)


def entered(point: Point, statement: str, **values: object) -> None:
    with connect(point.url) as conn:
        conn.execute(statement, values)
        mark_days(conn, point.point_id, date(2026, 3, 2), date(2026, 3, 4))


def another_meter(point: Point, **changes: object) -> int:
    """A second meter at the point."""
    with connect(point.url) as conn:
        meter_id = scalar(conn, INSERT_METER, {"serial": "M-2"})
        conn.execute(
            INSERT_INSTALLATION.replace("2020-01-01Z", "2026-03-02T16:07Z")
            if changes.get("swapped")
            else INSERT_INSTALLATION.replace(
                "register_digits,", "role, register_digits,"
            ).replace("8, 0.01", "'check', 8, 0.01"),
            {"point_id": point.point_id, "meter_id": meter_id},
        )
    return meter_id


def test_a_multiplier_that_changes_inside_an_interval_splits_it(point) -> None:
    # 100 kW evenly; from 5 minutes into the second quarter-hour on a count is worth
    # three times as much. The register runs 3 units of time per 1 there, so of its
    # 25 kWh, 25 x 15 / (5 x 3 + 10) = 15 came before: 15 + 10 x 3 = 45 kWh.
    entered(
        point,
        "INSERT INTO multiplier_change VALUES (1, %(since)s, 3, 'Li Wei')",
        since=START + QUARTER + timedelta(minutes=5),
    )
    write(point.url, readings_of(point.meter_id, START, np.full(4, 100.0)))
    point.settle(START + 4 * QUARTER)
    assert point.kwh() == [25.0, 45.0, 75.0, 75.0]


def test_a_swap_with_its_readings_is_measured_and_loses_nothing(point) -> None:
    # The old meter is read at 01:00 at 100.00 kWh and left at 01:07 with 112.00; the
    # new one came with 500.00 and shows 520.00 at 01:15 and 545.00 at 01:30.
    swapped_at = START + 4 * QUARTER + timedelta(minutes=7)
    entered(
        point,
        "UPDATE installation SET removed_at = %(at)s WHERE installation_id = 1",
        at=swapped_at,
    )
    second = another_meter(point, swapped=True)
    entered(
        point,
        "INSERT INTO swap_reading (installation_id, quantity, opening_counts,"
        " closing_counts, entered_by) VALUES"
        " (1, 'energy_import_kwh', NULL, 11200, 'Li Wei'),"
        " (2, 'energy_import_kwh', 50000, NULL, 'Li Wei')",
    )
    write(point.url, readings_of(point.meter_id, START, np.full(4, 100.0)))
    new = readings_of(second, START + 5 * QUARTER, np.full(1, 100.0))
    new.values[:, 0] += 520.0
    write(point.url, new)
    point.settle(START + 6 * QUARTER)
    assert point.kwh() == [25, 25, 25, 25, 32, 25]
    assert set(point.intervals().quality) == {"measured"}


def test_without_its_readings_a_swap_is_guessed_and_told(point) -> None:
    entered(
        point,
        "UPDATE installation SET removed_at = %(at)s WHERE installation_id = 1",
        at=START + 4 * QUARTER + timedelta(minutes=7),
    )
    second = another_meter(point, swapped=True)
    write(point.url, readings_of(point.meter_id, START, np.full(4, 100.0)))
    write(point.url, readings_of(second, START + 5 * QUARTER, np.full(1, 200.0)))
    point.settle(START + 6 * QUARTER)
    # A line from 25 to 50 kWh.
    assert point.kwh() == [25, 25, 25, 25, 37.5, 50]
    assert point.intervals().method.tolist()[4] == "linear"


def test_a_meter_that_states_another_ratio_breaks_the_rule_and_keeps_its_energy(
    point,
) -> None:
    # Entered is 1. The meter states 1 until 00:30, which says nothing, then 400/5 = 80.
    entered(
        point,
        "INSERT INTO stated_multiplier VALUES (%(id)s, %(first)s, 1),"
        " (%(id)s, %(second)s, 80)",
        id=point.meter_id,
        first=START,
        second=START + 2 * QUARTER,
    )
    write(point.url, readings_of(point.meter_id, START, np.full(96, 100.0)))
    point.settle(START + DAY)
    assert point.kwh() == [25.0] * 96
    day = point.days()[0]
    (found,) = (v for v in day.verdicts if v.rule == "master_data")
    assert found.status is Status.FAIL
    assert found.figures == {"stated": 80.0, "entered": 1.0}
    assert (found.start_us - START_US) / 900e6 == 2
    # No other day leans on what may be 80 times too little.
    assert point.intervals().firm.tolist() == [True] * 2 + [False] * 94


def test_the_check_meter_fills_a_gap_of_the_main_meter(point) -> None:
    check_id = another_meter(point)
    every = readings_of(point.meter_id, START, LOAD_KW)
    write(point.url, part(every, np.array([0, 1, 2, 5, 6, 7, 8])))
    beside = readings_of(check_id, START, LOAD_KW * 1.01)
    write(point.url, beside)
    point.settle(NOW)
    settled = point.intervals()
    assert settled.method.tolist()[2:5] == ["check"] * 3
    # The register says 95 kWh; the check meter, that they were as 20 : 25 : 50.
    assert settled.import_kwh[2:5] == pytest.approx([20, 25, 50], abs=0.02)
    assert settled.import_kwh[2:5].sum() == pytest.approx(95, abs=1e-9)


def own(
    point: Point,
    kwh: list[float],
    rows: list[int] | None = None,
    length_min: int = 15,
) -> None:
    """Have the meter count its own intervals, which begin at these quarter-hours."""
    rows = list(range(len(kwh))) if rows is None else rows
    none = np.full(len(kwh), np.nan)
    counted = MeterIntervals(
        meter_id=point.meter_id,
        start_us=START_US + 900_000_000 * np.array(rows, dtype=np.int64),
        length_min=np.full(len(kwh), length_min, dtype=np.int64),
        import_kwh=np.array(kwh),
        export_kwh=none,
        lagging_kvarh=np.round(np.array(kwh) / 4, 3),
        leading_kvarh=none,
        power_failure=np.zeros(len(kwh), dtype=bool),
    )
    with connect(point.url) as conn:
        insert_meter_intervals(conn, counted, received_at=NOW)
        mark_days(conn, point.point_id, date(2026, 3, 2), date(2026, 3, 3))


def test_hours_that_the_meter_counted_itself_are_shared_out_and_none_is_lost(
    point,
) -> None:
    # Quarter-hours of 10, 20, 30 and 20 kWh are usual; the hour had 100.
    usual = np.tile([40.0, 80.0, 120.0, 80.0], 24)
    with connect(point.url) as conn:
        for before in range(42, 0, -1):
            add_load(conn, point.point_id, START - before * DAY, usual)
    own(point, [100.0, 80.0], rows=[0, 4], length_min=60)
    point.settle(START + 8 * QUARTER)
    settled = point.intervals()[-8:]
    assert settled.import_kwh.tolist() == [12.5, 25, 37.5, 25, 10, 20, 30, 20]
    assert settled.lagging_kvarh.reshape(2, 4).sum(axis=1).tolist() == [25, 20]
    assert set(settled.quality) == {"estimated"}
    assert set(settled.method) == {"scaled"}


def test_an_interval_over_midnight_is_shared_out_over_both_days(point) -> None:
    own(point, [40.0, 44.0, 60.0], rows=[-6, -2, 2], length_min=60)
    point.settle(START + 6 * QUARTER)
    by_hour = np.array(point.kwh()).reshape(3, 4).sum(axis=1)
    assert by_hour.tolist() == [40, 44, 60]
    # The day before is settled again alone, and says the same.
    with connect(point.url) as conn:
        mark_days(conn, point.point_id, date(2026, 3, 2), date(2026, 3, 2))
    assert point.settle(START + 6 * QUARTER).intervals_changed == 0


def test_intervals_that_the_meter_counted_itself_need_no_register(point) -> None:
    own(point, [25.004, 30.001, 20.0])
    point.settle(START + 3 * QUARTER)
    settled = point.intervals()
    assert settled.import_kwh.tolist() == [25.004, 30.001, 20.0]
    assert settled.lagging_kvarh.tolist() == [6.251, 7.5, 5.0]
    assert set(settled.quality) == {"measured"}


def ten_times_from(point: Point, since: timedelta) -> None:
    entered(
        point,
        "INSERT INTO multiplier_change VALUES (1, %(since)s, 10, 'Li Wei')",
        since=START + since,
    )


def test_an_own_interval_in_which_the_multiplier_changed_is_estimated(point) -> None:
    # 2 kWh of the meter are 2 before the change and 20 after it. Nobody knows how the
    # second quarter-hour's are split: a line between its neighbours says 11.
    ten_times_from(point, QUARTER + timedelta(minutes=7, seconds=30))
    own(point, [2.0, 2.0, 2.0, 2.0])
    point.settle(START + 4 * QUARTER)
    assert point.kwh() == [2, 11, 20, 20]
    settled = point.intervals().quality.tolist()
    assert settled == ["measured", "estimated", "measured", "measured"]


def test_a_register_splits_what_the_meter_itself_could_not(point) -> None:
    # 10 kWh a quarter-hour of the register, the multiplier ten times as much from its
    # 5th minute on: 10 x 5 x 10 / (5 x 10 + 10) = 8.33 came before, 1.67 x 10 after.
    ten_times_from(point, QUARTER + timedelta(minutes=5))
    own(point, [10.0, 10.0, 10.0, 10.0])
    write(point.url, readings_of(point.meter_id, START, np.full(4, 40.0)))
    point.settle(START + 4 * QUARTER)
    assert point.kwh() == [10, 25.03, 100, 100]


def test_a_multiplier_may_change_between_own_intervals(point) -> None:
    ten_times_from(point, QUARTER)
    own(point, [2.0, 2.0])
    point.settle(START + 2 * QUARTER)
    assert point.kwh() == [2, 20]
    assert set(point.intervals().quality) == {"measured"}


def test_of_one_interval_what_was_received_last_counts(point) -> None:
    own(point, [25.0, 30.0])
    point.settle(START + 2 * QUARTER)
    with connect(point.url) as conn:
        conn.execute(
            "INSERT INTO meter_interval (meter_id, start, received_at, length_min,"
            " import_kwh) VALUES (%s, %s, %s, 15, 31)",
            (point.meter_id, START + QUARTER, NOW + QUARTER),
        )
        mark_days(conn, point.point_id, date(2026, 3, 3), date(2026, 3, 3))
    assert point.settle(START + 2 * QUARTER).intervals_changed == 1
    assert point.kwh() == [25, 31]


def test_five_minutes_are_summed_and_hours_do_not_count(point) -> None:
    with connect(point.url) as conn:
        conn.execute(
            "SELECT ensure_time_partitions(%(at)s, %(at)s + interval '1 day')",
            {"at": START},
        )
        for minutes, length, kwh in [
            (0, 5, 1.0), (5, 5, 2.0), (10, 5, 4.0),
            (15, 5, 1.0), (25, 5, 4.0),
            (60, 60, 99.0),
        ]:  # fmt: skip
            conn.execute(
                "INSERT INTO meter_interval (meter_id, start, received_at, length_min,"
                " import_kwh) VALUES (%s, %s, %s, %s, %s)",
                (point.meter_id, START + timedelta(minutes=minutes), NOW, length, kwh),
            )
        mark_days(conn, point.point_id, date(2026, 3, 3), date(2026, 3, 3))
    point.settle(START + 2 * QUARTER + timedelta(hours=1))
    assert point.kwh()[0] == 7
    assert set(point.causes()) == {"no-reading"}


def test_an_outage_explains_zeros(point) -> None:
    entered(
        point,
        "INSERT INTO supply_outage (point_id, start, stop, kind, reason, entered_by)"
        " VALUES (1, %(start)s, %(stop)s, 'planned', 'Works', 'Li Wei')",
        start=START,
        stop=START + DAY,
    )
    write(point.url, readings_of(point.meter_id, START, np.zeros(96 * 2)))
    point.settle(START + 2 * DAY)
    first, second = (
        {one.rule for one in day.broken}
        for day in point.days()
        if day.local_day.day in (3, 4)
    )
    assert "zero_run" not in first
    assert "zero_run" in second
    assert point.intervals().firm.tolist()[0] is False


def test_a_closure_explains_zeros(point) -> None:
    entered(
        point,
        "INSERT INTO closure VALUES (1, '2026-03-03', 'Stocktaking', 'Li Wei')",
    )
    write(point.url, readings_of(point.meter_id, START, np.zeros(96)))
    point.settle(START + DAY)
    assert all(one.rule != "zero_run" for day in point.days() for one in day.broken)


RULES = """
[[rule_sets]]
code = "as-it-was"
valid_from = 2020-01-01
[[rule_sets]]
code = "strict"
valid_from = 2026-03-04
[rule_sets.rules.flatline]
slots = 4
severity = "fail"
[rule_sets.points."Main supply".estimation]
line_first = true
"""


def test_the_rule_set_in_force_on_each_day_judges_it(point) -> None:
    entered(
        point,
        "INSERT INTO rule_sets (definition, entered_by) VALUES (%(rules)s, 'Li Wei')",
        rules=RULES,
    )
    load = np.random.default_rng(3).uniform(90, 110, 192).round()
    load[40:46] = load[140:146] = 100.0
    write(point.url, readings_of(point.meter_id, START, load))
    point.settle(START + 2 * DAY)
    said = {
        day.local_day.day: (day.rules, day.worst)
        for day in point.days()
        if day.local_day.day in (3, 4)
    }
    assert said == {3: ("as-it-was", Status.PASS), 4: ("strict", Status.FAIL)}


def test_a_hole_over_the_midnight_of_other_rules_leaves_each_day_its_own(point) -> None:
    # The register knows the hole's sum alone: 23:00 to 02:00.
    entered(
        point,
        "INSERT INTO rule_sets (definition, entered_by) VALUES (%(rules)s, 'Li Wei')",
        rules=RULES,
    )
    load_kw = 100.0 + np.arange(3 * 96) % 96
    kept = np.ones(load_kw.size + 1, dtype=np.bool_)
    kept[93:104] = False
    write(point.url, part(readings_of(point.meter_id, START, load_kw), kept))

    def said() -> list[tuple[int, str]]:
        return [(day.local_day.day, day.rules) for day in point.days()]

    point.settle(START + 3 * DAY)
    each = [(3, "as-it-was"), (4, "strict"), (5, "strict")]
    assert said() == each
    kwh = point.intervals().import_kwh
    assert kwh.size == 3 * 96
    assert kwh[92:104].sum() == pytest.approx(load_kw[92:104].sum() / 4, abs=0.01)
    with connect(point.url) as conn:
        mark_days(conn, point.point_id, date(2026, 3, 4), date(2026, 3, 4))
    point.settle(START + 3 * DAY)
    assert said() == each
    assert point.kwh() == kwh.tolist()


def test_rules_that_begin_later_leave_the_usual_ones(point) -> None:
    entered(
        point,
        "INSERT INTO rule_sets (definition, entered_by) VALUES (%(rules)s, 'Li Wei')",
        rules=RULES.replace("2020-01-01", "2026-03-10"),
    )
    write(point.url, readings_of(point.meter_id, START, np.full(96, 100.0)))
    point.settle(START + DAY)
    assert {day.rules for day in point.days()} == {"usual"}


def test_a_point_that_feeds_is_believed(point) -> None:
    fed = readings_of(point.meter_id, START, np.full(8, 100.0))
    fed.values[:, 1] = np.arange(9) * 10.0
    write(point.url, fed)
    point.settle(NOW)
    assert "reverse" in {one.rule for day in point.days() for one in day.broken}
    entered(point, "UPDATE point SET feeds = true")
    point.settle(NOW + QUARTER)
    assert "reverse" not in {one.rule for one in point.days()[-1].broken}
    assert point.intervals().export_kwh[:8].tolist() == [10.0] * 8


def test_what_its_transformers_carry_bounds_a_register(point) -> None:
    # 200 kVA, with a margin of a fifth 240 kW: 60 kWh in a quarter-hour.
    entered(point, "UPDATE point SET contract_kva = 200")
    write(point.url, readings_of(point.meter_id, START, np.full(8, 244.0)))
    point.settle(NOW)
    assert "measured" not in set(point.intervals().quality)


def test_a_silent_meter_is_taken_for_what_its_like_days_were(point) -> None:
    with connect(point.url) as conn:
        for before in range(28, 0, -1):
            start = START - before * DAY
            load_kw = 100.0 + np.arange(96) * (1 if start.weekday() < 5 else 0)
            add_load(conn, point.point_id, start, load_kw)
    write(point.url, readings_of(point.meter_id, START, 100.0 + np.arange(8)))
    point.settle(START + 24 * QUARTER)
    settled = point.intervals()[-23:]
    assert settled.method.tolist()[8:] == ["average-like-day"] * 15
    assert settled.import_kwh[8:] == pytest.approx(
        (100 + np.arange(8, 23)) / 4, rel=0.02
    )
    assert (settled.confidence[8:] > 0.9).all()
    # What may still come is not guessed: the 24th quarter-hour ended just now.
    assert point.intervals().start_us[-1] == START_US + 22 * 900_000_000


def test_the_year_before_is_asked_when_nothing_nearer_is_known(point) -> None:
    with connect(point.url) as conn:
        for day in range(-7, 8):
            start = START - 364 * DAY + day * DAY
            add_load(conn, point.point_id, start, np.full(96, 120.0))
    write(point.url, readings_of(point.meter_id, START, np.full(4, 100.0)))
    point.settle(START + 8 * QUARTER)
    settled = point.intervals()[-7:]
    assert settled.method.tolist() == [""] * 4 + ["previous-year"] * 3
    assert settled.import_kwh.tolist() == [25.0] * 4 + [30.0] * 3


def test_a_meter_that_was_put_in_the_wrong_way_round_is_told_and_turned(point) -> None:
    with connect(point.url) as conn:
        for before in range(21, 0, -1):
            add_load(conn, point.point_id, START - before * DAY, np.full(96, 100.0))
    wrong = readings_of(point.meter_id, START, np.zeros(8))
    wrong.values[:, 1] = np.arange(9) * 25.0
    write(point.url, wrong)
    # The day still goes on.
    point.settle(NOW)
    settled = point.intervals()[-8:]
    assert settled.import_kwh.tolist() == [25.0] * 8
    assert settled.method.tolist() == ["calculated"] * 8
    assert set(settled.status.tolist()) == {Status.FAIL}


def test_a_meter_that_is_read_at_noon_loses_nothing_day_by_day(point) -> None:
    # Every hole reaches over midnight and leads to the next.
    every = readings_of(point.meter_id, START, np.full(96 * 9, 100.0))
    noons = np.arange(48, 96 * 9, 96)
    for noon in noons:
        write(point.url, part(every, np.array([noon])))
        point.settle(START + int(noon) * QUARTER)
    # 100 kW between the first noon and the last.
    assert sum(point.kwh()) == pytest.approx(8 * 96 * 25, abs=1e-6)
