"""Payloads: what is taken, what is refused and in which words."""

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.payload import (
    Parsed,
    PayloadError,
    decode_payload,
    encode_batch,
    encode_payload,
    split_payload,
)
from meters.profile import MqttProfile, load_profile
from meters.quantity import QUANTITIES, Quantity
from meters.reading import from_utc_us
from meters.refusal import Reason
from meters.registers import counts, modulus

OURS = load_profile("keywatt-json")
assert isinstance(OURS, MqttProfile)
NOON = datetime(2018, 1, 15, 4, 30, tzinfo=UTC)
# Years 2000 to 2100, to the microsecond.
INSTANTS_US = st.integers(946_684_800_000_000, 4_102_444_800_000_000)
SERIALS = st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True)
MOMENTARY = st.floats(-1e9, 1e9, allow_nan=False)


def other(**changes) -> MqttProfile:
    """A profile of someone else's payload."""
    form = {
        "name": "acme",
        "title": "Acme",
        "manual": {"document": "Acme", "revision": "1"},
        "transport": "mqtt",
        "topic": "acme/{serial}",
        "measured_at": "head.when",
        "register_digits": 8,
        "register_resolution": 0.01,
        "fields": [
            {"quantity": "energy_import_kwh", "path": "e.total_wh", "scale": 0.001},
            {"quantity": "voltage_l1_v", "path": "phases.a.voltage"},
        ],
    }
    return MqttProfile.model_validate(form | changes)


ONE = {
    "meter": "KW-1001",
    "time": "2018-01-15T13:30:00+09:00",
    "values": {"energy_import_kwh": 671433.6, "active_power_kw": -3},
}


def dumped(**changes) -> bytes:
    """Our payload with some fields changed; those set to `...` left out."""
    merged = ONE | changes
    return json.dumps({k: v for k, v in merged.items() if v is not ...}).encode()


def test_one_reading() -> None:
    assert decode_payload(OURS, dumped()) == [
        Parsed(
            serial="KW-1001",
            measured_at=NOON,
            values={
                Quantity.ENERGY_IMPORT_KWH: 671433.6,
                Quantity.ACTIVE_POWER_KW: -3.0,
            },
        )
    ]


def test_null_was_not_measured() -> None:
    values = {"voltage_l1_v": None, "voltage_l2_v": 230.5}
    (parsed,) = decode_payload(OURS, dumped(values=values))
    assert parsed.values == {Quantity.VOLTAGE_L2_V: 230.5}


def batch(*items) -> bytes:
    return json.dumps({"meter": "KW-1001", "readings": items}).encode()


def item(**changes) -> dict[str, object]:
    return {k: v for k, v in ONE.items() if k != "meter"} | changes


def test_several_readings_keep_their_order() -> None:
    late, early = "2018-01-15T05:00:00Z", "2018-01-15T04:30:00Z"
    parsed = decode_payload(OURS, batch(item(time=late), item(time=early)))
    assert [p.measured_at for p in parsed] == [NOON + timedelta(minutes=30), NOON]
    assert {p.serial for p in parsed} == {"KW-1001"}


def test_one_bad_reading_of_a_batch_leaves_the_others() -> None:
    payload = batch(item(), item(time="noon"), 7, item())
    readings, refused = split_payload(OURS, payload)
    assert len(readings) == 2
    assert [(error.reason, error.text, error.readings) for error in refused] == [
        (
            Reason.NOT_IN_SCHEMA,
            "readings 2 of 4: time is 'noon', not an ISO 8601 time.",
            1,
        ),
        (Reason.NOT_IN_SCHEMA, "readings 3 of 4: It is 7, not a JSON object.", 1),
    ]
    with pytest.raises(PayloadError, match="readings 2 of 4"):
        decode_payload(OURS, payload)


REFUSED = [
    (b"", Reason.NOT_JSON, "The payload is not JSON: EOF while parsing"),
    (b"\xff\xfe", Reason.NOT_JSON, "The payload is not JSON: "),
    (b'{"meter": "KW', Reason.NOT_JSON, "The payload is not JSON: EOF"),
    (b"[" * 10_000, Reason.NOT_JSON, "The payload is not JSON: recursion limit"),
    (b" " * 300_000, Reason.TOO_LARGE, "has 300000 bytes, more than 262144."),
    (b"[1]", Reason.NOT_IN_SCHEMA, "The payload is a list, not a JSON object."),
    (b"null", Reason.NOT_IN_SCHEMA, "The payload is null, not a JSON object."),
    (b"{}", Reason.NOT_IN_SCHEMA, "The field meter is missing."),
    (dumped(meter=...), Reason.NOT_IN_SCHEMA, "The field meter is missing."),
    (dumped(time=...), Reason.NOT_IN_SCHEMA, "The field time is missing."),
    (dumped(values=...), Reason.NOT_IN_SCHEMA, "The reading holds no value."),
    (dumped(values={}), Reason.NOT_IN_SCHEMA, "The reading holds no value."),
    (dumped(meter=1001), Reason.NOT_IN_SCHEMA, "meter is 1001, not a serial number"),
    (dumped(meter="a/b"), Reason.NOT_IN_SCHEMA, "meter is 'a/b', not a serial"),
    (dumped(meter="a\n"), Reason.NOT_IN_SCHEMA, r"meter is 'a\n', not a serial"),
    (dumped(time=15), Reason.NOT_IN_SCHEMA, "time is 15, not an ISO 8601 time."),
    (
        dumped(time="2018-02-30T00:00:00Z"),
        Reason.NOT_IN_SCHEMA,
        "time is '2018-02-30T00:00:00Z', not an ISO 8601 time.",
    ),
    (
        dumped(time="2018-01-15T13:30:00"),
        Reason.NOT_IN_SCHEMA,
        "time is '2018-01-15T13:30:00', without a time zone.",
    ),
    (
        dumped(time="0001-01-01T00:00:00+14:00"),
        Reason.NOT_IN_SCHEMA,
        "time is '0001-01-01T00:00:00+14:00', not an ISO 8601 time.",
    ),
    (dumped(value=1), Reason.NOT_IN_SCHEMA, "'value' is not a field of this payload."),
    (
        dumped(values={"voltage": 1}),
        Reason.NOT_IN_SCHEMA,
        "'values.voltage' is not a field of this payload.",
    ),
    (dumped(values=[1]), Reason.NOT_IN_SCHEMA, "values is a list, not a JSON object."),
    (
        dumped(values={"voltage_l1_v": "230"}),
        Reason.NOT_IN_SCHEMA,
        "values.voltage_l1_v is '230', not a number.",
    ),
    (
        dumped(values={"voltage_l1_v": True}),
        Reason.NOT_IN_SCHEMA,
        "values.voltage_l1_v is True, not a number.",
    ),
    (
        dumped(values={"voltage_l1_v": float("nan")}),
        Reason.NOT_A_NUMBER,
        "values.voltage_l1_v is nan, not a finite number.",
    ),
    (
        dumped(values={"voltage_l1_v": float("-inf")}),
        Reason.NOT_A_NUMBER,
        "values.voltage_l1_v is -inf, not a finite number.",
    ),
    (
        dumped(values={"voltage_l1_v": 10**400}),
        Reason.NOT_A_NUMBER,
        "values.voltage_l1_v is a number beyond all measure, not a finite number.",
    ),
    (dumped(readings=[]), Reason.NOT_IN_SCHEMA, "readings is an empty list, not a"),
    (dumped(readings={}), Reason.NOT_IN_SCHEMA, "readings is an object, not a list"),
    (dumped(readings=[ONE]), Reason.NOT_IN_SCHEMA, "'time' is not a field of this"),
    (batch(ONE), Reason.NOT_IN_SCHEMA, "readings 1 of 1: 'meter' is not a field"),
    (batch({}), Reason.NOT_IN_SCHEMA, "readings 1 of 1: The field time is missing."),
    (batch(item(readings=[])), Reason.NOT_IN_SCHEMA, "'readings' is not a field"),
    (b'{"readings": [1]}', Reason.NOT_IN_SCHEMA, "The field meter is missing."),
]


@pytest.mark.parametrize(
    ("payload", "reason", "text"), REFUSED, ids=[case[2][:45] for case in REFUSED]
)
def test_refused_with_reason_and_words(payload, reason, text) -> None:
    with pytest.raises(PayloadError) as caught:
        decode_payload(OURS, payload)
    assert caught.value.reason is reason
    assert text in caught.value.text
    assert caught.value.text.endswith(".")
    assert len(caught.value.text) < 300
    assert caught.value.text.isprintable()


def test_a_refused_batch_counts_its_readings() -> None:
    with pytest.raises(PayloadError) as caught:
        decode_payload(OURS, b'{"meter": 7, "readings": [1, 2, 3]}')
    assert caught.value.readings == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
# Near misses: the right names with anything in them.
NEAR = st.fixed_dictionaries(
    {},
    optional={
        "meter": st.just("KW-1001") | JSON,
        "time": st.just("2018-01-15T04:30:00Z") | JSON,
        "values": st.dictionaries(st.sampled_from(QUANTITIES), JSON) | JSON,
        "readings": st.lists(
            st.fixed_dictionaries({"time": JSON, "values": JSON}) | JSON
        ),
    },
)


def survives(payload: bytes) -> None:
    """Whatever comes, it is read or refused in a sentence that can be stored."""
    try:
        readings, refused = split_payload(OURS, payload)
    except PayloadError as exc:
        readings, refused = [], [exc]
    assert readings or refused
    for error in refused:
        assert error.text.isprintable()
        assert len(error.text) < 400
    for parsed in readings:
        assert parsed.values
        assert parsed.measured_at.utcoffset() == timedelta(0)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(payload) -> None:
    survives(payload)


@given(NEAR | JSON)
def test_any_json_is_read_or_refused(document) -> None:
    survives(json.dumps(document).encode())


@given(st.binary(max_size=4), st.integers(0, 100), st.integers(0, 4))
def test_a_broken_payload_is_read_or_refused(noise, at, cut) -> None:
    whole = dumped()
    survives(whole[:at] + noise + whole[at + cut :])


VALUES = st.dictionaries(st.sampled_from(QUANTITIES), MOMENTARY, min_size=1)


def expected(values) -> dict[Quantity, float]:
    """What a meter of ours shows for these values."""
    shown = dict(values)
    for quantity in values:
        if quantity.is_register:
            count = counts(values[quantity], 0.001) % modulus(11)
            shown[quantity] = float(Fraction(count, 1000))
    return shown


@given(SERIALS, INSTANTS_US, VALUES)
def test_decode_undoes_encode(serial, instant_us, values) -> None:
    moment = from_utc_us(instant_us)
    payload = encode_payload(OURS, serial, moment, values)
    assert decode_payload(OURS, payload) == [
        Parsed(serial=serial, measured_at=moment, values=expected(values))
    ]


@given(SERIALS, st.lists(st.tuples(INSTANTS_US, VALUES), min_size=1, max_size=5))
def test_decode_undoes_encode_of_a_batch(serial, readings) -> None:
    sent = [(from_utc_us(instant_us), values) for instant_us, values in readings]
    assert decode_payload(OURS, encode_batch(OURS, serial, sent)) == [
        Parsed(serial=serial, measured_at=moment, values=expected(values))
        for moment, values in sent
    ]


def test_what_is_nan_is_left_out_and_nothing_is_no_reading() -> None:
    nan = float("nan")
    sent = {Quantity.VOLTAGE_L1_V: nan, Quantity.VOLTAGE_L2_V: 230.5}
    payload = encode_payload(OURS, "a", NOON, sent)
    assert json.loads(payload)["values"] == {"voltage_l2_v": 230.5}
    with pytest.raises(ValueError, match="a reading needs a value"):
        encode_payload(OURS, "a", NOON, {Quantity.VOLTAGE_L1_V: nan})
    with pytest.raises(ValueError, match="voltage_l1_v is infinite"):
        encode_payload(OURS, "a", NOON, {Quantity.VOLTAGE_L1_V: float("inf")})


def test_paths_and_scales_of_another_payload() -> None:
    profile = other()
    payload = encode_payload(
        profile,
        "not in it",
        NOON,
        {
            Quantity.ENERGY_IMPORT_KWH: 1_671_433.604,
            Quantity.VOLTAGE_L1_V: 230.5,
            Quantity.VOLTAGE_L2_V: 230.5,
        },
    )
    # Eight digits of 0.01 kWh turn over at 1,000,000 kWh: 671433.60 kWh, in Wh.
    assert json.loads(payload) == {
        "head": {"when": "2018-01-15T04:30:00Z"},
        "e": {"total_wh": 671433600.0},
        "phases": {"a": {"voltage": 230.5}},
    }
    assert decode_payload(profile, payload) == [
        Parsed(
            serial=None,
            measured_at=NOON,
            values={
                Quantity.ENERGY_IMPORT_KWH: 671433.6,
                Quantity.VOLTAGE_L1_V: 230.5,
            },
        )
    ]
    with pytest.raises(ValueError, match="acme has no batches"):
        encode_batch(profile, "a", [])


def test_unknown_fields_are_left_alone_only_where_the_profile_says_so() -> None:
    payload = json.dumps(
        {
            "head": {"when": "2018-01-15T04:30:00Z", "firmware": "1.2"},
            "phases": {"a": {"voltage": 230.5, "thd": 3}, "b": {}},
            "uptime": 7,
        }
    ).encode()
    (parsed,) = decode_payload(other(unknown_fields="ignore"), payload)
    assert parsed.values == {Quantity.VOLTAGE_L1_V: 230.5}
    with pytest.raises(PayloadError, match=r"'head\.firmware' is not a field"):
        decode_payload(other(), payload)
