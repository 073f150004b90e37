import numpy as np
import pytest

from analytics.settlement.register import Doubt, read_register
from tests.analytics.settlement.making import QUARTER_US, at, fitting


def read(shown, every_min=15, **changes):
    minutes = np.arange(len(shown)) * every_min
    return read_register(
        at(minutes), np.array(shown), fitting(**changes), leap_us=QUARTER_US
    )


def doubts(register) -> list[str]:
    return [one.doubt.value for one in register.doubtful]


def test_an_undisturbed_register() -> None:
    register = read([100, 250, 251])
    assert register.counts.tolist() == [0, 150, 151]
    assert doubts(register) == []


@pytest.mark.parametrize("most_kw", [None, 400.0])
def test_a_register_that_turns_over(most_kw) -> None:
    # By hand: 999 987.42 -> 12.31 are 24.89 kWh, 2489 counts of 0.01. The bound of
    # 400 kW allows 400 x 1.2 / 4 = 120 kWh in a quarter of an hour.
    register = read([99_998_742, 1231], most_kw=most_kw)
    assert register.counts.tolist() == [0, 2489]
    assert register.stretch.tolist() == [0, 0]


def test_a_turn_faster_than_the_bound_is_none() -> None:
    # 24.89 kWh in 15 min are 99.56 kW: 1.2 x 82 kW = 98.4 kW does not allow them.
    assert doubts(read([99_998_742, 1231], most_kw=82.0)) == ["glitch"]
    # 1.2 x 83 kW = 99.6 kW does.
    assert doubts(read([99_998_742, 1231], most_kw=83.0)) == []


@pytest.mark.parametrize(
    ("wild", "most_kw"),
    [
        pytest.param(5_370_000_000, None, id="beyond its digits"),
        pytest.param(90_000_000, None, id="up, without a bound"),
        pytest.param(90_000_000, 100.0, id="up"),
        pytest.param(0, 100.0, id="to zero"),
        pytest.param(0, None, id="to zero, without a bound"),
        pytest.param(900, 100.0, id="a little back"),
        pytest.param(5500, 100.0, id="up by less than the bound"),
        pytest.param(-7, None, id="below zero"),
    ],
)
def test_a_glitch_is_put_aside_and_the_last_good_register_kept(wild, most_kw) -> None:
    # 10.00 kWh a quarter of an hour; the register goes on as if nothing had been.
    register = read([1000, 2000, 3000, wild, 5000 + 1, 6000, 7000], most_kw=most_kw)
    assert register.counts.tolist()[-1] == 6000
    assert set(register.stretch.tolist()) == {0}
    (one,) = register.doubtful
    assert one.doubt in {Doubt.GLITCH, Doubt.BEYOND}
    assert (one.shown, one.at_us, one.before) == (wild, int(at(45)), 3000)


def test_several_glitches_in_a_row() -> None:
    shown = [1000, 2000, 77_000, 78_000, 79_000, 6000, 7000, 8000, 9000]
    register = read(shown, most_kw=100.0)
    assert doubts(register) == ["glitch"] * 3
    assert register.counts.tolist() == [0, 1000, 5000, 6000, 7000, 8000]


def test_a_reset_is_one_once_the_register_stays_there() -> None:
    before = [497_000 + 1000 * n for n in range(6)]
    # Three readings near zero may still be a fault: four are not.
    assert doubts(read([*before, 0, 1000, 2000])) == ["glitch"] * 3
    register = read([*before, 0, 1000, 2000, 3000, 4000])
    assert doubts(register) == ["reset"]
    assert register.stretch.tolist() == [0] * 6 + [1] * 5
    # Between 502 000 and 0 nothing is counted.
    assert register.counts.tolist()[5:] == [5000, 5000, 6000, 7000, 8000, 9000]


def test_back_and_jump_are_told_apart() -> None:
    up = [50_000_000 + 1000 * n for n in range(6)]
    lower = [40_000_000 + 1000 * n for n in range(6)]
    assert doubts(read(up + lower, most_kw=100.0)) == ["back"]
    assert doubts(read(lower + up, most_kw=100.0)) == ["jump"]


def test_a_register_that_runs_backwards_is_never_guessed() -> None:
    up = list(range(5000, 11_000, 1000))
    shown = [*up, *range(9000, 3000, -1000), 4000, 5000, 6000, 7000, 8000]
    register = read(np.array(shown) + 50_000_000, most_kw=100.0)
    # From 100.00 down to 40.00: the way down is put aside, the way up begins anew.
    assert doubts(register)[-1] == "back"
    assert register.counts.tolist()[:6] == [0, 1000, 2000, 3000, 4000, 5000]
    assert np.diff(register.counts).min() >= 0


def test_an_old_reading_given_again_is_stale_when_the_register_has_gone_on() -> None:
    # 25.00 kWh a quarter: after six equal readings 150 kWh are more than the bound of
    # 200 x 1.2 / 4 = 60 kWh allows in one, but not in the six that passed.
    shown = [0, 2500, 5000, 5000, 5000, 5000, 5000, 5000, 20_000, 22_500]
    register = read(shown, most_kw=200.0)
    assert doubts(register) == ["stale"] * 5
    assert register.counts.tolist() == [0, 2500, 5000, 20_000, 22_500]
    assert set(register.stretch.tolist()) == {0}


def test_no_reading_at_all() -> None:
    register = read([])
    assert register.counts.size == 0
    assert register.doubtful == ()


def test_the_first_reading_may_be_the_wild_one() -> None:
    register = read([70_000_000, 1000, 2000, 3000, 4000, 5000], most_kw=100.0)
    assert doubts(register) == ["glitch"]
    assert register.counts.tolist() == [0, 1000, 2000, 3000, 4000]


def test_a_register_that_stands_and_shows_zero_for_a_while_counts_nothing() -> None:
    # As one of fed energy where nothing is fed. Twelve zeros, three hours: were they
    # believed, 763.406 kWh would be fed in the quarter of an hour after them.
    shown = [763_406] * 60 + [0] * 12 + [763_406] * 200
    for most_kw in (None, 100.0):
        register = read(shown, most_kw=most_kw)
        assert register.counts.tolist() == [0] * 260
        assert doubts(register) == ["glitch"] + ["stale"] * 11


def test_a_register_that_stands_is_believed_at_a_new_level_after_a_day() -> None:
    # The first reading weighs 1, each that repeats it 0.05; a break costs 4: with 61
    # at the new level 1 + 60 x 0.05 = 4 it is not worth it yet, with 96 it is.
    before = [987_848] * 96
    doubted = read(before + [329_282] * 61, most_kw=100.0)
    assert doubts(doubted) == ["glitch"] + ["stale"] * 60
    register = read(before + [329_282] * 96, most_kw=100.0)
    assert doubts(register) == ["reset"]
    assert register.counts.tolist() == [0] * 192
