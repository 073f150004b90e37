"""What no honest reading can say."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.bounds import Stay, believable, check
from meters.meter import Meter, Transport
from meters.quantity import QUANTITIES, REGISTERS, Quantity
from meters.reading import Reading, batch_of, utc_us
from meters.refusal import Reason

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
INSTALLED = datetime(2024, 4, 1, tzinfo=UTC)
REMOVED = datetime(2024, 4, 20, tzinfo=UTC)
METER = Meter(
    meter_id=1,
    serial="KW-1",
    profile="keywatt-json",
    transport=Transport.MQTT,
    installed_at=INSTALLED,
)
GOOD = {Quantity.ENERGY_IMPORT_KWH: 1.0, Quantity.ACTIVE_POWER_KW: -2.0}


@pytest.mark.parametrize(
    "measured_at",
    [NOW, NOW + timedelta(hours=2), INSTALLED, NOW - timedelta(days=20)],
)
def test_an_honest_reading_is_believed(measured_at) -> None:
    assert check(METER, measured_at, GOOD, NOW) is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("quantity", [Quantity.VOLTAGE_L1_V, REGISTERS[0]])
def test_no_number(quantity, value) -> None:
    assert check(METER, NOW, {**GOOD, quantity: value}, NOW) == (
        Reason.NOT_A_NUMBER,
        f"{quantity} is {value}, not a finite number.",
    )


@pytest.mark.parametrize("quantity", REGISTERS)
def test_negative_energy(quantity) -> None:
    assert check(METER, NOW, {**GOOD, quantity: -0.001}, NOW) == (
        Reason.NEGATIVE_ENERGY,
        f"{quantity} is -0.001, but a register counts up from 0.",
    )


@pytest.mark.parametrize("quantity", [Quantity.ACTIVE_POWER_KW, *REGISTERS])
def test_out_of_range(quantity) -> None:
    assert check(METER, NOW, {**GOOD, quantity: 1e15}, NOW) is None
    assert check(METER, NOW, {**GOOD, quantity: 1e300}, NOW) == (
        Reason.OUT_OF_RANGE,
        f"{quantity} is 1e+300, beyond what any meter shows (1e+15).",
    )


@pytest.mark.parametrize("year", [1970, 1999])
def test_a_clock_that_was_never_set(year) -> None:
    # 2000-01-01 in Kiribati, fourteen hours ahead, is still 1999 in UTC.
    moment = datetime(year, 12, 30, 23, 59, 59, tzinfo=UTC)
    unbound = replace(METER, installed_at=None)
    objection = check(unbound, moment, GOOD, NOW)
    assert objection.reason is Reason.CLOCK_NOT_SET
    assert objection.text == (
        f"The measured time {moment.isoformat()} is that of a clock that was never set."
    )
    assert check(unbound, datetime(1999, 12, 31, 10, tzinfo=UTC), GOOD, NOW) is None


MOMENTS = st.integers(-90, 60).map(lambda day: NOW + timedelta(days=day)) | (
    st.sampled_from(
        [INSTALLED, REMOVED, NOW + timedelta(hours=2), NOW + timedelta(seconds=7201)]
        + [datetime(1999, 12, day, tzinfo=UTC) for day in (30, 31)]
    )
)
VALUES = st.dictionaries(
    st.sampled_from(QUANTITIES), st.sampled_from([-1.0, 0.0, 1e15, -2e15, math.inf])
)


@given(
    st.lists(st.tuples(MOMENTS, VALUES), max_size=5),
    st.sampled_from([None, INSTALLED]),
    st.sampled_from([None, REMOVED]),
)
def test_by_the_column_the_same_is_believed(rows, installed_at, removed_at) -> None:
    meter = replace(METER, installed_at=installed_at, removed_at=removed_at)
    stay = Stay.of(meter)
    batch = batch_of(
        [
            Reading(meter_id=1, measured_at=at, received_at=NOW, values=values)
            for at, values in rows
        ]
    )
    from_us, until_us = np.tile([stay.from_us, stay.until_us], (len(rows), 1)).T
    right = believable(batch, from_us, until_us, utc_us(NOW))
    assert right.tolist() == [
        check(meter, at, values, NOW) is None for at, values in rows
    ]


def test_after_removal() -> None:
    removed = replace(METER, removed_at=NOW)
    late = NOW + timedelta(microseconds=1)
    assert check(removed, NOW, GOOD, NOW) is None
    found = check(removed, late, GOOD, NOW)
    assert found is not None
    assert found.reason is Reason.AFTER_REMOVAL
    assert found.text == (
        "The measured time 2024-05-01T12:00:00.000001+00:00 is after meter KW-1 was "
        "removed, 2024-05-01T12:00:00+00:00."
    )


def test_far_future() -> None:
    late = NOW + timedelta(hours=2, microseconds=1)
    found = check(METER, late, GOOD, NOW)
    assert found is not None
    assert found.reason is Reason.FAR_FUTURE
    assert found.text == (
        "The measured time 2024-05-01T14:00:00.000001+00:00 is more than 2 hours ahead "
        "of 2024-05-01T12:00:00+00:00."
    )


def test_before_installation() -> None:
    early = INSTALLED - timedelta(microseconds=1)
    found = check(METER, early, GOOD, NOW)
    assert found is not None
    assert found.reason is Reason.BEFORE_INSTALLATION
    assert (
        "is before meter KW-1 was installed, 2024-04-01T00:00:00+00:00." in found.text
    )


def test_a_meter_that_is_not_installed_has_no_earliest_time() -> None:
    loose = Meter(meter_id=1, serial="a", profile="b", transport=Transport.MQTT)
    assert check(loose, datetime(2000, 1, 1, tzinfo=UTC), GOOD, NOW) is None
