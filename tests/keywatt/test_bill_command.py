"""`keywatt bill` as a person or a script calls it."""

import json
from datetime import date, timedelta

import numpy as np
import pytest

from keywatt.clock import SiteClock
from keywatt.settings import Settings
from storage.database import connect
from storage.dirty import mark_days
from tests.fix_seeded_accounts import add_account
from tests.keywatt.settled_point import LOAD_KW, START, Point
from tests.registers import part, readings_of, write

# The local 3rd of March is over.
LATER = START + timedelta(days=1, hours=1)
AFTER = LATER + timedelta(days=30)
DAY = ("--from", "2026-03-03", "--to", "2026-03-03")
PIN = ("bill", "pin", "mill", *DAY, "--by", "Mei Tan", "--note", "R-17")


@pytest.fixture
def point(database: str) -> Point:
    """25, 30, 20, 25, 50, 25, 25 and 25 kWh from midnight; a reading is late."""
    with connect(database) as conn:
        seeded = add_account(conn, "mill", read_at=None)
    point = Point(database, seeded.point_id, seeded.meter_id)
    early = np.delete(np.arange(LOAD_KW.size + 1), 1)
    write(point.url, part(readings_of(point.meter_id, START, LOAD_KW), early))
    point.settle(LATER)
    return point


@pytest.fixture
def call(keywatt, point, monkeypatch):
    """Call `keywatt` at a time of the site."""

    def said(*arguments, now=LATER):
        monkeypatch.setattr(Settings, "site_clock", lambda _: SiteClock(now, 0.0, 0.0))
        return keywatt(*arguments, database_url=point.url)

    return said


def come_late(point: Point, now) -> None:
    """Let the late reading come, and be settled."""
    write(point.url, part(readings_of(point.meter_id, START, LOAD_KW), slice(1, 2)))
    point.settle(now)


def test_a_pinned_bill_is_the_same_whenever_it_is_asked(call, point) -> None:
    pinned = call(*PIN)
    assert (pinned.code, pinned.err) == (0, "")
    first = call("bill", "show", "1")
    assert first.out == pinned.out
    told = json.loads(call("bill", "show", "1", "--json").out)
    assert told["import_kwh"] == 225
    # All of it from midnight to 02:00, in the valley, at 60: 225 x 60.
    (tariff,) = told["tariffs"]
    assert [one["charge"] for one in tariff["lines"]] == ["13500.00", "0.00", "0.00"]
    # A day is no month: no demand line.
    assert (told["charge"], told["currency"], told["demand"]) == ("13500.00", "KRW", [])
    assert (told["points"][0]["missing"], told["points"][0]["as_pinned"]) == (88, True)
    assert told["note"] == "R-17"
    come_late(point, AFTER)
    assert point.kwh()[:3] == [25, 30, 20]
    assert call("bill", "show", "1", now=AFTER).out == first.out
    assert json.loads(call("bill", "show", "1", "--json", now=AFTER).out) == told


def test_what_came_since_is_told(call, point) -> None:
    call(*PIN)
    same = call("bill", "differences")
    assert (same.code, same.out) == (0, "Every bill is what is believed now.\n")
    come_late(point, AFTER)
    (told,) = json.loads(call("bill", "differences", "mill", "--json", now=AFTER).out)
    # 25 + 30 kWh were shared out evenly; their sum stays.
    assert (told["bill_id"], told["account"], told["change_kwh"]) == (1, "mill", 0)
    (of_point,) = told["points"]
    assert (of_point["billed"]["estimated"], of_point["now"]["estimated"]) == (2, 0)
    assert [
        (one["start"], one["billed"]["import_kwh"], one["now"]["import_kwh"])
        for one in of_point["intervals"]
    ] == [
        ("2026-03-02T15:00:00+00:00", 27.5, 25),
        ("2026-03-02T15:15:00+00:00", 27.5, 30),
    ]
    shown = " ".join(call("bill", "differences", now=AFTER).out.split())
    for words in (
        "Bill 1 of Mill, 2026-03-03 to 2026-03-03: +0.0000 kWh since 2026-03-04 01:00.",
        "Main supply: 225.0000 kWh billed, 225.0000 kWh now.",
        "Tue 03 Mar 2026 00:15 KST 27.5000 30.0000 estimated measured",
    ):
        assert words in shown


def test_bills_are_listed_and_withdrawn(call, point) -> None:
    assert call("bill", "list").out == "No bill is pinned.\n"
    call(*PIN)
    assert "as billed" in call("bill", "list", "mill").out
    come_late(point, AFTER)
    assert "+0.0000 kWh in 2" in call("bill", "list").out
    with connect(point.url) as conn:
        mark_days(conn, point.point_id, date(2026, 3, 3), date(2026, 3, 3))
    listed = " ".join(call("bill", "list").out.split())
    assert "+0.0000 kWh in 2, 1 day waits to be settled" in listed
    waits = "1 point-day waits to be settled of bill 1: more may be different once"
    assert waits in call("bill", "differences").out
    said = call(
        "bill", "withdraw", "1", "--by", "Jo Park", "--reason", "[Wrong]", now=AFTER
    )
    assert said.out == "Bill 1 is withdrawn; its days can be edited and billed.\n"
    assert "withdrawn by Jo Park: [Wrong]" in call("bill", "list").out
    (told,) = json.loads(call("bill", "list", "mill", "--json").out)
    assert (told["import_kwh"], told["withdrawn_by"]) == (225, "Jo Park")
    assert (told["withdrawn_why"], told["days_waiting"]) == ("[Wrong]", 0)
    point.settle(AFTER)
    assert json.loads(call("bill", "differences", "--json").out) == []
    assert "It was withdrawn at" in call("bill", "show", "1").out
    again = json.loads(call(*PIN, "--json", now=AFTER).out)
    assert (again["bill_id"], again["points"][0]["estimated"]) == (2, 0)


def test_a_bill_can_be_pinned_as_of_an_earlier_moment(call, point) -> None:
    come_late(point, AFTER)
    past = (*PIN, "--as-of", "2026-03-04T01:00", "--json")
    told = json.loads(call(*past, now=AFTER).out)
    assert told["as_of"] == LATER.isoformat()
    assert told["points"][0]["estimated"] == 2
    assert len(json.loads(call("bill", "differences", "--json").out)) == 1


def test_days_that_wait_to_be_settled_are_warned_of(call, point) -> None:
    write(point.url, part(readings_of(point.meter_id, START, LOAD_KW), slice(1, 2)))
    said = call(*PIN)
    assert "1 point-day of it waits to be settled again" in said.out


def test_an_account_without_tariff_has_energy_and_no_cost(call, point) -> None:
    with connect(point.url) as conn:
        conn.execute("DELETE FROM contract")
    said = call(*PIN).out
    assert "225.0000 kWh have no price: no tariff was in force." in said
    assert "In all 225.0000 kWh\n" in said
    told = json.loads(call("bill", "show", "1", "--json").out)
    assert (told["charge"], told["currency"], told["tariffs"]) == (None, None, [])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("bill", "show", "7"),
            "There is no bill 7; “keywatt bill list” shows those there are.",
        ),
        (
            ("bill", "withdraw", "7", "--reason", "Wrong"),
            "There is no bill 7 that is not withdrawn already.",
        ),
        (
            ("bill", "pin", "mill", "--from", "March", "--to", "2026-03-03"),
            "'March' is no day; write it like 2026-03-02.",
        ),
        (
            ("bill", "pin", "mill", "--from", "2026-03-04", "--to", "2026-03-04"),
            "2026-03-04 was not over at 2026-03-04 01:00 KST; pin the bill later.",
        ),
        (
            ("bill", "list", "mell"),
            "No account is called mell; there are: mill.",
        ),
    ],
)
def test_a_mistake_is_one_sentence(call, arguments, sentence) -> None:
    said = call(*arguments)
    assert (said.code, said.err, said.out) == (2, f"{sentence}\n", "")


def test_the_first_bill_keeps_what_another_would_pin(call, point) -> None:
    call(*PIN)
    said = call("bill", "pin", "mill", "--from", "2026-03-01", "--to", "2026-03-03")
    assert said.err.startswith("Bill 1 of 2026-03-03 to 2026-03-03 pins a part of")
    with connect(point.url) as conn:
        assert conn.execute("SELECT count(*) FROM billed_period").fetchone() == (1,)
