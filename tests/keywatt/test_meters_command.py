"""`keywatt meters` as a person or a script calls it."""

import json

import pytest

from storage.database import connect
from tests.accounts.meter_lists import line, write_list

HALL = {"account": "steel", "point": "Hall", "new_point": "yes"}


@pytest.fixture
def site(keywatt, database, example_site) -> dict[str, str]:
    """The handbook's site in a database; returns the settings that name it."""
    settings = {"database_url": database}
    assert keywatt("site", "apply", example_site, **settings).code == 0
    return settings


def test_good_lines_are_applied_and_a_bad_one_is_told(keywatt, site, tmp_path) -> None:
    good = line(serial="B", unit=7, **HALL)
    bad = line(serial="C", unit=70000, point="Oven", new_point="yes", account="steel")
    path = str(write_list(tmp_path, good, bad))
    said = keywatt("meters", "apply", path, **site)
    assert said.code == 2
    assert said.out == (
        f"1 of 2 lines of {path} are in the database: 1 added, 0 moved, 0 changed,"
        " 0 removed, 0 unchanged, 1 refused.\n"
    )
    assert said.err == (
        f"{path}, line 3, unit: is 70000, should be less than or equal to 255.\n"
    )
    again = json.loads(keywatt("meters", "apply", path, "--json", **site).out)
    assert (again["lines"], again["applied"], again["unchanged"]) == (2, 1, 1)
    assert again["refused"][0]["line"] == 3
    assert again["refused"][0]["column"] == "unit"
    assert again["refused"][0]["told"] == said.err.strip()


def test_what_displays_showed_says_who_entered_it(
    keywatt, site, database, tmp_path
) -> None:
    noted = line(serial="B", unit=7, opening_import_kwh="12.5", **HALL)
    path = str(write_list(tmp_path, noted))
    assert keywatt("meters", "apply", path, "--by", "anna", **site).code == 0
    with connect(database) as conn:
        rows = conn.execute(
            "SELECT opening_counts, entered_by FROM swap_reading JOIN installation"
            " USING (installation_id) JOIN meter USING (meter_id) WHERE serial = 'B'"
        ).fetchall()
    assert rows == [(1250, "anna")]
    keywatt("meters", "export", "out.csv", **site)
    said = json.loads(keywatt("meters", "apply", "out.csv", "--json", **site).out)
    assert (said["lines"], said["unchanged"]) == (3, 3)


def test_what_would_change_is_told_before_it_does(keywatt, site, tmp_path) -> None:
    assert keywatt("meters", "export", "m.csv", **site).out == "2 lines are in m.csv.\n"
    text = (tmp_path / "m.csv").read_text("utf-8")
    (tmp_path / "m.csv").write_text(text.replace("192.0.2.10", "192.0.2.99"), "utf-8")
    look = ("meters", "apply", "m.csv", "--dry-run")
    for _ in range(2):
        said = keywatt(*look, **site)
        assert said.code == 0
        assert said.out.splitlines()[0] == (
            "moved    ST-1001: steel, Main supply at 192.0.2.10:502/1 -> "
            "steel, Main supply at 192.0.2.99:502/1"
        )
        assert "1 moved, 0 changed, 0 removed, 1 unchanged" in said.out
    (change,) = json.loads(keywatt(*look, "--json", **site).out)["changes"]
    assert (change["what"], change["after"]["host"]) == ("moved", "192.0.2.99")
    assert keywatt("meters", "apply", "m.csv", **site).code == 0
    said = json.loads(keywatt(*look, "--json", **site).out)
    assert (said["changes"], said["unchanged"]) == ([], 2)


def test_an_exported_list_applied_again_changes_nothing(
    keywatt, site, tmp_path
) -> None:
    left = line(serial="B", unit=7, removed_at="2026-02-01T00:00:00Z", **HALL)
    assert keywatt("meters", "apply", str(write_list(tmp_path, left)), **site).code == 0
    for options, lines in (((), 2), (("--ended",), 3)):
        said = keywatt("meters", "export", "out.csv", *options, "--json", **site)
        assert json.loads(said.out) == {"file": "out.csv", "lines": lines}
        said = keywatt("meters", "apply", "out.csv", "--json", **site)
        assert json.loads(said.out)["unchanged"] == lines


def test_meters_that_are_no_longer_listed_leave(keywatt, site, tmp_path) -> None:
    listed = str(write_list(tmp_path, line(serial="B", unit=7, **HALL)))
    assert " 0 removed" in keywatt("meters", "apply", listed, **site).out
    said = keywatt("meters", "apply", listed, "--remove-missing", **site)
    # Of the account that is listed; the cold store's meter stays.
    assert " 1 removed" in said.out
    export = keywatt("meters", "export", "out.csv", **site)
    assert export.out.startswith("2 lines")
    bad = write_list(tmp_path, line(serial="N EW", unit=9, **HALL), line(**HALL))
    said = keywatt("meters", "apply", str(bad), "--remove-missing", **site)
    assert "No meter was removed" in said.out


def test_a_list_is_checked_without_a_database(keywatt, tmp_path) -> None:
    path = str(write_list(tmp_path, line(), line(serial="B", point="Hall")))
    said = keywatt("meters", "check", path)
    assert said.code == 2
    assert said.out == f"1 of 2 lines of {path} can be used.\n"
    assert said.err.startswith(f"{path}, line 3, host: meter A (on line 2, account")
    said = json.loads(keywatt("meters", "check", path, "--json").out)
    assert [one["serial"] for one in said["refused"]] == ["B"]
    good = str(write_list(tmp_path, line()))
    assert keywatt("meters", "check", good).code == 0


def test_a_thousand_bad_lines_are_not_a_thousand_sentences(keywatt, tmp_path) -> None:
    bad = [line(serial=f"B-{n}", unit=999) for n in range(1000)]
    said = keywatt("meters", "check", str(write_list(tmp_path, *bad)))
    assert said.err.count("\n") == 21
    assert said.err.endswith("and 980 more lines; --json lists them all.\n")


@pytest.mark.parametrize("command", ["check", "apply"])
def test_a_file_that_is_no_list_is_one_sentence(
    keywatt, site, tmp_path, command
) -> None:
    (tmp_path / "no.csv").write_text("name;age\nanna;7\n", "utf-8")
    for file in ("none.csv", "no.csv"):
        said = keywatt("meters", command, file, **site)
        assert said.code == 2
        assert said.err.startswith(file)
        assert said.err.count("\n") == 1
