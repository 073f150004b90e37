"""How fast a register may run, and what does not matter: order, frequency, others."""

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from analytics.settlement.evidence import fittings_of
from analytics.settlement.method import State
from analytics.settlement.settling import settle_span
from meters.quantity import REGISTERS, Quantity
from meters.reading import joined
from tests.analytics.settlement.making import (
    EXPORT,
    QUARTER_US,
    START,
    START_US,
    evidence,
    fitting,
    quarters,
    readings,
)
from tests.analytics.settlement.test_fitting import installation


def kwh(settlement) -> list[float | None]:
    return [None if math.isnan(one) else one for one in settlement.import_kwh.tolist()]


@pytest.mark.parametrize(("later", "known"), [(1.19, True), (1.20, False)])
def test_a_bound_leaves_room_for_whole_counts(later, known) -> None:
    # 0.6 kW x 1.2 are 0.18 kWh in 15 min: cut to whole counts at both ends, the
    # register can move on by 0.19, but not by 0.20.
    batch = readings([0, 15], energy_import_kwh=[1.0, later])
    settlement = settle_span(
        evidence(batch, fittings=[fitting(most_kw=0.6)]), quarters(1)
    )
    assert (settlement.state[0] == State.MEASURED) is np.bool_(known)


def test_a_register_that_is_read_more_often_than_it_moves_may_leap() -> None:
    # 100 kW: 25 kWh a quarter of an hour, shown at once within a minute.
    batch = readings([0, 14, 15, 30], energy_import_kwh=[0.0, 0.0, 25.0, 25.0])
    known = evidence(batch, fittings=[fitting(most_kw=100.0)])
    assert kwh(settle_span(known, quarters(2))) == [25.0, 0.0]


def test_what_is_fed_is_not_bounded_by_what_can_be_drawn() -> None:
    batch = readings(
        [0, 15],
        energy_import_kwh=[0.0, 0.0],
        energy_export_kwh=[0.0, 900.0],
        energy_lagging_kvarh=[0.0, 900.0],
    )
    sat = installation(7, START - timedelta(days=1), ratio=1, register_digits=8)
    known = replace(evidence(batch), fittings=fittings_of([sat], most_kw=100.0))
    settlement = settle_span(known, quarters(1))
    assert settlement.energy(EXPORT).tolist() == [900.0]
    assert np.isnan(settlement.energy(Quantity.ENERGY_LAGGING_KVARH)).all()


def test_readings_may_come_in_any_order() -> None:
    batch = readings([30, 0, 15], energy_import_kwh=[3.0, 0.0, 1.0])
    assert kwh(settle_span(evidence(batch), quarters(2))) == [1.0, 2.0]


def test_only_the_meter_that_sat_there_counts_and_only_then() -> None:
    batch = joined(
        [
            readings([0, 15, 30, 45], energy_import_kwh=[1.0, 2.0, 3.0, 4.0]),
            readings([0, 15, 30, 45], meter_id=8, energy_import_kwh=[5.0] * 4),
        ]
    )
    sat = fitting(from_us=START_US + QUARTER_US, to_us=START_US + 2 * QUARTER_US)
    assert kwh(settle_span(evidence(batch, fittings=[sat]), quarters(3))) == [
        None,
        1.0,
        None,
    ]


def test_a_point_without_installations_has_no_energy() -> None:
    batch = readings([0], energy_import_kwh=[1.0])
    known = replace(evidence(batch), fittings=dict.fromkeys(REGISTERS, ()))
    settlement = settle_span(known, quarters(2))
    assert set(settlement.cause.tolist()) == {"not-installed"}
    assert settlement.verdicts


def test_nothing_is_known_beyond_the_readings() -> None:
    batch = readings([16, 29], energy_import_kwh=[1.0, 2.0])
    settlement = settle_span(evidence(batch), quarters(3))
    assert kwh(settlement) == [None] * 3
    assert set(settlement.cause.tolist()) == {"no-reading"}


@pytest.mark.parametrize("most_kw", [None, 5000.0])
def test_a_reading_beyond_the_registers_range_is_no_turn(most_kw) -> None:
    # 8 digits of 0.01 kWh end at 999 999.99: back from 9 000 000 to 1030 are nine
    # turns, of which 1030 kWh would be left. It is put aside: 20 kWh in between.
    shown = [1000.0, 1010.0, 9_000_000.0, 1030.0, 1040.0]
    batch = readings([0, 15, 30, 45, 60], energy_import_kwh=shown)
    known = evidence(batch, fittings=[fitting(most_kw=most_kw)])
    assert kwh(settle_span(known, quarters(4))) == [10.0, 10.0, 10.0, 10.0]
