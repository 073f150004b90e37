"""`keywatt rules` as a person or a script calls it; the handbook's example."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from analytics.settlement.ruleset import Rules, rule_sets_of

EXAMPLE = Path(__file__).parents[2] / "docs" / "handbook" / "example-rules.toml"
OTHER = """
[[rule_sets]]
code = "mine"
valid_from = 2026-03-01
[rule_sets.rules.spike]
ratio = 2.5
[rule_sets.points."Main supply".spike]
severity = "warn"
"""


@pytest.fixture
def site(keywatt, database, example_site) -> dict[str, str]:
    """The handbook's site in a database; returns the settings that name it."""
    settings = {"database_url": database}
    assert keywatt("site", "apply", example_site, **settings).code == 0
    return settings


@pytest.fixture
def other(tmp_path) -> str:
    (tmp_path / "other.toml").write_text(OTHER, "utf-8")
    return str(tmp_path / "other.toml")


def test_the_example_shows_every_key_with_its_default() -> None:
    text = EXAMPLE.read_text("utf-8")
    (shown,) = rule_sets_of(tomllib.loads(text), EXAMPLE).rule_sets
    assert shown.rules == Rules()
    hinted = re.sub(r"(?m)^#(?=\S)", "", text)
    (whole,) = rule_sets_of(tomllib.loads(hinted), EXAMPLE).rule_sets
    assert whole.points["Main supply"].spike.ratio == 2.5
    every = {(name, key) for name, rule in Rules().model_dump().items() for key in rule}
    told = {
        (name, key)
        for name, rule in whole.rules.model_dump(exclude_unset=True).items()
        for key in rule
    }
    assert told == every
    # All but those that are nothing unless said.
    said = shown.rules.model_dump(exclude_unset=True)
    assert every - {(name, key) for name, rule in said.items() for key in rule} == {
        ("estimation", "agreed_kw")
    }


def test_rules_are_checked_without_a_database(keywatt, other) -> None:
    said = keywatt("rules", "check", str(EXAMPLE))
    assert said.code == 0
    assert said.out == f"{EXAMPLE} can be used: standard from 2026-01-01 on.\n"
    (told,) = json.loads(keywatt("rules", "check", other, "--json").out)["rule_sets"]
    assert (told["code"], told["rules"]) == ("mine", {"spike": {"ratio": 2.5}})


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        pytest.param(
            ("rules.spike]", "rules.spyke]"),
            "rule_sets[mine].rules: spyke is no known key (did you mean spike?).",
            id="unknown rule",
        ),
        pytest.param(
            ("ratio", "ration"),
            "rule_sets[mine].rules.spike: ration is no known key (did you mean ratio?)"
            ".",
            id="unknown key",
        ),
        pytest.param(
            ("rules.spike]", "rules.xyz]"),
            "rule_sets[mine].rules.xyz: is not a known key.",
            id="unlike any",
        ),
        pytest.param(("2.5", "0"), "should be greater than 0.", id="nothing"),
        pytest.param(
            ("[[rule_sets]]", "[rule_sets]"),
            "rule_sets: is a table, should be a list",
            id="form",
        ),
        pytest.param(("= 2.5", "="), "is not TOML: ", id="no TOML"),
    ],
)
@pytest.mark.parametrize("command", ["check", "apply"])
def test_a_mistake_is_one_sentence(keywatt, other, command, mistake, sentence) -> None:
    Path(other).with_name("rules.toml").write_text(OTHER.replace(*mistake, 1), "utf-8")
    # It is refused before a database is asked.
    said = keywatt("rules", command, "rules.toml")
    assert said.code == 2
    assert said.err.startswith("rules.toml: ")
    assert sentence in said.err
    assert said.err.count("\n") == 1


def test_rules_are_entered_and_shown(keywatt, site, other) -> None:
    nothing = keywatt("rules", "show", **site).out
    assert nothing.startswith("No rule set was entered; all defaults hold.")
    said = keywatt("rules", "apply", other, "--by", "anna", **site)
    assert said.err == ""
    assert said.out == (
        f"{other} is in the database: mine from 2026-03-01 on. 0 point-days of 2 points"
        " are settled again, from 2026-03-01 on as far as readings are kept.\n"
    )
    again = keywatt("rules", "apply", other, **site).out
    assert again.endswith("on. The same counted already.\n")
    on_day = ("rules", "show", "--day", "2026-03-02")
    told = json.loads(keywatt(*on_day, "--json", **site).out)
    assert (told["rule_set"], told["entered_by"]) == ("mine", "anna")
    assert told["rules"]["spike"]["severity"] == "fail"
    at_point = json.loads(
        keywatt(*on_day, "--point", "Main supply", "--json", **site).out
    )
    assert at_point["rules"]["spike"] == {
        "severity": "warn",
        "ratio": 2.5,
        "least_share": 0.05,
    }
    before = json.loads(
        keywatt("rules", "show", "--day=2026-02-28", "--json", **site).out
    )
    assert before["rule_set"] == "usual"
    shown = keywatt(*on_day, "--point", "Main supply", **site).out
    assert "mine: 2026-03-02, at Main supply" in shown
    assert re.search(r"spike +│ warn +│ ratio 2\.5, least_share 0\.05", shown)
    assert "by anna." in shown


def test_a_point_that_is_not_there_is_one_sentence(keywatt, site, tmp_path) -> None:
    said = keywatt("rules", "show", "--point", "Hall", **site)
    there = "cold-store/Main supply, steel/Main supply"
    assert (said.code, said.err) == (
        2,
        f"No point is called Hall; there are: {there}.\n",
    )
    (tmp_path / "hall.toml").write_text(OTHER.replace("Main supply", "Hall"), "utf-8")
    said = keywatt("rules", "apply", "hall.toml", **site)
    assert said.code == 2
    assert said.err.startswith("Rule set mine names point Hall, which no account has;")


def test_rules_of_one_account_among_points_of_one_name(keywatt, site, tmp_path) -> None:
    text = OTHER.replace("Main supply", "steel/Main supply")
    (tmp_path / "steel.toml").write_text(text, "utf-8")
    said = keywatt("rules", "apply", "steel.toml", **site)
    assert "0 point-days of 2 points" in said.out  # the set's code is new at both
    show = ("rules", "show", "--day", "2026-03-02", "--json", "--point")
    severities = [
        json.loads(keywatt(*show, name, **site).out)["rules"]["spike"]["severity"]
        for name in ("steel/Main supply", "cold-store/Main supply")
    ]
    assert severities == ["warn", "fail"]
    said = keywatt(*show, "Main supply", **site)
    assert said.code == 2
    assert said.err.startswith("Rules differ among the points called Main supply;")
    assert said.err.endswith("them: cold-store/Main supply, steel/Main supply.\n")
