"""A meter's own intervals of several quarter-hours: energy that is known as a whole."""

from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.calendar import SiteCalendar
from analytics.settlement.method import Method, State
from analytics.settlement.profile import LoadProfile
from analytics.settlement.settlement import Settlement
from analytics.settlement.settling import settle_span
from analytics.settlement.verdict import Status
from tests.analytics.settlement.making import (
    IMPORT,
    QUARTER_US,
    at,
    days_before,
    evidence,
    quarters,
    readings,
)

HOUR_US = 4 * QUARTER_US
NONE_READ = readings([], energy_import_kwh=[])


def own(*told: tuple[int, int, int]) -> LoadProfile:
    """Intervals: first quarter-hour, quarter-hours, counts of 0.1 kWh."""
    first, length, counts = (np.array(column) for column in zip(*told, strict=True))
    return LoadProfile(
        start_us=at(15 * first),
        length_us=length * QUARTER_US,
        counts=counts,
        energy_of_count=Fraction(1, 10),
        power_failure=np.zeros(first.size, dtype=np.bool_),
    )


def hourly(counts) -> LoadProfile:
    return own(*((4 * hour, 4, int(each)) for hour, each in enumerate(counts)))


def quanta(settled: Settlement) -> np.ndarray:
    """Settled import. [0.01 kWh]."""
    assert settled.energies[IMPORT].quantum == Fraction(1, 100)
    return settled.energies[IMPORT].quanta


def status_of(settled: Settlement, rule: str) -> list[Status]:
    return [one.status for one in settled.verdicts if one.rule == rule]


def test_an_hour_is_shared_out_as_it_usually_flows() -> None:
    # In the first hour of like days 1, 2, 3 and 2 kWh flowed; today it was 12 kWh:
    # 12 x 1/8, 2/8, 3/8 and 2/8.
    usual = np.full(96, 2.0)
    usual[:3] = 1, 2, 3
    settled = settle_span(
        evidence(
            NONE_READ, profile=hourly([120] + [80] * 23), history=days_before(usual, 42)
        ),
        quarters(96),
    )
    assert settled.import_kwh[:4].round(2).tolist() == [1.5, 3.0, 4.5, 3.0]
    assert set(settled.state.tolist()) == {State.ESTIMATED}
    assert quanta(settled).reshape(24, 4).sum(axis=1).tolist() == [1200] + [800] * 23


def test_without_anything_to_go_by_it_is_shared_out_evenly() -> None:
    # 0.7 kWh in four: 70 hundredths are 17.5 each, and none is lost by rounding.
    settled = settle_span(evidence(NONE_READ, profile=hourly([7] * 24)), quarters(96))
    assert set(quanta(settled).tolist()) == {17, 18}
    assert (quanta(settled).reshape(24, 4).sum(axis=1) == 70).all()
    assert set(settled.method.tolist()) == {Method.LINEAR}


def test_a_register_that_is_read_more_often_knows_better() -> None:
    kwh = np.tile([1.0, 2.0, 3.0, 2.0], 24)
    read = readings(np.arange(97) * 15, energy_import_kwh=np.append(0, kwh.cumsum()))
    settled = settle_span(evidence(read, profile=hourly([80] * 24)), quarters(96))
    assert settled.import_kwh.tolist() == kwh.tolist()
    assert set(settled.state.tolist()) == {State.MEASURED}
    assert status_of(settled, "sum_check") == [Status.PASS]


@pytest.mark.parametrize(
    ("register_kwh", "status", "first_hour"),
    [
        # Hours of 4 and, from 08:00 to 20:00, 8 kWh: 12 x 4 + 12 x 8 = 144.
        pytest.param(144.0, Status.PASS, 400, id="confirmed"),
        # 0.1 % of 150 kWh are 0.15: not by 6. The register's, 150/24 = 6.25 an hour.
        pytest.param(150.0, Status.FAIL, 625, id="contradicted"),
    ],
)
def test_a_register_that_is_read_once_a_day_decides(
    register_kwh, status, first_hour
) -> None:
    read = readings([0, 1440], energy_import_kwh=[100.0, 100.0 + register_kwh])
    hours = [40] * 8 + [80] * 12 + [40] * 4
    settled = settle_span(evidence(read, profile=hourly(hours)), quarters(96))
    assert status_of(settled, "sum_check") == [status]
    assert quanta(settled)[:4].sum() == first_hour
    assert quanta(settled).sum() == register_kwh * 100


def test_what_is_told_of_a_part_is_left_as_it_is() -> None:
    # 8 kWh in the hour, 5 of them in its second quarter-hour: 1 is left for each other.
    told = own((0, 4, 80), (1, 1, 50), *((4 * h, 4, 80) for h in range(1, 24)))
    settled = settle_span(evidence(NONE_READ, profile=told), quarters(96))
    assert quanta(settled)[:4].tolist() == [100, 500, 100, 100]
    assert settled.state[:4].tolist() == [2, 1, 2, 2]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param((0, 4, 90), id="sent twice with other counts"),
        pytest.param((2, 4, 80), id="overlaps another"),
        pytest.param((1, 1, 81), id="a part is more than the whole"),
    ],
)
def test_long_intervals_that_contradict_each_other_are_not_believed(other) -> None:
    settled = settle_span(
        evidence(NONE_READ, profile=own((0, 4, 80), other)), quarters(96)
    )
    assert Status.FAIL in status_of(settled, "repeats")
    assert State.ESTIMATED not in settled.state[:1]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/Los_Angeles", date(2026, 3, 8), 23),
        ("America/Los_Angeles", date(2026, 11, 1), 25),
    ],
)
def test_days_on_which_clocks_change(zone, day, hours) -> None:
    calendar = SiteCalendar(ZoneInfo(zone), "DE")
    starts = calendar.quarter_hours_us(day, day)
    told = LoadProfile(
        start_us=starts[::4],
        length_us=np.full(hours, HOUR_US),
        counts=np.arange(hours) * 10 + 10,
        energy_of_count=Fraction(1, 10),
        power_failure=np.zeros(hours, dtype=np.bool_),
    )
    known = evidence(NONE_READ, profile=told, calendar=calendar)
    settled = settle_span(known, starts)
    assert starts.size == 4 * hours
    by_hour = quanta(settled).reshape(hours, 4).sum(axis=1)
    assert by_hour.tolist() == [100 * (hour + 1) for hour in range(hours)]


LENGTHS = st.lists(st.sampled_from([1, 2, 4, 8]), min_size=1, max_size=40)


@given(data=st.data(), lengths=LENGTHS)
def test_whatever_is_told_of_several_is_shared_out_exactly(data, lengths) -> None:
    """Over random lengths, gaps and history, each interval keeps its energy."""
    told, row = [], 0
    for length in lengths:
        row += data.draw(st.integers(0, 2))
        if row + length > 96:
            break
        told.append((row, length, data.draw(st.integers(0, 5000))))
        row += length
    if not told:
        return
    usual = data.draw(st.lists(st.integers(0, 50), min_size=96, max_size=96))
    known = evidence(
        NONE_READ,
        profile=own(*told),
        history=days_before(np.array(usual), data.draw(st.sampled_from([0, 21]))),
    )
    settled = settle_span(known, quarters(96))
    failed = {v.rule for v in settled.verdicts if v.status is Status.FAIL}
    if not failed & {"spike", "cap", "negative"}:  # which are estimated anew
        for first, length, counts in told:
            assert quanta(settled)[first : first + length].sum() == counts * 10
