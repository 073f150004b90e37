"""`keywatt import` and `keywatt export` as a person or a script calls them."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from storage.database import connect
from storage.interval_store import store_intervals
from tests.storage_data import intervals

HEAD = "Date;kW\n"
COLUMNS = ("--column", "time=Date", "--column", "import_kwh=kW", "--unit", "kW")
ASKED = ("--account", "steel", *COLUMNS)


@pytest.fixture
def site(keywatt, database, example_site) -> dict[str, str]:
    """The handbook's site in a database; returns the settings that name it."""
    settings = {"database_url": database}
    assert keywatt("site", "apply", example_site, **settings).code == 0
    return settings


def write(folder, *lines: str, name: str = "load.csv") -> str:
    (folder / name).write_text(HEAD + "\n".join(lines), "utf-8")
    return name


def test_a_file_is_seen_then_stored_then_known(keywatt, site, tmp_path) -> None:
    file = write(tmp_path, "31.3.2026 23:45;100,5", "1.4.2026 0:00;200")
    seen = keywatt("import", file, *ASKED, **site)
    assert (seen.code, seen.err) == (0, "")
    assert seen.out.splitlines()[:2] == [
        "load.csv: 2 new, 0 changed, 0 same as stored, 0 repeated, 0 refused.",
        "  From 2026-03-31 23:45+08:00 to 2026-04-01 00:00+08:00, every 15 min.",
    ]
    # 100.5 kW over a quarter of an hour, and 200 kW.
    assert "2026-03-31 │   1 │   25.12 │" in seen.out
    assert seen.out.splitlines()[-2:] == [
        "Days that would be settled again: 2026-03-31 to 2026-04-01.",
        "Nothing is stored yet: give --apply.",
    ]
    stored = keywatt("import", file, *ASKED, "--apply", "--by", "Li Wei", **site)
    assert stored.out.splitlines()[-1] == "Stored for steel, Main supply."
    again = keywatt("import", file, *ASKED, **site)
    assert again.code == 2
    assert again.err.startswith("load.csv was imported for Main supply on ")
    assert " by Li Wei (import 1); a file is taken once." in again.err


def test_an_import_is_listed_and_taken_back(keywatt, site, tmp_path) -> None:
    assert keywatt("import", "list", **site).out == "Nothing was imported.\n"
    file = write(tmp_path, "31.3.2026 23:45;100,5", "1.4.2026 0:00;200")
    keywatt("import", file, *ASKED, "--apply", "--by", "Li Wei", **site)
    (told,) = json.loads(
        keywatt("import", "list", "--account", "steel", "--json", **site).out
    )
    assert (told["name"], told["account"], told["point"], told["imported_by"]) == (
        "load.csv",
        "steel",
        "Main supply",
        "Li Wei",
    )
    # On the wall 23:45 to 00:15 in Shanghai; 25.125 + 50 kWh.
    assert (told["starts_at"], told["stops_at"], told["import_kwh"]) == (
        "2026-03-31T15:45:00+00:00",
        "2026-03-31T16:15:00+00:00",
        75.125,
    )
    assert (
        json.loads(
            keywatt("import", "list", "--account", "cold-store", "--json", **site).out
        )
        == []
    )
    undo = ("import", "undo", "1", "--by", "Mei Tan", "--reason")
    assert keywatt(*undo, " ", **site).err == (
        "Undoing import 1 needs a reason; give one.\n"
    )
    said = keywatt(*undo, "[red]Another mill", **site)
    assert said.out == (
        "Import 1 of load.csv is undone. What is settled of steel, Main supply, on"
        " 2026-03-31 to 2026-04-01 is settled again.\n"
    )
    again = keywatt(*undo, "Twice", **site)
    assert again.code == 2
    assert again.err.startswith("Import 1 is undone already, by Mei Tan on ")
    listed = keywatt("import", "list", **site).out
    for words in ("load.csv", "75.12", "Li Wei, ", "Mei Tan, ", "[red]Another"):
        assert words in listed
    stored = keywatt("import", file, *ASKED, "--apply", **site)
    assert stored.out.splitlines()[-1] == "Stored for steel, Main supply."


def test_a_script_reads_json(keywatt, site, tmp_path) -> None:
    file = write(tmp_path, "1.4.2026 0:00;200", "1.4.2026 0:15;off", "1.4.2026 0:30;4")
    said = keywatt("import", file, *ASKED, "--apply", "--json", **site)
    assert said.code == 2
    found = json.loads(said.out)
    assert (found["new"], found["refused"], found["applied"]) == (2, 1, False)
    assert found["why_not"].startswith("1 rows are refused")
    (row,) = found["files"][0]["refused"]
    assert (row["place"], row["text"]) == (3, "kW: 'off' is no number.")
    assert found["days"][0]["new_kwh"] == 51
    told = keywatt("import", file, *ASKED, "--apply", **site)
    assert told.code == 2
    assert "load.csv, line 3: kW: 'off' is no number.\n" in told.err
    assert "Nothing is stored: 1 rows are refused" in told.err
    kept = keywatt("import", file, *ASKED, "--apply", "--skip-refused", **site)
    assert (kept.code, "Stored for steel" in kept.out) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--account", "steel", "--column", "Date"), "--column 'Date' should be NAME="),
        (("--account", "no", *COLUMNS), "No account is called no; there are: "),
        (("--account", "steel"), "load.csv: its columns are Date, kW; say which is"),
        ((*ASKED, "--unit", "GW"), "command line: unit"),
        ((*ASKED, "--zone", "Mars"), "command line: zone"),
        ((*ASKED, "--point", "Attic"), "No point 'Attic'; steel has: Main supply."),
    ],
)
def test_a_mistake_is_one_sentence(keywatt, site, tmp_path, arguments, told) -> None:
    write(tmp_path, "1.4.2026 0:00;200", "1.4.2026 0:15;3")
    said = keywatt("import", "load.csv", *arguments, **site)
    assert said.code == 2
    assert told in said.err
    assert len(said.err.splitlines()) == 1


@pytest.fixture
def settled(site, database) -> dict[str, str]:
    """Two days of quarter-hours of the example's steel works, 1 kWh each."""
    with connect(database) as conn:
        start = datetime(2026, 3, 31, 16, tzinfo=UTC)  # midnight in Shanghai
        two_days = intervals([1.0] * 192, start)
        store_intervals(conn, 1, two_days, settled_at=start + timedelta(days=3))
    return site


APRIL = ("steel", "--from", "2026-04-01", "--to", "2026-04-01")


@pytest.mark.parametrize("form", ["csv", "parquet", "green-button", "nem12"])
def test_an_export_says_what_is_in_the_file(keywatt, settled, tmp_path, form) -> None:
    said = keywatt("export", *APRIL, "--format", form, "-o", "out", **settled)
    made_up = (
        "Nobody gave the NMI of Main supply: KW00000001 stands for it. Export it with "
        "--point and --nmi.\n"
    )
    assert (said.code, said.err) == (0, made_up if form == "nem12" else "")
    # The market's April 1st begins at 14:00 UTC, two hours before Shanghai's.
    n = 88 if form == "nem12" else 96
    assert said.out == f"{n} intervals of Main supply are in out, 0 of them missing.\n"
    assert (tmp_path / "out").stat().st_size > 1000


def test_an_export_can_be_imported_and_a_script_reads_json(keywatt, settled) -> None:
    said = keywatt("export", *APRIL, "-o", "out.csv", "--json", **settled)
    assert json.loads(said.out) == {
        "file": "out.csv",
        "points": ["Main supply"],
        "intervals": 96,
        "missing": 0,
        "made_up": {},
    }
    seen = keywatt("import", "out.csv", "--account", "steel", "--json", **settled)
    assert (seen.code, json.loads(seen.out)["new_kwh"]) == (0, 96)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("--format", "xlsx"),
            "--format is one of: csv, parquet, green-button, nem",
        ),
        (("--as-of", "2026-04-01"), "is no moment such as 2026-04-02T08:00+08:00."),
        (("--market-offset", "8"), "--market-offset '8' should be such as +10:00."),
        (("--from", "April"), "--from 'April' is no day such as 2026-03-31."),
        (("--point", "Attic"), "No point 'Attic'; steel has: Main supply."),
        (("--format", "nem12", "--nmi", "1"), "An NMI has 10 letters and digits"),
    ],
)
def test_a_wrong_wish_is_one_sentence(keywatt, settled, arguments, told) -> None:
    said = keywatt("export", *APRIL, "-o", "out", *arguments, **settled)
    assert said.code == 2
    assert told in said.err
    assert len(said.err.splitlines()) == 1
