from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.settlement.quanta import (
    as_energy,
    as_quanta,
    common_quantum,
    portions,
    shared_out,
)


def test_a_quantum_measures_every_count() -> None:
    # 0.01 kWh x 40/3 = 2/15; 0.025 kWh x 1 = 1/40. gcd(2, 1) / lcm(15, 40) = 1/120.
    assert common_quantum([Fraction(2, 15), Fraction(1, 40)]) == Fraction(1, 120)


def test_half_a_quantum_is_rounded_to_even() -> None:
    # 1/2 -> 0, 3/2 -> 2, 5/2 -> 2, 7/2 -> 4.
    total = np.array([1, 3, 5, 7])
    two = np.full(4, 2)
    assert portions(total, np.ones(4, np.int64), two).tolist() == [0, 2, 2, 4]


@given(
    st.lists(
        st.tuples(st.integers(0, 2**62), st.integers(0, 2**41), st.integers(1, 2**41)),
        min_size=1,
        max_size=5,
    )
)
def test_portions_are_exact_however_large(rows) -> None:
    total, part, rest = (np.array(column) for column in zip(*rows, strict=True))
    whole = part + rest
    expected = [
        round(Fraction(t * p, w))
        for t, p, w in zip(total.tolist(), part.tolist(), whole.tolist(), strict=True)
    ]
    assert portions(total, part, whole).tolist() == expected


@given(
    st.integers(0, 10**15),
    st.lists(st.floats(0, 1e6), min_size=1, max_size=40),
)
def test_shares_sum_to_the_total_and_none_is_negative(total, weights) -> None:
    shares = shared_out(total, np.array(weights), np.ones(len(weights), np.int64))
    assert sum(shares.tolist()) == total
    assert (shares >= 0).all()


@pytest.mark.parametrize("weights", [[0.0, 0.0], [np.nan, 1.0], [-1.0, 2.0]])
def test_weights_that_say_nothing_leave_it_to_the_lengths(weights) -> None:
    shares = shared_out(30, np.array(weights), np.array([1, 2]))
    assert shares.tolist() == [10, 20]


@given(st.lists(st.integers(0, 2**50), min_size=1))
def test_energy_and_quanta_are_inverses(quanta) -> None:
    quantum = Fraction(3, 1000)
    there = as_energy(np.array(quanta), quantum)
    assert as_quanta(there, quantum).tolist() == quanta
