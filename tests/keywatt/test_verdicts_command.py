"""What a person and a script see of broken rules on the command line."""

import json

import pytest

from tests.dashboard.lacking import mill

__all__ = ["mill"]
PERIOD = ("--from", "2026-03-03", "--to", "2026-03-03")


@pytest.fixture
def call(keywatt, mill):
    return lambda *given: keywatt("verdicts", *given, database_url=mill.url)


def test_a_gap_is_a_line_with_its_time_and_figures(call) -> None:
    said = call(*PERIOD)
    assert (said.code, said.err) == (0, "")
    (line,) = [one for one in said.out.splitlines() if " gap " in one]
    # Boundaries 3 and 4 were not read: the intervals from 2 on, of a quarter-hour each.
    assert " ".join(line.split()) == (
        "2026-03-03 mill Main supply gap fail 00:30 to 01:15 intervals 3"
    )
    assert said.out.endswith(
        "Point-days judged from 2026-03-03 to 2026-03-03: 1, of which 1 failed.\n"
    )


def test_a_script_gets_the_same(call) -> None:
    found = json.loads(call("--account", "mill", *PERIOD, "--json").out)
    assert (found["judged"], found["failed"]) == (1, 1)
    (gap,) = [one for one in found["verdicts"] if one["rule"] == "gap"]
    assert gap["figures"] == {"intervals": 3}


def test_where_nothing_broke_it_says_how_much_was_judged(call) -> None:
    assert call(*PERIOD, "--rule", "main-check").out == (
        "Nothing of the kind was found. Point-days judged from 2026-03-03 to "
        "2026-03-03: 1.\n"
    )
    before = call("--from", "2026-02-01", "--to", "2026-02-28").out
    assert before == "The rules have judged no day from 2026-02-01 to 2026-02-28.\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--rule", "heat"), "There is no rule heat; there are: gap, "),
        (("--point", "Hall"), "Say with --account whose point it is."),
        (("--account", "mill", "--point", "Hall"), "has no point called Hall"),
        (("--account", "mil"), "No account is called mil"),
        (("--from", "2026-03-09", "--to", "2026-03-03"), "The period ends on"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(call, given, said) -> None:
    answer = call(*given)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert said in answer.err
