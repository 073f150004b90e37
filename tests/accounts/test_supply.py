from datetime import UTC, date, datetime

import pytest
from pydantic import ValidationError

from accounts.supply import Closure, Outage

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_closure_of_several_days_names_each() -> None:
    week = Closure(day=date(2026, 2, 27), last_day=date(2026, 3, 2), reason="Works")
    assert [day.isoformat() for day in week.days()] == [
        "2026-02-27",
        "2026-02-28",
        "2026-03-01",
        "2026-03-02",
    ]
    (only,) = Closure(day=date(2026, 3, 2), reason="Works").days()
    assert only == date(2026, 3, 2)


@pytest.mark.parametrize(
    ("closure", "said"),
    [
        pytest.param(
            {"last_day": date(2026, 3, 1)}, "must not be earlier", id="backwards"
        ),
        pytest.param(
            {"last_day": date(2027, 3, 3)}, "367 days from 2026-03-02", id="a year"
        ),
        pytest.param({"reason": " "}, "at least 1 character", id="no reason"),
        pytest.param({"day": "2026-03-02"}, "valid date", id="a text"),
    ],
)
def test_what_no_closure_is_is_refused(closure, said) -> None:
    with pytest.raises(ValidationError, match=said):
        Closure.model_validate({"day": date(2026, 3, 2), "reason": "Works"} | closure)


@pytest.mark.parametrize(
    ("outage", "said"),
    [
        pytest.param({"stop": NOON}, "stop must be later than start", id="no time"),
        pytest.param({"kind": "sudden"}, "'planned' or 'reported'", id="kind"),
        pytest.param(
            {"start": datetime(2026, 3, 2)},  # noqa: DTZ001
            "timezone",
            id="no offset",
        ),
    ],
)
def test_what_no_outage_is_is_refused(outage, said) -> None:
    entered = {
        "start": NOON,
        "stop": NOON.replace(hour=13),
        "kind": "planned",
        "reason": "New cable",
    }
    assert Outage.model_validate(entered).kind == "planned"
    with pytest.raises(ValidationError, match=said):
        Outage.model_validate(entered | outage)
