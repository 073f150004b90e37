"""Payloads of others, by mapping: lists, texts, gateways, bare numbers."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.payload import PayloadError, decode_payload, encode_payload, split_payload
from meters.payload_encode import encode_batch, encode_messages
from meters.profile import MqttProfile, load_profile
from meters.quantity import Quantity
from meters.refusal import Reason
from meters.unpack import packed

Q = Quantity
NOON = datetime(2018, 1, 15, 12, tzinfo=UTC)
GATEWAY = load_profile("generic-gateway")
assert isinstance(GATEWAY, MqttProfile)


def profile(*fields, **changes) -> MqttProfile:
    """One that maps `(quantity, path)` or `(quantity, path, if_list)`."""
    keys = ("quantity", "path", "if_list")
    form = {
        "name": "acme",
        "title": "Acme",
        "manual": {"document": "Acme", "revision": "1"},
        "transport": "mqtt",
        "topic": "acme/{serial}",
        "measured_at": "arrival",
        "register_digits": 8,
        "register_resolution": 0.01,
        "fields": [dict(zip(keys, one, strict=False)) for one in fields],
    }
    return MqttProfile.model_validate(form | changes)


def values(mapping: MqttProfile, document: object) -> dict[Quantity, float]:
    (parsed,) = decode_payload(mapping, json.dumps(document).encode(), NOON)
    return parsed.values


def refusal(mapping: MqttProfile, document: object) -> PayloadError:
    with pytest.raises(PayloadError) as caught:
        decode_payload(mapping, json.dumps(document).encode(), NOON)
    return caught.value


def test_lists_quoted_names_and_roots() -> None:
    volts = profile(
        ("voltage_l1_v", "em[0].u"),
        ("voltage_l2_v", "em[1].u"),
        ("current_l1_a", '"a.b/c"."i[1]"'),
    )
    document = {"em": [{"u": 230}, {"u": 231}], "a.b/c": {"i[1]": 5}}
    assert values(volts, document) == {
        Q.VOLTAGE_L1_V: 230,
        Q.VOLTAGE_L2_V: 231,
        Q.CURRENT_L1_A: 5,
    }
    assert values(
        profile(("voltage_l1_v", "[1]"), unknown_fields="ignore"), [1, 2]
    ) == {Q.VOLTAGE_L1_V: 2}
    assert values(profile(("voltage_l1_v", "$")), 230.5) == {Q.VOLTAGE_L1_V: 230.5}


@pytest.mark.parametrize(
    ("fields", "document", "said"),
    [
        ([("voltage_l1_v", "u[0]")], {"u": 230}, "u is 230, not a list."),
        ([("voltage_l1_v", "u[0]")], {"u": [1, 2]}, "u[1] is not a field of this pay"),
        ([("voltage_l1_v", "u[0]")], {"u": []}, "The reading holds no value."),
        ([("voltage_l1_v", "u[0].v")], {"u": [7]}, "u[0] is 7, not a JSON object."),
        ([("voltage_l1_v", "u")], {"u": [230]}, "u is a list, not a number."),
        ([("voltage_l1_v", "$")], {"u": 1}, "$ is an object, not a number."),
        ([("voltage_l1_v", "[0]")], 7, "$ is 7, not a list."),
        (
            [("active_power_kw", "p", "sum")],
            {"p": [1, "2"]},
            "p holds '2', not only numbers.",
        ),
        ([("active_power_kw", "p", "sum")], {"p": [1, None]}, "holds no value."),
        ([("active_power_kw", "p", "skip")], {"p": [1]}, "holds no value."),
        ([("active_power_kw", "p", "first")], {"p": [[1]]}, "p is a list, not a num"),
    ],
)
def test_what_does_not_fit_is_told(fields, document, said) -> None:
    error = refusal(profile(*fields), document)
    assert error.reason is Reason.NOT_IN_SCHEMA
    assert said in error.text


def test_a_sum_beyond_all_numbers_is_no_number() -> None:
    total = profile(("active_power_kw", "p", "sum"))
    assert refusal(total, {"p": [1.0, 10**400]}).reason is Reason.NOT_A_NUMBER
    assert refusal(total, {"p": [1e308, 1e308]}).reason is Reason.NOT_A_NUMBER


def test_numbers_may_be_texts_only_where_the_profile_says_so() -> None:
    fields = [("energy_import_kwh", "e"), ("voltage_l1_v", "u")]
    text = profile(*fields, numbers="text")
    assert values(text, {"e": " 671433.604", "u": 230}) == {
        Q.ENERGY_IMPORT_KWH: 671433.604,
        Q.VOLTAGE_L1_V: 230,
    }
    assert values(text, {"e": "-1.5E+3"}) == {Q.ENERGY_IMPORT_KWH: -1500}
    for wrong in ("", "0x10", "1,5", "nan", "inf", "1_000", "٣", "1" * 31, "--1"):
        assert "not a number" in refusal(text, {"e": wrong}).text
    assert refusal(text, {"e": "1e999"}).reason is Reason.NOT_A_NUMBER
    assert "is '1', not a number" in refusal(profile(*fields), {"e": "1"}).text


def test_a_list_at_the_root_is_a_batch() -> None:
    rows = profile(("voltage_l1_v", "u"), batch="$", measured_at="t")
    document = [{"t": "2018-01-15T12:00:00Z", "u": 1}, {"t": "noon", "u": 2}, 3]
    readings, refused = split_payload(rows, json.dumps(document).encode())
    assert [one.values for one in readings] == [{Q.VOLTAGE_L1_V: 1}]
    assert [one.text for one in refused] == [
        "The payload 2 of 3: t is 'noon', not an ISO 8601 time.",
        "The payload 3 of 3: It is 3, not a JSON object.",
    ]
    assert "The payload is an object, not a list" in refusal(rows, {"u": 1}).text
    sent = [(NOON, {Q.VOLTAGE_L1_V: 1.0}), (NOON, {Q.VOLTAGE_L1_V: 2.0})]
    assert len(decode_payload(rows, encode_batch(rows, "a", sent))) == 2


GATEWAY_SAYS = {
    "v": 2,
    "sent": 1_516_017_600_210,
    "data": {
        "meters": [
            {
                "id": 11,
                "at": 1_516_017_600_000,
                "reg": {"a+": "671433.604", "a-": "0"},
                "phases": [{"u": "230.1", "i": "1.92", "p.kw": "0.41"}],
            },
            {"id": "12", "at": 1_516_017_600_000, "reg": {"a+": 5}},
            {"at": 1_516_017_600_000, "reg": {"a+": 6}},
            {"id": "1/2", "at": 1_516_017_600_000, "reg": {"a+": 6}},
        ]
    },
}


def test_a_gateway_speaks_for_several_meters() -> None:
    readings, refused = split_payload(GATEWAY, json.dumps(GATEWAY_SAYS).encode())
    assert [(one.item, one.measured_at, one.values) for one in readings] == [
        (
            "11",
            NOON,
            {
                Q.ENERGY_IMPORT_KWH: 671433.604,
                Q.ENERGY_EXPORT_KWH: 0,
                Q.VOLTAGE_L1_V: 230.1,
                Q.CURRENT_L1_A: 1.92,
                Q.ACTIVE_POWER_L1_KW: 0.41,
            },
        ),
        ("12", NOON, {Q.ENERGY_IMPORT_KWH: 5}),
    ]
    assert [one.text for one in refused] == [
        "data.meters 3 of 4: The field id is missing.",
        (
            "data.meters 4 of 4: id is '1/2', not a serial number (letters, digits, "
            "dot, dash and underscore, at most 64)."
        ),
    ]


def test_a_message_without_value_is_passed_over_only_if_the_profile_says_so() -> None:
    fields = [("voltage_l1_v", "u")]
    lenient = profile(*fields, unknown_fields="ignore", no_value="ignore")
    assert decode_payload(lenient, b'{"switch": "on"}', NOON) == []
    strict = profile(*fields, unknown_fields="ignore")
    assert refusal(strict, {"switch": "on"}).text == "The reading holds no value."


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_packed_payload_is_read(kind) -> None:
    payload = packed(json.dumps(GATEWAY_SAYS).encode(), kind)
    assert len(split_payload(GATEWAY, payload)[0]) == 2


VALUES = st.dictionaries(
    st.sampled_from(sorted({field.quantity for field in GATEWAY.fields})),
    st.floats(0, 1e6).map(lambda value: round(value, 3)),
    min_size=1,
)


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_decode_undoes_encode_of_a_gateway(rows) -> None:
    payload = encode_batch(GATEWAY, "gw7.11", [(NOON, row) for row in rows])
    found = decode_payload(GATEWAY, payload)
    assert [(one.item, one.measured_at) for one in found] == [("11", NOON)] * len(rows)
    for one, row in zip(found, rows, strict=True):
        assert one.values == pytest.approx(row, rel=1e-12)


def test_who_is_no_meter_of_a_profile_cannot_be_encoded() -> None:
    with pytest.raises(ValueError, match="gw7 is no serial number of generic-gateway"):
        encode_payload(GATEWAY, "gw7", NOON, {Q.ENERGY_IMPORT_KWH: 1})
    with pytest.raises(ValueError, match="a reading needs a value"):
        encode_messages(GATEWAY, "gw7.11", NOON, {Q.FREQUENCY_HZ: 50})
