from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.reading import from_utc_us, utc_us
from reports.exchange.form import ExchangeError
from reports.exchange.stamps import parsed
from reports.exchange.times import moments_of, wall_of

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # puts its clocks back by half an hour
QUARTER_US = 900_000_000


def wall(*texts: str) -> np.ndarray:
    return np.array(
        [utc_us(datetime.fromisoformat(text).replace(tzinfo=UTC)) for text in texts]
    )


def utc(us) -> list[str]:
    return [f"{from_utc_us(one):%d %H:%M}" for one in us]


def walled(first: str, n: int, zone: ZoneInfo) -> tuple[np.ndarray, np.ndarray]:
    """Quarter-hours from a UTC time on, and what the wall shows."""
    start = utc_us(datetime.fromisoformat(first).replace(tzinfo=UTC))
    us = start + QUARTER_US * np.arange(n)
    return us, wall_of(us, zone)


@pytest.mark.parametrize("turn", [1, -1], ids=["ascending", "descending"])
@pytest.mark.parametrize(
    ("first", "n", "zone"),
    [
        # Clocks go back at 09:00 UTC, forward at 10:00 UTC.
        pytest.param("2018-11-04T07:00", 100, LOS_ANGELES, id="autumn"),
        pytest.param("2018-03-11T08:00", 92, LOS_ANGELES, id="spring"),
        pytest.param("2018-03-01T08:00", 26_000, LOS_ANGELES, id="both"),
        pytest.param("2026-04-04T13:00", 98, LORD_HOWE, id="half an hour"),
    ],
)
def test_rows_in_order_tell_the_repeated_hour_apart(first, n, zone, turn) -> None:
    us, shown = walled(first, n, zone)
    found = moments_of(shown[::turn], zone, ends=False)
    np.testing.assert_array_equal(found.us, us[::turn])
    assert not found.wrong


def test_a_missing_row_in_the_repeated_hour_misleads_nobody() -> None:
    us, shown = walled("2018-11-04T07:00", 100, LOS_ANGELES)
    # 08:00 to 08:45 UTC are the first pass, rows 4 to 7; one of each pass is missing.
    kept = np.delete(np.arange(100), [5, 11])
    found = moments_of(shown[kept], LOS_ANGELES, ends=False)
    np.testing.assert_array_equal(found.us, us[kept])


def test_equal_times_one_after_the_other_are_both_passes() -> None:
    texts = ["2018-11-04 00:45", *["2018-11-04 01:00"] * 2, "2018-11-04 02:00"]
    found = moments_of(wall(*texts), LOS_ANGELES, ends=False)
    assert utc(found.us) == ["04 07:45", "04 08:00", "04 09:00", "04 10:00"]
    assert [one.code for one in found.found] == ["repeated-hour"]


def test_an_hour_that_stands_once_is_taken_as_summer_time_and_told() -> None:
    texts = [f"2018-11-04 0{h}:{m:02}" for h in (0, 1, 2) for m in (0, 15, 30, 45)]
    found = moments_of(wall(*texts), LOS_ANGELES, ends=False)
    assert utc(found.us[[4, 8]]) == ["04 08:00", "04 10:00"]
    assert [one.code for one in found.found] == ["single-hour"]
    assert found.found[0].text.startswith("4 rows stand once")


def test_a_repeated_hour_without_order_is_refused() -> None:
    minutes = (0, 30, 15, 45, 0, 15, 30)
    texts = [f"2018-11-04 01:{minute:02}" for minute in minutes]
    found = moments_of(wall(*texts), LOS_ANGELES, ends=False)
    assert sorted(found.wrong) == list(range(7))
    assert "in no order that tells which pass is meant" in found.wrong[0]


def test_the_hour_that_spring_leaves_out_is_refused() -> None:
    texts = ["2018-03-11 01:45", "2018-03-11 02:00", "2018-03-11 02:15"]
    found = moments_of(wall(*texts), LOS_ANGELES, ends=False)
    assert sorted(found.wrong) == [1, 2]
    assert found.wrong[2] == (
        "2018-03-11 02:15 does not exist in America/Los_Angeles, where clocks were put "
        "forward; give the file's true zone."
    )
    # As an end, 02:00 is the moment at which clocks are put forward: 10:00 UTC.
    ends = moments_of(wall(*texts), LOS_ANGELES, ends=True)
    assert sorted(ends.wrong) == [2]
    assert utc(ends.us[:2]) == ["11 09:45", "11 10:00"]


@pytest.mark.parametrize("turn", [1, -1], ids=["ascending", "descending"])
def test_midnight_that_closes_its_day_is_the_next_days(turn) -> None:
    texts = ["2018-01-01 23:30", "2018-01-01 23:45", "2018-01-01 00:00"]
    texts = [*texts, "2018-01-02 00:15", "2018-01-02 00:30"]
    found = moments_of(wall(*texts)[::turn], ZoneInfo("Asia/Seoul"), ends=True)
    # Seoul is 9 h ahead: its midnight is 15:00 UTC.
    assert utc(found.us[::turn]) == [
        "01 14:30",
        "01 14:45",
        "01 15:00",
        "01 15:15",
        "01 15:30",
    ]
    not_ends = moments_of(wall(*texts)[::turn], ZoneInfo("Asia/Seoul"), ends=False)
    assert list(not_ends.wrong) == [2]
    assert "--interval-ends" in not_ends.wrong[2]


@given(
    first=st.datetimes(datetime(2016, 1, 1), datetime(2026, 1, 1)),  # noqa: DTZ001
    n=st.integers(1, 400),
    zone=st.sampled_from([LOS_ANGELES, LORD_HOWE, ZoneInfo("Europe/Berlin")]),
    descending=st.booleans(),
)
def test_whatever_the_wall_showed_in_order_comes_back(
    first, n, zone, descending
) -> None:
    start = utc_us(first.replace(minute=0, second=0, microsecond=0, tzinfo=UTC))
    us = start + QUARTER_US * np.arange(n)
    turn = -1 if descending and n > 1 else 1
    found = moments_of(wall_of(us, zone)[::turn], zone, ends=False)
    codes = {one.code for one in found.found}
    if "single-hour" not in codes:  # it begins or ends within the repeated hour
        np.testing.assert_array_equal(found.us, us[::turn])


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["2018-01-02 00:15"], "2018-01-02 00:15"),
        (["2018-01-02T00:15:30"], "2018-01-02 00:15:30"),
        (["2018/1/2 0:15"], "2018-01-02 00:15"),
        (["13/01/2018 00:15", "01/02/2018 00:15"], "2018-01-13 00:15"),
        (["2/1/2018 12:15 AM", "2/28/2018 1:15 PM"], "2018-02-01 00:15"),
        (["31.1.18 24:00"], "2018-02-01 00:00"),
        (["1/2/2018", "1/3/2018", "1/4/2018"], "2018-01-02 00:00"),
    ],
)
def test_forms_of_times_are_recognised(texts, first) -> None:
    found = parsed(texts, None, "a.csv")
    assert not found.wrong
    shown = from_utc_us(int(found.us[0])).replace(tzinfo=None)
    assert shown == datetime.fromisoformat(first)


def test_days_tell_the_order_where_no_number_does() -> None:
    # November 1 to 7: the other way round it would leap from month to month.
    texts = [f"11/{day}/2019 {hour}:00" for day in range(7, 0, -1) for hour in (1, 0)]
    found = parsed(texts, None, "a.csv")
    assert from_utc_us(int(found.us[0])).isoformat() == "2019-11-07T01:00:00+00:00"


def test_an_order_that_nothing_tells_is_not_guessed() -> None:
    with pytest.raises(
        ExchangeError, match="is the day or the month first in 3/4/2020"
    ):
        parsed(["3/4/2020 0:00", "3/4/2020 0:15"], None, "a.csv")


def test_some_times_with_a_zone_and_some_without_are_refused() -> None:
    texts = ["2018-01-02T00:15+01:00", "2018-01-02T00:30"]
    with pytest.raises(ExchangeError, match="has a zone and other times have none"):
        parsed(texts, None, "a.csv")


def test_a_format_can_be_said() -> None:
    found = parsed(["02Jan18 0015", "nothing"], "%d%b%y %H%M", "a.csv")
    assert from_utc_us(int(found.us[0])) == datetime(2018, 1, 2, 0, 15, tzinfo=UTC)
    assert found.wrong == {1: "'nothing' is no time (%d%b%y %H%M)."}
    assert timedelta(0) == timedelta(microseconds=int(found.us[1]))
