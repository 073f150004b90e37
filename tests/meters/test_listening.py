"""Whose message it is: bound to its topic, and to nobody else's."""

import json
from datetime import UTC, datetime

import pytest

from meters.heard import Message
from meters.listening import Listener, Wanted
from meters.meter import Meter, Transport
from meters.payload_encode import encode_messages
from meters.profile import MqttProfile, load_profile
from meters.quantity import Quantity
from meters.refusal import Reason
from meters.topic import subscriptions, topic_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
VOLTS = {Quantity.VOLTAGE_L1_V: 230.0}


def mqtt(name: str) -> MqttProfile:
    profile = load_profile(name)
    assert isinstance(profile, MqttProfile)
    return profile


def meter(serial: str, profile: str = "keywatt-json") -> Meter:
    return Meter(meter_id=1, serial=serial, profile=profile, transport=Transport.MQTT)


def bound(*serials: tuple[str, MqttProfile], always=()) -> Listener:
    listener = Listener()
    listener.bind([(meter(serial), profile) for serial, profile in serials], always)
    return listener


def heard(listener: Listener, topic: str, payload: bytes = b"{}", **changes):
    return listener.hear(Message(topic, payload, NOW, **changes))


def test_what_is_to_be_subscribed_and_how() -> None:
    listener = Listener()
    wanted = listener.bind(
        [
            (meter("a"), mqtt("shelly-em-gen2")),
            (meter("N.a"), mqtt("sparkplug-b")),
        ],
        [mqtt("keywatt-json")],
    )
    assert set(wanted) == {
        Wanted("keywatt/meters/+/reading"),
        Wanted("+/events/rpc"),
        Wanted("+/status/em:0", is_live=True),
        Wanted("+/status/emdata:0", is_live=True),
        Wanted("+/online", is_ordered=True, is_again=True),
        Wanted("spBv1.0/keywatt/+/+", is_ordered=True),
        Wanted("spBv1.0/keywatt/+/+/+", is_ordered=True),
    }


def test_every_shipped_profile_hears_what_its_meters_say() -> None:
    for name in ("shelly-em-gen1", "shelly-em-gen2", "tasmota-sensor", "keywatt-json"):
        profile = mqtt(name)
        listener = bound(("a", profile), ("b", profile))
        for topic, payload in encode_messages(profile, "a", NOW, VOLTS):
            ((whose, parsed),) = heard(listener, topic, payload).readings
            assert whose.serial == "a"
            assert parsed.values == VOLTS


def test_a_message_of_nobody_is_held_but_where_strangers_are_common() -> None:
    listener = bound(("a", mqtt("tasmota-sensor")), always=[mqtt("keywatt-json")])
    assert heard(listener, "keywatt/meters/KW-9/reading") is None
    assert heard(listener, "nobody/knows") is None
    ignored = heard(listener, "tele/lamp/SENSOR")
    assert ignored is not None
    assert not ignored.readings
    assert not ignored.faults


def test_a_payload_that_names_another_meter_is_refused() -> None:
    listener = bound(("a", mqtt("keywatt-json")), ("b", mqtt("keywatt-json")))
    ((_, payload),) = encode_messages(mqtt("keywatt-json"), "b", NOW, VOLTS)
    result = heard(listener, "keywatt/meters/a/reading", payload)
    assert not result.readings
    assert [fault.reason for _, fault in result.faults] == [Reason.WRONG_TOPIC]


def test_a_level_that_says_nothing_may_be_anything() -> None:
    form = mqtt("tasmota-sensor").model_dump()
    acme = MqttProfile.model_validate(form | {"topic": "site/+/{serial}/state"})
    payload = json.dumps({"Time": "2026-03-01T12:00:00Z", "ENERGY": {"Voltage": 230}})
    listener = bound(("a", acme))
    for topic in ("site/x/a/state", "site/y/a/state"):
        ((whose, _),) = heard(listener, topic, payload.encode()).readings
        assert whose.serial == "a"
    assert not heard(listener, "site/x/b/state", payload.encode()).readings
    assert topic_of(acme, "a") == "site/any/a/state"


def gateway_says(*ids) -> bytes:
    return json.dumps(
        {
            "data": {
                "meters": [
                    {"id": one, "at": 1_772_366_400_000, "reg": {"a+": one}}
                    for one in ids
                ]
            }
        }
    ).encode()


def test_a_gateway_speaks_for_its_own_meters_only() -> None:
    profile = mqtt("generic-gateway")
    listener = bound(("gw7.11", profile), ("gw7.12", profile), ("gw8.11", profile))
    result = heard(listener, "acme/gw7/state", gateway_says(11, 12, 13))
    assert [
        (whose.serial, one.values[Quantity.ENERGY_IMPORT_KWH])
        for whose, one in result.readings
    ] == [("gw7.11", 11), ("gw7.12", 12)]
    assert not result.faults  # strangers = "ignore"
    # A gateway called `gw7.1` is not heard as gw7's meter 1.1.
    assert not heard(listener, "acme/gw7.1/state", gateway_says(1)).readings


def test_a_stranger_at_a_gateway_is_seen_where_the_profile_wants_it() -> None:
    form = mqtt("generic-gateway").model_dump()
    profile = MqttProfile.model_validate(form | {"strangers": "quarantine"})
    result = heard(bound(("gw7.11", profile)), "acme/gw7/state", gateway_says(11, 13))
    assert len(result.readings) == 1
    ((whose, fault),) = result.faults
    assert whose is None
    assert fault.reason is Reason.UNKNOWN_METER
    assert fault.text == "No meter is known that is 13 of this message."


def test_two_meters_may_read_the_same_topic() -> None:
    form = mqtt("tasmota-sensor").model_dump()
    one, other = (
        MqttProfile.model_validate(
            form
            | {
                "meter": f"{{serial}}-{phase}",
                "fields": [
                    {"quantity": "voltage_l1_v", "path": f"ENERGY.Voltage[{phase}]"}
                ],
            }
        )
        for phase in (0, 1)
    )
    listener = bound(("d-0", one), ("d-1", other))
    payload = b'{"Time": "2026-03-01T12:00:00Z", "ENERGY": {"Voltage": [230, 231]}}'
    result = heard(listener, "tele/d/SENSOR", payload)
    assert [(m.serial, one.values) for m, one in result.readings] == [
        ("d-0", {Quantity.VOLTAGE_L1_V: 230}),
        ("d-1", {Quantity.VOLTAGE_L1_V: 231}),
    ]


def test_what_was_retained_is_not_stamped_on_arrival() -> None:
    listener = bound(("a", mqtt("shelly-em-gen2")))
    topic, payload = "a/status/em:0", b'{"a_voltage": 230}'
    assert heard(listener, topic, payload).readings
    result = heard(listener, topic, payload, is_retained=True)
    assert not result.readings
    assert [fault.reason for _, fault in result.faults] == [Reason.RETAINED]


@pytest.mark.parametrize(
    ("name", "serial", "topic"),
    [
        ("keywatt-json", "KW-1", "keywatt/meters/KW-1/reading"),
        ("shelly-em-gen2", "shelly1", "shelly1/events/rpc"),
        ("sparkplug-b", "N.D", "spBv1.0/keywatt/DDATA/N/D"),
        ("generic-gateway", "gw7.11", "acme/gw7/state"),
    ],
)
def test_a_meters_topic(name, serial, topic) -> None:
    assert topic_of(mqtt(name), serial) == topic
    assert mqtt(name).topic_form.names_in(topic) is not None


@pytest.mark.parametrize("serial", ["N", "N.D.E", "", "N/1.D"])
def test_a_serial_number_that_fits_no_topic_is_told(serial) -> None:
    with pytest.raises(ValueError, match="is no serial number of profile sparkplug-b"):
        topic_of(mqtt("sparkplug-b"), serial)


def test_a_node_that_is_itself_a_meter_is_subscribed_alone() -> None:
    form = mqtt("sparkplug-b").model_dump()
    profile = MqttProfile.model_validate(
        form | {"topic": "spBv1.0/keywatt/+/{node}", "meter": "{node}"}
    )
    assert subscriptions(profile) == ("spBv1.0/keywatt/+/+",)
    assert topic_of(profile, "N") == "spBv1.0/keywatt/NDATA/N"
