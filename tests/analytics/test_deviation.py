import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.deviation import (
    Band,
    Hysteresis,
    Verdict,
    expected_band,
    like_days,
    z_scores,
)
from analytics.finding import Finding

NAN = math.nan
WORK, REST = "workday", "holiday"


def flat_days(*levels_kw: float):
    """Days of one level each, shape (days, 96)."""
    return np.repeat(np.array(levels_kw)[:, None], 96, axis=1)


def flat_band(median_kw: float, scale_kw: float) -> Band:
    day = np.ones(96)
    return Band(
        median_kw=day * median_kw,
        low_kw=day * (median_kw - 6 * scale_kw),
        high_kw=day * (median_kw + 6 * scale_kw),
        scale_kw=day * scale_kw,
    )


def test_like_days_are_the_newest_usable_of_the_type() -> None:
    types = np.array([WORK] * 6 + [REST] + [WORK] * 8)
    usable = np.ones(15, dtype=bool)
    usable[13] = False
    # Days 0-5, 7-12 and 14 are usable workdays, 13 in all; the last ten of them.
    chosen = like_days(types, WORK, usable)
    assert chosen.tolist() == [3, 4, 5, 7, 8, 9, 10, 11, 12, 14]


def test_too_few_like_days_are_a_finding() -> None:
    types = np.array([WORK, WORK, REST, WORK, WORK])
    found = like_days(types, WORK, np.ones(5, dtype=bool))
    assert found == Finding(
        code="too-few-like-days", figures={"days": 4, "least_days": 5}
    )


def test_band_from_the_spread_of_the_days() -> None:
    # Levels 100 to 140: median 120, distances 20, 10, 0, 10, 20: MAD 10. Scale
    # 1.4826 x 10 = 14.826, more than 0.04 x median peak 120 = 4.8. Band 120 -+ 88.956.
    band = expected_band(flat_days(100, 110, 120, 130, 140))
    assert band.median_kw == pytest.approx(np.full(96, 120.0))
    assert band.scale_kw == pytest.approx(np.full(96, 14.826))
    assert band.low_kw == pytest.approx(np.full(96, 31.044))
    assert band.high_kw == pytest.approx(np.full(96, 208.956))


def test_a_steady_load_has_the_floor_of_the_daily_peak() -> None:
    # MAD 0, but the median daily peak is 500 kW: scale 0.04 x 500 = 20, band 100 -+
    # 120, cut at 0.
    history_kw = flat_days(100, 100, 100, 100, 100)
    history_kw[:, 50] = 500.0
    band = expected_band(history_kw)
    assert (band.median_kw[0], band.scale_kw[0]) == (100.0, 20.0)
    assert (band.low_kw[0], band.high_kw[0]) == (0.0, 220.0)


def test_slots_beside_count_too() -> None:
    # One day, 10 kW but 40 in slot 5: slots 4 and 6 see (10, 10, 40), median 10; slot 5
    # itself sees (10, 40, 10).
    history_kw = flat_days(10)
    history_kw[0, 5] = 40.0
    band = expected_band(history_kw)
    assert band.median_kw.tolist() == [10.0] * 96
    # Two in a row: slot 5 sees (10, 40, 40).
    history_kw[0, 6] = 40.0
    assert expected_band(history_kw).median_kw[[4, 5, 6, 7]].tolist() == [
        10,
        40,
        40,
        10,
    ]


def test_the_edges_of_the_day_have_one_neighbour() -> None:
    # Slot 0 sees 10 and 30, median 20; slot 95 sees 10 and 50, median 30.
    history_kw = flat_days(10)
    history_kw[0, [0, 95]] = 30.0, 50.0
    assert expected_band(history_kw).median_kw[[0, 95]].tolist() == [20.0, 30.0]


def test_only_ten_days_count() -> None:
    band = expected_band(flat_days(*[9_000] * 20, *[100] * 10))
    assert band.high_kw.tolist() == [124.0] * 96  # 100 + 6 x 0.04 x 100


def test_gaps_are_left_out_and_nothing_known_is_nothing_expected() -> None:
    history_kw = flat_days(100, 100, 100, NAN)
    history_kw[:, 40:43] = NAN  # slot 41 and both beside it, on all days
    band = expected_band(history_kw)
    assert np.flatnonzero(np.isnan(band.median_kw)).tolist() == [41]
    assert np.flatnonzero(np.isnan(band.high_kw)).tolist() == [41]
    assert band.median_kw[0] == 100.0
    assert np.isnan(expected_band(flat_days(NAN)).median_kw).all()
    assert np.isnan(expected_band(np.empty((0, 96))).low_kw).all()


@given(
    st.lists(st.floats(0, 1e5), min_size=1, max_size=14),
    st.floats(0.01, 0.2),
    st.floats(1, 10),
)
def test_the_median_lies_within_the_band(levels_kw, f, k) -> None:
    band = expected_band(flat_days(*levels_kw), f=f, k=k)
    assert (band.low_kw >= 0).all()
    assert (band.low_kw <= band.median_kw).all()
    assert (band.median_kw <= band.high_kw).all()


def test_z_scores() -> None:
    # (160 - 100) / 10 = 6; (70 - 100) / 10 = -3.
    band = flat_band(100.0, 10.0)
    scores = z_scores(np.array([160.0, 70.0, NAN]), np.array([0, 95, 3]), band)
    assert scores[:2].tolist() == [6.0, -3.0]
    assert math.isnan(scores[2])


def test_a_load_that_was_always_zero_cannot_start_unseen() -> None:
    band = expected_band(flat_days(0, 0, 0, 0, 0))
    scores = z_scores(np.array([0.0, 5.0, NAN]), np.array([0, 1, 2]), band)
    assert scores[:2].tolist() == [0.0, math.inf]
    assert math.isnan(scores[2])


def test_no_band_gives_no_score() -> None:
    band = expected_band(np.empty((0, 96)))
    assert np.isnan(z_scores(np.array([5.0]), np.array([0]), band)).all()


@pytest.mark.parametrize(
    ("z", "is_open", "expected"),
    [
        pytest.param([-7, -8, -6.1], False, Verdict.OPEN, id="three below open it"),
        pytest.param([0, 7, 8, 9], False, Verdict.OPEN, id="three above open it"),
        pytest.param([7, 8], False, Verdict.STAY, id="two are too few"),
        pytest.param([7, 8, 6], False, Verdict.STAY, id="on the edge is inside"),
        pytest.param([7, -7, 7], False, Verdict.STAY, id="not of one side"),
        pytest.param([9, 9, 9, 0], False, Verdict.STAY, id="over already"),
        pytest.param([7, 7, NAN, 7], False, Verdict.OPEN, id="a gap breaks no run"),
        pytest.param([7, 7, NAN], False, Verdict.STAY, id="a gap proves nothing"),
        pytest.param([NAN, NAN, NAN], False, Verdict.STAY, id="only gaps"),
        pytest.param([], False, Verdict.STAY, id="nothing"),
        pytest.param([-2.9, 2.9], True, Verdict.CLOSE, id="two calm close it"),
        pytest.param([0, 3], True, Verdict.STAY, id="half the band is not calm"),
        pytest.param([-9, 0], True, Verdict.STAY, id="one calm is too few"),
        pytest.param([0, NAN], True, Verdict.STAY, id="a gap closes nothing"),
        pytest.param([NAN, NAN], True, Verdict.STAY, id="only gaps close nothing"),
        pytest.param([-7, -8, -9], True, Verdict.STAY, id="open stays open"),
    ],
)
def test_judge(z, is_open, expected) -> None:
    scores = np.array(z, dtype=np.float64)
    assert Hysteresis(n=3, k=6).judge(scores, is_open=is_open) is expected
