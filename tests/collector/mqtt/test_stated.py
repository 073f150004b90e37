"""What messages state is taken once an hour, and told when it is another."""

from datetime import timedelta

import pytest

from collector.mqtt.stated import Statements
from meters.ratios import Statement
from tests.collector.test_run import START

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        # Minutes at which it came and was measured, and what it states.
        pytest.param([(0, 0, 80), (60, 60, 80), (121, 120, 60)], [(0, 80), (121, 60)]),
        pytest.param([(0, 0, 80), (59, 59, 60), (60, 60, 60)], [(0, 80), (60, 60)]),
        pytest.param([(n, n, 80 + n % 2) for n in range(60)], [(0, 80)], id="flutters"),
        pytest.param([(0, 0, 80), (90, -9, 60)], [(0, 80)], id="had waited somewhere"),
        pytest.param([(0, 999, 80), (90, 90, 60)], [(0, 80), (90, 60)], id="ran ahead"),
    ],
)
def test_what_is_told(said, told) -> None:
    found = []
    statements = Statements(found.append)
    for came, measured, multiplier in said:
        one = Statement(7, START + measured * MINUTE, float(multiplier))
        statements.take(one, START + came * MINUTE)
    assert [(one.at - START, one.multiplier) for one in found] == [
        (minute * MINUTE, multiplier) for minute, multiplier in told
    ]
    assert {one.meter_id for one in found} == {7}
