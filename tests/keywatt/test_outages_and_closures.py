"""`keywatt outage` and `keywatt closure` as a person or a script calls them."""

import getpass
import json
from datetime import date, timedelta

import pytest

from storage.bills import pin_bill
from storage.database import connect
from tests.fix_seeded_accounts import add_account
from tests.keywatt.settled_point import LOAD_KW, START, Point
from tests.registers import readings_of, write


@pytest.fixture
def site(keywatt, database, example_site) -> dict[str, str]:
    """The handbook's site in a database; returns the settings that name it."""
    settings = {"database_url": database}
    assert keywatt("site", "apply", example_site, **settings).code == 0
    return settings


MORNING = ("--from", "2026-03-02T08:00", "--to", "2026-03-02T12:00")
PLANNED = (*MORNING, "--kind", "planned", "--reason", "New cable")
CLOSE = ("closure", "add", "steel", "2026-03-02")
ADD = ("outage", "add", "cold-store", "Main supply")


def test_an_outage_is_entered_listed_and_removed(keywatt, site, database) -> None:
    said = keywatt(*ADD, *PLANNED, "--by", "anna", **site)
    assert said.err == ""
    # Nothing was read yet.
    assert said.out == "Outage 2 is entered. No settled day changes by it.\n"
    with connect(database) as conn:
        row = conn.execute(
            "SELECT start AT TIME ZONE 'UTC', entered_by FROM supply_outage"
            " WHERE outage_id = 2"
        ).fetchone()
    # 08:00 on the wall in Shanghai.
    assert (f"{row[0]}", row[1]) == ("2026-03-02 00:00:00", "anna")
    listed = keywatt("outage", "list", "cold-store", **site).out
    assert "2026-03-02 08:00" in listed
    assert "New cable" in listed
    told = json.loads(keywatt("outage", "list", "--json", **site).out)[0]
    assert (told["account"], told["kind"]) == ("cold-store", "planned")
    assert told["start"] == "2026-03-02T00:00:00+00:00"
    (other,) = json.loads(keywatt("outage", "list", "steel", "--json", **site).out)
    assert other["entered_by"].endswith(" (site file)")
    remove = ("outage", "remove", "2", "--reason", "Put off", "--by", "ben")
    gone = keywatt(*remove, **site).out
    assert gone.startswith("Outage 2 of cold-store, Main supply, is removed.")
    none = keywatt("outage", "list", "cold-store", **site)
    assert none.out == "No outage is entered.\n"
    every = ("outage", "list", "cold-store", "--all")
    (told,) = json.loads(keywatt(*every, "--json", **site).out)
    assert (told["entered_by"], told["removed_by"]) == ("anna", "ben")
    assert told["removed_why"] == "Put off"
    shown = keywatt(*every, **site).out
    assert "Put off" in shown
    assert f"ben, {told['removed_at'][:8]}" in " ".join(shown.split())


def test_whoever_types_it_enters_it(keywatt, site) -> None:
    told = json.loads(keywatt(*ADD, *PLANNED, "--json", **site).out)
    assert told["entered_by"] == getpass.getuser()
    assert told["days_settled_again"] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(
            ("outage", "add", "stel", "Main supply", *PLANNED),
            "No account is called stel; there are: cold-store, steel.",
            id="account",
        ),
        pytest.param(
            ("outage", "add", "steel", "Hall", *PLANNED),
            "Account steel has no point called Hall; there are: Main supply.",
            id="point",
        ),
        pytest.param(
            (*ADD, "--from", "8", *PLANNED[2:]),
            "'8' is no time; write it like 2026-03-02T08:00, as the clock in"
            " Asia/Shanghai shows it, or with its offset.",
            id="time",
        ),
        pytest.param(
            (*ADD, *MORNING, "--kind", "sudden", "--reason", "x"),
            "The outage: kind: is 'sudden', should be 'planned' or 'reported'.",
            id="kind",
        ),
        pytest.param(
            (*ADD, "--from", "2026-03-03", *PLANNED[2:]),
            "The outage: stop must be later than start.",
            id="backwards",
        ),
        pytest.param(
            ("outage", "remove", "7", "--reason", "x"),
            "There is no outage 7; “keywatt outage list” shows them.",
            id="number",
        ),
        pytest.param(
            ("closure", "add", "steel", "soon", "--reason", "x"),
            "'soon' is no day; write it like 2026-03-02.",
            id="day",
        ),
        pytest.param(
            ("closure", "remove", "steel", "2026-03-02", "--reason", "x"),
            "There is no closure on 2026-03-02 to remove; “keywatt closure list” shows"
            " those that are entered.",
            id="open",
        ),
        pytest.param(
            (
                "closure",
                "add",
                "steel",
                "2026-03-02",
                "--to",
                "2020-03-02",
                "--reason=x",
            ),
            "The closure: last_day must not be earlier than day.",
            id="last day",
        ),
    ],
)
def test_what_cannot_be_entered_is_one_sentence(
    keywatt, site, arguments, sentence
) -> None:
    said = keywatt(*arguments, **site)
    assert (said.code, said.err) == (2, f"{sentence}\n")


@pytest.fixture
def url(database: str) -> str:
    """A point whose only day with readings is billed."""
    with connect(database) as conn:
        seeded = add_account(conn, "mill", read_at=None)
    point = Point(database, seeded.point_id, seeded.meter_id)
    write(database, readings_of(point.meter_id, START, LOAD_KW))
    settled_at = START + timedelta(days=2)
    point.settle(settled_at)
    day = date(2026, 3, 3)
    with connect(database) as conn:
        pin_bill(conn, 1, day, day, as_of=settled_at, by="Mei Tan")
    return database


def test_a_closure_is_entered_listed_and_removed(keywatt, site) -> None:
    add = ("closure", "add", "cold-store", "2026-08-10", "--to", "2026-08-12")
    said = keywatt(*add, "--reason", "Works holiday", "--by", "anna", **site)
    assert said.out == (
        "Account cold-store is closed on 2026-08-10 to 2026-08-12. No settled day"
        " changes by it.\n"
    )
    listed = keywatt("closure", "list", "cold-store", **site).out
    assert listed.count("Works holiday") == 3
    assert keywatt(*add[:4], "--reason", "[red]Strike", "--by", "ben", **site).code == 0
    listed = keywatt("closure", "list", "cold-store", "--all", **site).out
    assert "another reason was given" in " ".join(listed.split())
    assert "[red]Strike" in listed
    remove = ("closure", "remove", "cold-store", "2026-08-11", "--reason", "Busy")
    gone = keywatt(*remove, "--json", **site)
    assert json.loads(gone.out) == {
        "account": "cold-store",
        "days": ["2026-08-11"],
        "days_settled_again": 0,
    }
    told = json.loads(keywatt("closure", "list", "cold-store", "--json", **site).out)
    assert [one["day"] for one in told] == ["2026-08-10", "2026-08-12"]
    assert [one["entered_by"] for one in told] == ["ben", "anna"]
    every = keywatt("closure", "list", "cold-store", "--all", "--json", **site).out
    assert [
        (one["day"], one["reason"], one["removed_why"]) for one in json.loads(every)
    ] == [
        ("2026-08-10", "Works holiday", "reason-changed"),
        ("2026-08-10", "[red]Strike", None),
        ("2026-08-11", "Works holiday", "Busy"),
        ("2026-08-12", "Works holiday", None),
    ]


def test_entering_names_the_bills_of_those_days(keywatt, url, tmp_path) -> None:
    covers = (
        "Bill 1 covers some of these days; `keywatt bill differences` shows what is"
        " different once they are settled.\n"
    )
    by, day = ("--reason", "Works", "--by", "anna"), "2026-03-03"
    add = ("outage", "add", "mill", "Main supply", "--kind", "planned", *by)
    at = ("--from", f"{day}T00:30", "--to", f"{day}T01:00")
    columns = ("--column", "time=t", "--column", "import_kwh=kwh")
    file = tmp_path / "march.csv"
    file.write_text(f"t,kwh\n{day} 01:00,70\n{day} 01:15,70\n", "utf-8")
    given = ("import", str(file), "--account", "mill", *columns)
    for arguments in (
        (*add, *at),
        ("outage", "remove", "1", *by),
        ("closure", "add", "mill", "2026-03-02", "--to", day, *by),
        ("closure", "remove", "mill", day, *by),
        (*given, "--apply"),
        ("import", "undo", "1", *by),
    ):
        said = keywatt(*arguments, database_url=url)
        assert (said.code, said.err) == (0, "")
        is_file = str(file) in arguments
        assert said.out.endswith(f"\n{covers}" if is_file else covers)
        assert said.out.count("Bill 1") == 1
    file.write_text(f"t,kwh\n{day} 01:00,70\n{day} 01:15,71\n", "utf-8")
    assert "Bill" not in keywatt(*given, database_url=url).out
    other = ("closure", "add", "mill", "2026-06-01", *by)
    assert "Bill" not in keywatt(*other, database_url=url).out
