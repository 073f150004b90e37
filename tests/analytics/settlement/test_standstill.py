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
REPEATED = np.ones(13, dtype=bool)


def test_a_register_that_catches_up_was_stale() -> None:
    found = without_stale(register(STALE), REPEATED, NO_POWER)
    assert (
        found.at_us.tolist()
        == at(15 * np.array([0, 1, 2, 3, 4, 9, 10, 11, 12])).tolist()
    )
    assert [one.doubt for one in found.doubtful] == ["stale"] * 4
    assert found.counts[-1] == 12_000


def test_a_standstill_without_power_is_real() -> None:
    power_kw = np.full(13, 40.0)
    power_kw[6] = 0.0
    assert without_stale(register(STALE), REPEATED, power_kw).at_us.size == 13


def test_a_reading_that_says_anything_new_is_not_an_old_one() -> None:
    repeated = REPEATED.copy()
    repeated[6] = False  # its kvarh went on, or its power changed
    assert without_stale(register(STALE), repeated, NO_POWER).at_us.size == 13


def test_half_an_hour_is_too_short_to_tell() -> None:
    counts = [0, 1000, 2000, 3000, 3000, 3000, 6000, 7000, 8000]
    assert without_stale(register(counts), REPEATED[:9], NO_POWER[:9]).at_us.size == 9


def test_a_register_that_goes_on_as_usual_was_not_stale() -> None:
    counts = [0, 1000, 2000, 3000, 3000, 3000, 3000, 3000, 4000, 5000]
    assert (
        without_stale(register(counts), REPEATED[:10], NO_POWER[:10]).at_us.size == 10
    )


def test_a_register_of_coarse_counts_often_stands() -> None:
    counts = [0, 1, 2, 3, 4, 4, 4, 4, 8, 9, 10, 11, 12]
    assert without_stale(register(counts), REPEATED, NO_POWER).at_us.size == 13


def stalled(power_kw, beside=None):
    # It stands from 60 to 120 min, four quarters, and goes on from there.
    counts = [0, 1000, 2000, 3000, 4000, 4000, 4000, 4000, 4000, 5000, 6000, 7000, 8000]
    return standstills(register(counts), power_kw, beside, 0.01, Stalled())


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


def test_a_register_beside_it_that_goes_on_tells_of_it_too() -> None:
    # Six counts of kvarh from 60 to 120 min, five are asked for.
    beside = register([0, 1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 13, 14])
    (found,) = stalled(NO_POWER, beside)
    assert (found.counts_beside, found.frozen) == (6.0, True)
    beside = register([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    assert stalled(NO_POWER, beside) == []


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
