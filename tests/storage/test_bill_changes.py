"""What the quick look at bills says, and that the thorough one says the same."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from analytics.settlement.edited_values import EditedValues
from analytics.settlement.intervals import Intervals
from meters.reading import utc_us
from reports.bill_figures import bill_figures
from reports.billed_difference import billed_difference
from storage.bill_changes import BillChange, load_bill_changes
from storage.bills import pin_bill, withdraw_bill
from storage.database import connect
from storage.edit_records import list_edits, load_edits
from storage.edits import store_edit
from storage.exports import load_settled
from storage.interval_store import delete_intervals, store_intervals
from storage.trace import load_versions
from tests.fix_seeded_accounts import QUARTER_US, add_account

# The local 3rd of March begins in Seoul.
START = datetime(2026, 3, 2, 15, tzinfo=UTC)
DAY = date(2026, 3, 3)
FIRST = START + timedelta(days=2)
PINNED = START + timedelta(days=3)
SINCE = START + timedelta(days=4)


@pytest.fixture
def conn(database):
    with connect(database) as conn:
        add_account(conn, "mill", read_at=None)
        add_account(conn, "inn", read_at=None)
        yield conn


def store(conn, kwh, at, *, first=0, point_id=1, quality="measured") -> None:
    """Store quarter-hours of a point from the local day's `first` on."""
    none = np.full(len(kwh), np.nan)
    intervals = Intervals(
        start_us=utc_us(START) + QUARTER_US * (first + np.arange(len(kwh))),
        length_min=15,
        import_kwh=np.array(kwh, dtype=np.float64),
        export_kwh=none,
        lagging_kvarh=none,
        leading_kvarh=none,
        quality=np.full(len(kwh), quality),
        method=np.full(len(kwh), "" if quality == "measured" else "linear"),
    )
    store_intervals(conn, point_id, intervals, settled_at=at)


def pin(conn, account_id=1, day=DAY) -> int:
    return pin_bill(conn, account_id, day, day, as_of=PINNED, by="Mei Tan")


def told(conn, account_id=None) -> list[tuple[int, int, float]]:
    """The quick look, after the thorough one has said the same."""
    quick = load_bill_changes(conn, account_id)
    for one in quick:
        found = billed_difference(conn, one.bill_id)
        assert one.intervals == sum(len(each.intervals) for each in found.points)
        assert one.change_kwh == pytest.approx(found.import_kwh, abs=1e-9)
        assert all(each.as_pinned for each in bill_figures(conn, one.bill_id).points)
    return [(one.bill_id, one.intervals, one.change_kwh) for one in quick]


def nothing(conn, bill_id) -> None:
    assert load_bill_changes(conn) == []
    assert not billed_difference(conn, bill_id).differs


def test_without_a_bill_there_is_nothing_to_say(conn) -> None:
    store(conn, [25.0] * 96, FIRST)
    assert load_bill_changes(conn) == []


def test_what_is_settled_otherwise_is_told_until_it_is_as_before(conn) -> None:
    store(conn, [25.0] * 96, FIRST)
    bill_id = pin(conn)
    nothing(conn, bill_id)
    store(conn, [25.0, 27.0, 24.5], SINCE)
    assert told(conn) == [(bill_id, 2, 1.5)]
    assert load_bill_changes(conn)[0] == BillChange(
        bill_id=bill_id,
        account_id=1,
        first_day=DAY,
        last_day=DAY,
        intervals=2,
        change_kwh=1.5,
    )
    store(conn, [25.0, 25.0, 25.0], SINCE + timedelta(hours=1))
    nothing(conn, bill_id)


def test_another_quality_of_the_same_energy_is_told(conn) -> None:
    store(conn, [25.0] * 96, FIRST, quality="estimated")
    bill_id = pin(conn)
    store(conn, [25.0], SINCE, first=5)
    assert told(conn) == [(bill_id, 1, 0.0)]


def test_what_was_not_settled_yet_is_told_when_it_is(conn) -> None:
    store(conn, [25.0] * 90, FIRST)
    bill_id = pin(conn)
    store(conn, [30.0] * 6, SINCE, first=90)
    assert told(conn) == [(bill_id, 6, 180.0)]
    store(conn, [31.0], SINCE + timedelta(hours=1), first=90)
    assert told(conn) == [(bill_id, 6, 181.0)]


def test_what_is_gone_is_told(conn) -> None:
    store(conn, [25.0] * 96, FIRST)
    bill_id = pin(conn)
    start_us = utc_us(START) + QUARTER_US * np.arange(2)
    delete_intervals(conn, 1, start_us, at=SINCE)
    assert told(conn) == [(bill_id, 2, -50.0)]
    store(conn, [26.0], SINCE + timedelta(hours=1))
    assert told(conn) == [(bill_id, 2, -24.0)]


def test_what_was_replaced_before_the_bill_is_not_told(conn) -> None:
    store(conn, [25.0] * 96, FIRST)
    store(conn, [26.0], PINNED - timedelta(hours=1))
    bill_id = pin(conn)
    nothing(conn, bill_id)
    assert bill_figures(conn, bill_id).import_kwh == 2401


def test_only_days_of_the_bill_and_points_of_its_account_count(conn) -> None:
    store(conn, [25.0] * 192, FIRST)
    store(conn, [25.0] * 96, FIRST, point_id=2)
    mine, other = pin(conn), pin(conn, 2)
    store(conn, [30.0], SINCE, first=96)
    nothing(conn, mine)
    store(conn, [30.0], SINCE, point_id=2)
    assert told(conn) == [(other, 1, 5.0)]
    assert (told(conn, 1), told(conn, 2)) == ([], [(other, 1, 5.0)])


def test_a_withdrawn_bill_says_nothing(conn) -> None:
    store(conn, [25.0] * 96, FIRST)
    bill_id = pin(conn)
    store(conn, [26.0], SINCE)
    withdraw_bill(conn, bill_id, why="Wrong", by="Mei Tan", at=SINCE)
    assert load_bill_changes(conn) == []


def test_energy_is_told_in_decimals(conn) -> None:
    # Stored in binary steps of about a millionth; 0.1 x 3 is 0.30000000000000004.
    store(conn, [0.1, 0.1, 0.1] + [0.0] * 93, FIRST)
    bill_id = pin(conn)
    assert bill_figures(conn, bill_id).import_kwh == 0.3
    store(conn, [0.4, 0.2], SINCE)
    assert told(conn) == [(bill_id, 2, 0.4)]
    found = billed_difference(conn, bill_id)
    assert (found.import_kwh, found.points[0].now.import_kwh) == (0.4, 0.7)
    assert load_versions(conn, 1, START)[0].import_kwh == 0.4
    values = EditedValues.of_import(np.array([utc_us(START)]), np.array([0.7]))
    said = {"reason": "By hand", "by": "Li Wei", "at": SINCE, "billed_too": True}
    store_edit(conn, 1, values, **said)
    assert list_edits(conn, 1)[0].was_import_kwh == 0.4
    [record] = load_edits(conn, 1, START, SINCE)
    assert record.was_import_kwh == 0.4
    assert load_settled(conn, 1, START, SINCE).values[:2, 0].tolist() == [0.4, 0.2]
