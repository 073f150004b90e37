from decimal import Decimal

import numpy as np
import pytest
from pydantic import ValidationError

from accounts.tariff import PERIODS, Period, Prices, Tariff, TariffError


def three_period(**changes) -> Tariff:
    entered = {
        "code": "three-period",
        "name": "Three periods",
        "currency": "CNY",
        "price_per_kwh": {"valley": 0.30, "flat": 0.60, "peak": 0.90},
        "valley_hours": ["00:00-08:00"],
        "peak_hours": ["08:00-12:00", "17:00-21:00"],
    }
    return Tariff.model_validate(entered | changes)


def test_every_quarter_hour_has_its_period() -> None:
    periods = [PERIODS[code] for code in three_period().period_of_slot()]
    # 8 h valley, 4 + 4 h peak, the other 8 h flat.
    assert [periods.count(period) for period in Period] == [32, 32, 32]
    assert periods[31:33] == [Period.VALLEY, Period.PEAK]
    assert periods[47:49] == [Period.PEAK, Period.FLAT]
    assert periods[83:85] == [Period.PEAK, Period.FLAT]


def test_price_of_slot_follows_the_periods() -> None:
    prices = three_period().price_of_slot()
    assert prices.shape == (96,)
    assert prices[[0, 32, 50]].tolist() == [0.30, 0.90, 0.60]


def test_a_span_may_run_over_midnight_and_start_on_a_half_hour() -> None:
    night = three_period(valley_hours=["22:30-06:30"], peak_hours=[])
    valley = night.period_of_slot() == PERIODS.index(Period.VALLEY)
    assert np.flatnonzero(valley).tolist() == [*range(26), *range(90, 96)]


def test_the_end_of_the_day_is_24_00() -> None:
    evening = three_period(valley_hours=["22:00-24:00"], peak_hours=[])
    valley = evening.period_of_slot() == PERIODS.index(Period.VALLEY)
    assert np.flatnonzero(valley).tolist() == [*range(88, 96)]


def test_energy_charge_of_the_steel_plant() -> None:
    # 43 655.43 x 0.3 = 13 096.629 -> 13 096.63; 255 127.54 x 0.6 = 153 076.524
    # -> 153 076.52; 372 650.63 x 0.9 = 335 385.567 -> 335 385.57; sum 501 558.72.
    kwh = {
        Period.VALLEY: 43_655.43,
        Period.FLAT: 255_127.54,
        Period.PEAK: 372_650.63,
    }
    assert three_period().energy_lines(kwh) == {
        Period.VALLEY: Decimal("13096.63"),
        Period.FLAT: Decimal("153076.52"),
        Period.PEAK: Decimal("335385.57"),
    }
    assert three_period().energy_charge(kwh) == Decimal("501558.72")


def test_half_a_cent_goes_up_in_spite_of_floats() -> None:
    # 0.1 + 0.05 = 0.15000000000000002; 0.35 - 0.2 = 0.14999999999999997. Both are
    # 0.15 kWh, and 0.15 x 0.90 = 0.135 -> 0.14.
    # 0.05 x 0.90 = 0.045 -> 0.05.
    assert three_period().energy_charge({Period.PEAK: 0.05}) == Decimal("0.05")
    for energy in (0.1 + 0.05, 0.35 - 0.2):
        assert three_period().energy_charge({Period.PEAK: energy}) == Decimal("0.14")


@pytest.mark.parametrize("kwh", [float("nan"), float("inf"), -1.0])
def test_what_is_no_energy_has_no_price(kwh) -> None:
    with pytest.raises(TariffError, match="in the peak period cannot be priced"):
        three_period().energy_charge({Period.PEAK: kwh})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"peak_hours": ["07:30-09:00"]}, "00:00-08:00 and 07:30-09:00 .* overlap"),
        ({"peak_hours": ["08:15-09:00"]}, "on half-hours"),
        ({"peak_hours": ["08:00"]}, "not a span of hours"),
        ({"peak_hours": ["09:00-09:00"]}, "not a span of hours"),
        ({"peak_hours": ["24:00-00:00"]}, "not a span of hours"),
        ({"peak_hours": ["23:00-25:00"]}, "not a span of hours"),
        ({"currency": "yuan"}, "currency"),
        ({"price_per_kwh": {"valley": -1, "flat": 1, "peak": 1}}, "greater than or"),
        ({"price_per_kwh": {"flat": 1, "peak": 1}}, "valley"),
        ({"price": 1}, "Extra inputs"),
    ],
)
def test_a_wrong_entry_is_refused(changes, reason) -> None:
    with pytest.raises(ValidationError, match=reason):
        three_period(**changes)


def test_prices_are_exact_and_survive_json() -> None:
    tariff = three_period(demand_price_per_kw_month=36.1)
    assert tariff.demand_price_per_kw_month == Decimal("36.1")
    assert Tariff.model_validate_json(tariff.model_dump_json()) == tariff
    assert tariff.price_per_kwh == Prices(
        valley=Decimal("0.3"), flat=Decimal("0.6"), peak=Decimal("0.9")
    )
