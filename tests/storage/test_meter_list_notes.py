"""Roles and register notes in a meter list."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from storage.database import connect
from storage.master import apply_site
from storage.meter_list import apply_meter_list, load_entries
from tests.accounts.meter_lists import entry
from tests.fix_timescale import Store
from tests.storage_data import NOON, batch, meter, point, site, write

DAY = timedelta(days=1)
SINCE = datetime(2018, 1, 1, tzinfo=UTC)
NONE = (None, None, None, None)


def listed(number: int, serial: str, **keys: object):
    """One line of a meter of point Hall, behind the unit of that number."""
    told = {"serial": serial, "point": "Hall", "unit": number, "installed_at": SINCE}
    return entry(number + 1, **told | {"new_point": True} | keys)


def apply(conn, *lines, **options):
    done = apply_meter_list(conn, lines, NOON, **options)
    assert done.refused == ()
    return [change.what.value for change in done.changes]


def notes(conn) -> list[tuple[object, ...]]:
    return conn.execute(
        "SELECT serial, quantity, opening_counts, closing_counts, entered_by,"
        "       entered_at"
        "  FROM swap_reading JOIN installation USING (installation_id)"
        "  JOIN meter USING (meter_id) ORDER BY 1, 2"
    ).fetchall()


def marked(conn) -> list[str]:
    rows = conn.execute("DELETE FROM dirty_point_day RETURNING local_day::text")
    return sorted({day for (day,) in rows.fetchall()})


@pytest.fixture
def stored(store: Store):
    """Meter A in the Hall of a site in Shanghai; readings of 26 February to 7 March."""
    with connect(store.url) as conn:
        apply_site(conn, site(points=[point(meter("ST-1"))]))
        apply(conn, listed(1, "A"))
    write(store, batch(9 * 96, meter_id=2, start=NOON - 4 * DAY))
    with connect(store.url) as conn:
        conn.execute("DELETE FROM touched")
        marked(conn)
        yield conn


def test_what_displays_showed_is_kept_and_marks_the_swap_alone(stored) -> None:
    swap = NOON + 4 * timedelta(hours=1)
    old = listed(1, "A", removed_at=swap, closing=(1250, None, None, 7), opening=NONE)
    new = listed(
        2, "B", unit=1, installed_at=swap, opening=(0, None, None, None), closing=NONE
    )
    assert apply(stored, old, new, by="anna") == ["removed", "added"]
    assert notes(stored) == [
        ("A", "energy_import_kwh", None, 1250, "anna", NOON),
        ("A", "energy_leading_kvarh", None, 7, "anna", NOON),
        ("B", "energy_import_kwh", 0, None, "anna", NOON),
    ]
    # It had left at midnight: readings of later days are nobody's now.
    assert marked(stored)[0] == "2026-03-02"
    assert apply(stored, old, new, by="ben") == ["unchanged", "unchanged"]
    assert {row[4] for row in notes(stored)} == {"anna"}
    corrected = replace(old, closing=(1251, None, None, 7))
    assert apply(stored, corrected, new, by="ben") == ["changed", "unchanged"]
    assert [row[3:5] for row in notes(stored)] == [
        (1251, "ben"),
        (7, "anna"),
        (None, "anna"),
    ]
    assert marked(stored) == ["2026-03-02"]


def test_a_list_that_does_not_say_leaves_what_is_noted(stored) -> None:
    told = listed(1, "A", opening=(5, None, None, None), closing=NONE)
    assert apply(stored, told) == ["changed"]
    before = notes(stored)
    silent = listed(1, "A", says_notes=False)
    assert apply(stored, silent) == ["unchanged"]
    assert apply(stored, replace(silent, ratio=2)) == ["changed"]
    assert notes(stored) == before
    # One that says that nothing was noted takes it back.
    assert apply(stored, listed(1, "A", ratio=2, opening=NONE, closing=NONE)) == [
        "changed"
    ]
    assert notes(stored) == []


def test_a_check_meter_sits_beside_the_main_meter(stored) -> None:
    check = listed(2, "K", role="check")
    assert apply(stored, check) == ["added"]
    there = {one.serial: one.role for one in load_entries(stored)}
    assert there == {"ST-1": "main", "A": "main", "K": "check"}
    second = apply_meter_list(stored, [listed(3, "L", role="check")], NOON)
    (refused,) = second.refused
    assert (refused.column, refused.text.partition(" (")[0]) == (
        "point",
        "check meter K",
    )


def test_main_and_check_meter_change_places_and_keep_their_notes(stored) -> None:
    told = listed(1, "A", opening=(5, None, None, None), closing=NONE)
    apply(stored, told, listed(2, "K", role="check"))
    silent = listed(1, "A", role="check", says_notes=False)
    swapped = (silent, listed(2, "K", role="main", says_notes=False))
    assert apply(stored, *swapped) == ["changed", "changed"]
    assert {one.serial: one.role for one in load_entries(stored)} == {
        "ST-1": "main",
        "A": "check",
        "K": "main",
    }
    assert [row[:3] for row in notes(stored)] == [("A", "energy_import_kwh", 5)]


def test_a_new_check_meter_is_no_successor_of_the_main_meter(stored) -> None:
    """Of meters that leave since they are not listed, the main one leaves now."""
    check = listed(2, "K", role="check", installed_at=NOON - DAY)
    done = apply(stored, check, remove_missing=True)
    assert done == ["added", "removed", "removed"]
    left = {one.serial: one.removed_at for one in load_entries(stored)}
    assert left["A"] == NOON
