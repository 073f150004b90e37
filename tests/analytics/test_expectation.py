from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from accounts.calendar import SiteCalendar
from analytics.expectation import (
    LOOK_BACK_DAYS,
    Days,
    Expectation,
    Span,
    days_of,
    expect,
    layout,
)
from analytics.finding import Finding
from meters.reading import utc_us

CAMPUS = SiteCalendar(ZoneInfo("America/Los_Angeles"), "US")


def workdays(count: int, *, alarmed: range = range(0)) -> Days:
    """Workdays alone, day n with a level of 100 + n kW."""
    none = np.zeros(count, dtype=bool)
    alarms = none.copy()
    alarms[list(alarmed)] = True
    return Days(
        grid_kw=np.repeat(100.0 + np.arange(count)[:, None], 96, axis=1),
        day_type=np.full(count, "workday"),
        planned=none,
        alarmed=alarms,
    )


def made_of(days: Days, day: int) -> list[int]:
    expected = expect(days, day)
    assert isinstance(expected, Expectation)
    return expected.made_of.tolist()


def test_the_newest_ten_usual_days_make_the_band() -> None:
    days = workdays(30, alarmed=range(20, 23))
    days.planned[25] = True
    days.grid_kw[27, :25] = np.nan  # 71 of 96 slots
    expected = [15, 16, 17, 18, 19, 23, 24, 26, 28]
    assert made_of(days, 29) == [14, *expected]


def test_nothing_of_the_day_itself_or_later_or_long_ago_changes_its_band() -> None:
    days, day = workdays(130), 110
    other = workdays(130, alarmed=range(day, 130))
    other.grid_kw[day:] = 9000.0
    other.grid_kw[: day - LOOK_BACK_DAYS] = 9000.0
    other.alarmed[: day - LOOK_BACK_DAYS] = True
    one, two = expect(days, day), expect(other, day)
    assert isinstance(one, Expectation)
    assert isinstance(two, Expectation)
    assert one.made_of.tolist() == two.made_of.tolist()
    assert one.band.high_kw.tolist() == two.band.high_kw.tolist()


@pytest.mark.parametrize("before", [0, 7])
def test_it_is_the_same_however_many_days_were_loaded_before(before) -> None:
    days = workdays(120, alarmed=range(100, 104))
    fewer = Days(
        grid_kw=days.grid_kw[before:],
        day_type=days.day_type[before:],
        planned=days.planned[before:],
        alarmed=days.alarmed[before:],
    )
    later = [day + before for day in made_of(fewer, 119 - before)]
    assert later == made_of(days, 119)


@pytest.mark.parametrize(
    ("alarmed", "expected"),
    [
        pytest.param(range(20, 24), [*range(14, 20), *range(24, 28)], id="four"),
        pytest.param(range(20, 25), range(20, 28), id="five, and all since then"),
        pytest.param(range(20, 27), range(22, 28), id="the newest five of seven"),
    ],
)
def test_five_days_in_a_row_with_alerts_are_a_new_level(alarmed, expected) -> None:
    assert made_of(workdays(29, alarmed=alarmed), 28) == list(expected)


def test_days_of_another_type_do_not_break_the_row() -> None:
    days = workdays(31, alarmed=range(20, 26))
    rest = np.array(days.day_type)
    rest[22] = "holiday"
    days.alarmed[22] = False
    found = made_of(replace(days, day_type=rest), 30)
    assert found == [20, 21, 23, 24, 25, 26, 27, 28, 29]


def test_few_days_make_it_twice_as_wide_and_too_few_make_none() -> None:
    # 5 days of 100 to 104: median 102, MAD 1, 0.04 * 102 = 4.08 kW is the scale.
    few = expect(workdays(6), 5)
    assert isinstance(few, Expectation)
    assert few.band.high_kw == pytest.approx(np.full(96, 102 + 12 * 4.08))
    # On the edge of the band z is the hysteresis's 6.
    assert few.z(few.band.high_kw[:1], np.array([0])) == pytest.approx([6.0])
    assert expect(workdays(5), 4) == Finding(
        code="too-few-like-days", figures={"days": 4, "least_days": 5}
    )


@pytest.mark.parametrize(
    ("day", "quarter_hours", "known"),
    [
        pytest.param(date(2026, 3, 8), 92, 92, id="spring leaves four slots out"),
        pytest.param(date(2026, 11, 1), 100, 96, id="autumn shows four twice"),
    ],
)
def test_a_day_of_a_clock_change_is_laid_out_whole(day, quarter_hours, known) -> None:
    on = layout(CAMPUS, day - timedelta(days=1), day + timedelta(days=1))
    assert on.quarter_hours(1) == slice(96, 96 + quarter_hours)
    assert np.diff(on.edges_us).tolist() == [
        count * 900_000_000 for count in (96, quarter_hours, 96)
    ]
    load_kw = np.arange(on.start_us.size, dtype=float)
    days = days_of(on, load_kw, planned=[], alarms=[])
    assert (~np.isnan(days.grid_kw[1])).sum() == known
    if quarter_hours == 100:  # 01:00 comes as the 4th and as the 8th quarter-hour
        assert days.grid_kw[1, 4] == 96 + (4 + 8) / 2


def test_a_span_touches_the_days_it_lies_in() -> None:
    on = layout(CAMPUS, date(2026, 7, 1), date(2026, 7, 4))
    midnight = datetime(2026, 7, 2, 7, tzinfo=UTC)  # of 2 July in Los Angeles
    until_midnight = Span.of(midnight - timedelta(hours=1), midnight)
    assert on.touched([until_midnight]).tolist() == [True, False, False, False]
    over_it = Span.of(midnight - timedelta(hours=1), midnight + timedelta(minutes=1))
    assert on.touched([over_it]).tolist() == [True, True, False, False]
    going_on = Span.of(midnight + timedelta(days=1), None)
    assert on.touched([going_on]).tolist() == [False, False, True, True]
    assert on.touched([]).any() == np.False_


def test_values_are_put_where_they_belong() -> None:
    on = layout(CAMPUS, date(2026, 7, 1), date(2026, 7, 1))
    start_us = utc_us(datetime(2026, 7, 1, 7, tzinfo=UTC)) + 900_000_000 * np.array(
        [-1, 3, 95, 96]
    )
    placed = on.place(start_us, np.array([1.0, 2.0, 3.0, 4.0]))
    assert np.flatnonzero(~np.isnan(placed)).tolist() == [3, 95]
    assert placed[[3, 95]].tolist() == [2.0, 3.0]
