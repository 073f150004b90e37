from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.settlement.edit_entry import (
    amount_typed,
    even_shares,
    run_of,
    values_of,
)
from analytics.settlement.edited_values import EditError, refuse_values
from meters.quantity import Quantity

SEOUL = ZoneInfo("Asia/Seoul")
START = datetime(2026, 3, 2, 15, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


@given(
    st.decimals(min_value=0, max_value=999_999_999, places=4),
    st.integers(min_value=1, max_value=36_000),
)
def test_shares_sum_to_the_total_and_differ_by_one_step(total, count) -> None:
    shares = even_shares(total, count)
    exact = [Decimal(repr(share)) for share in shares.tolist()]
    assert sum(exact) == total
    assert max(exact) - min(exact) <= Decimal("0.0001")


@given(st.decimals(min_value=0, max_value=999_999_999, places=4))
def test_what_can_be_typed_can_be_stored(amount) -> None:
    values = values_of(
        run_of(START, None, SEOUL),
        each_kwh=amount_typed(f"{amount:f}", "import_kwh"),
        total_kwh=None,
        others={Quantity.ENERGY_LAGGING_KVARH: amount},
    )
    refuse_values(values, reason="x", by="y", at=START + QUARTER)
    assert Decimal(repr(float(values.import_kwh[0]))) == amount


def test_a_run_over_a_changed_clock_has_as_many_quarter_hours_as_time() -> None:
    # 25 October 2026 in Berlin has 25 hours: 100 quarter-hours.
    berlin = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, tzinfo=berlin).astimezone(UTC)
    last = datetime(2026, 10, 26, tzinfo=berlin).astimezone(UTC)
    run = run_of(first, last, berlin)
    values = values_of(run, each_kwh=None, total_kwh=Decimal(250), others={})
    assert values.start_us.size == 100
    assert values.import_kwh.tolist() == [2.5] * 100
    assert np.isnan(values.export_kwh).all()


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("twelve", "'twelve'; write a number like 12.5"),
        ("", "''; write a number"),
        ("nan", "'nan'"),
        ("1_000", "'1_000'"),
        ("-0.5", "-0.5; give 0 or more"),
        ("0.00001", "0.00001; give at most 4 decimals"),
        ("9" * 40, "99999…'; write a number"),
        ("1000000000", "give less than 1,000,000,000"),
    ],
)
def test_what_is_no_energy_is_refused(typed, sentence) -> None:
    with pytest.raises(EditError) as refused:
        amount_typed(typed, "import_kwh")
    assert sentence in str(refused.value)


def test_trailing_zeros_and_minus_nothing_are_taken() -> None:
    assert amount_typed(" 12.500000 ", "import_kwh") == Decimal("12.5")
    assert str(amount_typed("-0", "import_kwh")) == "0"
