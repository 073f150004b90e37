import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.quantity import COLUMN, QUANTITIES, Quantity
from meters.reading import Reading, batch_of, joined

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
IMPORT = Quantity.ENERGY_IMPORT_KWH


def reading(n: int, **values: float) -> Reading:
    return Reading(
        meter_id=n,
        measured_at=AT,
        received_at=AT + timedelta(seconds=1),
        values={Quantity(name): value for name, value in values.items()},
    )


def test_a_batch_of_one_has_the_columns_of_its_reading() -> None:
    batch = batch_of([reading(7, energy_import_kwh=12.5)])
    assert len(batch) == 1
    assert batch.meter_id.tolist() == [7]
    assert (batch.meter_id.dtype, batch.measured_us.dtype) == (np.int32, np.int64)
    # 2026-03-01 12:00 UTC is 20,513.5 days after 1970.
    assert batch.measured_us.tolist() == [1_772_366_400_000_000]
    assert (batch.received_us - batch.measured_us).tolist() == [1_000_000]
    assert batch.values.shape == (1, len(QUANTITIES))
    assert batch.values[0, COLUMN[IMPORT]] == 12.5
    assert np.isnan(batch.values).sum() == len(QUANTITIES) - 1
    assert batch.readings() == [reading(7, energy_import_kwh=12.5)]
    assert len(batch[np.array([False])]) == 0
    with pytest.raises(AttributeError):
        _ = batch.nothing  # type: ignore[attr-defined]


def test_nothing_is_a_batch_too() -> None:
    for batch in (batch_of([]), joined([])):
        assert len(batch) == 0
        assert batch.values.shape == (0, len(QUANTITIES))


@given(st.lists(st.integers(0, 3), max_size=6))
def test_joined_batches_stand_in_their_order(sizes: list[int]) -> None:
    readings = [
        reading(n, energy_import_kwh=float(n), frequency_hz=50.0)
        for n in range(sum(sizes))
    ]
    parts, rest = [], list(readings)
    for size in sizes:
        parts.append(batch_of(rest[:size]))
        rest = rest[size:]
    together = joined(parts)
    assert together.readings() == readings
    assert together.values.dtype == np.float64
    assert not any(math.isnan(e) for e in together.values[:, COLUMN[IMPORT]])


def test_a_quantity_is_found_by_its_name() -> None:
    assert {IMPORT: 1.0}["energy_import_kwh"] == 1.0
