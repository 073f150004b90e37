from zoneinfo import ZoneInfo

import pytest

from reports.exchange.dst_rule import NEVER, local_time

FIRST, SECOND, LAST, ON_OR_AFTER = 2, 3, 7, 1
FRIDAY, SUNDAY = 5, 7


def rule(month, operator, weekday, hour, *, day=0) -> str:
    made = month << 28 | operator << 25 | day << 20 | weekday << 17 | hour << 12
    return f"{made:08X}"


@pytest.mark.parametrize(
    ("zone", "year", "offsets_h", "start", "end"),
    [
        pytest.param(
            *("America/Los_Angeles", 2026, (-8, 1)),
            rule(3, SECOND, SUNDAY, 2),
            rule(11, FIRST, SUNDAY, 2),
        ),
        pytest.param(
            *("America/Los_Angeles", 2006, (-8, 1)),
            rule(4, FIRST, SUNDAY, 2),
            rule(10, LAST, SUNDAY, 2),
        ),
        pytest.param(
            *("Europe/Berlin", 2026, (1, 1)),
            rule(3, LAST, SUNDAY, 2),
            rule(10, LAST, SUNDAY, 3),
        ),
        pytest.param(
            *("Europe/London", 2026, (0, 1)),
            rule(3, LAST, SUNDAY, 1),
            rule(10, LAST, SUNDAY, 2),
        ),
        pytest.param(  # summer begins in October
            *("Australia/Sydney", 2026, (10, 1)),
            rule(10, FIRST, SUNDAY, 2),
            rule(4, FIRST, SUNDAY, 3),
        ),
        pytest.param(
            *("Australia/Lord_Howe", 2026, (10.5, 0.5)),
            rule(10, FIRST, SUNDAY, 2),
            rule(4, FIRST, SUNDAY, 2),
        ),
        pytest.param(  # the Friday before the last Sunday of March: 24th to 29th
            *("Asia/Jerusalem", 2026, (2, 1)),
            rule(3, ON_OR_AFTER, FRIDAY, 2, day=24),
            rule(10, LAST, SUNDAY, 2),
        ),
        pytest.param(  # in 2022 a week later than in all other years
            *("America/Santiago", 2026, (-4, 1)),
            rule(9, FIRST, SUNDAY, 0),
            rule(4, FIRST, SUNDAY, 0),
        ),
        pytest.param("Asia/Shanghai", 2026, (8, 0), NEVER, NEVER),
    ],
)
def test_rules_of_zones(zone, year, offsets_h, start, end) -> None:
    told = local_time(ZoneInfo(zone), year)
    offsets = (told.tz_offset_s / 3600, told.dst_offset_s / 3600)
    assert offsets == offsets_h
    assert (told.dst_start_rule, told.dst_end_rule) == (start, end)


def test_the_rule_that_everybody_prints() -> None:
    told = local_time(ZoneInfo("America/New_York"), 2012)
    assert (told.dst_start_rule, told.dst_end_rule) == ("360E2000", "B40E2000")
