from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.meter_change import What
from accounts.meter_entry import Entry, Refused
from accounts.meter_plan import Stored, plan
from tests.accounts.meter_lists import NOW, SINCE, entry

DAY = timedelta(days=1)
LATER = NOW - 10 * DAY
POINTS = {"steel": {"Main supply", "Hall"}, "mill": {"Main supply"}}
ELSEWHERE = {"point": "Hall", "unit": 9}


def planned(lines, *stored: Entry, **options):
    numbered = [replace(one, line=n) for n, one in enumerate(lines, start=2)]
    return plan(numbered, Stored(points=POINTS, entries=stored), NOW, **options)


def told(made) -> list[tuple[str, str]]:
    return [(change.serial, change.what.value) for change in made.changes]


def refusals(made) -> list[tuple[int, str | None, str]]:
    return [(one.line, one.column, one.text) for one in made.refused]


def sat(made, serial: str = "A"):
    """Where and when a meter sat, after the list."""
    after = sorted(made.after[serial].values(), key=lambda one: one.installed_at)
    return [(one.point, one.installed_at, one.removed_at) for one in after]


def test_a_meter_that_is_new_is_added_and_one_that_is_there_is_not() -> None:
    made = planned([entry(), entry(serial="B", **ELSEWHERE)], entry())
    assert told(made) == [("A", "unchanged"), ("B", "added")]
    assert made.refused == ()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param({"ratio": 60}, What.CHANGED, id="ratio"),
        pytest.param({"poll_every_s": 5.0}, What.CHANGED, id="pace"),
        pytest.param({"profile": "schneider-iem3155"}, What.CHANGED, id="profile"),
        pytest.param({"host": "192.0.2.11"}, What.MOVED, id="gateway"),
        pytest.param({"point": "Hall"}, What.MOVED, id="point corrected"),
        pytest.param({"removed_at": LATER}, What.REMOVED, id="left"),
        pytest.param({"installed_at": SINCE - DAY}, What.CHANGED, id="came earlier"),
        pytest.param({"installed_at": LATER}, What.CHANGED, id="came later"),
    ],
)
def test_a_line_that_differs_is_named_by_what_it_does(change, what) -> None:
    made = planned([entry(**change)], entry())
    assert told(made) == [("A", what.value)]


def test_a_meter_listed_at_another_point_has_left_the_one_before() -> None:
    made = planned([entry(**ELSEWHERE, installed_at=LATER)], entry())
    assert told(made) == [("A", "moved")]
    assert sat(made) == [("Main supply", SINCE, LATER), ("Hall", LATER, None)]


def test_history_that_is_not_listed_stays() -> None:
    past = entry(**ELSEWHERE, installed_at=SINCE - 9 * DAY, removed_at=SINCE)
    made = planned([entry(ratio=2)], past, entry())
    assert sat(made) == [("Hall", SINCE - 9 * DAY, SINCE), ("Main supply", SINCE, None)]


def test_a_meter_that_came_elsewhere_later_is_not_moved_back() -> None:
    made = planned([entry()], entry(**ELSEWHERE, installed_at=LATER))
    assert made.changes == ()
    ((line, column, text),) = refusals(made)
    assert (line, column) == (2, "installed_at")
    assert text.startswith("meter A came to point Hall of account steel at 2026-02-19")


@pytest.mark.parametrize(
    ("second", "column", "text"),
    [
        pytest.param(
            {"point": "Hall"}, "serial", "A is on line 2 already", id="serial"
        ),
        pytest.param(
            {"serial": "B", "point": "Hall"},
            "host",
            "meter A (on line 2, account steel) is at 192.0.2.10:502/1 at the same time"
            "; give that one an earlier removed_at, or this one another address.",
            id="address",
        ),
        pytest.param(
            {"serial": "B", "unit": 2},
            "point",
            "meter A (on line 2) is at point Main supply of account steel at the same"
            " time; give that one an earlier removed_at.",
            id="point",
        ),
        pytest.param(
            {"installed_at": SINCE - 2 * DAY, "removed_at": SINCE, "unit": 2},
            "unit",
            "is not what it is on line 2 for the same meter A",
            id="two connections",
        ),
        pytest.param(
            {"serial": "B", "account": "stele"},
            "account",
            "no account is called stele (did you mean steel?)",
            id="no account",
        ),
        pytest.param(
            {"serial": "B", "point": "Halle", "unit": 2},
            "point",
            "account steel has no point Halle (did you mean Hall?)",
            id="no point",
        ),
    ],
)
def test_of_two_lines_that_exclude_each_other_the_second_is_refused(
    second, column, text
) -> None:
    third = entry(serial="C", account="mill", unit=3)
    made = planned([entry(), entry(**second), third])
    assert told(made) == [("A", "added"), ("C", "added")]
    ((line, where, why),) = refusals(made)
    assert (line, where) == (3, column)
    assert why.startswith(text)


def wired(serial: str, **changes: object) -> Entry:
    there = {"framing": "serial", "host": None, "port": None, "device": "/dev/ttyS0"}
    return entry(serial=serial, **there | changes)


@pytest.mark.parametrize(
    ("change", "column", "text"),
    [
        pytest.param(
            {},
            "device",
            "meter A (on line 2, account steel) is at /dev/ttyS0/1",
            id="1",
        ),
        pytest.param(
            {"unit": 2, "parity": "even"},
            "parity",
            "is even, but none for meter A (on line 2) at /dev/ttyS0; all meters there",
            id="spoken to in two ways",
        ),
        pytest.param({"unit": 2}, None, None, id="beside it"),
        pytest.param({"device": "/dev/ttyS1"}, None, None, id="on another line"),
    ],
)
def test_a_serial_line_has_units_and_one_way_to_be_spoken_to(
    change, column, text
) -> None:
    made = planned([wired("A"), wired("B", point="Hall", **change)])
    assert [where for _, where, _ in refusals(made)] == ([column] if column else [])
    if text:
        assert refusals(made)[0][2].startswith(text)


def test_all_meters_of_a_line_can_be_spoken_to_otherwise_at_once() -> None:
    both = [wired("A"), wired("B", point="Hall", unit=2)]
    faster = [replace(one, baud_rate=19_200) for one in both]
    assert told(planned(faster, *both)) == [("A", "changed"), ("B", "changed")]
    made = planned(faster[:1], *both)
    assert refusals(made)[0][:2] == (2, "baud_rate")


def test_a_swap_at_one_address_is_two_lines() -> None:
    old, new = entry(removed_at=LATER), entry(serial="B", installed_at=LATER)
    made = planned([new, old], entry())
    assert told(made) == [("B", "added"), ("A", "removed")]
    assert made.refused == ()


def test_a_point_that_is_new_is_made_where_the_line_says_so() -> None:
    made = planned([entry(point="Oven", new_point=True)])
    assert told(made) == [("A", "added")]


def test_two_meters_exchange_their_addresses() -> None:
    a, b = entry(), entry(serial="B", **ELSEWHERE)
    made = planned([replace(a, unit=9), replace(b, unit=1)], a, b)
    assert told(made) == [("A", "moved"), ("B", "moved")]


def test_who_takes_the_place_of_a_refused_line_is_refused_too() -> None:
    # A goes where B was, B where C was; but C stays, since its line is bad.
    a, b = entry(), entry(serial="B", point="Hall", unit=2)
    c = entry(serial="C", account="mill", unit=3)
    lines = [replace(a, unit=2), replace(b, unit=3), replace(c, point="?", unit=4)]
    made = planned(lines, a, b, c)
    assert [(line, column) for line, column, _ in refusals(made)] == [
        (2, "host"),
        (3, "host"),
        (4, "point"),
    ]
    assert made.changes == ()
    assert "list that one with its removed_at" in refusals(made)[0][2]


def test_where_a_moved_meter_was_before_its_new_address_was_anothers() -> None:
    # B left unit 1 when A came; until then A was elsewhere, at another address.
    a = entry(**ELSEWHERE)
    b = entry(serial="B", removed_at=LATER)
    made = planned([entry(installed_at=LATER)], a, b)
    assert told(made) == [("A", "moved")]


def test_a_meter_cannot_have_its_next_address_before_it_moves() -> None:
    ahead = {"point": "Hall", "installed_at": NOW + DAY}
    made = planned([entry(**ahead, unit=9)], entry())
    ((_, column, text),) = refusals(made)
    assert column == "installed_at"
    assert text.startswith("is not the time now: meter A is at 192.0.2.10:502/1, point")
    assert told(planned([entry(**ahead)], entry())) == [("A", "moved")]


def test_what_is_listed_of_its_past_does_not_move_a_meter() -> None:
    past = {"installed_at": SINCE - DAY, "removed_at": SINCE}
    made = planned([entry(**past, unit=9)], entry())
    assert [(line, column) for line, column, _ in refusals(made)] == [
        (2, "installed_at")
    ]
    both = planned([entry(**past, unit=9), entry(unit=9)], entry())
    assert told(both) == [("A", "added"), ("A", "moved")]


def test_until_a_meter_moves_its_address_is_its_own() -> None:
    ahead = entry(point="Hall", installed_at=NOW + 2 * DAY)
    short = {"installed_at": LATER, "removed_at": NOW + DAY}
    other = entry(serial="B", account="mill", **short)
    made = planned([ahead, other], entry())
    assert [(line, column) for line, column, _ in refusals(made)] == [(3, "host")]


def test_meters_that_are_not_listed_stay_or_leave() -> None:
    b = entry(serial="B", **ELSEWHERE)
    others = entry(serial="M", account="mill", unit=7)
    assert told(planned([entry()], entry(), b, others)) == [("A", "unchanged")]
    made = planned([entry()], entry(), b, others, remove_missing=True)
    # M is of an account that the list does not name.
    assert told(made) == [("A", "unchanged"), ("B", "removed")]
    assert sat(made, "B") == [("Hall", SINCE, NOW)]


def test_a_missing_meter_left_when_another_came_to_its_place() -> None:
    new = entry(serial="B", installed_at=LATER)
    made = planned([new], entry(), remove_missing=True)
    assert told(made) == [("B", "added"), ("A", "removed")]
    assert sat(made, "A") == [("Main supply", SINCE, LATER)]
    ((_, column, text),) = refusals(planned([new], entry()))
    assert column == "point"
    assert text.endswith("or apply with --remove-missing.")


def test_a_missing_meter_without_an_address_is_replaced_by_nobody_elsewhere() -> None:
    mqtt = {"transport": "mqtt", "host": None, "port": None, "unit": None}
    new = entry(serial="B", account="steel", point="Hall", installed_at=LATER, **mqtt)
    made = planned([new], entry(**mqtt), remove_missing=True)
    assert sat(made, "A") == [("Main supply", SINCE, NOW)]


def test_a_missing_meter_that_was_still_to_come_does_not() -> None:
    to_come = entry(serial="B", **ELSEWHERE, installed_at=NOW + DAY)
    made = planned([entry()], to_come, remove_missing=True)
    assert made.after["B"] == {}


def bad(serial: str | None) -> Refused:
    return Refused(line=9, column="port", serial=serial, text="is 0.")


def test_a_meter_whose_line_is_bad_is_not_missing() -> None:
    stored = entry(), entry(serial="B", **ELSEWHERE)
    made = planned([entry()], *stored, unread=[bad("B")], remove_missing=True)
    assert told(made) == [("A", "unchanged")]
    assert not made.removal_held


@pytest.mark.parametrize("serial", [None, "B!"])
def test_nothing_is_missing_where_a_bad_line_may_be_anyones(serial) -> None:
    stored = entry(), entry(serial="B", **ELSEWHERE)
    made = planned([entry()], *stored, unread=[bad(serial)], remove_missing=True)
    assert told(made) == [("A", "unchanged")]
    assert made.removal_held
    assert [one.line for one in made.refused] == [9]


times = st.integers(0, 6).map(lambda n: SINCE + n * DAY)


@st.composite
def entries(draw):
    at = draw(times)
    return entry(
        serial=draw(st.sampled_from("ABC")),
        point=draw(st.sampled_from(["Main supply", "Hall"])),
        unit=draw(st.integers(1, 3)),
        installed_at=at,
        removed_at=draw(st.none() | st.integers(1, 4).map(lambda n: at + n * DAY)),
    )


def applied(made, stored: list[Entry]) -> list[Entry]:
    """Return what would be stored after."""
    kept = [one for one in stored if one.serial not in made.after]
    for sittings in made.after.values():
        listed = [one.unit for one in sittings.values() if one.line]
        for one in sittings.values():  # a meter has one address, wherever it sat
            unit = listed[0] if listed else one.unit
            kept.append(replace(one, unit=unit, line=0))
    return kept


@given(st.lists(entries(), max_size=6), st.lists(entries(), max_size=6), st.booleans())
def test_whatever_is_listed_no_place_is_taken_twice(first, second, remove) -> None:
    """Two lists, one after the other; what does not fit is refused."""
    made = planned(first)
    stored = applied(made, [])
    stored = applied(planned(second, *stored, remove_missing=remove), stored)
    for n, one in enumerate(stored):
        for other in stored[:n]:
            if one.overlaps(other):
                assert one.serial != other.serial
                assert one.place != other.place
            if one.there_after(NOW) and other.there_after(NOW):
                assert one.address != other.address


@given(st.lists(entries(), max_size=6), st.booleans())
def test_a_list_that_was_applied_changes_nothing_more(lines, remove) -> None:
    made = planned(lines)
    gone = {one.line for one in made.refused}
    stood = [one for n, one in enumerate(lines, start=2) if n not in gone]
    again = planned(stood, *applied(made, []), remove_missing=remove)
    assert {change.what for change in again.changes} <= {What.UNCHANGED}
    assert again.refused == ()
