"""The ledger of accounts in a database, worked by hand."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.completeness.ledger import Category
from analytics.settlement.intervals import Intervals
from meters.reading import utc_us
from reports.completeness import (
    PeriodError,
    completeness,
    completeness_of_all,
    period_of,
)
from reports.completeness_lines import COLUMNS, all_as_json, as_json, lines
from reports.portfolio import account_of
from reports.today import NoSuchAccountError
from storage.database import connect
from storage.interval_store import store_intervals
from tests.fix_seeded_accounts import QUARTER_US, SeededPoint, add_account

BERLIN = ZoneInfo("Europe/Berlin")
SATURDAY, SUNDAY = date(2026, 3, 28), date(2026, 3, 29)
"""On the Sunday clocks are put forward: it has 92 quarter-hours."""
MIDNIGHT = datetime(2026, 3, 27, 23, tzinfo=UTC)
"""Of the Saturday."""
NOW = MIDNIGHT + timedelta(hours=24 + 15, minutes=20)


def store(conn, point_id: int, first: int, *runs: tuple[int, str, str]) -> None:
    """Store quarter-hours from a place after midnight on: number, quality, method."""
    quality = np.concatenate([np.full(n, q, "U9") for n, q, _ in runs])
    method = np.concatenate([np.full(n, m, "U24") for n, _, m in runs])
    none = np.full(quality.size, np.nan)
    intervals = Intervals(
        start_us=utc_us(MIDNIGHT) + QUARTER_US * (first + np.arange(quality.size)),
        length_min=15,
        import_kwh=np.where(quality == "missing", np.nan, 0.25),
        export_kwh=none,
        lagging_kvarh=none,
        leading_kvarh=none,
        quality=quality,
        method=method,
    )
    store_intervals(conn, point_id, intervals, settled_at=NOW)


@pytest.fixture
def conn(database: str):
    """A mill with two days of all sorts; a new account whose meter says nothing."""
    with connect(database) as conn:
        mill = add_account(conn, "mill", zone="Europe/Berlin", country="DE")
        add_account(conn, "new", manager="Jo Park", read_at=None)
        store(
            conn,
            mill.point_id,
            0,
            (96, "measured", ""),
            (40, "measured", ""),
            (4, "estimated", "linear"),
            (4, "estimated", "interpolated"),
            (2, "edited", "agreed"),
            (6, "missing", "no-reading"),
        )
        refuse(conn, mill)
        conn.execute(
            "INSERT INTO supply_outage"
            " (point_id, start, stop, kind, reason, entered_by)"
            " VALUES (%s, %s, %s, 'planned', 'New relay', 'Li Wei')",
            (mill.point_id, at(96 + 50), at(96 + 52)),
        )
        yield conn


def at(place: int) -> datetime:
    return MIDNIGHT + place * timedelta(minutes=15)


def refuse(conn, mill: SeededPoint) -> None:
    """Refuse what the meter said within the first two estimated intervals."""
    for place in (96 + 40, 96 + 41):
        conn.execute(
            "INSERT INTO quarantine (received_at, transport, source, meter_id, reason,"
            ' "text", readings, raw)'
            " VALUES (%s, 'mqtt', 'a topic', %s, 'not-json', 'It is no JSON.', 1, 'x')",
            (at(place) + timedelta(minutes=7), mill.meter_id),
        )


def told(counts) -> list[tuple[str, ...]]:
    return [
        (k.category.value, k.method, k.cause, k.detail, one.intervals)
        for one in counts
        for k in [one.kind]
    ]


def test_a_day_of_all_sorts_closes(conn) -> None:
    mill = completeness(conn, "mill", SATURDAY, SUNDAY, NOW)
    (point,) = mill.points
    saturday, sunday = point.days
    assert told(saturday.counts) == [("measured", "", "", "", 96)]
    # 56 are stored. 15:20 after midnight is 61 quarter-hours and a bit: 5 wait.
    assert told(sunday.counts) == [
        ("measured", "", "", "", 40),
        ("edited", "agreed", "", "", 2),
        ("estimated", "interpolated", "between-readings", "", 4),
        ("estimated", "linear", "meter-silent", "", 2),
        ("estimated", "linear", "refused", "not-json", 2),
        ("missing", "", "meter-silent", "", 4),
        ("missing", "", "planned-outage", "New relay", 2),
        ("not-settled", "", "not-due", "", 31),
        ("not-settled", "", "waiting", "", 5),
    ]
    assert (saturday.expected, sunday.expected, sunday.due) == (96, 92, 61)
    assert (sunday.lost, sunday.guessed) == (4 + 5, 4)
    assert (sunday.gone, sunday.waiting) == (4, 5)
    # Of what is not known most waits; what is estimated is not asked for then.
    assert [(kind.cause, n) for kind, n in sunday.main_causes] == [
        ("waiting", 5),
        ("meter-silent", 4),
        ("planned-outage", 2),
    ]
    assert sunday.counts[0].import_kwh == 10.0
    assert mill.expected == point.expected == 188
    assert mill.percent(Category.MEASURED) == pytest.approx(100 * 136 / 157)
    assert mill.percent(Category.NOT_SETTLED) == pytest.approx(100 * 5 / 157)
    assert sum(mill.of(each) for each in Category) == 188


def test_the_cause_of_most_comes_first(conn) -> None:
    mill = completeness(conn, "mill", SATURDAY, SUNDAY, NOW)
    causes = mill.causes(Category.MISSING)
    assert [(kind.cause, n) for kind, n in causes] == [
        ("meter-silent", 4),
        ("planned-outage", 2),
    ]


def test_all_accounts_come_with_those_first_that_lack_most(conn) -> None:
    every = completeness_of_all(conn, SATURDAY, SUNDAY, NOW)
    # What was never read lacks nothing that was there: it has not begun.
    assert [one.account.code for one in every.accounts] == ["mill", "new"]
    new = every.accounts[1]
    # By Seoul's clock it was 23:20 on Sunday: 2 of 192 are not over.
    assert told(new.counts) == [
        ("not-settled", "", "not-begun", "", 189),
        ("not-settled", "", "not-due", "", 3),
    ]
    assert every.expected == 188 + 192
    mine = completeness_of_all(conn, SATURDAY, SUNDAY, NOW, manager="Jo Park")
    assert [one.account.code for one in mine.accounts] == ["new"]


def test_before_a_meter_came_none_was_installed(conn) -> None:
    early = completeness(conn, "mill", date(2019, 12, 31), date(2020, 1, 1), NOW)
    # It came at midnight UTC, an hour after Berlin's.
    assert told(early.counts) == [
        ("missing", "", "not-installed", "", 96 + 4),
        ("not-settled", "", "not-begun", "", 92),
    ]
    assert early.lost == 0


def test_what_cannot_be_asked_is_refused(conn) -> None:
    with pytest.raises(PeriodError, match="ends on 2026-03-28, before it begins"):
        completeness(conn, "mill", SUNDAY, SATURDAY, NOW)
    with pytest.raises(PeriodError, match="longer than two years"):
        completeness_of_all(conn, date(2020, 1, 1), SUNDAY, NOW)
    with pytest.raises(NoSuchAccountError):
        completeness(conn, "mill", SATURDAY, SUNDAY, NOW, manager="Jo Park")


def test_what_period_is_meant(conn) -> None:
    account = account_of(conn, "new", None)
    # 14:20 UTC on Sunday is still Sunday in Seoul; at 15:20 it is Monday.
    assert period_of(account, NOW) == (date(2026, 2, 28), SUNDAY)
    later = NOW + timedelta(hours=1)
    assert period_of(account, later)[1] == date(2026, 3, 30)
    assert period_of(None, later)[1] == SUNDAY
    assert period_of(account, NOW, SATURDAY) == (SATURDAY, SUNDAY)
    assert period_of(account, NOW, None, date(2026, 1, 30))[0] == date(2026, 1, 1)


def test_lines_and_json_say_the_same(conn) -> None:
    mill = completeness(conn, "mill", SATURDAY, SUNDAY, NOW)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(lines([mill]))
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert len(rows) == 1 + 9
    assert rows[5] | {"share_percent": "2.174"} == {
        "account": "mill",
        "point": "Main supply",
        "local_day": "2026-03-29",
        "expected": "92",
        "category": "estimated",
        "method": "linear",
        "cause": "refused",
        "detail": "not-json",
        "intervals": "2",
        "share_percent": "2.174",
        "import_kwh": "0.5",
    }
    for day, expected in (("2026-03-28", 96), ("2026-03-29", 92)):
        of_day = [row for row in rows if row["local_day"] == day]
        assert sum(int(row["intervals"]) for row in of_day) == expected
    shown = as_json(mill)
    (point,) = shown["points"]
    assert point["days"][1]["not_settled"] == 36
    assert point["days"][1]["kinds"][4] == {
        "category": "estimated",
        "method": "linear",
        "cause": "refused",
        "detail": "not-json",
        "intervals": 2,
        "import_kwh": 0.5,
    }
    every = all_as_json(completeness_of_all(conn, SATURDAY, SUNDAY, NOW))
    assert [one["account"] for one in every["accounts"]] == ["mill", "new"]
    assert every["measured"] == 136
