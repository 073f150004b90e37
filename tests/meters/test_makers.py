"""Messages of real meters as their makers and users show them, read as they stand."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.payload import decode_payload, split_payload
from meters.payload_encode import encode_messages
from meters.profile import MqttProfile, load_profile
from meters.quantity import Quantity
from meters.reading import from_utc_us

Q = Quantity
ARRIVED = datetime(2025, 9, 5, 8, 18, 5, tzinfo=UTC)


def mqtt(name: str) -> MqttProfile:
    profile = load_profile(name)
    assert isinstance(profile, MqttProfile)
    return profile


TASMOTA, GEN1, GEN2 = (
    mqtt("tasmota-sensor"),
    mqtt("shelly-em-gen1"),
    mqtt("shelly-em-gen2"),
)


def test_tasmota_with_one_phase() -> None:
    payload = (
        b'{"Time":"2025-02-12T22:47:39","ENERGY":{"TotalStartTime":'
        b'"2025-02-10T16:47:09","Total":0.904,"Yesterday":0.636,"Today":0.258,'
        b'"Period": 0,"Power":122,"ApparentPower":126,"ReactivePower":33,'
        b'"Factor":0.96,"Voltage":243,"Current":0.521}}'
    )
    (reading,) = decode_payload(TASMOTA, payload)
    assert reading.measured_at == datetime(2025, 2, 12, 22, 47, 39, tzinfo=UTC)
    assert reading.values == {
        Q.ENERGY_IMPORT_KWH: 0.904,
        Q.ACTIVE_POWER_KW: 0.122,
        Q.REACTIVE_POWER_KVAR: 0.033,
        Q.POWER_FACTOR: 0.96,
        Q.VOLTAGE_L1_V: 243,
        Q.CURRENT_L1_A: 0.521,
    }


def test_tasmota_with_three_phases() -> None:
    payload = (
        b'{"Time":"2025-02-12T22:47:39","ENERGY":{"Total":[1.25,2.5,0.25],'
        b'"ExportActive":0.5,"Power":[100,200,-50],"ReactivePower":[1,2,3],'
        b'"Factor":[0.96,1.00,0.5],"Frequency":50,"Voltage":[230,231,232],'
        b'"Current":[0.5,1.0,0.25]},"TempUnit":"C"}'
    )
    (reading,) = decode_payload(TASMOTA, payload)
    # 1.25 + 2.5 + 0.25 = 4 kWh; 100 + 200 - 50 = 250 W; 1 + 2 + 3 = 6 var.
    assert reading.values == {
        Q.ENERGY_IMPORT_KWH: 4,
        Q.ENERGY_EXPORT_KWH: 0.5,
        Q.ACTIVE_POWER_KW: 0.25,
        Q.ACTIVE_POWER_L1_KW: 0.1,
        Q.ACTIVE_POWER_L2_KW: 0.2,
        Q.ACTIVE_POWER_L3_KW: -0.05,
        Q.REACTIVE_POWER_KVAR: 0.006,
        Q.FREQUENCY_HZ: 50,
        Q.VOLTAGE_L1_V: 230,
        Q.VOLTAGE_L2_V: 231,
        Q.VOLTAGE_L3_V: 232,
        Q.CURRENT_L1_A: 0.5,
        Q.CURRENT_L2_A: 1.0,
        Q.CURRENT_L3_A: 0.25,
    }


def test_tasmota_without_a_meter_says_nothing_of_one() -> None:
    payload = b'{"Time":"2025-02-12T22:47:39","AM2301":{"Temperature":21.5}}'
    assert split_payload(TASMOTA, payload) == ([], [])


NOTIFIED = {
    "src": "shellypro3em-1234567890ab",
    "dst": "shellypro3em-1234567890ab/events",
    "method": "NotifyStatus",
    "params": {
        "ts": 1757060280.21,
        "emdata:0": {
            "id": 0,
            "a_total_act_energy": 0.06,
            "a_total_act_ret_energy": 0,
            "b_total_act_energy": 0.06,
            "b_total_act_ret_energy": 0.01,
            "c_total_act_energy": 26289.44,
            "c_total_act_ret_energy": 131881.85,
            "total_act": 26289.57,
            "total_act_ret": 131881.86,
        },
    },
}
EM = {
    "id": 0,
    "a_current": 4.029,
    "a_voltage": 236.1,
    "a_act_power": 951.2,
    "a_aprt_power": 951.9,
    "a_pf": 1,
    "a_freq": 50,
    "b_current": 4.027,
    "b_voltage": 236.201,
    "b_act_power": -951.1,
    "c_current": 3.03,
    "c_voltage": 236.402,
    "c_act_power": 715.4,
    "n_current": None,
    "total_current": 11.083,
    "total_act_power": 715.5,
    "total_aprt_power": 2484.782,
    "user_calibrated_phase": [],
}


def test_shelly_notifies_of_energy_and_says_when() -> None:
    (reading,) = decode_payload(GEN2, json.dumps(NOTIFIED).encode(), ARRIVED)
    # 1757060280 s are 2025-09-05T08:18:00Z.
    assert reading.measured_at == datetime(2025, 9, 5, 8, 18, 0, 210_000, tzinfo=UTC)
    assert reading.values == {
        Q.ENERGY_IMPORT_KWH: 26.28957,
        Q.ENERGY_EXPORT_KWH: 131.88186,
    }


@pytest.mark.parametrize("is_notified", [True, False])
def test_shelly_tells_power_by_phase(is_notified) -> None:
    kind, document = GEN2.messages[1], EM
    if is_notified:
        kind = GEN2
        document = {"method": "NotifyStatus", "params": {"ts": 1757060285, "em:0": EM}}
    (reading,) = decode_payload(kind, json.dumps(document).encode(), ARRIVED)
    assert reading.measured_at == ARRIVED
    assert reading.values == pytest.approx(
        {
            Q.ACTIVE_POWER_KW: 0.7155,
            Q.ACTIVE_POWER_L1_KW: 0.9512,
            Q.ACTIVE_POWER_L2_KW: -0.9511,
            Q.ACTIVE_POWER_L3_KW: 0.7154,
            Q.FREQUENCY_HZ: 50,
            Q.VOLTAGE_L1_V: 236.1,
            Q.VOLTAGE_L2_V: 236.201,
            Q.VOLTAGE_L3_V: 236.402,
            Q.CURRENT_L1_A: 4.029,
            Q.CURRENT_L2_A: 4.027,
            Q.CURRENT_L3_A: 3.03,
        }
    )


def test_shelly_status_of_energy_is_of_its_arrival() -> None:
    topic = GEN2.messages[2].topic
    assert topic == "{serial}/status/emdata:0"
    payload = json.dumps(NOTIFIED["params"]["emdata:0"]).encode()
    (reading,) = decode_payload(GEN2.messages[2], payload, ARRIVED)
    assert reading.measured_at == ARRIVED
    assert reading.values[Q.ENERGY_IMPORT_KWH] == 26.28957


@pytest.mark.parametrize(
    "params",
    [
        {"ts": 1757060285, "wifi": {"rssi": -60}},
        {"ts": 1757060285, "events": [{"component": "input:0", "event": "btn_up"}]},
    ],
)
def test_shelly_events_of_other_parts_are_passed_over(params) -> None:
    payload = json.dumps({"src": "a", "method": "NotifyEvent", "params": params})
    assert split_payload(GEN2, payload.encode(), ARRIVED) == ([], [])


def test_first_shelly_sends_one_number_on_each_topic() -> None:
    texts = {"total": b"1264154.1", "power": b"-332.20", "voltage": b"226.87"}
    found = {}
    for kind in GEN1.messages:
        payload = texts.get(kind.topic.rpartition("/")[2])
        if payload is not None:
            (reading,) = decode_payload(kind, payload, ARRIVED)
            found |= reading.values
    assert found == pytest.approx(
        {
            Q.ENERGY_IMPORT_KWH: 1264.1541,
            Q.ACTIVE_POWER_KW: -0.3322,
            Q.VOLTAGE_L1_V: 226.87,
        }
    )


def quantities(profile: MqttProfile) -> set[Quantity]:
    return {field.quantity for kind in profile.messages for field in kind.fields}


POWERS = (Q.ACTIVE_POWER_L1_KW, Q.ACTIVE_POWER_L2_KW, Q.ACTIVE_POWER_L3_KW)


@given(
    st.sampled_from([TASMOTA, GEN1, GEN2]),
    st.integers(946_684_800, 4_102_444_800),
    st.dictionaries(st.sampled_from(list(Quantity)), st.floats(0, 1e6), min_size=1),
    st.booleans(),
)
def test_what_is_encoded_is_what_such_a_meter_sends(
    profile, second, values, is_of_one_phase
) -> None:
    moment = from_utc_us(second * 1_000_000)
    sent = {q: round(v, 3) for q, v in values.items() if q in quantities(profile)}
    if is_of_one_phase:
        sent = {q: v for q, v in sent.items() if "_l2_" not in q and "_l3_" not in q}
        sent.pop(Q.ACTIVE_POWER_L1_KW, None)
    if set(POWERS) & sent.keys():  # then they make the total
        sent |= dict.fromkeys(POWERS, 1.5) | {Q.ACTIVE_POWER_KW: 4.5}
    if not sent:
        return
    found: dict[Quantity, float] = {}
    for topic, payload in encode_messages(profile, "acme-1", moment, sent):
        (kind,) = (k for k in profile.messages if k.topic_form.names_in(topic))
        (reading,) = decode_payload(kind, payload, moment)
        assert reading.measured_at == moment
        found |= reading.values
    assert found == pytest.approx(sent, rel=1e-9)
