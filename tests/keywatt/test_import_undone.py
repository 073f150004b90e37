"""An import that is taken back takes away what its file gave, and nothing else."""

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from keywatt.settling.point import settle_point
from reports.exchange.importing import Order, import_files
from storage.bill_changes import load_bill_changes
from storage.bills import pin_bill
from storage.database import connect
from storage.import_records import list_imports, list_undone
from storage.import_undo import UndoError, undo_import
from storage.intervals import load_intervals
from storage.trace import load_versions
from tests.registers import write
from tests.reports.exchange.made import campus, content, entered
from tests.storage_data import batch

QUARTER, DAY = timedelta(minutes=15), timedelta(days=1)
MIDNIGHT = datetime(2019, 11, 1, 7, tzinfo=UTC)
"""In Los Angeles."""
SOON, MUCH_LATER = MIDNIGHT + 2 * DAY, MIDNIGHT + 800 * DAY
"""While readings of that day are kept, and long after."""
WHY = {"why": "Of another plant", "by": "Mei Tan"}
KWH = {"zone": "UTC", "columns": {"time": "t", "import_kwh": "kwh"}}
DIAL = {
    "zone": "UTC",
    "kind": "registers",
    "columns": {"time": "t", "energy_import_kwh": "kwh"},
}


class Campus:
    """One point of which files are imported, a minute apart."""

    def __init__(self, url: str, folder, now: datetime) -> None:
        entered(url, campus())
        self.url, self.folder, self.now = url, folder, now
        self.conn = connect(url)

    def later(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    def give(self, *kwh: float, name: str = "a.csv", at: int = 0, **said) -> None:
        """Import quarter-hours from midnight on, the file winning."""
        times = (MIDNIGHT + QUARTER * (at + i) for i in range(len(kwh)))
        body = [f"{t:%Y-%m-%d %H:%M},{one}" for t, one in zip(times, kwh, strict=True)]
        read = content(self.folder, "\n".join(["t,kwh", *body]), name, **(said or KWH))
        order = Order(
            account="campus", now=self.later(), by="Li Wei", apply=True, replace=True
        )
        assert import_files(self.conn, [read], order).applied

    def undo(self, import_id: int):
        undone = undo_import(self.conn, import_id, at=self.later(), **WHY)
        self.conn.commit()
        return undone

    def kwh(self, n: int = 4) -> list[float]:
        """Settle, and return the first quarter-hours; NaN = missing, or none."""
        settle_point(self.conn, 1, self.later())
        found = load_intervals(self.conn, 1, MIDNIGHT, MIDNIGHT + n * QUARTER)
        self.conn.commit()
        return found.import_kwh.tolist()

    def readings(self) -> list[tuple[object, ...]]:
        return self.conn.execute("SELECT * FROM reading ORDER BY 1, 2").fetchall()


@pytest.fixture(params=[SOON, MUCH_LATER], ids=["soon", "much later"])
def plant(database, tmp_path, request):
    """The campus, also when readings of that time are no longer kept."""
    plant = Campus(database, tmp_path, request.param)
    yield plant
    plant.conn.close()


@pytest.fixture
def soon(database, tmp_path):
    plant = Campus(database, tmp_path, SOON)
    yield plant
    plant.conn.close()


def test_what_an_earlier_file_gave_counts_again(plant) -> None:
    plant.give(10, 20, 30, 40)
    assert plant.kwh() == [10, 20, 30, 40]
    plant.give(25, 35, name="b.csv", at=1)
    assert plant.kwh() == [10, 25, 35, 40]
    undone, days = plant.undo(2)
    assert (undone.name, undone.undone_by, undone.undone_why) == (
        "b.csv",
        "Mei Tan",
        "Of another plant",
    )
    assert days == (MIDNIGHT.date(), MIDNIGHT.date())
    assert plant.kwh() == [10, 20, 30, 40]
    told = load_versions(plant.conn, 1, MIDNIGHT + QUARTER)
    assert [(one.version, one.import_kwh) for one in told] == [
        (3, 20),
        (2, 25),
        (1, 20),
    ]


def test_what_a_later_file_gave_stays(plant) -> None:
    plant.give(10, 20, 30, 40)
    plant.kwh()
    plant.give(25, 35, name="b.csv", at=1)
    plant.kwh()
    plant.undo(1)
    # The point's time begins at 00:15 now; 00:45 was known by the first file alone.
    np.testing.assert_equal(plant.kwh(), [25, 35, np.nan])
    plant.undo(2)
    assert plant.kwh(2 * 96) == []
    told = load_versions(plant.conn, 1, MIDNIGHT)
    assert [one.import_kwh for one in told] == [10]
    gone = list_undone(plant.conn, 1, MIDNIGHT, MIDNIGHT + QUARTER)
    assert [one.import_id for one in gone] == [1]


def test_what_was_estimated_from_it_goes_too(soon) -> None:
    # Ten days of 40 kWh an hour by a file, and a day after them that is like those.
    soon.now = MIDNIGHT + 12 * DAY
    soon.give(*[10] * 960)
    ten = soon.kwh(12 * 96)
    assert ten[:1056] == [10] * 1056
    soon.undo(1)
    assert soon.kwh(12 * 96) == []


def test_a_file_that_was_taken_back_can_be_imported_again(soon) -> None:
    soon.give(10, 20)
    soon.undo(1)
    soon.give(10, 20)
    assert soon.kwh(2) == [10, 20]
    assert [
        (one.import_id, one.undone_at is None) for one in list_imports(soon.conn)
    ] == [
        (1, False),
        (2, True),
    ]


def test_the_list_says_what_each_file_gave(soon) -> None:
    soon.give(10, 20, 30)
    soon.give(10, 21, 31, 40, name="b.csv")
    first, second = list_imports(soon.conn)
    assert (first.account, first.point, first.content) == (
        "campus",
        "Main supply",
        "intervals",
    )
    assert (first.starts_at, first.stops_at) == (MIDNIGHT, MIDNIGHT + 3 * QUARTER)
    assert (first.rows_new, first.import_kwh) == (3, 60)
    # 21 + 31 in place of others, and 40.
    counts = (second.rows_new, second.rows_changed, second.rows_same)
    assert (counts, second.import_kwh) == ((1, 2, 1), 92)
    assert list_imports(soon.conn, 99) == []
    assert list_imports(soon.conn, import_id=2) == [second]


def test_registers_become_what_they_were(soon) -> None:
    # Polled: 1000, 1001, 1002 kWh at 00:00 to 00:30, with volts beside.
    write(soon.url, batch(3, start=MIDNIGHT))
    before = soon.readings()
    assert soon.kwh(2) == [1, 1]
    soon.give(1001.5, 1002.5, 1003.5, at=1, **DIAL)
    assert soon.kwh(3) == [1.5, 1, 1]
    first = soon.readings()
    assert [row[3] for row in first] == [1000, 1001.5, 1002.5, 1003.5]
    soon.give(1003, 1004, name="b.csv", at=2, **DIAL)
    both = soon.readings()
    assert [row[3] for row in both] == [1000, 1001.5, 1003, 1004]
    soon.undo(1)
    # 00:15 is as it was polled; of 00:30 and 00:45 the later file has the last word.
    assert [row[3] for row in soon.readings()] == [1000, 1001, 1003, 1004]
    assert soon.readings()[1] == before[1]
    assert soon.kwh(3) == [1, 2, 1]
    soon.undo(2)
    assert soon.readings() == before
    assert soon.kwh(2) == [1, 1]


def test_a_bill_of_what_is_taken_back_differs(soon) -> None:
    soon.give(10, 20, 30, 40)
    soon.kwh()
    day = MIDNIGHT.date()
    pin_bill(soon.conn, 1, day, day, as_of=soon.later(), by="Mei Tan")
    soon.conn.commit()
    judged_to = MIDNIGHT + QUARTER * 8
    soon.conn.execute("INSERT INTO judged VALUES (1, %s)", (judged_to,))
    soon.undo(1)
    soon.kwh()
    # What is judged stays so: nothing is told of the past.
    judged = soon.conn.execute("SELECT judged_to FROM judged").fetchall()
    assert judged == [(judged_to,)]
    (change,) = load_bill_changes(soon.conn)
    # 92 quarter-hours of the day were missing after the file's; now none is settled.
    assert (change.intervals, change.change_kwh) == (96, -100)


def test_an_edit_of_what_is_taken_back_stays(soon) -> None:
    soon.give(10, 20, 30, 40)
    soon.kwh()
    soon.conn.execute(
        "INSERT INTO interval_edit (point_id, reason, edited_by, edited_at)"
        " VALUES (1, 'By hand', 'Li Wei', %s)",
        (soon.later(),),
    )
    soon.conn.execute(
        "INSERT INTO edited_value (edit_id, start, length_min, import_kwh, was_version,"
        " was_quality) VALUES (1, %s, 15, 22, 1, 'measured')",
        (MIDNIGHT + QUARTER,),
    )
    soon.conn.execute("INSERT INTO dirty_point_day VALUES (1, %s)", (MIDNIGHT.date(),))
    soon.conn.commit()
    assert soon.kwh() == [10, 22, 30, 40]
    soon.undo(1)
    assert 22 in soon.kwh()


def test_what_cannot_be_taken_back_is_said(soon) -> None:
    soon.give(10, 20)
    soon.undo(1)
    soon.give(30, 31, name="b.csv")
    soon.conn.execute(
        "INSERT INTO imported_file (name, sha256, content, rows_new, rows_changed,"
        " rows_same, imported_by, imported_at)"
        " VALUES ('c.csv', 'ab', 'registers', 1, 0, 0, 'Li Wei', %s)",
        (soon.now,),
    )
    soon.conn.commit()
    for number, said, told in (
        (7, {}, "There is no import 7; “keywatt import list” shows them."),
        (1, {}, "Import 1 is undone already, by Mei Tan on 2019-11-03 07:02 UTC."),
        (2, {"why": " "}, "Undoing import 2 needs a reason; give one."),
        (2, {"by": ""}, "Undoing import 2 needs a name of who; give one."),
        (3, {}, "Import 3 is from before Keywatt kept what registers were before it"),
    ):
        with pytest.raises(UndoError, match=re.escape(told)):
            undo_import(soon.conn, number, at=soon.later(), **WHY | said)
        soon.conn.rollback()
    assert soon.kwh(2) == [30, 31]
