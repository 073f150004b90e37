import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywatt.clock import ClockError, SiteClock

ANCHOR = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)


def test_without_a_setting_it_is_the_machines_clock() -> None:
    before = datetime.now(UTC)
    assert before <= SiteClock().now() <= datetime.now(UTC)


def test_a_machine_second_is_a_site_minute_at_speed_60() -> None:
    clock = SiteClock.parse("2026-11-22T13:00:00Z@1763816400*60")
    # 90 machine seconds x 60 = 5,400 site seconds = 1.5 h.
    assert clock.at(1763816490) == ANCHOR + timedelta(hours=1, minutes=30)


def test_a_started_clock_shows_the_given_time_and_runs_on() -> None:
    before = time.time()
    clock = SiteClock.starting(ANCHOR, speed=2)
    assert ANCHOR <= clock.at(time.time()) <= clock.now()
    assert clock.now() <= ANCHOR + timedelta(seconds=2 * (time.time() - before) + 0.001)


@given(
    site=st.datetimes(timezones=st.just(UTC)),
    unix_s=st.floats(0, 4e9),
    speed=st.floats(0.1, 1e4),
)
def test_parse_undoes_str(site, unix_s, speed) -> None:
    clock = SiteClock(site, unix_s, speed)
    assert SiteClock.parse(str(clock)) == clock


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2026-11-22T13:00:00Z@1763816400",
        "2026-11-22T13:00:00@1763816400*1",
        "2026-11-22T13:00:00Z@1763816400*0",
        "2026-13-22T13:00:00Z@1763816400*1",
        "2026-11-22T13:00:00Z@1.2.3*1",
    ],
)
def test_what_is_no_clock_is_refused_by_name(text) -> None:
    with pytest.raises(ClockError, match=r"clock|zone") as refusal:
        SiteClock.parse(text)
    assert repr(text) in str(refusal.value)
