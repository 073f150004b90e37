"""Faults of counting, by hand: 3.6 MW is 1 kWh a second, 1000 counts of 0.001 kWh."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.quantity import Quantity
from simulators.meter_fleet.faults import Fault, Spell
from simulators.meter_fleet.loads import ByMinute
from tests.simulators.meter_fleet.made import START_MS, one_meter

IMPORT, EXPORT = Quantity.ENERGY_IMPORT_KWH, Quantity.ENERGY_EXPORT_KWH
LAGGING, POWER = Quantity.ENERGY_LAGGING_KVARH, Quantity.ACTIVE_POWER_KW
S = 1000
LOAD = ByMinute(first_ms=START_MS, minute_w=np.full(60, 3_600_000))


def meter(*spells: tuple[Fault, float, int, int], ratio: int = 1):
    """A meter that was installed at the start; spells in seconds from it."""
    one = one_meter("keywatt-json")
    one.load, one.installed_ms, one.opening, one.ratio = LOAD, START_MS, 0, ratio
    one.gives = (IMPORT, EXPORT, LAGGING, POWER)
    one.spells = tuple(
        Spell(
            fault=fault,
            size=size,
            from_ms=START_MS + begin * S,
            until_ms=START_MS + end * S,
        )
        for fault, size, begin, end in spells
    )
    return one


def shown(one, quantity: Quantity, *seconds: int) -> list[float]:
    return [one.show(START_MS + s * S).values[quantity] for s in seconds]


def test_a_stalled_register_stands_and_the_others_go_on() -> None:
    one = meter((Fault.STALLED, 0, 10, 30))
    # 1 kWh a second, but for the 20 s from 10 to 30.
    assert shown(one, IMPORT, 10, 20, 30, 40) == [10.0, 10.0, 10.0, 20.0]
    assert shown(one, LAGGING, 10, 20, 30, 40) == [3.0, 6.0, 9.0, 12.0]
    assert shown(one, POWER, 20) == [3600.0]


def test_a_meter_the_wrong_way_round_counts_as_fed_what_is_drawn() -> None:
    one = meter((Fault.REVERSED, 0, 10, 30))
    assert shown(one, IMPORT, 10, 20, 40) == [10.0, 10.0, 20.0]
    assert shown(one, EXPORT, 10, 20, 40) == [0.0, 10.0, 20.0]
    assert shown(one, POWER, 5, 20, 40) == [3600.0, -3600.0, 3600.0]


def test_a_leap_stays() -> None:
    one = meter((Fault.LEAP, 500, 10, 11))
    assert shown(one, IMPORT, 9, 10, 20) == [9.0, 510.0, 520.0]
    assert shown(one, LAGGING, 20) == [6.0]


def test_other_transformers_slow_the_register_down_from_then_on() -> None:
    one = meter((Fault.RATIO_CHANGE, 1.5, 20, 21), ratio=2)
    # 20 s by 2 are 10 kWh; then by 3: 30 s more are 10 kWh more.
    assert shown(one, IMPORT, 20, 50) == [10.0, 20.0]
    assert shown(one, POWER, 10, 30) == [1800.0, 1200.0]


def test_a_rollover_after_a_swap_is_of_the_new_meter() -> None:
    one = meter((Fault.SWAP, 0, 10, 11), (Fault.ROLLOVER, 5, 20, 21))
    one.opening = 3000
    assert shown(one, IMPORT, 9) == [12.0]  # 3 kWh and nine
    # Turns over 5 s after the rollover began: 0 at 25, 1 kWh below 10^8 at 24.
    assert shown(one, IMPORT, 10, 24, 25, 27) == [1e8 - 15, 1e8 - 1, 0.0, 2.0]


def test_faults_of_counting_can_be_together() -> None:
    one = meter(
        (Fault.STALLED, 0, 5, 10),
        (Fault.REVERSED, 0, 20, 30),
        (Fault.LEAP, 100, 40, 41),
    )
    # 50 s less 5 stalled and 10 reversed, and 100.
    assert shown(one, IMPORT, 50) == [135.0]
    assert shown(one, EXPORT, 50) == [10.0]


@given(
    st.lists(st.integers(0, 5_000_000), min_size=1, max_size=30),
    st.lists(st.integers(-100_000, 2_000_000), min_size=3, max_size=3),
)
def test_a_load_by_minute_adds_up_whatever_it_is_cut_into(watts, at_ms) -> None:
    load = ByMinute(first_ms=0, minute_w=np.array(watts))
    first, middle, last = sorted(at_ms)
    whole = load.energy_mj(first, last)
    assert whole == load.energy_mj(first, middle) + load.energy_mj(middle, last)
    # Millisecond by millisecond of a minute at a time, the slow way.
    by_hand = sum(
        power_w * max(0, min(last, 60_000 * (n + 1)) - max(first, 60_000 * n))
        for n, power_w in enumerate(watts)
    )
    assert whole == by_hand
    both = load.energies_mj(first, np.array([middle, last]))
    assert both.tolist() == [load.energy_mj(first, middle), whole]


def test_a_load_by_minute_is_nothing_before_and_after() -> None:
    assert [LOAD.power_w(START_MS + s * S) for s in (-1, 0, 3599, 3600)] == [
        0,
        3_600_000,
        3_600_000,
        0,
    ]
    assert LOAD.energy_mj(START_MS - S, START_MS + 7200 * S) == pytest.approx(
        3600 * 3.6e9
    )
