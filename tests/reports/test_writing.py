import math
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from reports.writing import Reader, duration, number, written

SHANGHAI = Reader(zone=ZoneInfo("Asia/Shanghai"), currency="CNY")
AT = datetime(2026, 3, 1, 17, 5, tzinfo=UTC)  # 01:05 on the 2nd in Shanghai (+8)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("peak_kw", 612.56, "612.6 kW"),
        ("peak_kw", 12_345.0, "12.35 MW"),
        ("peak_kw", math.nan, "–"),
        ("energy_kwh", 671_433.6, "671.4 MWh"),
        ("energy_kwh", 24.891, "24.89 kWh"),
        ("energy_kwh", -300.0, "-300 kWh"),
        ("share_percent", 18.79, "19 %"),
        ("share_percent", 4.24, "4.2 %"),
        ("share_percent", 0.04, "< 0.1 %"),
        ("share_percent", 0.0, "0.0 %"),
        ("saved_money", Decimal("1234.565"), "CNY 1,234.57"),
        ("since_at", AT, "Mon 2 Mar 01:05"),
        ("since_at", AT.isoformat(), "Mon 2 Mar 01:05"),
        ("from_day", date(2026, 3, 1), "1 Mar 2026"),
        ("from_day", AT, "2 Mar 2026"),
        ("age_s", 125, "2 min"),
        ("open_min", 125, "2 h 5 min"),
        ("gaps", 1234, "1,234"),
        ("scale", 0.25, "0.25"),
        ("who", "Mei", "Mei"),
        ("newest_at", None, "–"),
    ],
)
def test_the_ending_of_the_name_says_the_unit(name, value, told) -> None:
    assert written(name, value, SHANGHAI) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.0, "0"), (-0.001, "0"), (5.0, "5"), (5.25, "5.25"), (99.5, "99.5"),
     (412.0, "412"), (1234.5, "1,234"), (-1234.5, "-1,234")],
)  # fmt: skip
def test_a_number_has_at_most_four_figures(value, told) -> None:
    assert number(value) == told


def test_a_length_of_time_is_never_negative() -> None:
    assert duration(-5) == "0 s"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a zone"):
        written("since_at", AT.replace(tzinfo=None), SHANGHAI)
