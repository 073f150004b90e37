from random import Random

from hypothesis import given
from hypothesis import strategies as st

from collector.modbus.breaker import Breaker


class Even(Random):
    """Jitter of none."""

    def random(self) -> float:
        return 0.5


def test_each_failure_doubles_the_wait_up_to_five_minutes() -> None:
    breaker, at, waits = Breaker(random=Even()), 1000.0, []
    for _ in range(10):
        breaker.failed(at)
        waits.append(breaker.opens_until - at)
        at = breaker.opens_until
    # 2 s doubling: 2, 4, ... 256; the next would be 512.
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_it_is_open_until_then_and_closes_with_the_first_success() -> None:
    breaker = Breaker(random=Even())
    assert not breaker.is_open(0.0)
    breaker.failed(0.0)
    assert breaker.is_open(1.999)
    assert not breaker.is_open(2.0)
    breaker.succeeded()
    assert not breaker.is_open(0.0)
    breaker.failed(10.0)
    assert breaker.opens_until == 12.0


@given(st.integers(0, 5000), st.integers(0))
def test_the_wait_is_within_a_fifth_of_it(failures: int, seed: int) -> None:
    breaker = Breaker(random=Random(seed), failures=failures)
    breaker.failed(0.0)
    even_s = min(2.0 * 2.0 ** min(failures, 10), 300.0)
    assert 0.8 * even_s <= breaker.opens_until <= 1.2 * even_s
