"""One day of a point, interval by interval, also where clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.completeness.ledger import Category
from analytics.settlement.edited_values import EditError
from analytics.settlement.intervals import Intervals
from analytics.settlement.verdict import Status
from meters.reading import utc_us
from reports.day_ledger import day_detail
from reports.interval_editing import edit_interval, undo
from reports.interval_trace import TraceError
from reports.today import NoSuchAccountError
from storage.database import connect
from storage.interval_store import store_intervals
from tests.fix_seeded_accounts import QUARTER_US, add_account

BERLIN = ZoneInfo("Europe/Berlin")
AUTUMN, SPRING = date(2026, 10, 25), date(2026, 3, 29)
NOW = datetime(2026, 10, 25, 11, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


@pytest.fixture
def conn(database: str):
    """A mill in Berlin, settled from midnight of the long day on to its noon."""
    with connect(database) as conn:
        mill = add_account(conn, "mill", zone="Europe/Berlin", country="DE")
        midnight = datetime(2026, 10, 25, tzinfo=BERLIN)
        count = (utc_us(NOW) - utc_us(midnight)) // QUARTER_US
        none, quality = np.full(count, np.nan), np.full(count, "measured", "U9")
        quality[9], method = "estimated", np.full(count, "", "U24")
        method[9] = "linear"
        intervals = Intervals(
            start_us=utc_us(midnight) + QUARTER_US * np.arange(count),
            length_min=15,
            import_kwh=np.arange(count, dtype=np.float64),
            export_kwh=none,
            lagging_kvarh=none,
            leading_kvarh=none,
            quality=quality,
            method=method,
            confidence=np.where(quality == "measured", 1.0, 0.75),
            status=np.where(quality == "measured", 0, Status.FAIL).astype(np.uint8),
        )
        store_intervals(conn, mill.point_id, intervals, settled_at=NOW)
        conn.commit()
        yield conn


def test_the_doubled_hour_comes_twice(conn) -> None:
    day = day_detail(conn, "mill", "", AUTUMN, NOW)
    assert (day.expected, len(day.lines)) == (100, 100)
    told = [one.start.astimezone(BERLIN).strftime("%H:%M") for one in day.lines]
    assert told[8:17] == ["02:00", "02:15", "02:30", "02:45"] * 2 + ["03:00"]
    # 11:00 UTC is noon after the change: 13 hours are over.
    assert day.of(Category.MEASURED) == 51
    assert day.of(Category.NOT_SETTLED) == 48
    guessed = day.lines[9]
    assert (guessed.kind.category, guessed.kind.method) == ("estimated", "linear")
    assert (guessed.import_kwh, guessed.confidence) == (9.0, 0.75)
    assert (guessed.status, day.lines[8].status) == (Status.FAIL, Status.PASS)
    assert day.energy_kwh == sum(range(52))
    assert (day.before, day.after) == (date(2026, 10, 24), None)


def test_the_short_day_has_92(conn) -> None:
    day = day_detail(conn, "mill", "Main supply", SPRING, NOW)
    assert len(day.lines) == 92
    told = [one.start.astimezone(BERLIN).strftime("%H:%M") for one in day.lines]
    assert told[7:9] == ["01:45", "03:00"]
    assert day.after == date(2026, 3, 30)
    assert (day.rules, day.broken) == (None, ())


def test_a_day_that_is_marked_waits_to_be_settled_again(conn) -> None:
    assert not day_detail(conn, "mill", "", AUTUMN, NOW).is_dirty
    edit(conn, 9)
    assert day_detail(conn, "mill", "", AUTUMN, NOW).is_dirty
    assert not day_detail(conn, "mill", "", SPRING, NOW).is_dirty


def edit(conn, place: int) -> int:
    start = datetime(2026, 10, 24, 22, tzinfo=UTC) + place * QUARTER
    return edit_interval(conn, 1, start, 3.5, why="By hand", who="Mei Tan", now=NOW)


def test_only_an_edit_of_that_interval_is_undone(conn) -> None:
    start = datetime(2026, 10, 24, 22, tzinfo=UTC)
    edit_id = edit(conn, 9)
    words = {"why": "Wrong day", "who": "Mei Tan", "now": NOW}
    for point_id, at in ((1, start), (2, start + 9 * QUARTER)):
        with pytest.raises(EditError, match="There is no edit 1 of this interval"):
            undo(conn, point_id, at, edit_id, **words)
    undo(conn, 1, start + 9 * QUARTER, edit_id, **words)
    with pytest.raises(EditError, match="was undone"):
        undo(conn, 1, start + 9 * QUARTER, edit_id, **words)


def test_what_is_not_there_is_named(conn) -> None:
    with pytest.raises(TraceError, match="No point of mill is called Hall"):
        day_detail(conn, "mill", "Hall", AUTUMN, NOW)
    with pytest.raises(NoSuchAccountError):
        day_detail(conn, "mill", "", AUTUMN, NOW, manager="Jo Park")
