from dataclasses import replace
from datetime import date, timedelta

import pytest

from accounts.calendar import DayType
from accounts.supply import Outage
from storage.circumstances import load_no_supply
from storage.closures import close, reopen
from storage.database import connect
from storage.evidence import load_entered
from storage.judging import judge_again, store_judged_to
from storage.master import apply_site, load_account, load_point
from storage.outages import add_outage, remove_outage
from storage.settlement_master import (
    REASON_CHANGED,
    EntryError,
    calendar_of,
    calendars_of,
    list_closures,
    list_outages,
    load_closure,
    load_closures,
    load_outages,
)
from tests.fix_timescale import Store
from tests.storage_data import NOON, batch, meter, point, site, write

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def outage(start, stop, kind: str = "planned") -> Outage:
    return Outage(start=start, stop=stop, kind=kind, reason="New cable")


def marked(conn) -> list[tuple[int, str]]:
    """Return the dirty days and forget them."""
    rows = conn.execute(
        "DELETE FROM dirty_point_day RETURNING point_id, local_day::text"
    ).fetchall()
    conn.execute("DELETE FROM touched")
    return sorted(rows)


@pytest.fixture
def read(store: Store):
    """A site in Shanghai with two points; hourly readings of 26 February to 8 March.

    Noon UTC is 20:00 there: the first local day is 26 February, the last 9 March.
    """
    with connect(store.url) as conn:
        apply_site(
            conn, site(points=[point(meter("A")), point(meter("B"), name="Hall")])
        )
    for meter_id in (1, 2):
        hours = batch(10 * 24, meter_id=meter_id, start=NOON - 4 * DAY, every=HOUR)
        write(store, hours)
    with connect(store.url) as conn:
        marked(conn)
        yield conn


def test_an_outage_is_kept_with_who_and_when(read) -> None:
    made, days = add_outage(
        read, load_point(read, 1), outage(NOON, NOON + HOUR), by="anna", now=NOON + DAY
    )
    assert (made.account, made.point, made.point_id) == ("steel", "Main supply", 1)
    assert (made.start, made.stop, made.kind) == (NOON, NOON + HOUR, "planned")
    assert (made.entered_by, made.entered_at) == ("anna", NOON + DAY)
    assert days == 1
    assert marked(read) == [(1, "2026-03-02")]
    assert list_outages(read) == [made]
    assert list_outages(read, account_id=1) == [made]
    said = {"reason": "Put off", "by": "ben", "now": NOON + 2 * DAY}
    gone, days = remove_outage(read, made.outage_id, **said)
    assert days == 1
    assert gone == replace(
        made, removed_by="ben", removed_at=NOON + 2 * DAY, removed_why="Put off"
    )
    assert marked(read) == [(1, "2026-03-02")]
    assert list_outages(read) == []
    assert load_outages(read, 1, NOON - DAY, NOON + DAY) == []
    assert load_no_supply(read, [1], NOON - DAY, NOON + DAY) == {}
    assert load_entered(read, 1).outages == ()
    assert list_outages(read, removed_too=True) == [gone]
    with pytest.raises(EntryError, match="Outage 1 is removed already, by ben"):
        remove_outage(read, made.outage_id, **said)
    with pytest.raises(EntryError, match="Removing outage 1 needs a reason"):
        remove_outage(read, made.outage_id, **said | {"reason": " "})
    # The time is free again.
    again, _ = add_outage(
        read, load_point(read, 1), outage(NOON, NOON + HOUR), by="ben", now=NOON
    )
    assert list_outages(read) == [again]


def test_outages_are_loaded_by_the_time_they_fall_into(read) -> None:
    one = load_point(read, 1)
    made, _ = add_outage(read, one, outage(NOON, NOON + HOUR), by="a", now=NOON)
    add_outage(read, load_point(read, 2), outage(NOON, NOON + HOUR), by="a", now=NOON)
    assert load_outages(read, 1, NOON - DAY, NOON + DAY) == [made]
    # Half-open on both sides: what only touches does not fall in.
    assert load_outages(read, 1, NOON - DAY, NOON) == []
    assert load_outages(read, 1, NOON + HOUR, NOON + DAY) == []
    minute = timedelta(minutes=1)
    assert load_outages(read, 1, NOON - DAY, NOON + minute) == [made]


@pytest.mark.parametrize(
    ("start", "stop", "days"),
    [
        # Midnight in Shanghai is 16:00 UTC.
        pytest.param(NOON, NOON + 4 * HOUR, ["2026-03-02"], id="until midnight"),
        pytest.param(
            NOON, NOON + 5 * HOUR, ["2026-03-02", "2026-03-03"], id="past midnight"
        ),
        pytest.param(
            NOON - 9 * DAY, NOON - 3 * DAY, ["2026-02-26", "2026-02-27"], id="before"
        ),
        pytest.param(NOON + 30 * DAY, NOON + 31 * DAY, [], id="in the future"),
    ],
)
def test_an_outage_marks_the_days_it_falls_on(read, start, stop, days) -> None:
    _, count = add_outage(
        read, load_point(read, 1), outage(start, stop), by="a", now=NOON
    )
    assert count == len(days)
    assert marked(read) == [(1, day) for day in days]


def test_an_outage_in_a_hole_bears_on_all_of_the_hole(read) -> None:
    # Nothing from 3 March 01:00 to 5 March 22:00 local: what was used meanwhile is
    # shared out over all of it.
    hole = (NOON + 5 * HOUR, NOON + 3 * DAY + 2 * HOUR)
    read.execute(
        "DELETE FROM reading WHERE measured_at > %s AND measured_at < %s", hole
    )
    # It was settled as missing.
    read.execute(
        "INSERT INTO energy_interval (point_id, start, length_min, quality, settled_at)"
        " SELECT 1, start, 15, 'missing', start"
        "   FROM generate_series(%s, %s, interval '15 minutes') AS start",
        hole,
    )
    at = NOON + 2 * DAY
    add_outage(read, load_point(read, 1), outage(at, at + HOUR), by="a", now=NOON)
    days = ("2026-03-03", "2026-03-04", "2026-03-05")
    assert marked(read) == [(1, day) for day in days]


def test_days_whose_readings_are_no_longer_kept_are_left_alone(read) -> None:
    # 13 months after 2 March 2026 20:00 local is 2 April 2027; a day earlier counts.
    later = NOON.replace(year=2027, month=4)
    add_outage(
        read, load_point(read, 1), outage(NOON - DAY, NOON + DAY), by="a", now=later
    )
    assert marked(read) == [(1, "2026-03-03")]


def test_the_same_outage_is_not_entered_twice(read) -> None:
    one = load_point(read, 1)
    add_outage(read, one, outage(NOON, NOON + HOUR), by="anna", now=NOON)
    with pytest.raises(EntryError, match="is entered already, as 1 by anna; remove"):
        add_outage(read, one, outage(NOON, NOON + HOUR), by="ben", now=NOON)
    add_outage(read, one, outage(NOON, NOON + HOUR, "reported"), by="ben", now=NOON)
    with pytest.raises(EntryError, match="of that time in part"):
        add_outage(read, one, outage(NOON + HOUR / 2, NOON + DAY), by="ben", now=NOON)
    add_outage(read, one, outage(NOON + HOUR, NOON + DAY), by="ben", now=NOON)
    with pytest.raises(EntryError, match="There is no outage 7"):
        remove_outage(read, 7, reason="Wrong", by="ben")


def test_a_closed_day_is_a_holiday_of_its_account(read) -> None:
    steel = load_account(read, "steel")
    wednesday = date(2026, 3, 4)
    assert calendar_of(read, steel).day_type(wednesday) is DayType.WORKDAY
    count = close(read, 1, [wednesday], reason="Works", by="anna", now=NOON)
    # Of both points.
    assert count == 2
    assert marked(read) == [(1, "2026-03-04"), (2, "2026-03-04")]
    assert load_closures(read, 1) == frozenset({wednesday})
    assert load_closures(read, 99) == frozenset()
    assert calendar_of(read, steel).day_type(wednesday) is DayType.HOLIDAY
    assert calendars_of(read, [steel])[1].closures == frozenset({wednesday})
    assert calendars_of(read, []) == {}
    (closed,) = list_closures(read)
    assert (closed.account, closed.day, closed.reason) == ("steel", wednesday, "Works")
    assert (closed.entered_by, closed.entered_at) == ("anna", NOON)
    said = {"reason": "It was the next day", "by": "ben", "now": NOON + DAY}
    assert reopen(read, 1, [wednesday], **said) == 2
    assert marked(read) == [(1, "2026-03-04"), (2, "2026-03-04")]
    assert list_closures(read, 1) == []
    assert load_closure(read, 1, wednesday) is None
    assert load_closures(read, 1) == load_entered(read, 1).calendar.closures == set()
    (gone,) = list_closures(read, removed_too=True)
    assert (gone.entered_by, gone.removed_by, gone.removed_at, gone.removed_why) == (
        "anna",
        "ben",
        NOON + DAY,
        "It was the next day",
    )
    # The day can be closed again.
    assert close(read, 1, [wednesday], reason="Works", by="ben", now=NOON) == 2
    assert len(list_closures(read, removed_too=True)) == 2


def test_a_closure_entered_again_writes_nothing_but_another_reason(read) -> None:
    days = [date(2026, 3, 4)]
    close(read, 1, days, reason="Works", by="anna", now=NOON)
    marked(read)
    assert close(read, 1, days, reason="Works", by="ben", now=NOON + DAY) == 0
    assert list_closures(read)[0].entered_by == "anna"
    assert close(read, 1, days, reason="Strike", by="ben", now=NOON + DAY) == 0
    (closed,) = list_closures(read)
    assert (closed.reason, closed.entered_by) == ("Strike", "ben")
    earlier, later = list_closures(read, removed_too=True)
    assert later == closed
    assert (earlier.reason, earlier.entered_by) == ("Works", "anna")
    assert (earlier.removed_by, earlier.removed_why) == ("ben", REASON_CHANGED)
    assert marked(read) == []


def test_a_day_that_is_not_closed_cannot_be_opened(read) -> None:
    close(read, 1, [date(2026, 3, 4)], reason="Works", by="anna", now=NOON)
    days = [date(2026, 3, 4), date(2026, 3, 5)]
    with pytest.raises(EntryError, match="no closure on 2026-03-05 to remove"):
        reopen(read, 1, days, reason="Wrong", by="ben")
    assert load_closures(read, 1) == frozenset({date(2026, 3, 4)})
    with pytest.raises(EntryError, match="Removing a closure needs a reason"):
        reopen(read, 1, days[:1], reason="", by="ben")


def test_what_was_judged_before_it_was_entered_stays_judged(read) -> None:
    judged_to = NOON + 4 * DAY
    read.execute("INSERT INTO judged VALUES (1, %s), (2, NULL)", (judged_to,))
    close(read, 1, [date(2026, 3, 4)], reason="Works", by="anna", now=NOON)
    for point_id in (1, 2):
        judge_again(read, point_id, NOON)
    select = "SELECT point_id, judged_to FROM judged ORDER BY 1"
    assert read.execute(select).fetchall() == [(1, judged_to), (2, None)]
    # What comes late of the time since is judged again, as ever.
    store_judged_to(read, 1, judged_to + DAY)
    judge_again(read, 1, judged_to + HOUR)
    assert read.execute(select).fetchall()[0] == (1, judged_to + HOUR)


def test_what_lies_ahead_leaves_the_past_to_be_judged_again(read) -> None:
    read.execute("INSERT INTO judged VALUES (1, %s)", (NOON,))
    add_outage(
        read, load_point(read, 1), outage(NOON, NOON + HOUR), by="anna", now=NOON
    )
    judge_again(read, 1, NOON - HOUR)
    assert read.execute("SELECT judged_to FROM judged").fetchall() == [(NOON - HOUR,)]
