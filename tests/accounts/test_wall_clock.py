from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from accounts.wall_clock import WallClockError, day_typed, moment_on_wall

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("typed", "utc"),
    [
        pytest.param("2026-07-01T08:00", "2026-07-01T06:00", id="summer, +2 h"),
        pytest.param("2026-01-01", "2025-12-31T23:00", id="a day's start"),
        pytest.param("2026-07-01T08:00Z", "2026-07-01T08:00", id="its own offset"),
        pytest.param("2026-10-25T02:30+01:00", "2026-10-25T01:30", id="second 02:30"),
        pytest.param("2026-10-25T03:00", "2026-10-25T02:00", id="after it"),
    ],
)
def test_a_moment_is_what_the_wall_shows(typed, utc) -> None:
    assert moment_on_wall(typed, BERLIN) == datetime.fromisoformat(f"{utc}Z")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        pytest.param("2026-03-29T02:30", "does not exist in Europe/Berlin", id="gap"),
        pytest.param(
            "2026-10-25T02:30",
            r"twice .* write 2026-10-25T02:30\+02:00 or 2026-10-25T02:30\+01:00\.",
            id="fold",
        ),
        pytest.param("yesterday", "'yesterday' is no time; write it like", id="words"),
    ],
)
def test_what_is_no_moment_there_is_refused(typed, said) -> None:
    with pytest.raises(WallClockError, match=said) as refused:
        moment_on_wall(typed, BERLIN)
    assert "\n" not in str(refused.value)


def test_a_day_is_typed() -> None:
    assert day_typed("2026-03-02") == date(2026, 3, 2)
    with pytest.raises(WallClockError, match=r"'2\.3\.2026' is no day; write it like"):
        day_typed("2.3.2026")
