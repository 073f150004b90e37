import string
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from reports.texts import LANGUAGES, text, texts
from reports.wording import WordingError, say


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_every_language_has_the_same_sentences() -> None:
    assert len(LANGUAGES) == 2
    assert set(texts("en")) == set(texts("zh"))


@pytest.mark.parametrize("code", sorted(texts("en")))
def test_a_translated_sentence_has_the_same_placeholders(code) -> None:
    assert placeholders(text(code, "en")) == placeholders(text(code, "zh"))


FIGURES = {
    "load_kw": 612.56,
    "low_kw": 180.0,
    "high_kw": 260.0,
    "since_at": "2026-03-02T06:15:00+00:00",
}


def test_a_stored_alert_is_told_in_the_accounts_zone() -> None:
    # 06:15 UTC is 15:15 in Seoul (+9); 2026-03-02 is a Monday.
    told = say("load-above-expected", "en", zone=ZoneInfo("Asia/Seoul"), **FIGURES)
    assert told == (
        "Load 612.6 kW is above the expected 180 kW to 260 kW since Mon 2 Mar 15:15."
    )
    told = say("load-above-expected", "zh", zone=ZoneInfo("Asia/Seoul"), **FIGURES)
    assert told.startswith("自 3月2日 15:15 起")


def test_money_bears_its_currency() -> None:
    told = say("tou-charge", currency="CNY", charge_money=Decimal("1234.5"))
    assert told == "CNY 1,234.50"


@pytest.mark.parametrize(
    ("code", "language", "figures", "named"),
    [
        pytest.param("no-such", "en", {}, "no-such", id="unknown sentence"),
        pytest.param("updated", "xx", {}, "xx", id="unknown language"),
        pytest.param("updated", "en", {}, "'at'", id="figure not given"),
    ],
)
def test_what_cannot_be_said_is_named(code, language, figures, named) -> None:
    with pytest.raises(WordingError, match=named):
        say(code, language, **figures)


def test_figures_a_sentence_does_not_use_are_ignored() -> None:
    at = datetime(2026, 3, 2, 6, 15, tzinfo=UTC)
    assert say("alert-opened", at=at, spare=1).startswith("Opened ")
