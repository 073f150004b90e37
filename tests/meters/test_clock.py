"""The meter's clock: bits by hand, and every instant found again."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.clock import decode_clock, encode_clock
from meters.encoding import DecodeError
from meters.reading import from_utc_us

ZONES = ["UTC", "Asia/Seoul", "America/Los_Angeles", "Europe/Berlin"]
# 2000-01-02 to 2127-12-28, so that every zone's local year has its seven bits.
INSTANTS_MS = st.integers(946_771_200_000, 4_985_700_000_000)


def test_bits_by_hand() -> None:
    # 2024-12-31 23:59:59.999: year 24 = 0x18; month 12 = 0xC, day 31 = 0x1F; hour 23 =
    # 0x17, minute 59 = 0x3B; 59999 = 0xEA5F.
    moment = datetime(2024, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    assert encode_clock(moment) == (0x18, 0x0C1F, 0x173B, 0xEA5F)
    assert decode_clock([0x18, 0x0C1F, 0x173B, 0xEA5F]) == moment
    # The weekday's bits (5 to 7 of the second word) say nothing new.
    assert decode_clock([0x18, 0x0CFF, 0x173B, 0xEA5F]) == moment


@given(INSTANTS_MS, st.sampled_from(ZONES))
def test_every_millisecond_is_found_again(instant_ms, zone) -> None:
    moment = from_utc_us(instant_ms * 1000)
    just_after = moment + timedelta(microseconds=999)
    assert decode_clock(encode_clock(just_after, zone), zone) == moment


@pytest.mark.parametrize(
    "zone", [*ZONES, "Europe/Dublin", "Australia/Lord_Howe", "America/Santiago"]
)
def test_no_half_hour_of_a_year_is_lost_or_doubled(zone) -> None:
    start = datetime(2018, 1, 1, tzinfo=UTC)
    moments = [start + timedelta(minutes=30 * i) for i in range(365 * 48)]
    words = [encode_clock(moment, zone) for moment in moments]
    assert len(set(words)) == len(words)
    assert [decode_clock(w, zone) for w in words] == moments


def test_the_hour_that_comes_twice_is_told_apart_by_the_summer_bit() -> None:
    # Los Angeles, 2018-11-04: 08:30 UTC is 01:30 summer time, 09:30 UTC 01:30 standard.
    zone = "America/Los_Angeles"
    first, second = (datetime(2018, 11, 4, h, 30, tzinfo=UTC) for h in (8, 9))
    assert encode_clock(first, zone) == (18, 0x0B04, 0x811E, 0)
    assert encode_clock(second, zone) == (18, 0x0B04, 0x011E, 0)
    assert decode_clock((18, 0x0B04, 0x811E, 0), zone) == first
    assert decode_clock((18, 0x0B04, 0x011E, 0), zone) == second


def test_any_zone_of_the_given_moment_is_the_same_instant() -> None:
    kst = timezone(timedelta(hours=9))
    moment = datetime(2018, 1, 15, 13, 30, tzinfo=kst)
    assert decode_clock(encode_clock(moment)) == datetime(
        2018, 1, 15, 4, 30, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([18, 0x0D01, 0, 0], "0012 0D01 0000 0000 is no date"),  # month 13
        ([18, 0x0100, 0, 0], "is no date"),  # day 0
        ([18, 0x0101, 0x1800, 0], "is no date"),  # hour 24
        ([18, 0x0101, 0x003C, 0], "is no date"),  # minute 60
        ([18, 0x0101, 0, 60_000], "60000 ms are more than a minute"),
    ],
)
def test_what_cannot_be_is_refused(words, told) -> None:
    with pytest.raises(DecodeError, match=told):
        decode_clock(words)


@pytest.mark.parametrize("year", [1999, 2128])
def test_a_year_without_bits_is_refused(year) -> None:
    with pytest.raises(DecodeError, match=f"{year} does not fit"):
        encode_clock(datetime(year, 6, 1, tzinfo=UTC))


@given(st.tuples(*[st.integers(0, 0xFFFF)] * 4), st.sampled_from(ZONES))
def test_any_words_are_a_time_or_none_or_refused(words, zone) -> None:
    try:
        moment = decode_clock(words, zone)
    except DecodeError:
        return
    assert (moment is None) == bool(words[2] & 0x80)
