from datetime import UTC, datetime, timedelta

import pytest

from collector.modbus.gap import gap_of
from tests.collector.modbus.gateway import modbus_profile

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OF_REGISTERS = modbus_profile("keywatt-logger").load_profile
OF_INTERVALS = modbus_profile("keywatt-interval-logger").load_profile


def wanted(memory, since_min: float, until_min: float) -> list[int]:
    """Times of the records wanted, in minutes after noon; a gap given the same way."""
    at = [NOON + timedelta(minutes=each) for each in (since_min, until_min)]
    gap = gap_of(memory, *at)
    if gap is None:
        return []
    return [n for n in range(-60, 120, 15) if gap.holds(NOON + timedelta(minutes=n))]


@pytest.mark.parametrize(
    ("since", "until", "registers", "intervals"),
    [
        pytest.param(1, 14, [], [], id="within one interval"),
        pytest.param(1, 15, [], [], id="up to its end"),
        pytest.param(1, 16, [15], [15, 30], id="over its end"),
        pytest.param(0, 45, [15, 30], [15, 30, 45], id="whole intervals"),
        pytest.param(7, 50, [15, 30, 45], [15, 30, 45, 60], id="parts at both ends"),
    ],
)
def test_registers_within_and_intervals_that_lie_in_it_with_any_part(
    since, until, registers, intervals
) -> None:
    assert wanted(OF_REGISTERS, since, until) == registers
    assert wanted(OF_INTERVALS, since, until) == intervals


def test_the_last_interval_of_a_gap_is_awaited() -> None:
    gap = gap_of(OF_INTERVALS, NOON, NOON + timedelta(minutes=50))
    assert not gap.is_recorded(NOON + timedelta(minutes=61))
    assert gap.is_recorded(NOON + timedelta(minutes=62))
    of_registers = gap_of(OF_REGISTERS, NOON, NOON + timedelta(minutes=50))
    assert of_registers.is_recorded(NOON + timedelta(minutes=50))
