"""What a person and a script see of completeness on the command line."""

import csv
import io
import json
from datetime import timedelta

import numpy as np
import pytest

from storage.database import connect
from tests.fix_seeded_accounts import NOW, add_account, add_load

PERIOD = ("--from", "2026-03-11", "--to", "2026-03-11")
DAY = NOW - timedelta(hours=38, minutes=10)
"""Midnight in Seoul, when the 11th began."""


@pytest.fixture
def url(database: str) -> str:
    """Of 96 quarter-hours of the 11th 4 are missing and 2 estimated."""
    load_kw = np.full(96, 100.0)
    load_kw[40:44] = np.nan
    estimated = np.zeros(96, dtype=bool)
    estimated[60:62] = True
    with connect(database) as conn:
        steel = add_account(conn, "steel")
        add_load(conn, steel.point_id, DAY, load_kw, estimated=estimated)
        add_account(conn, "office")
        conn.commit()
    return database


def test_a_person_sees_shares_calendar_and_worst_days(keywatt, url) -> None:
    said = keywatt("completeness", "steel", *PERIOD, database_url=url)
    assert (said.code, said.err) == (0, "")
    # 90 of 96 are 93.75 %, 4 are 4.17 %.
    assert "93.75 %" in said.out
    assert "4.17 %" in said.out
    assert "meter silent 4" in said.out
    # The mark stands under the eleventh.
    (line,) = [one for one in said.out.splitlines() if one.startswith("2026-03 ")]
    assert line.rstrip() == f"2026-03 {' ' * 10}x"


def test_what_waits_to_be_settled_is_not_drawn_as_missing(keywatt, url) -> None:
    period = ("--from", "2026-03-11", "--to", "2026-03-12")
    said = keywatt("completeness", "steel", *period, database_url=url)
    # The twelfth is 56 quarter-hours old at 14:10, and none is settled.
    (line,) = [one for one in said.out.splitlines() if one.startswith("2026-03 ")]
    assert line.rstrip() == f"2026-03 {' ' * 10}x~"
    assert "~ some still to be settled" in said.out
    # As on the page, what most waits for comes first.
    (total,) = [one for one in said.out.splitlines() if "meter silent 4" in one][:1]
    assert total.index("waiting to be settled") < total.index("meter silent 4")


def test_all_accounts_together(keywatt, url) -> None:
    said = keywatt("completeness", *PERIOD, database_url=url)
    assert said.code == 0
    assert said.out.index("steel") < said.out.index("office")
    shown = json.loads(keywatt("completeness", *PERIOD, "--json", database_url=url).out)
    steel, office = shown["accounts"]
    assert (steel["missing"], steel["estimated"], steel["measured"]) == (4, 2, 90)
    assert (office["not_settled"], office["expected"]) == (96, 96)


def test_a_script_gets_lines_that_close(keywatt, url, tmp_path) -> None:
    said = keywatt("completeness", "steel", *PERIOD, "--csv", "-", database_url=url)
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert [(row["category"], row["cause"], row["intervals"]) for row in rows] == [
        ("measured", "", "90"),
        ("estimated", "meter-silent", "2"),
        ("missing", "meter-silent", "4"),
    ]
    keywatt("completeness", "steel", *PERIOD, "--csv", "out.csv", database_url=url)
    assert (tmp_path / "out.csv").read_text() == said.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nobody",), "No account is called nobody; there are: office, steel."),
        (("steel", "--from", "2026-03-02", "--to", "2026-03-01"), "before it begins"),
        (("--from", "2020-03-02", "--to", "2026-03-01"), "longer than two years"),
        (("--json", "--csv", "-"), "not for both"),
        (
            ("steel", "--from", "2026-13-01"),
            "'2026-13-01' is no day; write it like 2026-03-02.\n",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(keywatt, url, arguments, told) -> None:
    said = keywatt("completeness", *arguments, database_url=url)
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert "Traceback" not in said.err
