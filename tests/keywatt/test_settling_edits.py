"""A person's figures: laid over what is settled, judged, kept, undone, billed."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, timedelta

import numpy as np
import pytest

from analytics.settlement.edited_values import EditedValues, EditError
from analytics.settlement.verdict import Status
from meters.reading import utc_us
from reports.bill_figures import bill_figures
from reports.billed_difference import billed_difference
from storage.bills import BillError, load_bills, pin_bill, withdraw_bill
from storage.database import connect
from storage.dirty import take_dirty, wait_for_point
from storage.edit_records import load_edits
from storage.edits import BilledError, store_edit, undo_edit
from storage.intervals import load_intervals
from storage.retention import drop_expired
from tests.fix_seeded_accounts import add_account
from tests.keywatt.settled_point import LOAD_KW, QUARTER, START, Point
from tests.registers import part, readings_of, write

DAY = date(2026, 3, 3)
NOW = START + 8 * QUARTER
LATER = START + timedelta(days=1, hours=1)


@pytest.fixture
def mill(database: str) -> Point:
    """A point of which nothing is known yet."""
    with connect(database) as conn:
        seeded = add_account(conn, "mill", read_at=None)
    return Point(database, seeded.point_id, seeded.meter_id)


@pytest.fixture
def point(mill: Point) -> Point:
    """Eight quarter-hours of 25, 30, 20, 25, 50, 25, 25 and 25 kWh, settled."""
    write(mill.url, readings_of(mill.meter_id, START, LOAD_KW))
    mill.settle(NOW)
    return mill


def values(rows: list[int], kwh: list[float]) -> EditedValues:
    start_us = utc_us(START) + 900_000_000 * np.array(rows, dtype=np.int64)
    return EditedValues.of_import(start_us, np.array(kwh))


def edit(point: Point, rows: list[int], kwh: list[float], **more: object) -> int:
    with connect(point.url) as conn:
        said = {"reason": "Read by hand", "by": "Li Wei", "at": NOW} | more
        return store_edit(conn, point.point_id, values(rows, kwh), **said)


def undo(point: Point, edit_id: int, **more: object) -> None:
    with connect(point.url) as conn:
        said = {"why": "Wrong meter", "by": "Jo Park", "at": NOW} | more
        undo_edit(conn, edit_id, **said)


def test_an_edit_stands_over_late_readings_until_it_is_undone(point) -> None:
    edit_id = edit(point, [1, 4], [31.25, 40.0])
    point.settle(NOW)
    assert point.kwh() == [25, 31.25, 20, 25, 40, 25, 25, 25]
    settled = point.intervals()
    assert settled.quality.tolist()[:2] == ["measured", "edited"]
    assert (settled.method[1], settled.confidence[1]) == ("edited", 1.0)
    # Readings that come again touch the day; the edit stands.
    write(point.url, part(readings_of(point.meter_id, START, LOAD_KW), slice(3)))
    assert point.settle(NOW).intervals_changed == 0
    undo(point, edit_id)
    assert point.settle(NOW).intervals_changed == 2
    assert point.kwh() == [25, 30, 20, 25, 50, 25, 25, 25]
    with connect(point.url) as conn:
        first, second = load_edits(conn, point.point_id, START, NOW)
    assert (first.was_import_kwh, first.import_kwh, first.was_version) == (30, 31.25, 1)
    assert (second.was_quality, second.undone_by) == ("measured", "Jo Park")
    assert (first.reason, first.undone_why) == ("Read by hand", "Wrong meter")


def test_of_two_edits_the_last_counts_and_undoing_it_gives_the_first(point) -> None:
    edit(point, [2], [21.0])
    second = edit(point, [2], [22.0])
    point.settle(NOW)
    assert point.kwh()[2] == 22
    undo(point, second)
    point.settle(NOW)
    assert point.kwh()[2] == 21


def test_an_edit_is_judged_like_anything_else(point) -> None:
    # 3 x 500 kW, and 1.2 times that: 450 kWh in a quarter-hour is the most.
    edit(point, [3], [451.0])
    point.settle(NOW)
    (cap,) = (one for one in point.days()[-1].broken if one.rule == "cap")
    assert cap.figures["highest_kw"] == 1804.0
    assert point.kwh()[3] == 451
    assert point.intervals().status.tolist()[2:5] == [0, Status.FAIL, 0]
    assert not point.intervals().firm[3]


def test_an_edit_fills_what_nothing_is_known_of(point) -> None:
    point.settle(START + 10 * QUARTER)
    assert np.isnan(point.kwh()[8])
    edit(point, [8], [26.0], at=START + 10 * QUARTER)
    point.settle(START + 10 * QUARTER)
    assert point.kwh()[8] == 26
    with connect(point.url) as conn:
        (record,) = load_edits(conn, point.point_id, START, LATER)
    assert (record.was_quality, record.was_import_kwh) == ("missing", None)


def test_other_registers_may_be_edited_too(point) -> None:
    start_us = np.array([utc_us(START)])
    whole = EditedValues(
        start_us=start_us,
        import_kwh=np.array([24.0]),
        export_kwh=np.array([np.nan]),
        lagging_kvarh=np.array([7.1234]),
        leading_kvarh=np.array([0.0]),
    )
    with connect(point.url) as conn:
        said = {"reason": "By hand", "by": "Li Wei", "at": NOW}
        store_edit(conn, point.point_id, whole, **said)
    point.settle(NOW)
    settled = point.intervals()
    assert settled.import_kwh[0] == 24
    assert settled.lagging_kvarh[:2].tolist()[0] == pytest.approx(7.1234, abs=1e-12)
    assert np.isnan(settled.lagging_kvarh[1])
    assert settled.leading_kvarh[0] == 0


@pytest.mark.parametrize(
    ("rows", "kwh", "more", "sentence"),
    [
        pytest.param([], [], {}, "The edit names no interval", id="nothing"),
        pytest.param([1], [1.0], {"reason": " "}, "The edit has no reason", id="why"),
        pytest.param([1], [1.0], {"by": ""}, "The edit has no name", id="who"),
        pytest.param([1, 1], [1.0, 2.0], {}, "15:15 UTC twice", id="twice"),
        pytest.param([8], [1.0], {}, "2026-03-02 17:00 UTC is not over yet", id="soon"),
        pytest.param([1], [np.nan], {}, "has no import", id="no import"),
        pytest.param([1], [-0.5], {}, "is -0.5; give 0 or more", id="negative"),
        pytest.param([1], [1.23456], {}, "give at most 4 decimals", id="too fine"),
        pytest.param([-700_000], [1.0], {}, "No meter sat at point 1", id="no meter"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(point, rows, kwh, more, sentence) -> None:
    with pytest.raises(EditError, match=sentence):
        edit(point, rows, kwh, **more)
    with connect(point.url) as conn:
        assert conn.execute("SELECT * FROM interval_edit").fetchall() == []
        assert take_dirty(conn) == []


def test_an_edit_beside_the_grid_is_refused(point) -> None:
    beside = EditedValues.of_import(np.array([utc_us(START) + 1]), np.array([1.0]))
    with connect(point.url) as conn, pytest.raises(EditError, match="no quarter-hour"):
        store_edit(conn, point.point_id, beside, reason="x", by="y", at=NOW)


def test_an_edit_is_undone_once(point) -> None:
    edit_id = edit(point, [1], [31.0])
    with pytest.raises(EditError, match="needs a reason"):
        undo(point, edit_id, why="")
    undo(point, edit_id)
    with pytest.raises(EditError, match=f"Edit {edit_id} was undone at"):
        undo(point, edit_id)
    with pytest.raises(EditError, match="no edit 99"):
        undo(point, 99)


def pin(point: Point, first: date = DAY, last: date = DAY, **more: object) -> int:
    said = {"as_of": LATER, "by": "Mei Tan", "note": "R-17"} | more
    with connect(point.url) as conn:
        return pin_bill(conn, 1, first, last, **said)


def test_what_is_billed_is_not_edited_but_on_demand_and_then_reported(point) -> None:
    point.settle(LATER)
    bill_id = pin(point)
    edited_on = (r"Bill 1 of 2026-03-03 to 2026-03-03 pins 2026-03-02 15:15 UTC; "
                 "withdraw it first")  # fmt: skip
    with pytest.raises(BilledError, match=edited_on):
        edit(point, [1], [31.0])
    with connect(point.url) as conn:
        assert not billed_difference(conn, bill_id).differs
    soon = LATER + QUARTER
    edit_id = edit(point, [1], [31.0], at=soon, billed_too=True)
    point.settle(soon)
    with connect(point.url) as conn:
        found = billed_difference(conn, bill_id)
        believed = load_intervals(conn, 1, START, NOW, as_of=LATER)
        assert believed.import_kwh.tolist() == [25, 30, 20, 25, 50, 25, 25, 25]
    [of_point] = found.points
    assert (of_point.billed.import_kwh, of_point.now.import_kwh) == (225, 226)
    assert (of_point.now.edited, of_point.billed.measured) == (1, 8)
    assert found.import_kwh == 1
    [changed] = of_point.intervals
    assert (changed.start, changed.import_kwh) == (START + QUARTER, 1)
    assert (changed.billed.quality, changed.now.quality) == ("measured", "edited")
    with pytest.raises(BilledError):
        undo(point, edit_id)
    undo(point, edit_id, at=soon, billed_too=True)


def test_a_late_reading_shows_in_a_bill_that_was_made_without_it(point) -> None:
    late = readings_of(point.meter_id, START, LOAD_KW)
    with connect(point.url) as conn:
        conn.execute("DELETE FROM reading WHERE measured_at = %s", (START + QUARTER,))
        conn.execute("INSERT INTO dirty_point_day VALUES (1, '2026-03-03')")
    point.settle(LATER)
    bill_id = pin(point)
    write(point.url, part(late, slice(1, 2)))
    point.settle(LATER + QUARTER)
    with connect(point.url) as conn:
        [of_point] = billed_difference(conn, bill_id).points
    # 25 + 30 kWh were shared out evenly; their sum stays.
    assert [c.import_kwh for c in of_point.intervals] == [-2.5, 2.5]
    assert of_point.billed.import_kwh == of_point.now.import_kwh == 225


def test_bills_of_one_account_do_not_overlap_and_are_made_when_all_is_over(
    point,
) -> None:
    point.settle(LATER)
    bill_id = pin(point)
    with pytest.raises(BillError, match="Bill 1 of 2026-03-03 to 2026-03-03 pins a"):
        pin(point, date(2026, 3, 1))
    with pytest.raises(BillError, match="2026-03-04 was not over"):
        pin(point, date(2026, 3, 4), date(2026, 3, 4))
    with pytest.raises(BillError, match="ends on 2026-03-01, before"):
        pin(point, DAY, date(2026, 3, 1))
    with pytest.raises(BillError, match="no name"):
        pin(point, by=" ")
    with pytest.raises(BillError, match="Nobody knows yet"):
        pin(point, at=LATER - QUARTER)
    with connect(point.url) as conn:
        withdraw_bill(conn, bill_id, why="Wrong", by="Mei Tan", at=LATER)
        with pytest.raises(BillError, match="no bill 1 that is not withdrawn"):
            withdraw_bill(conn, bill_id, why="Wrong", by="Mei Tan", at=LATER)
    again = pin(point)
    with connect(point.url) as conn:
        first, second = load_bills(conn, 1)
        assert (first.withdrawn_by, second.withdrawn_by) == ("Mei Tan", None)
        assert load_bills(conn, bill_id=again) == [second]
        with pytest.raises(BillError, match="no bill 77"):
            billed_difference(conn, 77)
    edit_id = edit(point, [1], [31.0], billed_too=True)
    assert edit_id == 1


def test_a_withdrawn_bill_pins_nothing(point) -> None:
    point.settle(LATER)
    bill_id = pin(point)
    with connect(point.url) as conn:
        withdraw_bill(conn, bill_id, why="Wrong", by="Mei Tan", at=LATER)
    edit(point, [1], [31.0])


def test_a_bill_pinned_while_a_point_is_settled_stays_what_it_was(point) -> None:
    # A worker looked at its clock, then the bill was pinned, then the worker stores.
    point.settle(LATER)
    bill_id = pin(point, as_of=LATER + QUARTER)
    edit(point, [1], [31.0], billed_too=True)
    point.settle(LATER)
    assert point.kwh()[1] == 31
    with connect(point.url) as conn:
        [of_point] = billed_difference(conn, bill_id).points
        assert bill_figures(conn, bill_id).points[0].as_pinned
    assert [one.billed.import_kwh for one in of_point.intervals] == [30]


def test_a_late_edit_leaves_what_registers_counted_over_a_hole(mill) -> None:
    # Ten days like each other, and on the last six hours without readings: what the
    # register counted over them is not what like days say, and outlives its readings.
    load_kw = np.tile(100.0 + np.arange(96), 11)
    load_kw[10 * 96 + 20 : 10 * 96 + 44] *= 1.5
    kept = np.ones(load_kw.size + 1, dtype=np.bool_)
    kept[10 * 96 + 21 : 10 * 96 + 44] = False
    write(mill.url, part(readings_of(mill.meter_id, START, load_kw), kept))
    mill.settle(START + timedelta(days=11))
    before = mill.intervals()
    hole = slice(10 * 96 + 20, 10 * 96 + 44)
    assert set(before.method[hole]) == {"scaled"}
    counted = float(load_kw[hole].sum() / 4)
    assert before.import_kwh[hole].sum() == pytest.approx(counted, abs=0.01)

    late = START + timedelta(days=460)
    with connect(mill.url) as conn:
        assert drop_expired(conn, late) > 0
        left = START + timedelta(days=11)
        conn.execute("UPDATE installation SET removed_at = %s", (left,))
        # The edit says nothing of other registers, and nobody else does any more.
        conn.execute("UPDATE energy_interval SET lagging_kvarh = 7")
    edit_id = edit(mill, [10 * 96 + 70], [99.0], at=late)
    mill.settle(late)
    edited = mill.intervals()
    changed = np.flatnonzero(edited.import_kwh != before.import_kwh)
    assert changed.tolist() == [10 * 96 + 70]
    assert edited.import_kwh[10 * 96 + 70] == 99
    assert set(edited.lagging_kvarh) == {7}

    undo(mill, edit_id, at=late)
    mill.settle(late)
    undone = mill.intervals()
    assert undone.import_kwh.tolist() == before.import_kwh.tolist()
    assert undone.quality.tolist() == before.quality.tolist()
    assert undone.method.tolist() == before.method.tolist()


def test_what_was_believed_is_counted_once_though_workers_clocks_differ(point) -> None:
    point.settle(LATER)
    edit(point, [1], [31.0])
    point.settle(LATER + 2 * QUARTER)
    edit(point, [1], [32.0])
    point.settle(LATER + QUARTER)
    assert point.kwh()[1] == 32
    between = LATER + QUARTER + timedelta(seconds=1)
    with connect(point.url) as conn:
        then = load_intervals(conn, point.point_id, START, NOW, as_of=between)
    assert then.import_kwh.tolist() == [25, 30, 20, 25, 50, 25, 25, 25]


def test_a_bill_is_withdrawn_by_somebody(point) -> None:
    point.settle(LATER)
    bill_id = pin(point)
    with connect(point.url) as conn:
        with pytest.raises(BillError, match="Withdrawing bill 1 needs a name"):
            withdraw_bill(conn, bill_id, why="Wrong", by="  ", at=LATER)
        with pytest.raises(BillError, match="Withdrawing bill 1 needs a reason"):
            withdraw_bill(conn, bill_id, why=" ", by="Mei Tan", at=LATER)
        assert load_bills(conn)[0].withdrawn_at is None
        withdraw_bill(conn, bill_id, why="Wrong tariff", by="Mei Tan", at=LATER)
        (bill,) = load_bills(conn)
        assert (bill.withdrawn_by, bill.withdrawn_why) == ("Mei Tan", "Wrong tariff")


@pytest.mark.parametrize("undone", [False, True])
def test_an_edit_waits_for_a_bill_that_is_being_pinned(point, *, undone: bool) -> None:
    edit_id = edit(point, [1], [31.0])
    point.settle(LATER)

    def change() -> None:
        if undone:
            undo(point, edit_id)
        else:
            edit(point, [2], [32.0])

    with connect(point.url) as conn, ThreadPoolExecutor(1) as beside:
        pin_bill(conn, 1, DAY, DAY, as_of=LATER, by="Mei Tan")
        changing = beside.submit(change)
        until_it_waits(point, changing)
        conn.commit()
        with pytest.raises(BilledError, match="Bill 1"):
            changing.result()


def test_a_bill_waits_for_an_edit_that_is_being_made(point) -> None:
    point.settle(LATER)
    with connect(point.url) as conn, ThreadPoolExecutor(1) as beside:
        said = {"reason": "Read by hand", "by": "Li Wei", "at": NOW}
        store_edit(conn, point.point_id, values([1], [31.0]), **said)
        pinning = beside.submit(pin, point)
        until_it_waits(point, pinning)
        assert not pinning.done()
        conn.commit()
        assert pinning.result() == 1


def test_an_edit_on_trial_and_a_bill_wait_for_each_other_in_one_order(point) -> None:
    # Whoever tries an edit holds the point before it looks at bills.
    point.settle(LATER)
    with connect(point.url) as conn, ThreadPoolExecutor(1) as beside:
        wait_for_point(conn, point.point_id)
        pinning = beside.submit(pin, point)
        until_it_waits(point, pinning)
        said = {"reason": "Read by hand", "by": "Li Wei", "at": NOW}
        store_edit(conn, point.point_id, values([1], [31.0]), **said, on_trial=True)
        conn.rollback()
        assert pinning.result() == 1


def until_it_waits(point: Point, work: Future[object]) -> None:
    """Return once somebody waits for a lock in the database, or the work is done."""
    with connect(point.url, autocommit=True) as conn:
        while not (work.done() or conn.execute(WAITING).fetchone() == (True,)):
            pass


WAITING = """
    SELECT EXISTS (SELECT FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock')
"""
