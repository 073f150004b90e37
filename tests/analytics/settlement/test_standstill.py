import numpy as np

from analytics.settlement.register import read_register
from analytics.settlement.ruleset import Stalled
from analytics.settlement.standstill import mean_power, standstills, without_stale
from tests.analytics.settlement.making import MINUTE_US, QUARTER_US, at, fitting


def register(counts):
    minutes = 15 * np.arange(len(counts))
    return read_register(at(minutes), np.array(counts), fitting(), leap_us=QUARTER_US)


# 10.00 kWh a quarter; from 60 to 120 min an old reading was given again, then it leaps.
STALE = [
    0,
    1000,
    2000,
    3000,
    4000,
    4000,
    4000,
    4000,
    4000,
    9000,
    10_000,
    11_000,
    12_000,
]
NO_POWER = np.full(13, np.nan)


def test_a_register_that_catches_up_was_stale() -> None:
    found = without_stale(register(STALE), NO_POWER)
    assert (
        found.at_us.tolist()
        == at(15 * np.array([0, 1, 2, 3, 4, 9, 10, 11, 12])).tolist()
    )
    assert [one.doubt for one in found.doubtful] == ["stale"] * 4
    assert found.counts[-1] == 12_000


def test_a_standstill_without_power_is_real() -> None:
    power_kw = np.full(13, 40.0)
    power_kw[6] = 0.0
    assert without_stale(register(STALE), power_kw).at_us.size == 13


def test_half_an_hour_is_too_short_to_tell() -> None:
    counts = [0, 1000, 2000, 3000, 3000, 3000, 6000, 7000, 8000]
    assert without_stale(register(counts), np.full(9, np.nan)).at_us.size == 9


def test_a_register_that_goes_on_as_usual_was_not_stale() -> None:
    counts = [0, 1000, 2000, 3000, 3000, 3000, 3000, 3000, 4000, 5000]
    assert without_stale(register(counts), np.full(10, np.nan)).at_us.size == 10


def test_a_register_of_coarse_counts_often_stands() -> None:
    counts = [0, 1, 2, 3, 4, 4, 4, 4, 8, 9, 10, 11, 12]
    assert without_stale(register(counts), NO_POWER).at_us.size == 13


def stalled(power_kw):
    # It stands from 60 to 120 min, four quarters, and goes on from there.
    counts = [0, 1000, 2000, 3000, 4000, 4000, 4000, 4000, 4000, 5000, 6000, 7000, 8000]
    return standstills(register(counts), power_kw, 0.01, Stalled())


def test_a_register_that_stands_while_power_flows_is_stalled() -> None:
    power_kw = np.full(13, 40.0)
    power_kw[5] = 44.0
    (found,) = stalled(power_kw)
    assert (found.start_us, found.stop_us) == (int(at(60)), int(at(120)))
    # (40 + 44 + 40 + 40) / 4 = 41 kW over an hour: 4100 counts of 0.01 kWh.
    assert (found.mean_kw, found.counts, found.frozen) == (41.0, 4100.0, False)


def test_a_power_that_never_changes_is_frozen_too() -> None:
    (found,) = stalled(np.full(13, 40.0))
    assert found.frozen


def test_without_power_nothing_is_stalled() -> None:
    assert stalled(NO_POWER) == []
    assert stalled(np.zeros(13)) == []
    # 0.04 kW over an hour are 4 counts: fewer than five may be the meter's own ways.
    assert stalled(np.full(13, 0.04)) == []


def test_mean_power() -> None:
    moments = at([0, 5, 10, 16, 44])
    power_kw = np.array([1.0, 2.0, np.nan, 7.0, 9.0])
    found = mean_power(moments, power_kw, at([0, 15, 30, 45]), 15 * MINUTE_US)
    assert found[:3].tolist() == [1.5, 7.0, 9.0]
    assert np.isnan(found[3])
