import math
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.calendar import DayType, SiteCalendar
from accounts.tariff import Period, Prices, Tariff
from analytics.load import (
    Peak,
    day_grid,
    exceedance_kw,
    load_duration,
    load_factor,
    peak,
    tou_split,
    typical_day,
)
from meters.reading import utc_us
from tests.support import shared_data

NAN = math.nan
WORK, SAT, REST = DayType.WORKDAY, DayType.SATURDAY, DayType.HOLIDAY
THREE_PERIOD = Tariff(
    code="three-period",
    name="Three periods",
    currency="KRW",
    price_per_kwh=Prices(valley="0.30", flat="0.60", peak="0.90"),
    valley_hours=["00:00-08:00"],
    peak_hours=["08:00-12:00", "17:00-21:00"],
)


def test_peak_is_the_first_of_equals() -> None:
    assert peak(np.array([1.0, NAN, 7.0, 7.0])) == Peak(7.0, 2)


@pytest.mark.parametrize("power_kw", [[], [NAN, NAN]])
def test_nothing_measured_has_no_figures(power_kw) -> None:
    nothing = np.array(power_kw)
    assert peak(nothing) is None
    assert math.isnan(load_factor(nothing))
    assert load_duration(nothing).kw.size == 0
    assert np.isnan(exceedance_kw(nothing, [1, 50])).tolist() == [True, True]


def test_load_factor_ignores_the_gap() -> None:
    # Mean (60 + 120 + 90) / 3 = 90 kW, peak 120 kW: 90 / 120 = 0.75.
    assert load_factor(np.array([60.0, NAN, 120.0, 90.0])) == pytest.approx(0.75)


def test_a_load_that_only_feeds_in_has_no_load_factor() -> None:
    assert math.isnan(load_factor(np.array([-5.0, 0.0])))


@given(st.lists(st.floats(0.1, 1e6), min_size=1, max_size=50))
def test_load_factor_is_at_most_one(power_kw) -> None:
    assert 0 < load_factor(np.array(power_kw)) <= 1 + 1e-12


def test_load_duration_descends_over_its_exceedance() -> None:
    # Four loads: (i - 0.5) / 4.
    curve = load_duration(np.array([20.0, 10.0, NAN, 40.0, 30.0]))
    assert curve.kw.tolist() == [40.0, 30.0, 20.0, 10.0]
    assert curve.exceedance.tolist() == [0.125, 0.375, 0.625, 0.875]


@given(
    st.lists(
        st.one_of(st.floats(-1e6, 1e6), st.just(NAN)), min_size=1, max_size=40
    ).filter(lambda values: not all(map(math.isnan, values))),
    st.floats(0, 100),
)
def test_percentiles_are_numpys(values, percent) -> None:
    ours = exceedance_kw(np.array(values), [percent])[0]
    theirs = np.nanpercentile(values, 100 - percent)
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)


def grid_of(site: SiteCalendar, first: date, last: date, power_kw=None):
    starts_us = site.quarter_hours_us(first, last)
    days, slots = site.days_and_slots(starts_us)
    values = np.arange(starts_us.size, dtype=float) if power_kw is None else power_kw
    return day_grid(values, days, slots)


def test_day_grid_has_a_row_for_every_local_day() -> None:
    shanghai = SiteCalendar(ZoneInfo("Asia/Shanghai"), "CN")
    grid = grid_of(shanghai, date(2026, 3, 2), date(2026, 3, 4))
    assert grid.power_kw.tolist() == np.arange(288.0).reshape(3, 96).tolist()
    assert grid.row(date(2026, 3, 3)) == 1


def test_day_grid_over_the_clock_changes() -> None:
    site = SiteCalendar(ZoneInfo("America/Los_Angeles"), "US")
    spring = grid_of(site, date(2018, 3, 11), date(2018, 3, 11)).power_kw[0]
    # 02:00 to 03:00 does not exist; 03:00, slot 12, is the ninth quarter-hour.
    assert np.flatnonzero(np.isnan(spring)).tolist() == [8, 9, 10, 11]
    assert spring[12] == 8.0
    autumn = grid_of(site, date(2018, 11, 4), date(2018, 11, 4)).power_kw[0]
    # 01:00 to 02:00 comes twice: slot 4 is the mean of quarter-hours 4 and 8.
    assert autumn[[3, 4, 7, 8]].tolist() == [3.0, 6.0, 9.0, 12.0]


def test_day_grid_leaves_gaps() -> None:
    days = np.array(["2026-03-02", "2026-03-04"], dtype="datetime64[D]")
    grid = day_grid(np.array([5.0, NAN]), days, np.array([0, 95]))
    assert grid.power_kw.shape == (3, 96)
    assert np.argwhere(~np.isnan(grid.power_kw)).tolist() == [[0, 0]]
    nothing = day_grid(np.empty(0), days[:0], np.empty(0, dtype=np.int64))
    assert nothing.power_kw.shape == (0, 96)


def flat_days(*levels_kw: float):
    return np.repeat(np.array(levels_kw, dtype=float)[:, None], 96, axis=1)


def test_typical_day_is_the_middle_of_its_type() -> None:
    # Workdays 10 to 50: median 30; p10 at 0.4 of the way from 10 to 20: 14; p90: 46.
    levels = flat_days(10, 900, 20, 30, 40, 50)
    types = np.array([WORK, SAT, WORK, WORK, WORK, WORK])
    typical = typical_day(levels, types, WORK)
    assert typical is not None
    assert (typical.days, typical.day_types) == (5, (WORK,))
    assert typical.median_kw == pytest.approx(np.full(96, 30.0))
    assert typical.p10_kw == pytest.approx(np.full(96, 14.0))
    assert typical.p90_kw == pytest.approx(np.full(96, 46.0))


def test_too_few_days_borrow_from_a_coarser_type() -> None:
    types = np.array([SAT, SAT, REST, REST, REST, WORK])
    typical = typical_day(flat_days(1, 2, 3, 4, 5, 99), types, SAT)
    assert typical is not None
    assert (typical.days, typical.day_types) == (5, (SAT, REST))
    assert typical.median_kw[0] == 3.0
    everything = typical_day(flat_days(1, 2, 3), np.array([SAT, REST, WORK]), SAT)
    assert everything is not None
    assert (everything.days, everything.day_types) == (3, (WORK, SAT, REST))


def test_days_without_a_value_do_not_count() -> None:
    types = np.array([WORK, WORK, SAT])
    assert typical_day(flat_days(NAN, NAN, 3), types, WORK) is None
    typical = typical_day(flat_days(NAN, 7, 7), types, WORK)
    assert typical is not None
    assert typical.days == 2


def test_a_slot_never_measured_is_not_known() -> None:
    levels = flat_days(10, 20, 30, 40, 50)
    levels[:, 8] = NAN
    levels[:3, 9] = NAN
    typical = typical_day(levels, np.array([WORK] * 5), WORK)
    assert typical is not None
    assert np.isnan(typical.median_kw[8])
    assert typical.median_kw[9] == 45.0


def test_tou_split_by_wall_clock() -> None:
    # Slots 0 valley, 32 peak, 50 flat, 51 not known.
    kwh, slot = np.array([1.0, 2.0, 4.0, NAN]), np.array([0, 32, 50, 51])
    split = tou_split(kwh, slot, THREE_PERIOD.period_of_slot())
    assert split == {Period.VALLEY: 1.0, Period.FLAT: 4.0, Period.PEAK: 2.0}


@pytest.fixture(scope="module")
def steel():
    """Energy of the file and its interval starts by the plant's calendar."""
    table = pq.read_table(
        shared_data("steel_industry_kr") / "steel_2018_jan_aug.parquet"
    )
    seoul = SiteCalendar(ZoneInfo("Asia/Seoul"), "KR")
    starts_us = seoul.quarter_hours_us(date(2018, 1, 1), date(2018, 8, 31))
    kwh = table["usage_kwh"].to_numpy()
    assert kwh.size == starts_us.size == 23_328
    return kwh, starts_us, seoul


def test_figures_of_the_steel_plant(steel) -> None:
    kwh, starts_us, _ = steel
    power_kw = kwh * 4
    # docs/methods.md, Registers and Load figures.
    assert kwh.sum() == pytest.approx(671_433.60, abs=0.005)
    assert load_factor(power_kw) == pytest.approx(0.1879, abs=5e-5)
    highest = peak(power_kw)
    assert highest is not None
    assert highest.kw == pytest.approx(612.56)
    seoul = datetime(2018, 1, 15, 13, 30, tzinfo=ZoneInfo("Asia/Seoul"))
    assert starts_us[highest.index] == utc_us(seoul.astimezone(UTC))
    assert exceedance_kw(power_kw, [1, 5, 10, 50, 90, 99]) == pytest.approx(
        [498.40, 408.08, 332.25, 19.00, 11.52, 10.52], abs=0.005
    )


def test_tariff_periods_of_the_steel_plant(steel) -> None:
    kwh, starts_us, seoul = steel
    _, slot = seoul.days_and_slots(starts_us)
    split = tou_split(kwh, slot, THREE_PERIOD.period_of_slot())
    # docs/methods.md, Load figures and Tariffs.
    assert split == {
        Period.VALLEY: pytest.approx(43_655.43, abs=0.005),
        Period.FLAT: pytest.approx(255_127.54, abs=0.005),
        Period.PEAK: pytest.approx(372_650.63, abs=0.005),
    }
    assert float(THREE_PERIOD.energy_charge(split)) == 501_558.72
