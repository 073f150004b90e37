from datetime import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.equipment import ShiftableProcess
from analytics.shift import LEAST_SAVING, best_shift

NAN = np.nan
# Valley 0.30 until 08:00, peak 0.90 from 08:00 to 12:00 and 17:00 to 21:00, else 0.60.
THREE_PERIOD = np.repeat(
    [0.30] * 8 + [0.90] * 4 + [0.60] * 5 + [0.90] * 4 + [0.60] * 3, 4
)


def clock(slot: int) -> time:
    return time(slot // 4 % 24, slot % 4 * 15)


def process(power_kw=100.0, hours=2.0, usual=9.0, earliest=0.0, end=24.0):
    """Make a process; times in hours of the day."""
    return ShiftableProcess(
        name="Heater",
        power_kw=power_kw,
        duration_min=int(hours * 60),
        usual_start=clock(int(usual * 4)),
        earliest_start=clock(int(earliest * 4)),
        latest_end=clock(int(end * 4)),
    )


def load_with(heater: ShiftableProcess, base_kw=500.0):
    """Site load: a base, the process on top of it where it usually runs."""
    load_kw = np.zeros(96) + base_kw
    first = heater.usual_slot
    load_kw[first : first + heater.slots] += heater.power_kw
    return load_kw


# FlexMeasures toy IV (docs/methods.md): EUR/MWh of the hours of a day.
TOY_EUR_MWH = [
    *[10, 11, 12, 15, 18, 17, 10.5, 9, 9.5, 9, 8.5, 10],
    *[8, 5, 4, 4, 5.5, 8, 12, 13, 14, 12.5, 10, 7],
]
TOY = np.repeat(np.array(TOY_EUR_MWH) / 1000, 4)


def test_the_flexmeasures_toy_reaches_its_published_optimum() -> None:
    # As is, from 00:00: 0.2 MW x (10 + 11 + 12 + 15) = 9.60 EUR. 15:00 to 16:00 is
    # blocked, so before it the cheapest four hours are 11:00 to 15:00:
    # 0.2 x (10 + 8 + 5 + 4) = 5.40 EUR.
    toy = process(power_kw=200.0, hours=4, usual=0, end=15)
    hint = best_shift(toy, TOY, load_with(toy))
    assert hint is not None
    assert hint.usual_cost == pytest.approx(9.60, abs=1e-9)
    assert hint.new_cost == pytest.approx(5.40, abs=1e-9)
    assert (hint.from_start, hint.to_start) == (time(0, 0), time(11, 0))


def test_after_the_blocked_hour_the_toy_is_dearer() -> None:
    # From 16:00: 0.2 x (5.5 + 8 + 12 + 13) = 7.70 EUR, more than 5.40; and no later
    # start is better: from 20:00 it is 0.2 x (14 + 12.5 + 10 + 7) = 8.70.
    toy = process(power_kw=200.0, hours=4, usual=20, earliest=16)
    hint = best_shift(toy, TOY, load_with(toy))
    assert hint is not None
    assert hint.usual_cost == pytest.approx(8.70, abs=1e-9)
    assert hint.new_cost == pytest.approx(7.70, abs=1e-9)


def test_three_periods_by_hand() -> None:
    # 2 h of 100 kW from 09:00 cost 200 kWh x 0.90 = 180; in the valley 200 x 0.30 = 60.
    # The latest valley run, nearest to today's, starts at 06:00.
    heater = process()
    hint = best_shift(heater, THREE_PERIOD, load_with(heater))
    assert hint is not None
    assert hint.process == "Heater"
    assert (hint.from_start, hint.to_start) == (time(9, 0), time(6, 0))
    assert hint.moved_kwh == pytest.approx(200.0)
    assert hint.usual_cost == pytest.approx(180.0)
    assert hint.saved == pytest.approx(120.0)
    assert (hint.peak_kw, hint.new_peak_kw) == (600.0, 600.0)


def test_only_what_leaves_its_quarter_hours_is_moved() -> None:
    # From 07:00 instead of 07:30: a half hour, 50 kWh, moves from peak to valley, and
    # saves 50 x (0.90 - 0.30) = 30. From 06:00 to 08:00 all is valley already.
    heater = process(usual=7.5, earliest=7, end=12, hours=1)
    hint = best_shift(heater, THREE_PERIOD, load_with(heater))
    assert hint is not None
    assert hint.to_start == time(7, 0)
    assert hint.moved_kwh == pytest.approx(50.0)
    assert hint.saved == pytest.approx(30.0)


def test_the_peak_is_never_raised() -> None:
    # Another load of 950 kW until 07:00 leaves no room for 100 kW under today's 1000 kW
    # before then: the first free run in the valley is 07:00 to 08:00.
    heater = process(hours=1)
    load_kw = load_with(heater)
    load_kw[:28] = 950.0
    load_kw[90] = 1000.0
    hint = best_shift(heater, THREE_PERIOD, load_kw)
    assert hint is not None
    assert hint.to_start == time(7, 0)
    load_kw[28:32] = 950.0
    # Now the whole valley is full: flat hours remain, 12:00 is the nearest.
    hint = best_shift(heater, THREE_PERIOD, load_kw)
    assert hint is not None
    assert hint.to_start == time(12, 0)
    assert hint.new_peak_kw == 1000.0


def test_just_up_to_todays_peak_is_allowed() -> None:
    heater = process(usual=9, hours=1, earliest=7, end=10)
    load_kw = load_with(heater)  # 600 kW from 09:00
    load_kw[28:32] = 500.0
    assert best_shift(heater, THREE_PERIOD, load_kw) is not None
    load_kw[28:32] = 500.1
    load_kw[32:36] = 500.1
    assert best_shift(heater, THREE_PERIOD, load_kw) is None


def test_demand_has_its_price() -> None:
    # One price all day. Base 500 kW, 700 from 09:00 to 11:00 with the heater's 100 on
    # top: moved away, the site's peak falls from 800 to 700 kW, worth 100 x 1.2 = 120.
    heater = process()
    load_kw = load_with(heater)
    load_kw[36:44] += 200.0
    flat = np.full(96, 0.60)
    assert best_shift(heater, flat, load_kw) is None
    hint = best_shift(heater, flat, load_kw, demand_price_per_kw_day=1.2)
    assert hint is not None
    assert (hint.peak_kw, hint.new_peak_kw) == (800.0, 700.0)
    assert hint.saved == pytest.approx(120.0)
    # 200 kWh x 0.60 + 800 kW x 1.2.
    assert hint.usual_cost == pytest.approx(1080.0)
    # Just before or just after the others is equally near; the earlier is taken.
    assert hint.to_start == time(7, 0)


def test_no_better_start_is_no_hint() -> None:
    in_the_valley = process(usual=2)
    load_kw = load_with(in_the_valley)
    assert best_shift(in_the_valley, THREE_PERIOD, load_kw) is None


def test_less_than_a_cent_is_no_hint() -> None:
    # 200 kWh x 0.00004 = 0.008.
    heater = process()
    price = np.where(np.arange(96) < 32, 0.59996, 0.60)
    assert best_shift(heater, price, load_with(heater)) is None


def test_a_run_stays_within_its_window() -> None:
    # The valley ends at 08:00; from 06:30 on, an hour and a half of it can be used.
    heater = process(earliest=6.5, end=11)
    hint = best_shift(heater, THREE_PERIOD, load_with(heater))
    assert hint is not None
    assert hint.to_start == time(6, 30)
    no_slack = process(earliest=9, end=11)
    assert best_shift(no_slack, THREE_PERIOD, load_with(no_slack)) is None


def test_a_run_may_end_at_midnight() -> None:
    late_valley = np.where(np.arange(96) >= 88, 0.30, 0.60)
    heater = process(usual=18)
    hint = best_shift(heater, late_valley, load_with(heater))
    assert hint is not None
    assert hint.to_start == time(22, 0)


def test_what_is_not_known_is_not_advised() -> None:
    heater = process()
    load_kw = load_with(heater)
    load_kw[31] = NAN  # 07:45
    hint = best_shift(heater, THREE_PERIOD, load_kw)
    assert hint is not None
    assert hint.to_start == time(5, 45)
    assert best_shift(heater, THREE_PERIOD, np.full(96, NAN)) is None


@given(
    price=st.lists(st.floats(0, 2), min_size=24, max_size=24),
    base_kw=st.lists(st.floats(0, 1000), min_size=24, max_size=24),
    power_kw=st.floats(1, 500),
    hours=st.integers(1, 6),
    usual=st.integers(0, 18),
    demand_price=st.floats(0, 3),
)
def test_no_legal_start_is_cheaper(
    *, price, base_kw, power_kw, hours, usual, demand_price
) -> None:
    heater = process(power_kw=power_kw, hours=hours, usual=usual)
    price_of_slot = np.repeat(price, 4)
    base = np.repeat(base_kw, 4)
    load_kw = load_with(heater, base)
    hint = best_shift(heater, price_of_slot, load_kw, demand_price)

    def cost_and_peak(first: int) -> tuple[float, float]:
        run = slice(first, first + hours * 4)
        site = base.copy()
        site[run] += power_kw
        energy = sum(float(p) for p in price_of_slot[run]) * power_kw / 4
        return energy + demand_price * float(site.max()), float(site.max())

    usual_cost, peak_kw = cost_and_peak(heater.usual_slot)
    least = min(
        cost
        for cost, peak in map(cost_and_peak, range(96 - hours * 4 + 1))
        if peak <= peak_kw + 1e-9
    )
    if hint is None:
        assert usual_cost - least < LEAST_SAVING + 1e-6
    else:
        assert hint.new_cost == pytest.approx(least, rel=1e-5, abs=1e-6)
        assert hint.usual_cost == pytest.approx(usual_cost)
        assert hint.new_peak_kw <= peak_kw + 1e-9
        assert hint.saved >= LEAST_SAVING - 1e-3
