"""What a site file says for settlement is stored, and bears on just what it touches."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.supply import Outage
from storage.closures import close
from storage.database import connect
from storage.master import apply_site, load_point
from storage.outages import add_outage
from storage.settlement_master import (
    LEFT_FILE,
    REASON_CHANGED,
    list_closures,
    list_outages,
)
from tests.fix_timescale import Store
from tests.storage_data import NOON, batch, meter, point, site, write

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TABLES = ("point", "installation", "multiplier_change", "swap_reading", "closure")
SINCE = datetime(2018, 1, 1, tzinfo=UTC)
SWAP = NOON + 4 * HOUR
"""Midnight in Shanghai between 2 and 3 March."""


def days(*numbers: int) -> list[str]:
    return [f"2026-03-{number:02}" for number in numbers]


def marked(conn, point_id: int = 1) -> list[str]:
    """Return the dirty days of a point, and forget all of them."""
    rows = conn.execute(
        "DELETE FROM dirty_point_day RETURNING point_id, local_day::text"
    ).fetchall()
    return sorted({day for where, day in rows if where == point_id})


def rows(conn) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows, with the transaction that wrote each."""
    return {
        table: conn.execute(
            f"SELECT xmin::text, * FROM {table} ORDER BY 2, 3"
        ).fetchall()
        for table in (*TABLES, "supply_outage", "dirty_point_day")
    }


OLD = meter("A", removed_at=SWAP)
NEW = meter("B", installed_at=SWAP)


def swapped(old=OLD, new=NEW, **account: object):
    """One point whose meter was swapped, and a second one without."""
    return site(
        points=[point(old, new), point(meter("C"), name="Hall")],
        **account,
    )


@pytest.fixture
def stored(store: Store):
    """A swap at midnight; settled readings of the local days 27 February to 6 March.

    The old meter's last one is of 00:00 that night, the new one's first of 10:00, the
    second point's are all over.
    """
    with connect(store.url) as conn:
        apply_site(conn, swapped(), NOON)
    first = SWAP - 4 * DAY
    write(store, batch(4 * 96 + 1, start=first))
    write(store, batch(3 * 96, meter_id=2, start=SWAP + 10 * HOUR))
    write(store, batch(7 * 96, meter_id=3, start=first))
    with connect(store.url) as conn:
        conn.execute(SETTLE, (first, SWAP + 82 * HOUR))
        conn.execute("DELETE FROM touched")
        marked(conn)
        yield conn


SETTLE = """
    INSERT INTO energy_interval (point_id, start, length_min, quality, settled_at)
    SELECT 1, start, 15, 'missing', start
      FROM generate_series(%s, %s, interval '15 minutes') AS start
"""


FULL = {
    "closures": [{"day": datetime(2026, 3, 4).date(), "reason": "Works"}],  # noqa: DTZ001
    "outages": [
        {"start": NOON, "stop": NOON + HOUR, "kind": "planned", "reason": "Cable"}
    ],
}
NOTED = meter(
    "A",
    removed_at=SWAP,
    ratio=60,
    multiplier_changes=[{"since": NOON - DAY, "ct": "400/5"}],
    opening={"energy_import_kwh": 0.5},
    closing={"energy_import_kwh": 1386.25, "energy_leading_kvarh": 7.0},
)


def test_all_of_it_is_stored_with_who_and_when(store: Store) -> None:
    check = meter("K")
    main = point(NOTED, NEW, check_meters=[check], contract_kva=500.0, feeds=True)
    with connect(store.url) as conn:
        apply_site(conn, site(points=[main], **FULL), NOON, by="anna")
        said = ("anna (site file)", NOON)
        assert conn.execute("SELECT contract_kva, feeds FROM point").fetchall() == [
            (500.0, True)
        ]
        roles = "SELECT serial, role FROM installation JOIN meter USING (meter_id)"
        assert sorted(conn.execute(roles).fetchall()) == [
            ("A", "main"),
            ("B", "main"),
            ("K", "check"),
        ]
        changes = "SELECT * FROM multiplier_change"
        assert conn.execute(changes).fetchall() == [(1, NOON - DAY, Decimal(80), *said)]
        notes = "SELECT * FROM swap_reading ORDER BY quantity"
        # In steps of 0.01 kWh.
        assert conn.execute(notes).fetchall() == [
            (1, "energy_import_kwh", 50, 138625, *said),
            (1, "energy_leading_kvarh", None, 700, *said),
        ]
        closures = "SELECT local_day::text, reason, entered_by, entered_at FROM closure"
        assert conn.execute(closures).fetchall() == [("2026-03-04", "Works", *said)]
        outages = "SELECT point_id, start, stop, kind, reason, entered_by, entered_at"
        assert conn.execute(f"{outages} FROM supply_outage").fetchall() == [
            (1, NOON, NOON + HOUR, "planned", "Cable", *said)
        ]


def test_a_file_applied_again_writes_nothing(stored) -> None:
    entered = swapped(NOTED, **FULL)
    with stored.transaction():
        apply_site(stored, entered, NOON, by="anna")
    marked(stored)
    stored.commit()
    before = rows(stored)
    assert all(before[table] for table in TABLES)
    apply_site(stored, entered, NOON + DAY, by="ben")
    assert rows(stored) == before


@pytest.mark.parametrize(
    ("old", "new", "touched"),
    [
        # Local midnight of 1 March is 16:00 UTC; NOON is 20:00 of 2 March there.
        pytest.param(
            {"multiplier_changes": [{"since": NOON - DAY, "ct": 2}]},
            {},
            days(1, 2, 3),
            id="a multiplier until the meter left, and how far its readings tell",
        ),
        pytest.param(
            {"multiplier_changes": [{"since": NOON, "ct": 2}]},
            {},
            days(2, 3),
            id="later",
        ),
        pytest.param(
            {}, {"opening": {"energy_import_kwh": 5.0}}, days(2, 3), id="opening"
        ),
        pytest.param(
            {"closing": {"energy_import_kwh": 1400.0}}, {}, days(2, 3), id="closing"
        ),
        pytest.param({}, {"ratio": 2}, days(2, 3, 4, 5, 6), id="ratio of the new one"),
        pytest.param(
            {"removed_at": SWAP - DAY}, {}, days(1, 2, 3), id="it left a day earlier"
        ),
    ],
)
def test_what_is_another_marks_the_days_it_bears_on(stored, old, new, touched) -> None:
    apply_site(stored, swapped(OLD | old, NEW | new), NOON)
    assert marked(stored) == touched
    apply_site(stored, swapped(OLD | old, NEW | new), NOON)
    assert marked(stored) == []
    # Taking it back bears on the same days.
    apply_site(stored, swapped(), NOON)
    assert marked(stored) == touched
    assert marked(stored, 2) == []


def test_a_note_bears_on_the_time_up_to_the_meters_own_reading(stored) -> None:
    stored.execute(
        "DELETE FROM reading WHERE meter_id = 2 AND measured_at < %s", (SWAP + 2 * DAY,)
    )
    apply_site(stored, swapped(new=NEW | {"opening": {"energy_import_kwh": 5.0}}), NOON)
    # Its first reading is on the 5th.
    assert marked(stored) == days(2, 3, 4, 5)


def test_a_changed_bound_bears_on_all_that_is_known_of_the_point(stored) -> None:
    bound = point(OLD, NEW, contract_kva=500.0)
    entered = site(points=[bound, point(meter("C"), name="Hall")])
    apply_site(stored, entered, NOON)
    assert marked(stored) == ["2026-02-27", "2026-02-28", *days(1, 2, 3, 4, 5, 6)]


def test_a_later_change_that_goes_leaves_the_earlier_one(stored) -> None:
    first, second = {"since": NOON - 2 * DAY, "ct": 2}, {"since": NOON, "ct": 3}
    apply_site(stored, swapped(OLD | {"multiplier_changes": [first, second]}), NOON)
    marked(stored)
    apply_site(stored, swapped(OLD | {"multiplier_changes": [first]}), NOON)
    assert marked(stored) == days(2, 3)
    left = stored.execute("SELECT since, multiplier FROM multiplier_change").fetchall()
    assert left == [(NOON - 2 * DAY, Decimal(2))]


def test_a_meter_becomes_a_check_meter_and_its_notes_go_along(stored) -> None:
    noted = NEW | {"opening": {"energy_import_kwh": 5.0}}
    apply_site(stored, swapped(new=noted), NOON)
    marked(stored)
    main = point(meter("A"), check_meters=[noted])
    apply_site(stored, site(points=[main, point(meter("C"), name="Hall")]), NOON)
    roles = "SELECT meter_id, role FROM installation WHERE point_id = 1 ORDER BY 1"
    assert stored.execute(roles).fetchall() == [(1, "main"), (2, "check")]
    counts = "SELECT opening_counts FROM swap_reading"
    assert stored.execute(counts).fetchall() == [(500,)]
    assert marked(stored) == days(2, 3, 4, 5, 6)


def test_main_and_check_meter_change_places(stored) -> None:
    one, other = meter("A"), meter("K")
    apply_site(stored, site(points=[point(one, check_meters=[other])]), NOON)
    apply_site(stored, site(points=[point(other, check_meters=[one])]), NOON)
    roles = """SELECT serial, role FROM installation JOIN meter USING (meter_id)
                WHERE point_id = 1 ORDER BY 1"""
    assert stored.execute(roles).fetchall() == [("A", "check"), ("K", "main")]


def test_what_a_file_no_longer_says_goes_and_what_others_entered_stays(stored) -> None:
    apply_site(stored, swapped(**FULL), NOON, by="anna")
    by_hand = Outage(start=NOON - DAY, stop=NOON, kind="reported", reason="Storm")
    add_outage(stored, load_point(stored, 1), by_hand, by="ben", now=NOON)
    another = datetime(2026, 3, 5, tzinfo=UTC).date()
    close(stored, 1, [another], reason="Strike", by="ben", now=NOON)
    marked(stored)
    apply_site(stored, swapped(), NOON, by="anna")
    # The 2nd by the outage of an hour, the 4th by the closure.
    assert marked(stored) == days(2, 4)
    gone = ("anna (site file)", LEFT_FILE)
    said = [
        (one.reason, one.removed_by, one.removed_why)
        for listed in (list_outages, list_closures)
        for one in listed(stored, removed_too=True)
    ]
    assert said == [
        ("Storm", None, None),
        ("Cable", *gone),
        ("Cable", *gone),
        ("Works", *gone),
        ("Strike", None, None),
    ]


def test_an_outage_of_no_point_is_of_all_and_another_reason_marks_nothing(
    stored,
) -> None:
    apply_site(stored, swapped(**FULL), NOON, by="anna")
    assert marked(stored) == days(2, 4)
    where = "SELECT point_id FROM supply_outage ORDER BY 1"
    assert stored.execute(where).fetchall() == [(1,), (2,)]
    other = [FULL["outages"][0] | {"reason": "Fuse"}]
    apply_site(stored, swapped(**FULL | {"outages": other}), NOON + DAY, by="ben")
    assert marked(stored) == []
    said = {
        (one.reason, one.entered_by, one.entered_at, one.removed_why)
        for one in list_outages(stored, removed_too=True)
    }
    assert said == {
        ("Fuse", "ben (site file)", NOON + DAY, None),
        ("Cable", "anna (site file)", NOON, REASON_CHANGED),
    }


def test_an_outage_that_was_entered_by_hand_is_not_entered_again(stored) -> None:
    by_hand = Outage(start=NOON, stop=NOON + HOUR, kind="planned", reason="Cable")
    add_outage(stored, load_point(stored, 1), by_hand, by="ben", now=NOON)
    one_point = [FULL["outages"][0] | {"point": "Main supply"}]
    apply_site(stored, swapped(outages=one_point), NOON, by="anna")
    said = stored.execute("SELECT entered_by FROM supply_outage").fetchall()
    assert said == [("ben",)]
