from datetime import date

import pytest

from analytics.settlement.ruleset import (
    Rules,
    RuleSetError,
    Severity,
    rule_sets_of,
)


def sets(*entered):
    return rule_sets_of({"rule_sets": list(entered)}, "rules.toml")


def test_rules_are_those_of_methods_unless_said() -> None:
    rules = Rules()
    assert (rules.spike.ratio, rules.sum_check.share) == (1.8, 0.001)
    assert (rules.clock.severity, rules.cap.severity) == (Severity.WARN, Severity.FAIL)
    assert rules.estimation.as_ladder().linear_up_to_min == 120.0


def test_the_set_of_a_day() -> None:
    found = sets(
        {"code": "later", "valid_from": date(2026, 5, 1)},
        {"code": "first", "valid_from": date(2026, 1, 1)},
    )
    assert found.in_force(date(2026, 4, 30)).code == "first"
    assert found.in_force(date(2026, 5, 1)).code == "later"
    with pytest.raises(RuleSetError, match="No rule set is valid on 2025-12-31"):
        found.in_force(date(2025, 12, 31))


def test_a_point_differs_in_what_it_says_and_in_nothing_else() -> None:
    (one,) = sets(
        {
            "code": "standard",
            "valid_from": date(2026, 1, 1),
            "rules": {"spike": {"ratio": 2.5}, "usage": {"low": 0.2}},
            "points": {"Furnace": {"spike": {"severity": "warn"}}},
        }
    ).rule_sets
    furnace, other = one.of_point("Furnace"), one.of_point("Office")
    assert (furnace.spike.severity, furnace.spike.ratio) == (Severity.WARN, 2.5)
    assert furnace.usage.low == 0.2
    assert other.spike.severity is Severity.FAIL


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        pytest.param({"spyke": {}}, "rules: spyke", id="unknown rule"),
        pytest.param({"spike": {"ration": 2.0}}, "rules.spike: ration", id="key"),
        pytest.param({"spike": {"ratio": "2"}}, "rules.spike.ratio", id="a text"),
        pytest.param({"spike": {"ratio": 0}}, "greater than 0", id="nothing"),
        pytest.param({"spike": {"severity": "bad"}}, "severity", id="severity"),
    ],
)
def test_what_is_wrong_is_refused_with_a_sentence(rules, complaint) -> None:
    entered = {"code": "x", "valid_from": date(2026, 1, 1), "rules": rules}
    with pytest.raises(RuleSetError, match=r"rules\.toml: ") as refused:
        sets(entered)
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_rule_of_a_point_is_refused_too() -> None:
    entered = {"code": "x", "valid_from": date(2026, 1, 1), "points": {"A": {"b": {}}}}
    with pytest.raises(RuleSetError, match=r"points\.A\.b"):
        sets(entered)


def test_two_sets_of_one_day_are_refused() -> None:
    one = {"code": "a", "valid_from": date(2026, 1, 1)}
    with pytest.raises(RuleSetError, match="a and b are both valid from 2026-01-01"):
        sets(one, one | {"code": "b"})
