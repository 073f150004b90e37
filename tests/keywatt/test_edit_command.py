"""`keywatt edit` as a person or a script calls it."""

import io
import json
from datetime import date, timedelta

import pytest

from keywatt.clock import SiteClock
from keywatt.settings import Settings
from storage.bills import pin_bill
from storage.database import connect
from storage.dirty import take_dirty
from storage.edit_records import list_edits
from tests.fix_seeded_accounts import add_account
from tests.keywatt.settled_point import LOAD_KW, QUARTER, START, Point
from tests.registers import readings_of, write

NOW = START + 8 * QUARTER
LATER = START + timedelta(days=1, hours=1)
SET = ("edit", "set", "mill", "Main supply")
SAID = ("--reason", "Read by hand", "--by", "Li Wei")
# Midnight to 02:00 in Seoul.
FIRST, SECOND, FIFTH = "2026-03-03T00:00", "2026-03-03T00:15", "2026-03-03T01:00"


@pytest.fixture
def point(database: str) -> Point:
    """Eight quarter-hours of 25, 30, 20, 25, 50, 25, 25 and 25 kWh, settled."""
    with connect(database) as conn:
        seeded = add_account(conn, "mill", read_at=None)
    point = Point(database, seeded.point_id, seeded.meter_id)
    write(point.url, readings_of(point.meter_id, START, LOAD_KW))
    point.settle(NOW)
    return point


@pytest.fixture
def call(keywatt, point, monkeypatch):
    """Call `keywatt` at the site's time NOW, with what a person would answer."""

    def said(*arguments, answer: str = "", now=NOW):
        standing = SiteClock(now, 0.0, 0.0)
        monkeypatch.setattr(Settings, "site_clock", lambda _: standing)
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        return keywatt(*arguments, database_url=point.url)

    return said


def stored(point: Point) -> list:
    with connect(point.url) as conn:
        return list_edits(conn)


def test_it_is_shown_then_asked_then_stored_and_settled(call, point) -> None:
    said = call(*SET, SECOND, "--kwh", "31.25", *SAID, "--settle", answer="y\n")
    assert (said.code, said.err) == (0, "")
    sums = "Mill, Main supply: 30.0000 kWh become 31.2500 kWh (+1.2500)."
    for part in (
        "Tue 03 Mar 2026 00:15 KST",
        "measured",
        f"1 quarter-hour of {sums}",
        "No rule warns or fails.",
        "Store it?",
        "It is stored as edit 1. 1 quarter-hour changed by it.",
    ):
        assert part in said.out
    assert point.kwh() == [25, 31.25, 20, 25, 50, 25, 25, 25]
    (edit,) = stored(point)
    assert (edit.reason, edit.edited_by, edit.edited_at) == (
        "Read by hand",
        "Li Wei",
        NOW,
    )


@pytest.mark.parametrize("answer", ["n\n", ""], ids=["no", "nobody"])
def test_without_a_yes_nothing_is_stored(call, point, answer) -> None:
    said = call(*SET, SECOND, "--kwh", "31.25", *SAID, answer=answer)
    assert said.code == 1
    assert "Nothing is changed." in said.out
    assert ("--yes does it" in said.err) == (answer == "")
    assert stored(point) == []
    assert point.kwh()[1] == 30
    with connect(point.url) as conn:
        assert take_dirty(conn) == []


def test_the_worker_settles_what_is_not_settled_at_once(call, point) -> None:
    said = call(*SET, SECOND, "--kwh", "31.25", *SAID, "--yes")
    assert "Its days are settled again by the worker." in said.out
    assert point.kwh()[1] == 30
    assert point.settle(NOW).intervals_changed == 1
    assert point.kwh()[1] == 31.25


def test_a_total_is_shared_out_to_the_last_decimal(call, point) -> None:
    more = ("--until", "2026-03-03T00:45", "--total-kwh", "80.0001", "--yes")
    call(*SET, FIRST, *more, *SAID, "--settle")
    # 800,001 steps of 0.0001 kWh over three: 266,667 each.
    assert point.kwh()[:4] == [26.6667, 26.6667, 26.6667, 25]
    call(*SET, FIRST, *more[:3], "80", *SAID, "--yes", "--settle")
    assert point.kwh()[:4] == [26.6667, 26.6666, 26.6667, 25]
    assert stored(point)[1].import_kwh == 80


def test_kwh_is_of_each_quarter_hour_and_other_registers_too(call, point) -> None:
    more = ("--until", "2026-03-03T00:30", "--kwh", "12.5", "--kvarh-lagging", "7.1234")
    said = call(*SET, FIRST, *more, *SAID, "--yes", "--settle")
    assert "lagging_kvarh" in said.out
    assert "- -> 7.1234" in said.out
    settled = point.intervals()
    assert settled.import_kwh[:3].tolist() == [12.5, 12.5, 20]
    assert settled.lagging_kvarh[:2].tolist() == [7.1234, 7.1234]


def test_rules_say_beforehand_what_they_would_say(call, point) -> None:
    # 451 kWh in a quarter-hour are 1,804 kW; 3 x 500 kW, and 1.2 times that, is most.
    told = json.loads(call(*SET, FIFTH, "--kwh", "451", *SAID, "--json").out)
    (cap,) = (one for one in told["rules"] if one["rule"] == "cap")
    assert (cap["status"], cap["new"]) == ("fail", True)
    assert cap["figures"]["highest_kw"] == 1804
    # After 30 kWh the third is 25: (451 - 25) / 25. No register confirms an edit.
    (spike,) = (one for one in told["rules"] if one["rule"] == "spike")
    assert (spike["status"], spike["figures"]["sum_passes"]) == ("fail", 0)
    assert spike["figures"]["ratio"] == pytest.approx(17.04)
    (interval,) = told["intervals"]
    assert interval["before"]["import_kwh"] == 50
    assert interval["after"]["import_kwh"] == 451
    assert interval["after"]["quality"] == "edited"
    # Nobody was asked, and nothing is stored.
    assert (told["stored"], told["edit_id"], stored(point)) == (False, None, [])
    assert point.kwh()[4] == 50
    assert not any(one.broken for one in point.days())
    shown = call(*SET, FIFTH, "--kwh", "451", *SAID, "--yes", "--settle").out
    assert "fail cap" in " ".join(shown.split())
    again = call(*SET, FIFTH, "--kwh", "452", *SAID, "--yes").out
    assert "highest 1,808 kW, limit 1,800 kW (as before)" in " ".join(again.split())


def test_it_asks_otherwise_where_rules_fail(call, point) -> None:
    asked = call(*SET, FIFTH, "--kwh", "451", *SAID, answer="n\n")
    assert "Rules fail with it, as told above. Store it?" in asked.out
    assert stored(point) == []
    call(*SET, FIFTH, "--kwh", "451", *SAID, "--yes", "--settle")
    # It says of another figure that it cannot be either; a sound one is not doubted.
    again = call(*SET, FIFTH, "--kwh", "452", *SAID, answer="n\n")
    assert "Rules fail with it" in again.out
    sound = call(*SET, FIFTH, "--kwh", "49", *SAID, answer="n\n")
    assert "Store it?" in sound.out
    assert "Rules fail with it" not in sound.out


def test_what_is_missing_may_be_set(call, point) -> None:
    later = START + 10 * QUARTER
    point.settle(later)
    missing = (*SET, "2026-03-03T02:00", "--kwh", "9", *SAID, "--json")
    (interval,) = json.loads(call(*missing, now=later).out)["intervals"]
    assert interval["before"]["quality"] == "missing"
    assert interval["after"]["import_kwh"] == 9


def test_what_would_change_beside_is_told(call, point) -> None:
    # Two quarter-hours without a reading: 55 kWh are shared out evenly over them.
    with connect(point.url) as conn:
        conn.execute("DELETE FROM reading WHERE measured_at = %s", (START + QUARTER,))
        conn.execute("INSERT INTO dirty_point_day VALUES (1, '2026-03-03')")
    assert point.kwh()[:2] == [25, 30]
    # The reading is gone, but its day is not settled again yet: the trial does it.
    said = call(*SET, FIFTH, "--kwh", "49", *SAID, "--json")
    beside = json.loads(said.out)["beside"]
    assert [(one["start"], one["import_kwh"]) for one in beside] == [
        ("2026-03-02T15:00:00+00:00", 2.5),
        ("2026-03-02T15:15:00+00:00", -2.5),
    ]
    shown = call(*SET, FIFTH, "--kwh", "49", *SAID, answer="n\n").out
    assert "2 quarter-hours beside would change with it (+0.0000 kWh)." in shown


def test_the_same_words_about_many_days_are_said_once(call, point) -> None:
    later = START + timedelta(days=4)
    point.settle(later)
    flat = (*SET, FIRST, "--until", "2026-03-06T00:00", "--kwh", "20", *SAID)
    shown = call(*flat, answer="n\n", now=later).out
    (line,) = (one for one in shown.splitlines() if "flatline" in one)
    assert "03 Mar 00:00 to 06 Mar 00:00: energy 20 kWh, intervals 288" in " ".join(
        line.split()
    )
    assert "and 264 more; --json lists them all." in shown


def test_too_many_days_are_stored_without_a_trial(call, point) -> None:
    later = START + timedelta(days=33)
    year = (*SET, FIRST, "--until", "2026-04-04T00:00", "--kwh", "20", *SAID)
    told = json.loads(call(*year, "--json", "--yes", now=later).out)
    assert (told["tried"], told["stored"], len(told["intervals"])) == (
        False,
        True,
        3072,
    )
    shown = call(*year, answer="n\n", now=later).out
    assert "These are too many days to settle on trial" in shown
    point.settle(later)
    assert point.kwh()[:3072] == [20] * 3072


def test_a_script_stores_with_yes(call) -> None:
    said = call(*SET, SECOND, "--kwh", "31", *SAID, "--yes", "--settle", "--json")
    told = json.loads(said.out)
    assert (told["stored"], told["edit_id"], told["intervals_settled"]) == (True, 1, 1)


def test_edits_are_listed_and_undone(call, point) -> None:
    assert call("edit", "list", "mill").out == "Nothing of account mill is edited.\n"
    call(*SET, FIRST, "--until", FIFTH, "--total-kwh", "104", *SAID, "--yes")
    point.settle(NOW)
    said = call("edit", "undo", "1", "--why", "Wrong meter", "--by", "Jo", "--yes")
    assert "104.0000 kWh become 100.0000 kWh (-4.0000)" in said.out
    assert said.out.endswith(
        "Edit 1 is undone. Its days are settled again by the worker.\n"
    )
    point.settle(NOW)
    assert point.kwh() == [25, 30, 20, 25, 50, 25, 25, 25]
    listed = " ".join(
        call("edit", "list", "mill", "--point", "Main supply").out.split()
    )
    for part in ("2026-03-03 00:00", "2026-03-03 01:00", "100.0000", "104.0000",
                 "Read by hand", "by Jo: Wrong"):  # fmt: skip
        assert part in listed
    (told,) = json.loads(call("edit", "list", "mill", "--json").out)
    assert told["start"] == "2026-03-02T15:00:00+00:00"
    assert (told["intervals"], told["import_kwh"], told["was_import_kwh"]) == (
        4,
        104.0,
        100.0,
    )
    assert told["undone_why"] == "Wrong meter"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(
            (*SET, "2026-03-03T00:07", "--kwh", "1"),
            "2026-03-03 00:07:00+09:00 begins no quarter-hour; give the start of one,"
            " such as 2026-03-03 00:00 KST.",
            id="beside the grid",
        ),
        pytest.param(
            (*SET, FIFTH, "--until", FIRST, "--kwh", "1"),
            "The edit ends at 2026-03-03 00:00 KST, not after 2026-03-03 01:00 KST;"
            " give a later end.",
            id="backwards",
        ),
        pytest.param(
            (*SET, "2025-03-03", "--until", "2026-03-05", "--kwh", "1"),
            "367 days are more than an edit can have; edit each year by itself.",
            id="long",
        ),
        pytest.param(
            (*SET, FIRST, "--kwh=-3"),
            "import_kwh is -3; give 0 or more.",
            id="negative",
        ),
        pytest.param(
            (*SET, FIRST, "--kwh", "1,5"),
            "import_kwh is '1,5'; write a number like 12.5.",
            id="comma",
        ),
        pytest.param(
            (*SET, FIRST, "--kwh", "1.23456"),
            "import_kwh is 1.23456; give at most 4 decimals.",
            id="too fine",
        ),
        pytest.param(
            (*SET, FIRST, "--kwh", "1e9"),
            "import_kwh is '1e9'; write a number like 12.5.",
            id="exponent",
        ),
        pytest.param(
            (*SET, FIRST, "--total-kwh", "1000000000"),
            "total_kwh is 1000000000; give less than 1,000,000,000.",
            id="too much",
        ),
        pytest.param(
            (*SET, FIRST),
            "Give either --kwh, for each quarter-hour, or --total-kwh, for all of them"
            " together.",
            id="no import",
        ),
        pytest.param(
            (*SET, FIRST, "--kwh", "1", "--total-kwh", "1"),
            "Give either --kwh, for each quarter-hour, or --total-kwh, for all of them"
            " together.",
            id="both",
        ),
        pytest.param(
            (*SET, "2026-03-03T02:00", "--kwh", "1"),
            "2026-03-03 02:00 KST is not over yet; edit it when it is.",
            id="soon",
        ),
        pytest.param(
            (*SET, "2019-03-03T02:00", "--kwh", "1"),
            "No meter sat at point 1 at 2019-03-03 02:00 KST; enter its installation.",
            id="not metered",
        ),
        pytest.param(
            ("edit", "set", "mill", "Hall", FIRST, "--kwh", "1"),
            "Account mill has no point called Hall; there are: Main supply.",
            id="point",
        ),
        pytest.param(
            (*SET, "noon", "--kwh", "1"),
            "'noon' is no time; write it like 2026-03-02T08:00, as the clock in"
            " Asia/Seoul shows it, or with its offset.",
            id="time",
        ),
    ],
)
def test_what_cannot_be_set_is_one_sentence(call, point, arguments, sentence) -> None:
    said = call(*arguments, *SAID, "--yes")
    assert (said.code, said.err, said.out) == (2, f"{sentence}\n", "")
    assert stored(point) == []


def test_what_is_billed_is_refused_by_its_bill(call, point) -> None:
    point.settle(LATER)
    with connect(point.url) as conn:
        day = date(2026, 3, 3)
        pin_bill(conn, 1, day, day, as_of=LATER, by="Mei Tan")
    at = LATER + QUARTER
    said = call(*SET, SECOND, "--kwh", "31", *SAID, "--yes", now=at)
    refused = (
        "Bill 1 of 2026-03-03 to 2026-03-03 pins 2026-03-03 00:15 KST; withdraw it "
        "first, or ask to edit what is billed too.\n"
    )
    assert (said.code, said.err) == (2, refused)
    done = call(*SET, SECOND, "--kwh", "31", *SAID, "--yes", "--billed-too", now=at)
    assert done.code == 0
    kept = call("edit", "undo", "1", "--why", "x", "--yes", now=at)
    assert kept.err.startswith("Bill 1 of 2026-03-03 to 2026-03-03 pins")


def test_an_edit_that_is_not_there_cannot_be_undone(call) -> None:
    said = call("edit", "undo", "7", "--why", "x", "--yes")
    assert (said.code, said.err) == (
        2,
        "There is no edit 7; “keywatt edit list ACCOUNT” shows them.\n",
    )


FILE = ("edit", "file", "edits.csv", "--account", "mill", "--reason", "Audit 17")


def test_a_file_is_stored_whole(call, point, tmp_path) -> None:
    (tmp_path / "edits.csv").write_text(
        "start;import_kwh;lagging_kvarh\n"
        "2026-03-03T00:15;31.25;\n"
        "2026-03-02T15:00:00Z;24;6.5\n\n",
        "utf-8",
    )
    said = call(*FILE, "--yes", "--settle", "--json")
    told = json.loads(said.out)
    assert (told["stored"], told["intervals_settled"]) == (True, 2)
    # By time, whatever the order of the lines.
    assert [one["after"]["import_kwh"] for one in told["intervals"]] == [24, 31.25]
    assert point.kwh()[:3] == [24, 31.25, 20]
    assert point.intervals().lagging_kvarh[0] == 6.5


def test_a_file_with_wrong_lines_changes_nothing(call, point, tmp_path) -> None:
    (tmp_path / "edits.csv").write_text(
        "start,import_kwh\n2026-03-03T00:15,31\n2026-03-03T00:15,32\n"
        "2026-03-03T00:20,1\nsoon,1\n2026-03-03T00:30,-1\n2026-03-03T00:45\n"
        "2026-03-03T01:00,\n",
        "utf-8",
    )
    said = call(*FILE, "--yes")
    assert said.code == 2
    for line, reason in (
        (3, "2026-03-03 00:15 KST is on line 2 already; leave one."),
        (4, "2026-03-03 00:20:00+09:00 begins no quarter-hour"),
        (5, "'soon' is no time"),
        (6, "import_kwh is -1; give 0 or more."),
        (7, "It has 1 of 2 fields; complete it."),
        (8, "import_kwh is empty; give it."),
    ):
        assert f"edits.csv, line {line}: {reason}" in said.err
    assert said.err.endswith("Nothing is stored; correct the file and give it again.\n")
    refused = json.loads(call(*FILE, "--yes", "--json").out)["refused"]
    assert [one["line"] for one in refused] == [3, 4, 5, 6, 7, 8]
    assert stored(point) == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("start,kwh\n", "'kwh' is no column of edits; known: start, import_kwh"),
        ("start\n", "has no column 'import_kwh'; give it."),
        ("start,start,import_kwh\n", "has the column start twice; leave one."),
        ("start,import_kwh\n", "The edit names no interval; give at least one."),
        ("", "'' is no column of edits"),
    ],
)
def test_a_file_that_is_none_of_edits(call, tmp_path, content, sentence) -> None:
    (tmp_path / "edits.csv").write_text(content, "utf-8")
    said = call(*FILE, "--yes")
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert said.err.count("\n") == 1
