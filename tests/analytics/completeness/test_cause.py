"""Why an interval was not measured: each cause alone, and which of two wins."""

import numpy as np
import pytest

from analytics.completeness.cause import Cause, Why, causes_of
from analytics.completeness.circumstances import (
    HOUR_US,
    QUARTER_US,
    Circumstances,
    Doubt,
    MeterHours,
    NoSupply,
    Sitting,
)

TEN = 495_000 * HOUR_US
"""Some full hour: its quarter-hours are asked about."""
METER = 7
SAT = (Sitting(meter_id=METER, transport="modbus", from_us=0),)


def hours(*rows: tuple[int, int, int, float]) -> MeterHours:
    """Answered, failed, meters on the line, least share failed; hour by hour."""
    answered, failed, on_line, least = zip(*rows, strict=True)
    return MeterHours(
        meter_id=np.full(len(rows), METER),
        hour_us=TEN + HOUR_US * np.arange(len(rows)),
        answered=np.array(answered),
        failed=np.array(failed),
        on_line=np.array(on_line),
        least_failed=np.array(least),
    )


def causes(about: Circumstances, count: int = 4, method: str = "no-reading"):
    """Ask about the first quarter-hours of the hour."""
    start_us = TEN + QUARTER_US * np.arange(count)
    found, place = causes_of(start_us, np.full(count, method), about)
    return [found[i] for i in place]


@pytest.mark.parametrize(
    ("counted", "cause"),
    [
        # Asked every 10 s: 360 polls an hour.
        pytest.param((0, 360, 3, 1.0), Cause.GATEWAY_DOWN, id="all fail"),
        pytest.param((0, 360, 3, 0.02), Cause.METER_SILENT, id="others answer"),
        pytest.param((0, 360, 1, 1.0), Cause.METER_SILENT, id="it is alone there"),
        # Down for half an hour: this one failed 180 of 360, another 150 of 360.
        pytest.param((180, 180, 2, 0.42), Cause.GATEWAY_DOWN, id="half an hour"),
        pytest.param((180, 180, 2, 0.2), Cause.METER_SILENT, id="less than half"),
        pytest.param((360, 0, 2, 0.0), Cause.METER_SILENT, id="nothing failed"),
    ],
)
def test_a_line_is_down_when_all_its_meters_fail_alike(counted, cause) -> None:
    about = Circumstances(sittings=SAT, hours=hours(counted))
    assert causes(about) == [Why(cause)] * 4


def test_before_a_meter_came_and_after_it_left() -> None:
    # It sat there from 10:20 to 10:40: in the first and the last quarter-hour not.
    sat = Sitting(
        meter_id=METER,
        transport="mqtt",
        from_us=TEN + HOUR_US // 3,
        to_us=TEN + 2 * HOUR_US // 3,
    )
    silent, absent = Why(Cause.METER_SILENT), Why(Cause.NOT_INSTALLED)
    assert causes(Circumstances(sittings=(sat,))) == [absent, silent, silent, absent]


def test_what_was_refused_tells_of_the_intervals_at_that_boundary() -> None:
    # Received at 10:15 and some seconds: the boundary of the first and the second.
    refused = {(METER, TEN + QUARTER_US): "out-of-range"}
    about = Circumstances(sittings=SAT, refused=refused)
    told, silent = Why(Cause.REFUSED, "out-of-range"), Why(Cause.METER_SILENT)
    assert causes(about) == [told, told, silent, silent]


def test_nothing_was_collected_by_that_transport() -> None:
    idle = {"modbus": np.array([TEN]), "mqtt": np.array([TEN + HOUR_US])}
    about = Circumstances(sittings=SAT, idle=idle)
    down, silent = Why(Cause.COLLECTOR_DOWN), Why(Cause.METER_SILENT)
    assert causes(about, count=5) == [down] * 4 + [silent]


def test_a_rule_speaks_of_what_lies_wholly_in_it() -> None:
    doubt = Doubt(rule="spike", start_us=TEN, stop_us=TEN + QUARTER_US + 1)
    about = Circumstances(sittings=SAT, doubts=(doubt,))
    assert causes(about, count=2) == [
        Why(Cause.NOT_BELIEVED, "spike"),
        Why(Cause.METER_SILENT),
    ]


def test_a_planned_outage_is_told_before_a_reported_one() -> None:
    stop_us = TEN + QUARTER_US
    reported = NoSupply(start_us=TEN, stop_us=stop_us, planned=False, reason="storm")
    planned = NoSupply(start_us=TEN, stop_us=TEN + 1, planned=True, reason="new relay")
    about = Circumstances(sittings=SAT, outages=(reported, planned))
    assert causes(about, count=2) == [
        Why(Cause.PLANNED_OUTAGE, "new relay"),
        Why(Cause.METER_SILENT),
    ]
    about = Circumstances(sittings=SAT, outages=(reported,))
    assert causes(about, count=1) == [Why(Cause.REPORTED_OUTAGE, "storm")]


def test_the_most_specific_of_all_that_holds_is_told() -> None:
    everything = {
        "outages": (
            NoSupply(start_us=TEN, stop_us=TEN + 1, planned=True, reason="relay"),
        ),
        "doubts": (Doubt(rule="cap", start_us=TEN, stop_us=TEN + QUARTER_US),),
        "refused": {(METER, TEN): "not-json"},
        "idle": {"modbus": np.array([TEN])},
        "hours": hours((0, 360, 2, 1.0)),
        "bare": {METER: np.array([TEN])},
    }
    order = (
        ("outages", Why(Cause.PLANNED_OUTAGE, "relay")),
        ("doubts", Why(Cause.NOT_BELIEVED, "cap")),
        ("refused", Why(Cause.REFUSED, "not-json")),
        ("idle", Why(Cause.COLLECTOR_DOWN)),
        ("hours", Why(Cause.GATEWAY_DOWN)),
        ("bare", Why(Cause.NO_REGISTER)),
    )
    for name, why in order:
        about = Circumstances(sittings=SAT, **everything)
        assert causes(about, count=1) == [why], name
        del everything[name]
    assert causes(Circumstances(sittings=SAT), count=1) == [Why(Cause.METER_SILENT)]


@pytest.mark.parametrize(
    ("method", "cause"),
    [
        ("implausible-register", Cause.IMPLAUSIBLE_REGISTER),
        ("interpolated", Cause.BETWEEN_READINGS),
        ("linear", Cause.REFUSED),
    ],
)
def test_settlements_own_word_counts_more_than_what_was_refused(method, cause) -> None:
    about = Circumstances(sittings=SAT, refused={(METER, TEN): "not-json"})
    (why,) = causes(about, count=1, method=method)
    assert why.cause is cause
