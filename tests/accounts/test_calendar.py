from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.calendar import CalendarError, DayType, SiteCalendar
from meters.reading import utc_us

SHANGHAI = SiteCalendar(ZoneInfo("Asia/Shanghai"), "CN")
LOS_ANGELES = SiteCalendar(ZoneInfo("America/Los_Angeles"), "US")
BERLIN = SiteCalendar(ZoneInfo("Europe/Berlin"), "DE")


@pytest.mark.parametrize(
    ("site", "day", "expected"),
    [
        pytest.param(SHANGHAI, date(2025, 1, 26), DayType.WORKDAY, id="make-up Sunday"),
        pytest.param(SHANGHAI, date(2025, 2, 8), DayType.WORKDAY, id="make-up Sat"),
        pytest.param(SHANGHAI, date(2025, 10, 11), DayType.WORKDAY, id="make-up Oct"),
        pytest.param(SHANGHAI, date(2025, 10, 1), DayType.HOLIDAY, id="National Day"),
        pytest.param(SHANGHAI, date(2025, 10, 18), DayType.SATURDAY, id="Saturday"),
        pytest.param(SHANGHAI, date(2025, 10, 19), DayType.HOLIDAY, id="Sunday"),
        pytest.param(SHANGHAI, date(2025, 10, 20), DayType.WORKDAY, id="Monday"),
        pytest.param(LOS_ANGELES, date(2019, 7, 4), DayType.HOLIDAY, id="4 July"),
        pytest.param(BERLIN, date(2025, 10, 3), DayType.HOLIDAY, id="3 October"),
    ],
)
def test_day_type(site, day, expected) -> None:
    assert site.day_type(day) is expected


def test_a_closure_is_a_holiday_of_this_site_alone() -> None:
    monday = date(2025, 10, 20)
    closed = SiteCalendar(SHANGHAI.time_zone, "CN", closures=frozenset({monday}))
    assert closed.day_type(monday) is DayType.HOLIDAY


def test_a_country_without_known_holidays_is_said_at_once() -> None:
    with pytest.raises(CalendarError, match="country 'XX'; use an ISO 3166 code"):
        SiteCalendar(ZoneInfo("UTC"), "XX")


@pytest.mark.parametrize(
    ("site", "day", "count"),
    [
        pytest.param(LOS_ANGELES, date(2018, 3, 11), 92, id="Los Angeles spring"),
        pytest.param(LOS_ANGELES, date(2018, 11, 4), 100, id="Los Angeles autumn"),
        pytest.param(LOS_ANGELES, date(2018, 11, 5), 96, id="Los Angeles ordinary"),
        pytest.param(BERLIN, date(2026, 3, 29), 92, id="Berlin spring"),
        pytest.param(BERLIN, date(2026, 10, 25), 100, id="Berlin autumn"),
    ],
)
def test_quarter_hours_of_a_day(site, day, count) -> None:
    starts = site.quarter_hours(day)
    assert len(starts) == count
    assert (starts[0], starts[-1] + timedelta(minutes=15)) == site.day_bounds(day)
    assert {site.local_day(start) for start in starts} == {day}


def test_shanghai_has_no_clock_change() -> None:
    days = [date(2025, 1, 1) + timedelta(days=n) for n in range(365)]
    assert {len(SHANGHAI.quarter_hours(day)) for day in days} == {96}


def test_day_bounds_are_utc() -> None:
    # Shanghai is 8 h ahead: its 1 May starts on 30 April, 16:00 UTC.
    assert SHANGHAI.day_bounds(date(2026, 5, 1)) == (
        datetime(2026, 4, 30, 16, tzinfo=UTC),
        datetime(2026, 5, 1, 16, tzinfo=UTC),
    )


def test_the_repeated_hour_of_autumn_fills_its_slots_twice() -> None:
    slots = [LOS_ANGELES.slot(s) for s in LOS_ANGELES.quarter_hours(date(2018, 11, 4))]
    # 01:00 to 02:00 are slots 4 to 7.
    assert slots[:13] == [0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7, 8]


def test_the_skipped_hour_of_spring_leaves_its_slots_out() -> None:
    slots = [LOS_ANGELES.slot(s) for s in LOS_ANGELES.quarter_hours(date(2018, 3, 11))]
    # 02:00 to 03:00, slots 8 to 11, does not exist.
    assert slots[6:10] == [6, 7, 12, 13]


ZONES = ["Asia/Shanghai", "America/Los_Angeles", "Australia/Lord_Howe", "Asia/Beirut"]


@given(
    zone=st.sampled_from(ZONES),
    moments=st.lists(
        st.datetimes(
            min_value=datetime(2015, 1, 1),  # noqa: DTZ001  hypothesis wants it naive
            max_value=datetime(2030, 12, 31),  # noqa: DTZ001
            timezones=st.just(UTC),
        ),
        min_size=1,
        max_size=20,
    ),
)
def test_many_moments_are_placed_like_one(zone, moments) -> None:
    site = SiteCalendar(ZoneInfo(zone), "CN")
    days, slots = site.days_and_slots(np.array([utc_us(m) for m in moments]))
    assert list(days.astype(object)) == [site.local_day(m) for m in moments]
    assert slots.tolist() == [site.slot(m) for m in moments]


@pytest.mark.parametrize("zone", ZONES)
def test_every_quarter_hour_of_two_years_is_placed_like_one(zone) -> None:
    site = SiteCalendar(ZoneInfo(zone), "CN")
    starts_us = site.quarter_hours_us(date(2025, 1, 1), date(2026, 12, 31))
    days, slots = site.days_and_slots(starts_us)
    moments = [
        datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
        for us in starts_us.tolist()
    ]
    assert days.astype(object).tolist() == [site.local_day(m) for m in moments]
    assert slots.tolist() == [site.slot(m) for m in moments]


def test_no_moments_have_no_days() -> None:
    days, slots = SHANGHAI.days_and_slots(np.zeros(0, dtype=np.int64))
    assert (days.size, slots.size) == (0, 0)


def test_day_types_of_many_days_keep_their_shape_and_order() -> None:
    days = np.array([["2025-01-26", "2025-10-18"], ["2025-10-19", "2025-01-26"]], "M8")
    assert SHANGHAI.day_types(days.astype("M8[D]")).tolist() == [
        ["workday", "saturday"],
        ["holiday", "workday"],
    ]
