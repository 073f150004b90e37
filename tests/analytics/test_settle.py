import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.account import Installation
from analytics.settle import Intervals, Quality, laid_together, settle, settle_point
from meters.quantity import COLUMN, QUANTITIES, Quantity
from meters.reading import ReadingBatch, joined, utc_us
from tests.support import shared_data

START = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE_US = 60_000_000


def installation(**changes) -> Installation:
    sat = {
        "installation_id": 1,
        "point_id": 1,
        "meter_id": 7,
        "installed_at": START - timedelta(days=1),
        "removed_at": None,
        "ratio": 1,
        "register_digits": 8,
        "register_resolution": 0.01,
    }
    return Installation(**(sat | changes))


def readings(minutes, meter_id=7, **registers) -> ReadingBatch:
    """Make readings at minutes after START; registers by quantity's value."""
    measured_us = utc_us(START) + np.array(minutes, dtype=np.int64) * MINUTE_US
    values = np.full((measured_us.size, len(QUANTITIES)), math.nan)
    for quantity, register in registers.items():
        values[:, COLUMN[Quantity(quantity)]] = register
    return ReadingBatch(
        meter_id=np.full(measured_us.size, meter_id, dtype=np.int32),
        measured_us=measured_us,
        received_us=measured_us,
        values=values,
    )


def starts(count: int, length_min: int = 15):
    return utc_us(START) + np.arange(count, dtype=np.int64) * length_min * MINUTE_US


def settled(minutes, register, count, **options) -> Intervals:
    return settle(
        readings(minutes, energy_import_kwh=register),
        starts(count),
        installation(),
        **options,
    )


def figures(energy) -> list[float | None]:
    """Round to the register's resolution; None = missing."""
    return [None if math.isnan(e) else round(e, 2) for e in energy]


def test_readings_on_the_boundaries_are_differenced() -> None:
    # 107.50 - 100.00 = 7.50; 110.25 - 107.50 = 2.75.
    intervals = settled([0, 15, 30], [100.0, 107.5, 110.25], 2)
    assert figures(intervals.import_kwh) == [7.5, 2.75]
    assert intervals.quality.tolist() == ["measured", "measured"]
    # 7.5 kWh in a quarter of an hour are 30 kW.
    assert figures(intervals.power_kw) == [30.0, 11.0]


def test_what_the_meter_does_not_give_is_not_known() -> None:
    intervals = settled([0, 15], [100.0, 107.5], 1)
    assert np.isnan(intervals.export_kwh).all()
    assert np.isnan(intervals.lagging_kvarh).all()
    assert np.isnan(intervals.leading_kvarh).all()


def test_each_register_goes_its_own_way() -> None:
    batch = readings(
        [0, 15],
        energy_import_kwh=[10.0, 12.0],
        energy_export_kwh=[5.0, 5.0],
        energy_lagging_kvarh=[1.0, 1.5],
        energy_leading_kvarh=[3.0, math.nan],
    )
    intervals = settle(batch, starts(1), installation())
    assert intervals.import_kwh.tolist() == [2.0]
    assert intervals.export_kwh.tolist() == [0.0]
    assert intervals.lagging_kvarh.tolist() == [0.5]
    assert np.isnan(intervals.leading_kvarh).all()
    assert intervals.quality.tolist() == ["measured"]


@pytest.mark.parametrize(
    ("ratio", "kwh"),
    [
        # METHODS §1: 12.31 + 1 000 000 - 999 987.42 = 24.89.
        pytest.param(1, 24.89, id="direct"),
        # CT 60 x PT 100: 24.89 x 6000 = 149 340.
        pytest.param(60 * 100, 149_340.0, id="through transformers"),
    ],
)
def test_a_register_that_turns_over(ratio, kwh) -> None:
    batch = readings([0, 15], energy_import_kwh=[999_987.42, 12.31])
    intervals = settle(batch, starts(1), installation(ratio=ratio))
    assert intervals.import_kwh.tolist() == [pytest.approx(kwh, abs=1e-9)]
    assert intervals.findings == ()


def test_a_boundary_between_two_readings_is_interpolated() -> None:
    # 14:00 min reads 100.00, 16:00 reads 100.10: 15:00 is half way, 100.05.
    # Boundary 0: between 99.00 at -1 min and 99.20 at +1 min: 99.10. 100.05 - 99.10.
    intervals = settled([-1, 1, 14, 16], [99.0, 99.2, 100.0, 100.1], 1)
    assert figures(intervals.import_kwh) == [0.95]
    assert intervals.quality.tolist() == ["measured"]


@pytest.mark.parametrize(
    ("later", "kwh"),
    [
        # Half of 1 count is 0.5 -> 0: 2.00 - 1.00. Half of 3 counts is 1.5 -> 2:
        # 2.00 - 1.02. Half of 5 counts is 2.5 -> 2: 2.00 - 1.02.
        pytest.param(1.01, 1.0, id="half a count"),
        pytest.param(1.03, 0.98, id="one and a half"),
        pytest.param(1.05, 0.98, id="two and a half"),
    ],
)
def test_half_a_count_is_rounded_to_even(later, kwh) -> None:
    intervals = settled([-1, 1, 15], [1.0, later, 2.0], 1)
    assert figures(intervals.import_kwh) == [kwh]


def test_readings_far_apart_make_an_estimate() -> None:
    # 20 min between readings are more than a fifth of 15 min, less than 22.5 min.
    intervals = settled([0, 20, 40], [0.0, 2.0, 4.0], 2)
    assert figures(intervals.import_kwh) == [1.5, 1.5]
    assert intervals.quality.tolist() == ["estimated", "estimated"]
    assert intervals.method.tolist() == ["interpolated", "interpolated"]


def test_a_gap_is_missing_and_never_zero() -> None:
    # No reading from 15 to 45 min: the boundary at 30 is not known, so both intervals
    # beside it are missing; 45 to 60 is known again.
    intervals = settled([0, 15, 45, 60], [0.0, 1.0, 9.0, 10.0], 4)
    assert figures(intervals.import_kwh) == [1.0, None, None, 1.0]
    assert intervals.quality.tolist() == ["measured", "missing", "missing", "measured"]


def test_the_widest_gap_to_believe_can_be_said() -> None:
    intervals = settled([0, 15, 45, 60], [0.0, 1.0, 9.0, 10.0], 4, max_gap_min=30)
    assert figures(intervals.import_kwh) == [1.0, 4.0, 4.0, 1.0]
    assert intervals.quality.tolist()[1:3] == ["estimated", "estimated"]


def test_nothing_is_known_beyond_the_readings() -> None:
    intervals = settled([16, 29], [1.0, 2.0], 3)
    assert figures(intervals.import_kwh) == [None, None, None]


def test_no_readings_leave_everything_missing() -> None:
    intervals = settled([], [], 2)
    assert intervals.quality.tolist() == ["missing", "missing"]


def test_a_register_that_goes_back_is_a_finding_and_never_a_guess() -> None:
    # 500.00 -> 400.00 would be a turn of 999 900 kWh.
    intervals = settled([0, 15, 30, 45], [499.0, 500.0, 400.0, 401.0], 3)
    assert figures(intervals.import_kwh) == [1.0, None, 1.0]
    (finding,) = intervals.findings
    assert finding.code == "implausible-register"
    assert finding.figures == {
        "quantity": "energy_import_kwh",
        "from_us": utc_us(START) + 15 * MINUTE_US,
        "to_us": utc_us(START) + 30 * MINUTE_US,
    }


@pytest.mark.parametrize(
    ("limit_kw", "expected"),
    [
        # 30.00 kWh in 15 min are 120 kW: 1.2 x 100 kW allows them, 1.2 x 99.9 not.
        pytest.param(100.0, [30.0], id="as fast as allowed"),
        pytest.param(99.9, [None], id="faster than allowed"),
    ],
)
def test_a_limit_bounds_every_step(limit_kw, expected) -> None:
    intervals = settled([0, 15], [100.0, 130.0], 1, limit_kw=limit_kw)
    assert figures(intervals.import_kwh) == expected


def test_a_limit_applies_behind_the_transformers() -> None:
    # 0.50 on the register x 60 = 30 kWh = 120 kW.
    batch = readings([0, 15], energy_import_kwh=[1.0, 1.5])
    for limit_kw, known in ((100.0, True), (95.0, False)):
        intervals = settle(batch, starts(1), installation(ratio=60), limit_kw=limit_kw)
        assert np.isnan(intervals.import_kwh).tolist() == [not known]


def test_a_limit_leaves_room_for_whole_counts() -> None:
    # 0.6 kW x 1.2 are 0.18 kWh in 15 min: cut to whole counts at both ends, the
    # register can move on by 0.19, but not by 0.20.
    for later, known in ((1.19, True), (1.20, False)):
        intervals = settled([0, 15], [1.0, later], 1, limit_kw=0.6)
        assert np.isnan(intervals.import_kwh).tolist() == [not known]


def test_a_register_that_is_read_more_often_than_it_moves_may_leap() -> None:
    # 100 kW: 25 kWh a quarter of an hour, shown at once within a minute.
    intervals = settled([0, 14, 15, 30], [0.0, 0.0, 25.0, 25.0], 2, limit_kw=100.0)
    assert figures(intervals.import_kwh) == [25.0, 0.0]


def test_what_is_fed_is_not_bounded_by_what_can_be_drawn() -> None:
    batch = readings(
        [0, 15],
        energy_import_kwh=[0.0, 0.0],
        energy_export_kwh=[0.0, 900.0],
        energy_lagging_kvarh=[0.0, 900.0],
    )
    intervals = settle(batch, starts(1), installation(), limit_kw=100.0)
    assert figures(intervals.export_kwh) == [900.0]
    assert figures(intervals.lagging_kvarh) == [None]


def test_nothing_is_interpolated_over_what_no_register_does() -> None:
    # The register goes back between 14 and 16 min: 15 min is not known.
    intervals = settled([0, 14, 16, 30], [1.0, 2.0, 0.5, 1.5], 2)
    assert figures(intervals.import_kwh) == [None, None]


def test_one_wild_reading_costs_its_own_intervals_only() -> None:
    register = [1.0, 2.0, 90_000.0, 4.0, 5.0]
    intervals = settled([0, 15, 30, 45, 60], register, 4, limit_kw=100.0)
    assert figures(intervals.import_kwh) == [1.0, None, None, 1.0]


@pytest.mark.parametrize("limit_kw", [None, 5000.0])
def test_a_reading_beyond_the_registers_range_is_no_turn(limit_kw) -> None:
    # 8 digits of 0.01 kWh end at 999 999.99: back from 9 000 000 to 1030 are nine
    # turns, of which 1030 kWh would be left. Forth to it are 8 998 990 kWh.
    register = [1000.0, 1010.0, 9_000_000.0, 1030.0, 1040.0]
    intervals = settled([0, 15, 30, 45, 60], register, 4, limit_kw=limit_kw)
    assert figures(intervals.import_kwh) == [10.0, None, None, 10.0]


def test_what_is_missing_says_why() -> None:
    # The meter comes at 10 min; wild at 45; nothing from 75 to 120.
    minutes = [10, 15, 30, 45, 60, 75, 120, 135]
    register = [1.0, 2.0, 3.0, 90_000.0, 5.0, 6.0, 9.0, 10.0]
    batch = readings(minutes, energy_import_kwh=register)
    sat = installation(installed_at=START + timedelta(minutes=10))
    intervals = settle_point(batch, starts(10), [sat], limit_kw=100.0)
    assert intervals.method.tolist() == [
        "not-installed", "", "implausible-register", "implausible-register", "",
        "no-reading", "no-reading", "no-reading", "", "no-reading",
    ]  # fmt: skip
    assert ((intervals.quality == "missing") == (intervals.method != "")).all()


def test_a_wild_reading_within_an_interval_is_its_cause_and_its_neighbours() -> None:
    # Boundary 15 lies between 14 and 16, where the register goes back.
    intervals = settled([0, 14, 16, 30], [1.0, 2.0, 0.5, 1.5], 2)
    assert intervals.method.tolist() == ["implausible-register"] * 2


def test_the_cause_is_that_of_the_meter_that_sat_there() -> None:
    swap = START + timedelta(minutes=20)
    old = installation(removed_at=swap)
    new = installation(meter_id=8, installed_at=swap)
    batch = readings([0, 15], energy_import_kwh=[1.0, 2.0])
    intervals = settle_point(batch, starts(3), [old, new])
    assert intervals.method.tolist() == ["", "not-installed", "no-reading"]


def test_only_the_meter_that_sat_there_counts_and_only_then() -> None:
    batch = joined(
        [
            readings([0, 15, 30, 45], energy_import_kwh=[1.0, 2.0, 3.0, 4.0]),
            readings([0, 15, 30, 45], meter_id=8, energy_import_kwh=[5.0] * 4),
        ]
    )
    sat = installation(
        installed_at=START + timedelta(minutes=15),
        removed_at=START + timedelta(minutes=30),
    )
    intervals = settle(batch, starts(3), sat)
    assert figures(intervals.import_kwh) == [None, 1.0, None]


def test_a_swap_on_a_boundary_loses_nothing() -> None:
    swap = START + timedelta(minutes=30)
    old = installation(removed_at=swap)
    new = installation(meter_id=8, installed_at=swap, ratio=60)
    batch = joined(
        [
            readings([0, 15, 30], energy_import_kwh=[10.0, 11.0, 12.0]),
            readings([30, 45, 60], meter_id=8, energy_import_kwh=[0.0, 0.1, 0.2]),
        ]
    )
    intervals = settle_point(batch, starts(4), [old, new])
    # The new one counts a sixtieth: 0.1 x 60 = 6 kWh.
    assert figures(intervals.import_kwh) == [1.0, 1.0, 6.0, 6.0]
    assert intervals.quality.tolist() == ["measured"] * 4


def test_the_first_installation_that_knows_an_interval_says_all_of_it() -> None:
    sure = settled([0, 15], [1.0, 2.0], 2)
    unsure = settled([-9, 11, 31], [1.0, 3.0, 5.0], 2)
    assert unsure.quality.tolist() == ["estimated", "estimated"]
    together = laid_together([sure, unsure], starts(2))
    assert figures(together.import_kwh) == [1.0, 1.5]
    assert together.quality.tolist() == ["measured", "estimated"]
    assert together.method.tolist() == ["", "interpolated"]


def test_a_point_without_installations_is_missing() -> None:
    intervals = settle_point(readings([0], energy_import_kwh=[1.0]), starts(2), [])
    assert intervals.quality.tolist() == [Quality.MISSING] * 2


def test_readings_may_come_in_any_order() -> None:
    batch = readings([30, 0, 15], energy_import_kwh=[3.0, 0.0, 1.0])
    intervals = settle(batch, starts(2), installation())
    assert figures(intervals.import_kwh) == [1.0, 2.0]


@given(
    first=st.integers(0, 10**8 - 1),
    steps=st.lists(
        st.tuples(st.integers(1, 20), st.integers(0, 50_000)), min_size=1, max_size=60
    ),
)
def test_energy_is_conserved(first, steps) -> None:
    """Whatever the moments of reading, intervals sum to the register's difference."""
    minutes = np.cumsum([0] + [minute for minute, _ in steps])
    counts = np.cumsum([first] + [count for _, count in steps])
    size = int(minutes[-1]) // 15 + 1
    # Read once more on the last boundary, so that the whole difference is known.
    minutes, counts = np.append(minutes, size * 15), np.append(counts, counts[-1] + 5)
    intervals = settled(minutes, counts % 10**8 / 100, size)
    in_counts = np.rint(intervals.import_kwh * 100)
    assert in_counts.sum() == counts[-1] - counts[0]
    assert (in_counts >= 0).all()
    assert intervals.findings == ()


@given(minute=st.integers(0, 44), drop=st.integers(1, 20))
def test_a_boundary_depends_on_the_readings_beside_it_alone(minute, drop) -> None:
    """Settling a day again from other readings further off changes nothing."""
    minutes = np.arange(0, 120, 7) + minute % 7
    register = np.cumsum(minutes % 5 + minute) / 100
    whole = settled(minutes, register, 7)
    part = settled(minutes[drop % 8 :], register[drop % 8 :], 7)
    known = ~np.isnan(part.import_kwh)
    assert known.any()
    assert (part.import_kwh[known] == whole.import_kwh[known]).all()


@pytest.fixture(scope="module")
def steel() -> dict[str, np.ndarray]:
    """Energy of the file's intervals by quantity."""
    table = pq.read_table(
        shared_data("steel_industry_kr") / "steel_2018_jan_aug.parquet"
    )
    columns = {
        "energy_import_kwh": "usage_kwh",
        "energy_lagging_kvarh": "lagging_kvarh",
        "energy_leading_kvarh": "leading_kvarh",
    }
    return {key: table[column].to_numpy() for key, column in columns.items()}


def steel_settled(steel, offset_min: int) -> Intervals:
    """Read registers that run through the file's energy, and turn over early."""
    registers = {
        quantity: np.cumsum(
            [99_900_000, *np.rint(energy * 100).astype(np.int64)]  # counts
        )
        % 10**8
        / 100
        for quantity, energy in steel.items()
    }
    size = steel["energy_import_kwh"].size
    batch = readings(np.arange(size + 1) * 15 + offset_min, **registers)
    return settle(batch, starts(size), installation(), limit_kw=700.0)


def test_the_steel_plant_settles_to_its_file(steel) -> None:
    # Totals and peak: METHODS §1.
    intervals = steel_settled(steel, offset_min=0)
    assert len(intervals) == 23_328
    assert intervals.import_kwh == pytest.approx(steel["energy_import_kwh"], abs=1e-9)
    assert intervals.import_kwh.sum() == pytest.approx(671_433.60, abs=1e-6)
    assert intervals.lagging_kvarh.sum() == pytest.approx(306_315.73, abs=1e-6)
    assert intervals.leading_kvarh.sum() == pytest.approx(94_382.73, abs=1e-6)
    assert intervals.power_kw.max() == pytest.approx(612.56, abs=1e-9)
    # 2018-01-15 13:30 is 14 days and 54 quarter-hours after the file's start.
    assert intervals.power_kw.argmax() == 14 * 96 + 54


def test_the_steel_plant_read_between_its_intervals_loses_nothing(steel) -> None:
    # Read 4 min late, the boundary at the start is not known; it is 11/15 into the
    # first interval at 15 min, and 11/15 into the last one at the end.
    intervals = steel_settled(steel, offset_min=4)
    energy = steel["energy_import_kwh"]
    expected = 671_433.60 - energy[0] * 11 / 15 - energy[-1] * 4 / 15
    assert np.isnan(intervals.import_kwh[0])
    assert set(intervals.quality[1:].tolist()) == {"estimated"}
    # Each of the two ends is rounded to a count of 0.01 kWh.
    assert intervals.import_kwh[1:].sum() == pytest.approx(expected, abs=0.0101)
