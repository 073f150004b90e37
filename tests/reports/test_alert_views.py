from datetime import UTC, datetime, timedelta

import pytest

from reports.alert_views import AlertEventView, AlertView
from reports.writing import Figure, Reader

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def alert(figures: dict[str, Figure]) -> AlertView:
    return AlertView(
        alert_id=1,
        account_code="steel",
        point_name="Main supply",
        kind="deviation",
        state="open",
        opened_at=NOON,
        resolved_at=None,
        code="load-below-expected",
        figures=figures,
        events=(),
    )


def test_an_alert_tells_of_what_began_before_it_opened() -> None:
    assert alert({"since_at": "2026-03-02T11:15:00+00:00"}).since_at == (
        NOON - timedelta(minutes=45)
    )
    assert alert({}).since_at == NOON


@pytest.mark.parametrize(
    ("why", "language", "told"),
    [
        pytest.param(
            "inside-band", "en", "well inside the expected band again", id="English"
        ),
        pytest.param("inside-band", "zh", "已回到预期区间之内", id="Chinese"),
        pytest.param("I call them", "zh", "I call them", id="a person's words"),
        pytest.param("", "en", "", id="nothing"),
    ],
)
def test_why_is_told_in_the_readers_language(why, language, told) -> None:
    step = AlertEventView(at=NOON, action="resolved", who="keywatt", why=why)
    assert step.reason(Reader(language=language)) == told
