import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from keywatt.__main__ import app

COMMANDS = [
    ["bill", "differences"],
    ["bill", "list"],
    ["bill", "pin"],
    ["bill", "show"],
    ["bill", "withdraw"],
    ["check-fleet"],
    ["closure", "add"],
    ["closure", "list"],
    ["closure", "remove"],
    ["collect"],
    ["completeness"],
    ["dashboard"],
    ["database", "backup"],
    ["database", "copy"],
    ["database", "recover"],
    ["database", "restore"],
    ["demo"],
    ["doctor"],
    ["edit", "file"],
    ["edit", "list"],
    ["edit", "set"],
    ["edit", "undo"],
    ["export"],
    ["import"],
    ["import", "list"],
    ["import", "undo"],
    ["meters", "apply"],
    ["meters", "check"],
    ["meters", "export"],
    ["migrate"],
    ["outage", "add"],
    ["outage", "list"],
    ["outage", "remove"],
    ["probe"],
    ["profile", "check"],
    ["profile", "list"],
    ["profile", "show"],
    ["replay"],
    ["rules", "apply"],
    ["rules", "check"],
    ["rules", "show"],
    ["settings"],
    ["simulate"],
    ["simulate-fleet"],
    ["site", "apply"],
    ["site", "check"],
    ["status"],
    ["trace"],
    ["verdicts"],
    ["work"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_of_each_command_teaches_by_example(command) -> None:
    said = CliRunner().invoke(app, [*command, "--help"])
    assert said.exit_code == 0
    assert f"keywatt {' '.join(command)}" in said.stdout.partition("Examples")[2]


def test_the_list_above_is_whole() -> None:
    said = CliRunner().invoke(app, ["--help"])
    shown = said.stdout.partition("Commands")[2]
    assert [c for c, *_ in COMMANDS if f" {c} " not in shown] == []
    # A line that goes on from the one above begins with blanks.
    listed = re.findall(r"^│ (\S+)", shown, re.MULTILINE)
    assert sorted({c for c, *_ in COMMANDS}) == sorted(listed)


def test_settings_hide_secrets(keywatt) -> None:
    said = keywatt("settings", "--json", database_url="postgresql://u:tulip@h/d")
    assert said.code == 0
    assert json.loads(said.out)["database_url"] == "**********"
    assert "tulip" not in keywatt("settings", broker_password="tulip").out


def test_a_site_file_is_checked_without_a_database(keywatt, example_site) -> None:
    said = keywatt("site", "check", example_site, "--json")
    assert said.code == 0
    assert json.loads(said.out)["accounts"] == 2


def test_a_swap_without_readings_is_warned_of(keywatt, tmp_path, example_site) -> None:
    text = Path(example_site).read_text("utf-8")
    one, _, rest = text.partition("[[accounts.points.meters]]")
    meter, _, rest = rest.partition("\n# register_digits")
    old = f"[[accounts.points.meters]]{meter}\nremoved_at = 2026-06-01T00:00:00Z\n"
    new = old.replace("ST-1001", "ST-1002").replace("removed_at = ", "#")
    new = new.replace("2026-01-01T00:00:00+08:00", "2026-06-01T00:00:00Z")
    site = tmp_path / "site.toml"
    site.write_text(one + old + new + "# register_digits" + rest, "utf-8")
    said = keywatt("site", "check", str(site))
    assert said.code == 0
    assert said.err.startswith("Warning: At point Main supply of account steel, meter")
    (warning,) = json.loads(keywatt("site", "check", str(site), "--json").out)[
        "warnings"
    ]
    assert warning["code"] == "swap-without-note"


def test_migrate_and_site_apply_say_what_they_did(
    keywatt, empty_database, example_site
) -> None:
    first = keywatt("migrate", "--json", database_url=empty_database)
    assert "0001_master_data.sql" in json.loads(first.out)["applied"]
    again = keywatt("migrate", database_url=empty_database)
    assert again.out.startswith("Nothing to do")
    entered = keywatt("site", "apply", example_site, database_url=empty_database)
    assert "2 accounts" in entered.out
    assert (first.code, again.code, entered.code) == (0, 0, 0)


def test_profiles_can_be_listed_and_shown(keywatt) -> None:
    names = json.loads(keywatt("profile", "list", "--json").out)
    assert names["keywatt-json"] == "mqtt"
    assert json.loads(keywatt("profile", "show", "keywatt-json").out)["name"]


def test_a_profile_is_checked_and_its_requests_are_printed(keywatt, tmp_path) -> None:
    said = keywatt("profile", "check", "eastron-sdm630", "--answer", "30", "--json")
    found = json.loads(said.out)
    assert said.code == 0
    assert [d["code"] for d in found["warnings"]] == ["coarse-steps"]
    whole = found["rounds"]["whole"]
    assert [(r["address"], r["count"]) for r in whole["requests"]] == [(0, 80)]
    assert whole["seconds"] == 0.03
    shown = keywatt("profile", "check", "keywatt-logger", "--baud", "9600")
    assert "A poll: 2 requests, about 0.20 s at 9600 baud" in shown.out
    assert "Nothing seems wrong with it." in shown.out
    assert keywatt("profile", "check", "eastron-sdm630", "--strict").code == 1
    assert keywatt("profile", "check", "keywatt-json", "--strict").code == 0
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('name = "wrong"\nlayout = "sunspec"\n')
    refused = keywatt("profile", "check", str(wrong))
    assert refused.code == 2
    assert refused.err.count("\n") == 1


NOWHERE = "postgresql://keywatt@127.0.0.1:1/keywatt"


@pytest.mark.parametrize(
    ("arguments", "settings", "code", "said"),
    [
        pytest.param(["weave"], {}, 2, "weave", id="unknown command"),
        pytest.param(["migrate", "--fast"], {}, 2, "--fast", id="unknown option"),
        pytest.param(["migrate"], {}, 2, "KEYWATT_DATABASE_URL", id="no database set"),
        pytest.param(
            ["migrate"], {"database_url": NOWHERE}, 1, "127.0.0.1:1", id="no database"
        ),
        pytest.param(
            ["settings"], {"borker": "x"}, 2, "KEYWATT_BORKER", id="unknown setting"
        ),
        pytest.param(
            ["--config", "none.toml", "settings"], {}, 2, "none.toml", id="no config"
        ),
        pytest.param(
            ["site", "check", "none.toml"], {}, 2, "none.toml", id="no site file"
        ),
        pytest.param(
            ["profile", "show", "abacus"], {}, 2, "'abacus'", id="unknown profile"
        ),
        pytest.param(
            ["replay", "none.csv", "--time", "t", "--column", "energy_import_kwh=e"],
            {},
            2,
            "none.csv",
            id="no replay file",
        ),
        pytest.param(["replay", "a.csv"], {}, 2, "time", id="no time column named"),
        pytest.param(
            ["replay", "a.csv", "--column", "x"], {}, 2, "--column", id="no pair"
        ),
        pytest.param(
            ["demo", "--fault", "flood@moon"], {}, 2, "flood@moon", id="no such fault"
        ),
        pytest.param(
            ["demo", "--speed", "0"], {}, 2, "--speed", id="a clock that stands"
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(
    keywatt, arguments, settings, code, said
) -> None:
    answer = keywatt(*arguments, **settings)
    assert answer.code == code
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert "Traceback" not in answer.err
    assert answer.out == ""


def test_a_dashboard_that_cannot_listen_says_where(keywatt, database) -> None:
    answer = keywatt("dashboard", database_url=database, dashboard_host="192.0.2.1")
    assert answer.code == 1
    assert "192.0.2.1:8501" in answer.err.splitlines()[-1]


def test_as_a_program_it_answers_the_same(keywatt_process) -> None:
    answer = keywatt_process("profile", "show", "abacus")
    assert answer.code == 2
    assert answer.err.startswith("There is no profile 'abacus'")
    assert answer.err.count("\n") == 1


def test_without_a_command_it_shows_help_once(keywatt_process) -> None:
    answer = keywatt_process()
    assert answer.out.count("Usage:") == 1
    assert answer.err == ""
