import json
from datetime import timedelta

import pytest

from storage.database import connect
from tests.fix_seeded_accounts import add_account
from tests.keywatt.settled_point import LOAD_KW, QUARTER, START, Point
from tests.registers import readings_of, write


@pytest.fixture
def url(database: str) -> str:
    with connect(database) as conn:
        seeded = add_account(conn, "mill", read_at=None)
    point = Point(database, seeded.point_id, seeded.meter_id)
    write(database, readings_of(point.meter_id, START, LOAD_KW))
    point.settle(START + 8 * QUARTER)
    return database


def test_it_tells_people(keywatt, url) -> None:
    # 01:05 in Seoul is in the fifth quarter-hour of the day, of 50 kWh.
    said = keywatt("trace", "mill", "Main supply", "2026-03-03 01:05", database_url=url)
    assert (said.code, said.err) == (0, "")
    for part in ("Mill, Main supply", "Tue 03 Mar 2026 01:00 to 01:15", "50.0000",
                 "measured", "Meter M-mill (main), multiplier 1", "15000"):  # fmt: skip
        assert part in said.out


def test_what_was_entered_of_that_time_is_told(keywatt, url) -> None:
    window = ("--from", "2026-03-03T01:00", "--to", "2026-03-03T02:00")
    said = ("--reason", "Works", "--by", "Li Wei")
    outage = ("outage", "add", "mill", "Main supply", *window, "--kind", "planned")
    assert keywatt(*outage, *said, database_url=url).code == 0
    closure = ("closure", "add", "mill", "2026-03-03", *said)
    assert keywatt(*closure, database_url=url).code == 0
    told = keywatt("trace", "mill", "", "2026-03-03 01:05", database_url=url).out
    off = "Without supply from 03 Mar 01:00 to 03 Mar 02:00 (planned): Works; entered"
    assert f"{off} by Li Wei.\n" in told
    assert "The site was closed on that day: Works; entered by Li Wei.\n" in told


def test_it_tells_scripts(keywatt, url) -> None:
    moment = (START + 4 * QUARTER + timedelta(minutes=5)).isoformat()
    said = keywatt("trace", "mill", "", moment, "--json", database_url=url)
    told = json.loads(said.out)
    assert told["start"] == "2026-03-02T16:00:00+00:00"
    assert told["versions"][0]["import_kwh"] == 50
    assert told["meters"][0]["meter"]["serial"] == "M-mill"
    assert {one["rule"] for one in told["verdicts"]} >= {"gap", "cap", "plausible"}


def test_what_came_in_a_file_names_the_file(keywatt, url, tmp_path) -> None:
    file = tmp_path / "march.csv"
    file.write_text("t,kwh\n2026-03-03 01:00,50\n2026-03-03 01:15,50\n", "utf-8")
    columns = ("--column", "time=t", "--column", "import_kwh=kwh")
    given = ("--account", "mill", "--by", "Li Wei", "--apply")
    assert keywatt("import", str(file), *given, *columns, database_url=url).code == 0
    said = keywatt("trace", "mill", "", "2026-03-03 01:05", database_url=url)
    assert "File march.csv, imported by Li Wei on " in said.out
    told = "gives 50.0 kWh in the 15 minutes from 03 Mar 01:00, before the multiplier."
    assert told in said.out
    assert "It counted" not in said.out
    undo = ("import", "undo", "1", "--reason", "Of another mill", "--by", "Mei Tan")
    assert keywatt(*undo, database_url=url).code == 0
    said = keywatt("trace", "mill", "", "2026-03-03 01:05", database_url=url)
    undone = "Import 1 of march.csv by Li Wei had given of it; undone by Mei Tan: Of"
    assert undone in said.out
    assert "gives 50.0 kWh" not in said.out


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (("mell", "", "2026-03-03 01:05"), "No account is called mell"),
        (("mill", "Hall", "2026-03-03 01:05"), "there are: Main supply"),
        (("mill", "", "yesterday"), "yesterday is no moment"),
    ],
)
def test_a_mistake_is_one_sentence(keywatt, url, asked, sentence) -> None:
    said = keywatt("trace", *asked, database_url=url)
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert "Traceback" not in said.err
