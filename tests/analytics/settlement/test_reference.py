from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from accounts.calendar import SiteCalendar
from analytics.settlement import reference
from analytics.settlement.reference import (
    FRIDAY,
    HOLIDAY,
    MONDAY,
    SATURDAY,
    SUNDAY,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    expected_days,
    kind_of,
    like_days,
    load_history,
    mean_day,
)

SHANGHAI = SiteCalendar(ZoneInfo("Asia/Shanghai"), "CN")
LOS_ANGELES = SiteCalendar(ZoneInfo("America/Los_Angeles"), "US")
BERLIN = SiteCalendar(ZoneInfo("Europe/Berlin"), "DE")
LORD_HOWE = SiteCalendar(ZoneInfo("Australia/Lord_Howe"), "AU")
KOLKATA = SiteCalendar(ZoneInfo("Asia/Kolkata"), "IN")


@pytest.mark.parametrize(
    ("calendar", "day", "kind"),
    [
        pytest.param(BERLIN, date(2026, 6, 8), MONDAY, id="Monday"),
        pytest.param(BERLIN, date(2026, 6, 13), SATURDAY, id="Saturday"),
        pytest.param(BERLIN, date(2026, 6, 14), SUNDAY, id="Sunday"),
        pytest.param(BERLIN, date(2025, 10, 3), HOLIDAY, id="holiday on a Friday"),
        pytest.param(SHANGHAI, date(2025, 1, 26), WEDNESDAY, id="make-up Sunday"),
        pytest.param(SHANGHAI, date(2025, 10, 11), WEDNESDAY, id="make-up Saturday"),
    ],
)
def test_kind(calendar, day, kind) -> None:
    assert kind_of(calendar, day) == kind


def test_a_closure_is_a_holiday_whatever_its_weekday() -> None:
    sunday, monday = date(2026, 6, 14), date(2026, 6, 15)
    closed = SiteCalendar(BERLIN.time_zone, "DE", closures=frozenset({sunday, monday}))
    assert kind_of(closed, sunday) == kind_of(closed, monday) == HOLIDAY


def history(calendar, first, days, kwh_of_day=lambda n: n + 1.0, without=()):
    """Whole days, each of one energy an interval; some with a gap."""
    starts, kwh, firm = [], [], []
    for number in range(days):
        day = first + timedelta(days=number)
        of_day = calendar.quarter_hours_us(day, day)
        starts.append(of_day)
        kwh.append(np.full(of_day.size, kwh_of_day(number)))
        firm.append(np.ones(of_day.size, dtype=bool))
        if number in without:
            firm[-1][40] = False
    return load_history(
        calendar, np.concatenate(starts), np.concatenate(kwh), np.concatenate(firm)
    )


# Monday, 1 June 2026 is row 0; no holiday in Berlin until the 21st row.
JUNE = date(2026, 6, 1)


@pytest.mark.parametrize(
    ("row", "kind", "rows"),
    [
        # Tuesday (8): Wednesday is a day away, Thursday two, the Thursday before five.
        pytest.param(8, TUESDAY, [9, 10, 3], id="Tuesday"),
        # Wednesday (9): Tuesday and Thursday are both one day away, Tuesday first; so
        # are the next Tuesday and the Thursday before, at six days.
        pytest.param(9, WEDNESDAY, [8, 10, 15], id="Wednesday"),
        pytest.param(10, THURSDAY, [9, 8, 15], id="Thursday"),
        pytest.param(7, MONDAY, [0, 14], id="Monday has its own only"),
        pytest.param(11, FRIDAY, [4, 18], id="Friday"),
        pytest.param(12, SATURDAY, [5, 19], id="Saturday"),
        # A holiday on Thursday the 11th (10): Sundays 13 and 6, 20 after.
        pytest.param(10, HOLIDAY, [13, 6, 20], id="a holiday goes by Sundays"),
    ],
)
def test_like_days(row, kind, rows) -> None:
    known = history(BERLIN, JUNE, 21, without={4 + 7 * 9})
    found = like_days(known, row, kind, count=3)
    assert found.tolist() == rows


def test_days_with_a_gap_an_outage_or_an_estimate_never_serve() -> None:
    known = history(BERLIN, JUNE, 21, without={9, 10})
    assert like_days(known, 8, TUESDAY, count=3).tolist() == [3, 2, 1]


def test_for_want_of_like_days_those_worked_like_it_serve() -> None:
    week = history(BERLIN, JUNE, 7)
    # The next Monday (7) has Monday the 1st; without it, Friday (4) is nearest.
    assert like_days(week, 7, MONDAY, count=3).tolist() == [0]
    week = history(BERLIN, JUNE, 7, without={0})
    assert like_days(week, 7, MONDAY, count=2).tolist() == [4, 3]
    weekend = history(BERLIN, JUNE + timedelta(days=5), 2)
    assert like_days(weekend, 2, MONDAY, count=2).tolist() == [1, 0]


def test_mean_of_days() -> None:
    known = history(BERLIN, JUNE, 21)
    # Rows 9, 10 and 3 hold 10, 11 and 4 kWh: 25 / 3.
    assert mean_day(known, np.array([9, 10, 3])) == pytest.approx(np.full(96, 25 / 3))


def test_expected_day_fades_with_distance() -> None:
    known = history(BERLIN, JUNE, 9)
    # Monday the 8th (7): only Monday the 1st (1.0) is like it. Tuesday the 9th is 8.
    monday, tuesday = expected_days(
        known, np.array([7, 8]), np.array([MONDAY, TUESDAY])
    )
    assert monday == pytest.approx(np.full(96, 1.0))
    # Rows 3, 2, 1 (4, 3 and 2 kWh) at 5, 6 and 7 days: exp(-.5), exp(-.6), exp(-.7)
    # = .60653, .54881, .49659: (2.42612 + 1.64644 + .99317) / 1.65193 = 3.06655.
    assert tuesday == pytest.approx(np.full(96, 3.06655), abs=2e-5)


def test_of_days_as_near_the_likest_comes_first(monkeypatch) -> None:
    monkeypatch.setattr(reference, "NEAREST", 1)
    known = history(BERLIN, JUNE, 21)
    # Wednesday (9): Tuesday holds 9 kWh, Thursday 11; both are one day away.
    (found,) = expected_days(known, np.array([9]), np.array([WEDNESDAY]))
    assert found == pytest.approx(np.full(96, 9.0))


def test_it_takes_no_more_than_twelve() -> None:
    known = history(BERLIN, JUNE, 63, kwh_of_day=lambda n: float(n < 31))
    # Of the ninth Wednesday's like days the twelve nearest begin with row 31.
    (found,) = expected_days(known, np.array([58]), np.array([WEDNESDAY]))
    assert reference.NEAREST == 12
    assert found == pytest.approx(np.zeros(96))


@pytest.mark.parametrize(
    ("calendar", "day", "expected"),
    [
        pytest.param(LOS_ANGELES, date(2018, 3, 11), 92, id="Los Angeles spring"),
        pytest.param(LOS_ANGELES, date(2018, 11, 4), 100, id="Los Angeles autumn"),
        pytest.param(BERLIN, date(2026, 3, 29), 92, id="Berlin spring"),
        pytest.param(BERLIN, date(2026, 10, 25), 100, id="Berlin autumn"),
        pytest.param(LORD_HOWE, date(2026, 10, 4), 94, id="half an hour in spring"),
        pytest.param(LORD_HOWE, date(2026, 4, 5), 98, id="half an hour in autumn"),
        pytest.param(KOLKATA, date(2026, 3, 29), 96, id="five and a half hours"),
    ],
)
def test_a_day_is_whole_by_its_own_clock(calendar, day, expected) -> None:
    starts = calendar.quarter_hours_us(day, day)
    assert starts.size == expected
    kwh = np.arange(starts.size, dtype=float)
    whole = np.ones(starts.size, dtype=bool)
    assert load_history(calendar, starts, kwh, whole).usable.tolist() == [True]
    whole[7] = False
    assert load_history(calendar, starts, kwh, whole).usable.tolist() == [False]


def test_the_hour_that_autumn_shows_twice_is_the_mean_of_both() -> None:
    day = date(2026, 10, 25)
    starts = BERLIN.quarter_hours_us(day, day)
    kwh = np.zeros(100)
    kwh[8:12], kwh[12:16] = 4.0, 8.0  # 02:00 to 03:00, twice
    known = load_history(BERLIN, starts, kwh, np.ones(100, dtype=bool))
    assert known.kwh[0, 8:12].tolist() == [6.0] * 4
    assert known.kwh[0, 12] == 0.0


def test_the_hour_that_spring_leaves_out_is_not_known() -> None:
    day = date(2026, 3, 29)
    starts = BERLIN.quarter_hours_us(day, day)
    known = load_history(BERLIN, starts, np.ones(92), np.ones(92, dtype=bool))
    assert np.isnan(known.kwh[0]).nonzero()[0].tolist() == [8, 9, 10, 11]


def test_hourly_intervals() -> None:
    day = date(2026, 6, 1)
    starts = BERLIN.quarter_hours_us(day, day)[::4]
    known = load_history(
        BERLIN, starts, np.arange(24.0), np.ones(24, dtype=bool), length_min=60
    )
    assert known.kwh.tolist() == [list(range(24))]
    assert known.usable.tolist() == [True]
