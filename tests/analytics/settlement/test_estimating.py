"""Every step of the ladder by hand, and in which order they come."""

from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from accounts.calendar import SiteCalendar
from analytics.settlement.conditional import conditional
from analytics.settlement.estimate import (
    Gap,
    by_agreement,
    by_check_meter,
    by_like_days,
    by_line,
    by_previous_year,
    by_three_days,
    by_zero,
)
from analytics.settlement.ladder import Ladder, estimate
from analytics.settlement.method import Method
from analytics.settlement.reference import LoadHistory, kind_of, load_history

BERLIN = SiteCalendar(ZoneInfo("Europe/Berlin"), "DE")
# Tuesday, 9 June 2026.
DAY = date(2026, 6, 9)
NOTHING = load_history(BERLIN, np.zeros(0, np.int64), np.zeros(0), np.zeros(0, bool))


def days(first, kwh_of_days, slots=None) -> LoadHistory:
    """History of days of one energy an interval each."""
    starts = BERLIN.quarter_hours_us(
        first, first + timedelta(days=len(kwh_of_days) - 1)
    )
    kwh = np.repeat(np.array(kwh_of_days, dtype=float), 96)
    if slots is not None:
        kwh *= np.tile(slots, len(kwh_of_days))
    return load_history(BERLIN, starts, kwh, ~np.isnan(kwh))


def gap(first=40, size=4, beside=10.0, day=DAY, **known) -> Gap:
    """Some intervals of a day, with eight on either side."""
    place = np.arange(first - 8, first + size + 8)
    asked = (place >= first) & (place < first + size)
    given = {
        "asked": asked,
        "kwh": np.where(asked, np.nan, beside),
        "end_point": ~asked,
        "local_day": np.full(place.size, np.datetime64(day)),
        "slot": place,
        "kind": np.full(place.size, kind_of(BERLIN, day)),
    }
    return Gap(**(given | known))


def test_check_meter() -> None:
    check = np.full(20, 10.1)
    check[8:12] = [9.0, 11.0, 13.0, 15.0]
    found = by_check_meter(gap(check_kwh=check))
    assert found.kwh.tolist() == [9.0, 11.0, 13.0, 15.0]
    assert found.method is Method.CHECK
    # Beside the gap it counted 161.6 where the main meter counted 160: 1 % off.
    assert found.confidence == pytest.approx(0.99)
    check[9] = np.nan
    assert by_check_meter(gap(check_kwh=check)) is None
    assert by_check_meter(gap()) is None


def test_known_outage() -> None:
    out = np.zeros(20, dtype=bool)
    out[8:12] = True
    assert by_zero(gap(out=out)).kwh.tolist() == [0.0] * 4
    out[9] = False
    assert by_zero(gap(out=out)) is None


def test_line() -> None:
    known = gap()
    kwh = known.kwh.copy()
    kwh[7], kwh[12] = 10.0, 20.0
    # Five steps of 2 from 10 to 20.
    found = by_line(replace(known, kwh=kwh), 120.0)
    assert found.kwh == pytest.approx([12.0, 14.0, 16.0, 18.0])
    assert found.method is Method.LINEAR


@pytest.mark.parametrize(("size", "drawn"), [(8, True), (9, False)])
def test_a_line_reaches_over_two_hours_and_no_further(size, drawn) -> None:
    assert (by_line(gap(size=size), 120.0) is not None) == drawn


def test_an_interval_with_a_power_failure_is_no_end_of_a_line() -> None:
    for end in (7, 12):
        points = gap().end_point.copy()
        points[end] = False
        assert by_line(gap(end_point=points), 120.0) is None


def test_three_like_days() -> None:
    # Rows 0 to 8 are Monday the 1st to Tuesday the 9th. Thursday 4, Wednesday 3 and
    # Tuesday 2 are like it: 12, 9 and 6 kWh, 9 in the mean.
    history = days(date(2026, 6, 1), [1, 6, 9, 12, 1, 1, 1, 1, np.nan])
    found = by_three_days(gap(), history, None)
    assert found.kwh == pytest.approx([9.0] * 4)
    assert found.method is Method.AVERAGE_LIKE_DAY
    # The register knows 50 kWh of the four: 12.5 each.
    scaled = by_three_days(gap(), history, 50.0)
    assert scaled.kwh == pytest.approx([12.5] * 4)
    assert (scaled.method, scaled.figures["factor"]) == (
        Method.SCALED,
        pytest.approx(50 / 36),
    )
    assert by_three_days(gap(), NOTHING, None) is None


def test_conditional_on_one_neighbour() -> None:
    # Covariances 4, 2, 1 at 0, 1 and 2 intervals. The neighbour is 3 above what was
    # expected: 3 x 2/4 = 1.5 above one interval further, 3 x 1/4 = 0.75 two further.
    expected, around = np.array([10.0, 20.0, 30.0]), np.array([13.0, np.nan, np.nan])
    asked = np.array([False, True, True])
    found = conditional(expected, around, asked, np.array([4.0, 2.0, 1.0]))
    assert found.kwh == pytest.approx([21.5, 30.75], abs=1e-6)
    # What is left of the variance: 4 - 2 x 2/4 = 3 and 4 - 1 x 1/4 = 3.75.
    assert found.sigma_kwh**2 == pytest.approx([3.0, 3.75], abs=1e-6)


def test_conditional_on_the_sum() -> None:
    # Two intervals, covariances 4 and 2; their sum is 12 above the expected. Each has
    # covariance 6 with the sum, whose variance is 12: 12 x 6/12 = 6 each.
    expected, around = np.array([20.0, 30.0]), np.array([np.nan, np.nan])
    asked = np.array([True, True])
    found = conditional(expected, around, asked, np.array([4.0, 2.0]), 62.0)
    assert found.kwh == pytest.approx([26.0, 36.0], abs=1e-6)
    # With the sum known, each is sure up to 4 - 6 x 6/12 = 1.
    assert found.sigma_kwh**2 == pytest.approx([1.0, 1.0], abs=1e-6)


def test_like_days_fit_the_sum_and_lean_on_what_lies_beside() -> None:
    rng = np.random.default_rng(4)
    shape = 10 + 5 * np.sin(np.arange(96) / 96 * 2 * np.pi)
    history = days(date(2026, 5, 4), rng.uniform(0.8, 1.2, 36), shape)
    known = gap(beside=shape[32:52] * 1.3, size=4)
    kwh = np.where(known.asked, np.nan, shape[32:52] * 1.3)
    alone = by_like_days(replace(known, kwh=kwh), history, None)
    # A day 30 % above its like days goes on so: nearer to that than to them.
    assert alone.kwh == pytest.approx(shape[40:44] * 1.3, rel=0.05)
    assert alone.method is Method.AVERAGE_LIKE_DAY
    summed = by_like_days(replace(known, kwh=kwh), history, 40.0)
    assert summed.kwh.sum() == pytest.approx(40.0, rel=1e-6)
    assert summed.method is Method.SCALED
    assert 0.9 < summed.confidence <= 1.0


def test_an_estimate_is_never_negative_and_keeps_its_sum() -> None:
    rng = np.random.default_rng(4)
    shape = np.where(np.arange(96) < 41, 0.0, 10.0)
    history = days(date(2026, 5, 4), rng.uniform(0.5, 1.5, 36), shape)
    known = gap(beside=0.0)
    found = by_like_days(known, history, 3.0)
    assert (found.kwh >= 0).all()
    assert found.kwh.sum() == pytest.approx(3.0, rel=1e-6)


def test_previous_year() -> None:
    # 364 days before Tuesday, 9 June 2026 is Tuesday, 10 June 2025.
    before = days(date(2025, 6, 9), [1, 8, 10, 12, 1, 1, 1])
    now = BERLIN.quarter_hours_us(DAY, DAY)
    starts = np.concatenate(
        [BERLIN.quarter_hours_us(date(2025, 6, 9), date(2025, 6, 15)), now]
    )
    kwh = np.concatenate([before.kwh.ravel(), np.full(96, np.nan)])
    history = load_history(BERLIN, starts, kwh, ~np.isnan(kwh))
    found = by_previous_year(gap(), history)
    # That Tuesday (8), and Wednesday and Thursday after it (10, 12): 10.
    assert found.kwh == pytest.approx([10.0] * 4)
    assert found.method is Method.PREVIOUS_YEAR
    assert by_previous_year(gap(), days(date(2026, 5, 1), [1] * 30)) is None


def test_what_was_agreed() -> None:
    assert by_agreement(gap(), 80.0).kwh.tolist() == [20.0] * 4
    assert by_agreement(gap(), None) is None


MONTH = days(date(2026, 5, 4), [8.0, 9.0, 10.0, 11.0, 12.0, 3.0, 2.0] * 5)
CHECK = np.full(20, 10.0)


@pytest.mark.parametrize(
    ("known", "history", "ladder", "method"),
    [
        (gap(check_kwh=CHECK), MONTH, Ladder(), Method.CHECK),
        (gap(out=np.ones(20, bool)), MONTH, Ladder(), Method.ZERO),
        (gap(), MONTH, Ladder(), Method.AVERAGE_LIKE_DAY),
        (gap(), MONTH, Ladder(line_first=True), Method.LINEAR),
        (gap(), NOTHING, Ladder(), Method.LINEAR),
        (gap(size=9), MONTH, Ladder(line_first=True), Method.AVERAGE_LIKE_DAY),
        (gap(size=9), NOTHING, Ladder(agreed_kw=80.0), Method.AGREED),
    ],
    ids=lambda value: value.name if isinstance(value, Method) else "",
)
def test_the_order_without_a_register(known, history, ladder, method) -> None:
    found = estimate(known, history, ladder)
    assert found.method is method
    assert 0 < found.confidence <= 1


def test_nothing_to_estimate_from() -> None:
    assert estimate(gap(size=9), NOTHING, Ladder()) is None


def test_like_days_too_far_away_leave_it_to_the_year_before() -> None:
    old = days(date(2025, 6, 9), [8.0] * 7)
    starts = BERLIN.quarter_hours_us(date(2025, 6, 9), date(2025, 6, 15))
    all_starts = np.concatenate([starts, BERLIN.quarter_hours_us(DAY, DAY)])
    kwh = np.concatenate([old.kwh.ravel(), np.full(96, np.nan)])
    history = load_history(BERLIN, all_starts, kwh, ~np.isnan(kwh))
    found = estimate(gap(size=9), history, Ladder())
    assert found.method is Method.PREVIOUS_YEAR


def test_the_order_with_a_register() -> None:
    check = np.full(20, 10.0)
    check[8:12] = [1.0, 2.0, 3.0, 4.0]
    scaled = estimate(gap(check_kwh=check), MONTH, Ladder(), 20.0)
    assert scaled.kwh == pytest.approx([2.0, 4.0, 6.0, 8.0])
    assert scaled.method is Method.CHECK
    like = estimate(gap(), MONTH, Ladder(), 20.0)
    assert like.method is Method.SCALED
    assert like.kwh.sum() == pytest.approx(20.0)
    even = estimate(gap(), NOTHING, Ladder(), 20.0)
    assert even.kwh.tolist() == [5.0] * 4
    nothing = estimate(gap(), MONTH, Ladder(), 0.0)
    assert (nothing.kwh.tolist(), nothing.confidence) == ([0.0] * 4, 1.0)


def test_a_gap_over_a_clock_change_takes_each_slot_of_its_own_day() -> None:
    # Berlin, 29 March 2026: 02:00 to 03:00 is not there. Like Sundays hold their slot's
    # number as energy.
    day = date(2026, 3, 29)
    starts = BERLIN.quarter_hours_us(day - timedelta(days=28), day)
    local, slot = BERLIN.days_and_slots(starts)
    kwh = np.where(local == np.datetime64(day), np.nan, slot.astype(float))
    history = load_history(BERLIN, starts, kwh, ~np.isnan(kwh))
    asked = local == np.datetime64(day)
    kinds = {d: kind_of(BERLIN, d.astype(object)) for d in np.unique(local)}
    found = by_three_days(
        Gap(
            asked=asked,
            kwh=kwh,
            end_point=~asked,
            local_day=local,
            slot=slot,
            kind=np.array([kinds[d] for d in local]),
        ),
        history,
        None,
    )
    assert found.kwh.tolist() == [*range(8), *range(12, 96)]
