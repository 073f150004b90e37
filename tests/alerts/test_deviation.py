from datetime import date, timedelta

import numpy as np
import pytest

from accounts.calendar import DayType
from alerts.deviation import HIGH, LOW, Change, Replay
from analytics.expectation import Span, layout
from meters.reading import utc_us
from tests.plant import CALENDAR, FIRST_DAY, at, usual_kw

WORKDAYS = [
    day
    for day in (FIRST_DAY + timedelta(days=n) for n in range(60))
    if CALENDAR.day_type(day) is DayType.WORKDAY
]


def bent_load(today: date, bent_kw: dict[date, float]) -> np.ndarray:
    """Usual load until the end of today, but for 08:00 to 18:00 on some days."""
    start, stop = at(FIRST_DAY, 0), at(today + timedelta(days=1), 0)
    kw = usual_kw(start, stop)
    for day, other_kw in bent_kw.items():
        first = (utc_us(at(day, 8)) - utc_us(start)) // 900_000_000
        kw[first : first + 40] = other_kw
    return kw


def working_hours(day: date) -> Span:
    return Span.of(at(day, 8), at(day, 18))


def judged(
    today: date,
    bent_kw: dict[date, float],
    *,
    alerts: list[date] | None = None,
    planned: list[date] | None = None,
    since: date | None = None,
) -> list[Change]:
    """What changes today, or since another day."""
    on = layout(CALENDAR, FIRST_DAY, today)
    replay = Replay(
        on,
        bent_load(today, bent_kw),
        windows=[working_hours(day) for day in planned or []],
        alerts=[working_hours(day) for day in alerts or []],
    )
    from_us = utc_us(at(since or today, 0))
    return replay.changes(from_us, int(on.edges_us[-1]), None)


def test_days_with_alerts_are_not_learnt() -> None:
    # Eight of the ten workdays before today were low, never five in a row.
    low = [*WORKDAYS[10:14], *WORKDAYS[15:19]]
    opened, closed = judged(
        WORKDAYS[20], dict.fromkeys([*low, WORKDAYS[20]], 100.0), alerts=low
    )
    assert opened.evidence is not None
    assert (opened.evidence.code, opened.evidence.expected_kw) == (LOW, 400.0)
    assert opened.at_us == utc_us(at(WORKDAYS[20], 8, 45))
    # Usual again from 18:00 on: two calm intervals.
    assert (closed.at_us, closed.evidence) == (utc_us(at(WORKDAYS[20], 18, 30)), None)


def test_days_with_a_planned_change_are_not_learnt() -> None:
    low = WORKDAYS[10:20]
    opened, _ = judged(
        WORKDAYS[20], dict.fromkeys([*low, WORKDAYS[20]], 100.0), planned=low
    )
    assert opened.evidence is not None
    assert opened.evidence.expected_kw == 400.0


def test_after_five_days_with_alerts_history_begins_with_them() -> None:
    high, today = WORKDAYS[10:15], WORKDAYS[15]
    bent = dict.fromkeys(high, 800.0)
    # A sixth day as high as the five before it is as expected ...
    assert judged(today, {**bent, today: 800.0}, alerts=high) == []
    # ... and the old level is a deviation now: 400 kW, 12.5 scales of 32 kW, of which
    # five like days allow 12.
    opened, *_ = judged(today, bent, alerts=high)
    assert opened.evidence is not None
    assert (opened.evidence.code, opened.evidence.expected_kw) == (LOW, 800.0)
    assert opened.evidence.like_days == 5


@pytest.mark.parametrize(
    ("like_days", "kw", "opens"),
    [
        # Scale 0.04 * 400 = 16 kW: 528 kW is 8 of them away, 608 kW is 13.
        pytest.param(10, 528.0, True, id="ten days, beyond six"),
        pytest.param(9, 528.0, False, id="nine days, within twice six"),
        pytest.param(9, 608.0, True, id="nine days, beyond twice six"),
        pytest.param(4, 608.0, False, id="four days are too few"),
    ],
)
def test_with_fewer_than_ten_like_days_the_band_is_twice_as_wide(
    like_days, kw, opens
) -> None:
    today = WORKDAYS[like_days]
    changes = judged(today, {today: kw})
    assert bool(changes) is opens
    if opens:
        assert changes[0].evidence is not None
        assert changes[0].evidence.code == HIGH
        assert changes[0].evidence.like_days == like_days


def test_an_incomplete_day_is_not_learnt() -> None:
    today = WORKDAYS[20]
    holes = dict.fromkeys(WORKDAYS[:20], np.nan)  # 40 of 96 slots missing
    assert judged(today, {**holes, today: 100.0}) == []
