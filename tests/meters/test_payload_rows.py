"""What is read fast is what is read thoroughly."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.payload import PayloadError, encode_payload, split_payload
from meters.payload_rows import row_reader
from meters.profile import MqttProfile, load_profile
from meters.quantity import QUANTITIES, Quantity
from meters.reading import from_utc_us, utc_us

PROFILE = load_profile("keywatt-json")
assert isinstance(PROFILE, MqttProfile)
READER = row_reader(PROFILE)
assert READER is not None


def unpacked(rows: list[bytes]) -> list[list[float]]:
    return np.frombuffer(b"".join(rows)).reshape(-1, len(QUANTITIES)).tolist()


def fast(payload: bytes) -> tuple[bool, list[int], list[list[float]]]:
    times_us, rows = [1], [b"before"]
    is_read = READER.read(payload, "KW-1", times_us, rows)
    assert (times_us.pop(0), rows.pop(0)) == (1, b"before")
    return is_read, times_us, unpacked(rows)


def thorough(payload: bytes) -> list[tuple[int, list[float]]] | None:
    """Return what the thorough way believes; None if it refuses any of it."""
    try:
        readings, wrong = split_payload(PROFILE, payload)
    except PayloadError:
        return None
    if wrong or any(one.serial != "KW-1" for one in readings):
        return None
    return [
        (utc_us(one.measured_at), [one.values.get(q, math.nan) for q in QUANTITIES])
        for one in readings
    ]


NUMBERS = st.floats() | st.integers() | st.integers(10**300, 10**400)
ODD = st.none() | st.booleans() | st.text(max_size=5) | st.just([]) | st.just({})
NAMES = st.sampled_from([*(q.value for q in QUANTITIES), "unknown", ""])
TIMES = st.sampled_from(
    [
        "2026-03-01T11:45:00Z",
        "2026-03-01T11:45:00.123456+08:00",
        "2026-03-01T11:45:00.1234567Z",
        "2026-03-01T11:45:00",
        "2026-03-01",
        "0001-01-01T00:00:00+14:00",
        "later",
        1_700_000_000,
        None,
    ]
)
ITEMS = st.fixed_dictionaries(
    {"time": TIMES, "values": st.dictionaries(NAMES, NUMBERS | ODD, max_size=4) | ODD},
    optional={"extra": ODD},
)
SERIALS = st.sampled_from(["KW-1", "KW-2", "", 1, None])
PAYLOADS = st.builds(lambda meter, item: {"meter": meter, **item}, SERIALS, ITEMS) | (
    st.fixed_dictionaries(
        {"meter": SERIALS, "readings": st.lists(ITEMS | ODD, max_size=3) | ODD},
        optional={"time": TIMES, "values": ODD},
    )
)


@given(PAYLOADS.map(lambda found: json.dumps(found).encode()) | st.binary())
def test_what_it_reads_the_thorough_way_reads_the_same(payload) -> None:
    is_read, times_us, rows = fast(payload)
    assert len(times_us) == len(rows)
    if not is_read:
        assert rows == []
        return
    values = np.array(rows, dtype=float)
    expected = thorough(payload)
    if expected is None:  # what is found on all rows at once (`Sheet`)
        assert (np.abs(values) > 1e15).any() or np.isnan(values).all(axis=1).any()
        return
    assert times_us == [moment for moment, _ in expected]
    np.testing.assert_array_equal(values, [row for _, row in expected])


@given(st.dictionaries(st.sampled_from(QUANTITIES), st.floats(0, 1e6), min_size=1))
def test_it_reads_what_a_meter_sends(values) -> None:
    at = from_utc_us(1_772_366_400_123_456)
    is_read, times_us, rows = fast(encode_payload(PROFILE, "KW-1", at, values))
    assert (is_read, times_us) == (True, [1_772_366_400_123_456])
    for quantity, value in zip(QUANTITIES, rows[0], strict=True):
        assert math.isnan(value) == (quantity not in values)


def test_a_profile_that_scales_or_nests_its_fields_is_not_plain() -> None:
    fields = PROFILE.fields
    scaled = fields[0].model_copy(update={"scale": 0.001})
    elsewhere = fields[0].model_copy(update={"path": "a.b.c"})
    for first in (scaled, elsewhere):
        changed = PROFILE.model_copy(update={"fields": (first, *fields[1:])})
        assert row_reader(changed) is None
    assert row_reader(PROFILE.model_copy(update={"serial": None})) is None


@pytest.mark.parametrize("lacking", [*QUANTITIES, "batch"])
def test_a_plain_profile_may_lack_anything(lacking) -> None:
    changed = PROFILE.model_copy(
        update={"batch": None}
        if lacking == "batch"
        else {"fields": tuple(f for f in PROFILE.fields if f.quantity != lacking)}
    )
    reader = row_reader(changed)
    values = {f.quantity: float(n) for n, f in enumerate(changed.fields)}
    at = from_utc_us(1_772_366_400_000_000)
    payload = encode_payload(changed, "KW-1", at, values)
    times_us, rows = [], []
    assert reader.read(payload, "KW-1", times_us, rows)
    given = zip(QUANTITIES, unpacked(rows)[0], strict=True)
    assert {q: v for q, v in given if not math.isnan(v)} == values
    whole = {"meter": "KW-1", "readings": [], "time": None, "values": {}}
    assert not reader.read(json.dumps(whole).encode(), "KW-1", times_us, rows)
    unknown = (
        encode_payload(PROFILE, "KW-1", at, {lacking: 1.0})
        if lacking in (set(QUANTITIES))
        else b"{}"
    )
    assert not reader.read(unknown, "KW-1", times_us, rows)
    assert len(rows) == 1


def test_a_field_that_no_type_can_have_is_read_the_thorough_way() -> None:
    odd = PROFILE.fields[0].model_copy(update={"path": "values.a\tb"})
    changed = PROFILE.model_copy(update={"fields": (odd, *PROFILE.fields[1:])})
    assert row_reader(changed) is None


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_each_quantity_stands_in_its_column(quantity: Quantity) -> None:
    values = {quantity.value: 1.5}
    payload = {"meter": "KW-1", "time": "2026-03-01T11:45:00Z", "values": values}
    _, _, (row,) = fast(json.dumps(payload).encode())
    at = QUANTITIES.index(quantity)
    assert row[at] == 1.5
    assert sum(not math.isnan(value) for value in row) == 1
