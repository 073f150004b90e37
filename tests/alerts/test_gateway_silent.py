from datetime import UTC, datetime, timedelta

import pytest

from alerts.gateway_silent import BusVerdict, OnBus, judge_bus

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SPEAKS, SUSPECTED, SILENT = BusVerdict


def quiet_for(minutes: float, *, every_min: float = 1.0) -> OnBus:
    """A meter due every minute is overdue after two, and silent after fifteen."""
    overdue = timedelta(minutes=2 * every_min)
    return OnBus(
        since=NOON - timedelta(minutes=minutes),
        overdue=overdue,
        is_silent=timedelta(minutes=minutes) >= max(overdue, timedelta(minutes=15)),
    )


@pytest.mark.parametrize(
    ("meters", "verdict"),
    [
        pytest.param([], SPEAKS, id="nobody there"),
        pytest.param([quiet_for(60)], SPEAKS, id="a single meter is its own cause"),
        pytest.param([quiet_for(60), quiet_for(1)], SPEAKS, id="one speaks"),
        pytest.param([quiet_for(15), quiet_for(16)], SILENT, id="together"),
        pytest.param(
            [quiet_for(14.5), quiet_for(15)], SUSPECTED,
            id="the last of them is overdue, but not silent yet",
        ),
        pytest.param(
            [quiet_for(15), quiet_for(16, every_min=60)], SPEAKS,
            id="one is due once an hour: nobody knows yet",
        ),
        pytest.param(
            [quiet_for(120), quiet_for(121, every_min=60)], SILENT,
            id="it is overdue, too",
        ),
        pytest.param(
            [quiet_for(900), quiet_for(15)], SPEAKS,
            id="one was dead for long: the other falls silent by itself",
        ),
        pytest.param(
            [quiet_for(900), quiet_for(15), quiet_for(15)], SILENT,
            id="one was dead for long, two fall silent together",
        ),
    ],
)  # fmt: skip
def test_meters_that_fall_silent_together_have_one_cause(meters, verdict) -> None:
    assert judge_bus(meters, NOON) is verdict
