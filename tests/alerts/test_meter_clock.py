from datetime import UTC, datetime, timedelta

import pytest

from alerts.meter_clock import ClockVerdict, judge_clock, off_since
from storage.clocks import ClockHour

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
STAY, OPEN, CLOSE = ClockVerdict.STAY, ClockVerdict.OPEN, ClockVerdict.CLOSE


@pytest.mark.parametrize(
    ("drift_s", "is_open", "verdict"),
    [
        (0.0, False, STAY),
        (180.0, False, STAY),
        (180.1, False, OPEN),
        (-180.1, False, OPEN),
        (-7200.0, False, OPEN),
        (-7200.0, True, STAY),
        (179.0, True, STAY),
        (90.0, True, STAY),
        (89.9, True, CLOSE),
        (-89.9, True, CLOSE),
        (0.0, True, CLOSE),
    ],
)
def test_a_clock_opens_beyond_the_limit_and_closes_under_half(
    drift_s, is_open, verdict
) -> None:
    assert judge_clock(drift_s, is_open=is_open) is verdict


def test_the_limit_can_be_another() -> None:
    assert judge_clock(61.0, is_open=False, limit_s=60.0) is OPEN
    assert judge_clock(31.0, is_open=True, limit_s=60.0) is STAY
    assert judge_clock(29.0, is_open=True, limit_s=60.0) is CLOSE


def hours(*spans: tuple[float, float]) -> list[ClockHour]:
    """Make hours, the newest first: that of noon, compared last at 12:40."""
    return [
        ClockHour(
            hour=NOON - timedelta(hours=n),
            compared_at=NOON - timedelta(hours=n) + timedelta(minutes=40),
            drift_s=most,
            least_s=least,
            most_s=most,
        )
        for n, (least, most) in enumerate(spans)
    ]


@pytest.mark.parametrize(
    ("spans", "since"),
    [
        pytest.param([(0, 200)], "12:40", id="in this hour"),
        pytest.param([(190, 200)], "12:00", id="since this hour began"),
        pytest.param([(190, 200), (185, 190), (100, 185)], "11:00", id="since 11"),
        pytest.param([(-300, -200), (-200, -181), (0, 0)], "11:00", id="behind"),
        pytest.param([(190, 200), (-300, 300), (190, 200)], "12:00", id="across"),
        pytest.param([(190, 200), (180, 190)], "12:00", id="at the limit it is right"),
    ],
)
def test_since_when_a_clock_is_off_is_told_by_its_hours(spans, since) -> None:
    assert f"{off_since(hours(*spans)):%H:%M}" == since
