import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.meter_fleet.energy import DAY_MS, HALF_MS, TwoSteps, mj_per_count

LOAD = TwoSteps(first_w=1_000_000, second_w=600_000)
DAY = 20_000 * DAY_MS
watts = st.integers(0, 5_000_000)
instants = st.integers(0, 10 * 365 * DAY_MS)


def test_a_day_and_a_half_is_counted_by_hand() -> None:
    # 12 h at 1 MW, 12 h at 0.6 MW, 12 h at 1 MW: 12 + 7.2 + 12 = 31.2 MWh.
    energy_mj = LOAD.energy_mj(DAY, DAY + 3 * HALF_MS)
    assert energy_mj / 3.6e9 == 31_200


def test_power_is_the_first_half_of_the_day_s_until_noon() -> None:
    assert LOAD.power_w(DAY + HALF_MS - 1) == 1_000_000
    assert LOAD.power_w(DAY + HALF_MS) == 600_000


@given(watts, watts, instants, instants, instants)
def test_energy_adds_up(first_w, second_w, a, b, c) -> None:
    load = TwoSteps(first_w=first_w, second_w=second_w)
    start, middle, end = sorted((a, b, c))
    whole = load.energy_mj(start, end)
    assert whole == load.energy_mj(start, middle) + load.energy_mj(middle, end)


@given(watts, watts, instants, st.lists(instants, min_size=1, max_size=9))
def test_a_column_is_its_single_figures(first_w, second_w, start, after) -> None:
    load = TwoSteps(first_w=first_w, second_w=second_w)
    until = np.array([start + each for each in after])
    expected = [load.energy_mj(start, start + each) for each in after]
    assert load.energies_mj(start, until).tolist() == expected


def test_a_count_is_a_whole_number_of_millijoules() -> None:
    # 0.01 kWh = 36 kJ = 36,000,000 mJ.
    assert mj_per_count(0.01) == 36_000_000
    with pytest.raises(ValueError, match="no whole number"):
        mj_per_count(1e-10)
