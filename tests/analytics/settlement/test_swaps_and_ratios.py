"""Meters that are swapped, multipliers that change: with the working shown."""

from fractions import Fraction

import numpy as np
import pytest

from analytics.settlement.fitting import Multiplier
from analytics.settlement.method import State
from analytics.settlement.settling import settle_span
from tests.analytics.settlement.making import (
    IMPORT,
    START_US,
    at,
    evidence,
    fitting,
    quarters,
    readings,
)


def kwh(settlement) -> list[float | None]:
    return [None if np.isnan(e) else round(e, 6) for e in settlement.import_kwh]


def swapped(old_minutes, old, new_minutes, new, *, swap_min, **known):
    first = fitting(to_us=int(at(swap_min)), closing=known.pop("closing", None))
    second = fitting(
        meter_id=8,
        from_us=int(at(swap_min)),
        ratio=known.pop("ratio", 1),
        opening=known.pop("opening", None),
    )
    return evidence(
        readings(old_minutes, energy_import_kwh=old),
        readings(new_minutes, meter_id=8, energy_import_kwh=new),
        fittings=(first, second),
        **known,
    )


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        # docs/methods.md: 24.89 kWh, and behind CT 60 and PT 100 149 340 kWh.
        pytest.param(1, 24.89, id="direct"),
        pytest.param(60 * 100, 149_340.0, id="through transformers"),
    ],
)
def test_a_turn(ratio, expected) -> None:
    batch = readings([0, 15], energy_import_kwh=[999_987.42, 12.31])
    settlement = settle_span(
        evidence(batch, fittings=[fitting(ratio=ratio)]), quarters(1)
    )
    assert settlement.import_kwh.tolist() == [expected]
    assert settlement.energies[IMPORT].quantum == Fraction(ratio, 100)


def test_a_swap_inside_an_interval_adds_both_parts() -> None:
    # Old: 12.00 at 15, 12.40 when it went at 20. New: 3.00 at 20, 3.10 at 30, x 6.
    # 0.40 x 1 + 0.10 x 6 = 1.00 kWh.
    known = swapped(
        [0, 15, 20], [11.0, 12.0, 12.4], [20, 30, 45], [3.0, 3.1, 3.3],
        swap_min=20, ratio=6,
    )  # fmt: skip
    settlement = settle_span(known, quarters(3))
    assert kwh(settlement) == [1.0, 1.0, 1.2]
    assert settlement.state.tolist() == [State.MEASURED] * 3


def test_what_was_written_down_at_the_swap_counts_as_read() -> None:
    # The same, but nobody read the meters at 20: closing 1240 and opening 300 counts.
    known = swapped(
        [0, 15], [11.0, 12.0], [30, 45], [3.1, 3.3],
        swap_min=20, ratio=6, closing=1240, opening=300,
    )  # fmt: skip
    assert kwh(settle_span(known, quarters(3))) == [1.0, 1.0, 1.2]


def test_a_swap_without_its_readings_is_not_guessed_from_registers() -> None:
    known = swapped([0, 15], [11.0, 12.0], [30, 45], [3.1, 3.3], swap_min=20)
    settlement = settle_span(known, quarters(3))
    # Between 15 and 30 neither register tells; a line: (1.0 + 0.2) / 2.
    assert kwh(settlement) == [1.0, 0.6, 0.2]
    assert settlement.state.tolist() == [1, 2, 1]


def test_what_was_written_and_what_the_meter_says_may_differ() -> None:
    known = swapped(
        [0, 15, 30], [11.0, 12.0, 13.0], [30, 45], [0.0, 1.0],
        swap_min=30, closing=1400,
    )  # fmt: skip
    settlement = settle_span(known, quarters(3))
    assert kwh(settlement) == [1.0, 1.0, 1.0]  # the meter knows better
    (one,) = [v for v in settlement.verdicts if v.figures.get("what") == "closing"]
    assert one.figures["written_counts"] == 1400
    assert one.figures["read_counts"] == 1300


def test_a_multiplier_that_changes_inside_an_interval_splits_it() -> None:
    # 30 counts from 15 to 30, the ratio is 40 until 20 and 60 after. The load being
    # even, the register runs 5/40 to 10/60: 3 to 4, 30 x 3/7 = 12.86, 13 counts and 17.
    # 13 x 0.01 x 40 + 17 x 0.01 x 60 = 5.2 + 10.2 = 15.4 kWh.
    ratios = (Multiplier(START_US, Fraction(40)), Multiplier(int(at(20)), Fraction(60)))
    batch = readings([0, 15, 30, 45], energy_import_kwh=[0.0, 0.3, 0.6, 0.9])
    settlement = settle_span(
        evidence(batch, fittings=[fitting(multipliers=ratios)]), quarters(3)
    )
    assert kwh(settlement) == [12.0, 15.4, 18.0]


def test_a_reading_at_the_change_is_taken_and_nothing_is_assumed() -> None:
    ratios = (Multiplier(START_US, Fraction(40)), Multiplier(int(at(20)), Fraction(60)))
    batch = readings([0, 15, 20, 30], energy_import_kwh=[0.0, 0.3, 0.55, 0.6])
    settlement = settle_span(
        evidence(batch, fittings=[fitting(multipliers=ratios)]), quarters(2)
    )
    # 25 x 0.4 + 5 x 0.6 = 13 kWh.
    assert kwh(settlement) == [12.0, 13.0]


def test_time_without_a_meter_is_not_estimated() -> None:
    first = fitting(to_us=int(at(30)))
    second = fitting(meter_id=8, from_us=int(at(75)))
    known = evidence(
        readings([0, 15, 30], energy_import_kwh=[1.0, 2.0, 3.0]),
        readings([75, 90], meter_id=8, energy_import_kwh=[0.0, 1.0]),
        fittings=(first, second),
    )
    settlement = settle_span(known, quarters(6))
    assert kwh(settlement) == [1.0, 1.0, None, None, None, 1.0]
    assert settlement.cause.tolist()[2:5] == ["not-installed"] * 3


def test_each_register_goes_its_own_way() -> None:
    batch = readings(
        [0, 15],
        energy_import_kwh=[10.0, 12.0],
        energy_export_kwh=[5.0, 5.0],
        energy_lagging_kvarh=[1.0, 1.5],
    )
    intervals = settle_span(evidence(batch), quarters(1)).as_intervals()
    assert intervals.import_kwh.tolist() == [2.0]
    assert intervals.export_kwh.tolist() == [0.0]
    assert intervals.lagging_kvarh.tolist() == [0.5]
    assert np.isnan(intervals.leading_kvarh).all()
    assert intervals.quality.tolist() == ["measured"]
