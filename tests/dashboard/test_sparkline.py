import numpy as np

from dashboard import theme
from dashboard.sparkline import as_image, sparkline
from tests.dashboard import made


def test_it_is_light_enough_for_150_rows() -> None:
    load_kw = np.random.default_rng(1).uniform(50, 100, 100)
    assert len(as_image(sparkline(made.curve(load_kw)), "")) < 4_000


def test_load_outside_the_band_is_red_only_under_an_alert() -> None:
    load_kw = np.where(np.arange(96) < 50, 100.0, 412.0)
    assert theme.ALERT in sparkline(made.curve(load_kw), alert=True)
    assert theme.ALERT not in sparkline(made.curve(load_kw))
    assert theme.ALERT not in sparkline(made.curve(), alert=True)


def test_estimates_and_gaps_have_their_colours() -> None:
    drawn = sparkline(made.curve(estimated=(3,), edited=(4,), missing=(8, 9)))
    assert theme.EDITED in drawn
    assert theme.ESTIMATED in drawn
    gap = f'<rect x="8" y="0" width="2" height="56" fill="{theme.MISSING}"/>'
    assert gap in drawn


def test_a_day_without_any_figure_is_drawn() -> None:
    curve = made.curve(np.full(96, np.nan), expected_kw=float("nan"))
    assert theme.MEASURED not in sparkline(curve)
