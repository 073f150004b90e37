"""Register counts are whole numbers, found again through doubles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.registers import counts, exact, modulus, wrapped

RESOLUTIONS = st.sampled_from([1000.0, 1.0, 0.1, 0.01, 0.001, 0.0001, 0.5, 0.025])


@given(st.integers(0, 2**51), RESOLUTIONS)
def test_counts_are_found_again_through_a_double(number, resolution) -> None:
    numerator, denominator = exact(resolution)
    assert counts(number * numerator / denominator, resolution) == number


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
