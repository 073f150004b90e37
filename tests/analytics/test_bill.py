from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from accounts.tariff import Period, TariffError
from analytics.bill import energy_lines, month_peaks, summed
from tests.fix_seeded_accounts import TARIFF

NONE = np.nan
ABSENT = np.inf


def test_each_period_has_its_line() -> None:
    # Slots 0, 32, 40 and 95: 00:00 valley, 08:00 flat, 10:00 peak, 23:45 valley.
    kwh = np.array([25.0, 30.0, 10.005, NONE])
    lines = energy_lines(kwh, np.array([0, 32, 40, 95]), TARIFF)
    assert [(one.period, one.kwh, one.price, one.charge) for one in lines] == [
        # 25 x 60; 30 x 100; 10.005 x 150 = 1500.75
        (Period.VALLEY, 25, Decimal(60), Decimal("1500.00")),
        (Period.FLAT, 30, Decimal(100), Decimal("3000.00")),
        (Period.PEAK, 10.005, Decimal(150), Decimal("1500.75")),
    ]


def test_the_first_of_equal_peaks_is_a_months_peak() -> None:
    days = np.array(["2026-02-27", "2026-02-28", "2026-03-01", "2026-04-01"])
    power_kw = np.array([412.0, 412.0, NONE, 3.0])
    peaks = month_peaks(power_kw, days.astype("datetime64[D]"))
    # Nothing is known of March.
    assert [(one.month, one.row, one.kw) for one in peaks] == [
        (date(2026, 2, 1), 0, 412.0),
        (date(2026, 4, 1), 3, 3.0),
    ]


def test_points_are_summed_as_far_as_they_are_known() -> None:
    one = np.array([1.0, 2.0, NONE, ABSENT, 5.0])
    other = np.array([4.0, NONE, NONE, ABSENT, ABSENT])
    known, whole = summed([one, other])
    # The fourth has no interval at all, the fifth only one of the two points.
    np.testing.assert_array_equal(known, [5, 2, NONE, NONE, 5])
    np.testing.assert_array_equal(whole, [5, NONE, NONE, NONE, 5])


def test_a_peak_costs_its_price_rounded_half_up() -> None:
    # 412.440625 kW x 8320 = 3,431,506.00; 0.000001 kW x 8320 = 0.00832, that is 0.01.
    assert TARIFF.demand_charge(412.440625) == Decimal("3431506.00")
    assert TARIFF.demand_charge(0.000001) == Decimal("0.01")
    free = TARIFF.model_copy(update={"demand_price_per_kw_month": None})
    assert free.demand_charge(412.0) is None
    with pytest.raises(TariffError, match="peak of nan kW"):
        TARIFF.demand_charge(NONE)
