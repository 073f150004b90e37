"""Register counts are whole numbers, found again through doubles."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.registers import counts, difference, exact, modulus, wrapped

RESOLUTIONS = st.sampled_from([1000.0, 1.0, 0.1, 0.01, 0.001, 0.0001, 0.5, 0.025])


def test_rollover_of_the_methods_sheet() -> None:
    # 999987.42 to 12.31: 1000000 - 999987.42 + 12.31 = 24.89.
    r0, r1 = counts(999987.42, 0.01), counts(12.31, 0.01)
    assert (r0, r1) == (99998742, 1231)
    assert difference(r0, r1, 8) == 2489
    # With CT 60 and PT 100: 24.89 x 6000 = 149,340 kWh.
    assert difference(r0, r1, 8) * 60 * 100 * Fraction("0.01") == 149340


@given(st.integers(0, 2**51), RESOLUTIONS)
def test_counts_are_found_again_through_a_double(number, resolution) -> None:
    numerator, denominator = exact(resolution)
    assert counts(number * numerator / denominator, resolution) == number


@given(st.integers(1, 15), st.data())
def test_difference_undoes_a_turn(digits, data) -> None:
    r0 = data.draw(st.integers(0, modulus(digits) - 1))
    gone = data.draw(st.integers(0, modulus(digits) - 1))
    assert difference(r0, (r0 + gone) % modulus(digits), digits) == gone


@given(st.floats(0, 1e9), st.integers(1, 12), RESOLUTIONS)
def test_a_register_shows_less_than_a_turn(value_kwh, digits, resolution) -> None:
    shown = wrapped(value_kwh, digits, resolution)
    assert 0 <= counts(shown, resolution) < modulus(digits)
    assert wrapped(shown, digits, resolution) == shown


@pytest.mark.parametrize(
    ("value_kwh", "digits", "resolution", "shown"),
    [
        (671433.6, 11, 0.001, 671433.6),
        (1000012.314, 8, 0.01, 12.31),
        (999999.996, 8, 0.01, 0.0),  # rounds up to the turn
        (12.0, 3, 0.1, 12.0),
        (112.0, 3, 0.1, 12.0),
    ],
)
def test_wrapped_by_hand(value_kwh, digits, resolution, shown) -> None:
    assert wrapped(value_kwh, digits, resolution) == shown
