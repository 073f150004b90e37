"""No bytes whatsoever crash a parser, and nothing accepted breaks a bound."""

import contextlib
import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.fuzz_mutations import changed
from benchmarks.fuzz_targets import (
    TARGETS,
    PromiseError,
    check_values,
    kinds,
    mqtt_profile,
    seeds,
)
from meters.json_path import parse_path
from meters.mqtt_profile import MqttProfile
from meters.payload_encode import placed
from meters.quantity import Quantity
from meters.unpack import packed

TARGET = st.sampled_from(sorted(TARGETS))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
NUMBERS = st.integers() | st.floats() | st.from_regex(r"-?[0-9]{1,20}(\.[0-9]+)?")
TIMES = (
    st.sampled_from(["2026-03-01T11:00:00Z", "2026-03-01T11:00:00", 1_772_362_800])
    | st.integers(0, 2 * 10**12)
    | st.datetimes().map(str)
)


def places(kind: MqttProfile) -> list[str]:
    paths = [kind.serial, kind.measured_at, kind.item_serial, kind.batch]
    return [field.path for field in kind.fields] + [path for path in paths if path]


@st.composite
def near_misses(draw) -> bytes:
    """The right places of a profile with anything in them."""
    number = draw(st.integers(0, len(kinds()) - 1))
    name, topic = kinds()[number]
    (kind,) = (k for k in mqtt_profile(name).messages if k.topic_form.names_in(topic))
    document: object = None
    for path in draw(st.lists(st.sampled_from(places(kind)), max_size=6, unique=True)):
        value = draw(JSON | NUMBERS | TIMES | st.lists(NUMBERS, max_size=4))
        with contextlib.suppress(TypeError):  # taken by another kind of thing
            document = placed(document, parse_path(path), value)
    payload = json.dumps(document).encode()
    if draw(st.booleans()):
        payload = packed(payload, draw(st.sampled_from(["gzip", "zstd"])))
    return bytes([2 * number + draw(st.integers(0, 1))]) + payload


@given(TARGET, st.binary(max_size=400))
def test_any_bytes(target, data) -> None:
    TARGETS[target](data)


@given(near_misses())
def test_near_misses(data) -> None:
    TARGETS["payload"](data)


@given(
    TARGET.flatmap(
        lambda target: st.tuples(st.just(target), st.sampled_from(seeds(target)))
    ),
    st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=4), st.integers(0, 4))),
)
def test_what_meters_send_but_spoilt(seed, spoilt) -> None:
    target, data = seed
    for at, noise, cut in spoilt:
        data = data[: at % (len(data) + 1)] + noise + data[at % (len(data) + 1) + cut :]
    TARGETS[target](data)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 255),
            st.sampled_from([part for one in seeds("sparkplug") for part in (one[3:],)])
            | st.binary(max_size=60),
        ),
        max_size=8,
    )
)
def test_any_sequence_of_messages(parts) -> None:
    TARGETS["sparkplug"](
        b"".join(struct.pack(">BH", head, len(body)) + body for head, body in parts)
    )


@given(st.sampled_from(sorted(TARGETS)), st.randoms(use_true_random=False))
def test_what_meters_send_with_strange_things_in_it(target, chance) -> None:
    data = chance.choice(seeds(target))
    for _ in range(chance.randrange(1, 8)):
        data = changed(target, data, chance)
    TARGETS[target](data)


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_the_fuzzer_begins_with_what_is_accepted(target, monkeypatch) -> None:
    # A target that refuses everything would find nothing.
    seen = []
    monkeypatch.setattr("benchmarks.fuzz_targets.check_values", seen.append)
    for seed in seeds(target):
        TARGETS[target](seed)
    assert seen


@pytest.mark.parametrize(
    "values",
    [
        {},
        {Quantity.VOLTAGE_L1_V: math.nan},
        {Quantity.VOLTAGE_L1_V: 1.1e15},
        {Quantity.ENERGY_IMPORT_KWH: -0.1},
    ],
)
def test_a_broken_bound_is_noticed(values) -> None:
    with pytest.raises(PromiseError):
        check_values(values)
