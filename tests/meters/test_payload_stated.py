"""What a message states of its meter: the ratio set in it, and the units of values."""

import json
from datetime import timedelta

import pytest

from meters.payload import decode_payload, encode_batch, encode_payload
from meters.payload_rows import row_reader
from meters.ratios import Ratios
from meters.refusal import Reason
from tests.meters.test_listening import NOW, VOLTS, bound, mqtt
from tests.meters.test_listening import heard as hear
from tests.meters.test_payload_mapping import profile, refusal

OURS = mqtt("keywatt-json")
TOPIC = "keywatt/meters/a/reading"
ONE = {"meter": "a", "time": NOW.isoformat(), "values": {"voltage_l1_v": 230}}


@pytest.mark.parametrize(
    ("stated", "multiplier"),
    [
        ({"ct_ratio": 80}, 80.0),
        ({"ct_ratio": 80, "pt_ratio": 100.5}, 8040.0),
        ({"pt_ratio": None}, None),
        ({"ct_ratio": 0}, None),
        ({"ct_ratio": -80}, None),
        ({"ct_ratio": 1e300}, None),
        ({}, None),
    ],
)
def test_a_ratio_stands_beside_the_reading_that_is_believed(stated, multiplier) -> None:
    (parsed,) = decode_payload(OURS, json.dumps(ONE | stated).encode())
    assert parsed.multiplier == multiplier
    assert len(parsed.values) == 1


def test_a_ratio_that_is_no_number_is_refused() -> None:
    assert refusal(OURS, ONE | {"ct_ratio": "400/5"}).text == (
        "ct_ratio is '400/5', not a ratio."
    )


def test_sides_of_transformers_one_set_for_each_meter_of_a_gateway() -> None:
    form = {
        "topic": "g/{gateway}",
        "meter": "{gateway}.{item}",
        "batch": "meters",
        "item_serial": "id",
        "numbers": "text",
        "ratio": [
            {"name": "ct-primary", "path": "ct[0]"},
            {"name": "ct-secondary", "path": "ct[1]"},
        ],
    }
    gateway = profile(("voltage_l1_v", "u"), **form)
    meters = [
        {"id": "1", "u": 230, "ct": [400, "5"]},
        {"id": "2", "u": 230, "ct": [300, 5]},
        {"id": "3", "u": 230, "ct": [300]},
    ]
    found = decode_payload(gateway, json.dumps({"meters": meters}).encode(), NOW)
    assert [one.multiplier for one in found] == [80.0, 60.0, None]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ratio": [{"name": "ct", "path": "u"}]}, "two things stand at u"),
        ({"ratio": [{"name": "ct", "path": "a..b"}]}, r"ratio\[ct\]\.path: "),
        (
            {"ratio": [{"name": "ct", "path": p} for p in "ab"]},
            "name ct is entered 2 times",
        ),
        ({"batch": "$", "ratio": [{"name": "ct", "path": "c"}]}, "ratio: a message"),
    ],
)
def test_a_profile_with_a_ratio_that_cannot_be_is_refused(changes, said) -> None:
    with pytest.raises(ValueError, match=said):
        profile(("voltage_l1_v", "u"), **changes)


def test_what_is_encoded_is_heard_and_makes_plain_messages_no_slower() -> None:
    listener = bound(("a", OURS))
    eighty = Ratios(ct=80.0, pt=None)
    later = NOW + timedelta(minutes=1)
    for payload in (
        encode_payload(OURS, "a", NOW, VOLTS, eighty),
        encode_batch(OURS, "a", [(NOW, VOLTS)], eighty),
    ):
        found = hear(listener, TOPIC, payload)
        assert [tuple(one) for one in found.stated] == [(1, NOW, 80.0)]
    assert not hear(listener, TOPIC, encode_payload(OURS, "a", later, VOLTS)).stated
    reader = row_reader(OURS)
    assert reader is not None
    assert reader.read(encode_payload(OURS, "a", NOW, VOLTS), "a", [], [])
    assert not reader.read(encode_payload(OURS, "a", NOW, VOLTS, eighty), "a", [], [])


def test_neither_what_was_retained_nor_a_meter_that_multiplies_is_asked() -> None:
    payload = encode_payload(OURS, "a", NOW, VOLTS, Ratios(ct=80.0, pt=None))
    assert not hear(bound(("a", OURS)), TOPIC, payload, is_retained=True).stated
    multiplies = OURS.model_copy(update={"ratio_in_meter": True})
    assert not hear(bound(("a", multiplies)), TOPIC, payload).stated


def test_a_unit_is_read_beside_its_value() -> None:
    field = {"quantity": "energy_import_kwh", "path": "e.value", "unit": "e.unit"}
    named = profile(("voltage_l1_v", "u"), fields=[field | {"scale": 0.001}])
    right = {"e": {"value": 671433600, "unit": "Wh"}}
    (parsed,) = decode_payload(named, json.dumps(right).encode(), NOW)
    assert list(parsed.values.values()) == [671433.6]
    (parsed,) = decode_payload(named, b'{"e": {"value": 1, "unit": null}}', NOW)
    wrong = refusal(named, {"e": {"unit": "kWh", "value": 671433.6}})
    assert wrong.reason is Reason.WRONG_UNIT
    assert wrong.text == (
        "e.value is in 'kWh', but the profile takes one of it for 0.001 kWh."
    )
    no_text = refusal(named, {"e": {"unit": 7, "value": 1}})
    assert no_text.text == "e.unit is 7, not the name of a unit."
