import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dashboard.thinning import band, kept, over_buckets, step_of

LOADS = arrays(
    np.float64,
    st.integers(0, 400),
    elements=st.one_of(st.floats(0, 1e4), st.just(float("nan"))),
)


@given(LOADS, st.integers(2, 60))
def test_the_budget_holds_and_the_peak_stays(load_kw, budget) -> None:
    chosen = kept(load_kw, budget)
    assert chosen.size <= max(budget, 1)
    assert (np.diff(chosen) > 0).all()
    if not np.isnan(load_kw).all():
        assert np.nanmax(load_kw[chosen]) == np.nanmax(load_kw)


@given(LOADS, st.integers(2, 60))
def test_a_bucket_without_values_stays_a_gap(load_kw, budget) -> None:
    step = step_of(load_kw.size, budget)
    chosen = kept(load_kw, budget)
    for first in range(0, load_kw.size, step):
        if np.isnan(load_kw[first : first + step]).all():
            here = chosen[(chosen >= first) & (chosen < first + step)]
            assert here.size
            assert np.isnan(load_kw[here]).all()


def test_the_lowest_of_each_bucket_stays_too() -> None:
    # Buckets of three: (5, 1, 3) keeps 5 and 1, (2, 9, 4) keeps 2 and 9.
    assert kept(np.array([5.0, 1, 3, 2, 9, 4]), 4).tolist() == [0, 1, 3, 4]


def test_few_values_are_all_kept() -> None:
    assert kept(np.arange(5.0), 5).tolist() == [0, 1, 2, 3, 4]


def test_a_thinned_band_is_never_narrower() -> None:
    low, high = np.array([3.0, 1, 2, 5]), np.array([6.0, 7, 9, 8])
    starts = band(low, high, 2)
    assert starts.tolist() == [0, 2]
    assert over_buckets(low, starts, np.fmin).tolist() == [1, 2]
    assert over_buckets(high, starts, np.fmax).tolist() == [7, 9]


def test_a_band_needs_two_edges() -> None:
    with pytest.raises(ValueError, match="as many lows as highs"):
        band(np.zeros(3), np.zeros(4), 2)
