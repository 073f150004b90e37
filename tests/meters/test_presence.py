"""Whether a meter is online: said on its own topic, and by nobody else."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from meters.heard import Heard, Message
from meters.listening import Listener, Wanted
from meters.meter import Meter, Transport
from meters.presence import Presence
from meters.profile import MqttProfile, load_profile
from meters.refusal import Reason

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SERIALS = st.text("abKW0-_. é{}+", min_size=1, max_size=6)
SHIPPED = [
    ("keywatt-json", "keywatt/meters/KW-1/status", b"online", b"offline"),
    ("tasmota-sensor", "tele/KW-1/LWT", b"Online", b"Offline"),
    ("shelly-em-gen2", "KW-1/online", b"true", b"false"),
]


def mqtt(name: str = "keywatt-json", **changes) -> MqttProfile:
    profile = load_profile(name)
    assert isinstance(profile, MqttProfile)
    return MqttProfile.model_validate(profile.model_dump() | changes)


def told(topic: str, **changes) -> dict[str, object]:
    return {"topic": topic, "online": "up", "offline": "down"} | changes


def meters(*serials: str, profile: MqttProfile, first: int = 1):
    return [
        (
            Meter(
                meter_id=first + number,
                serial=serial,
                profile=profile.name,
                transport=Transport.MQTT,
            ),
            profile,
        )
        for number, serial in enumerate(serials)
    ]


def hear(listener: Listener, topic: str, payload: bytes, **changes) -> Heard | None:
    return listener.hear(Message(topic, payload, NOW, **changes))


@pytest.mark.parametrize(("name", "topic", "online", "offline"), SHIPPED)
@pytest.mark.parametrize("is_retained", [True, False])
def test_shipped_profiles_tell_it(name, topic, online, offline, is_retained) -> None:
    listener = Listener()
    listener.bind(meters("KW-0", "KW-1", profile=mqtt(name)), [])
    for payload, is_online in ((online, True), (offline, False)):
        heard = hear(listener, topic, payload, is_retained=is_retained)
        assert heard == Heard(presences=[Presence(2, is_online, NOW)])


@pytest.mark.parametrize("payload", [b"", b"Online", b"online ", b"\xff", b"x" * 999])
def test_another_text_is_refused_and_is_no_reading(payload) -> None:
    listener = Listener()
    listener.bind(meters("KW-1", profile=mqtt()), [])
    heard = hear(listener, "keywatt/meters/KW-1/status", payload)
    assert heard is not None
    ((meter, fault),) = heard.faults
    assert (meter.serial, fault.reason) == ("KW-1", Reason.NOT_IN_SCHEMA)
    assert fault.readings == 0
    assert "is neither 'online' nor 'offline'" in fault.text
    assert not heard.presences


def test_a_text_too_large_to_be_kept_is_refused() -> None:
    listener = Listener()
    listener.bind(meters("KW-1", profile=mqtt()), [])
    heard = hear(listener, "keywatt/meters/KW-1/status", b"", size=10**7)
    assert heard is not None
    assert len(heard.faults) == 1


@given(mine=SERIALS, others=SERIALS)
def test_a_meter_speaks_only_for_itself(mine, others) -> None:
    profile = mqtt(presence=told("plant/{serial}/+/lwt"))
    listener = Listener()
    listener.bind(meters(mine, profile=profile), [])
    heard = hear(listener, f"plant/{others}/x/lwt", b"down")
    assert heard is not None
    assert [one.meter_id for one in heard.presences] == [1] * (mine == others)


@given(one=SERIALS, two=SERIALS)
def test_a_serial_number_of_two_names_is_of_one_pair(one, two) -> None:
    profile = mqtt(
        topic="a/{line}/{device}",
        meter="{line}.{device}",
        presence=told("b/{device}/{line}"),
    )
    listener = Listener()
    listener.bind(meters("L1.press", profile=profile), [])
    heard = hear(listener, f"b/{two}/{one}", b"up")
    assert heard == Heard()
    heard = hear(listener, "b/press/L1", b"up")
    assert heard == Heard(presences=[Presence(1, True, NOW)])


def test_a_stranger_is_passed_over_and_no_reading_is_heard_there() -> None:
    listener = Listener()
    listener.bind(meters("KW-1", profile=mqtt()), [])
    for payload in (b"offline", b"{}"):
        assert hear(listener, "keywatt/meters/KW-2/status", payload) == Heard()
    assert hear(listener, "keywatt/meters/KW-2/reading", b"offline") is None


def test_who_is_new_has_the_topic_subscribed_again() -> None:
    # What is retained came before the meter was known: the broker must tell it again.
    listener, profile = Listener(), mqtt()
    once = Wanted("keywatt/meters/+/status", is_ordered=True)
    a, b = meters("a", "b", profile=profile)
    (other_a,) = meters("a", profile=profile, first=9)
    asked = [[], [a], [a], [a, b], [b], [other_a, b]]
    found = [listener.bind(given, [profile])[1:] for given in asked]
    again = once._replace(is_again=True)
    assert found == [(), (again,), (once,), (again,), (once,), (again,)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"presence": told("x/lwt")}, "must have the names .* {serial}, and no other"),
        ({"presence": told("x/{other}")}, "must have the names"),
        ({"presence": told("x/{serial}/{other}")}, "must have the names"),
        ({"presence": told("x/{serial}", online="down")}, "'down', as online is"),
        ({"presence": told("x/{serial}", offline="")}, "at least 1 character"),
        ({"presence": told("x/{serial}/#")}, "one name in braces"),
        ({"presence": told("keywatt/meters/{serial}/+")}, "where readings may come"),
        ({"presence": told("x/{serial}", retain=True)}, "not permitted"),
    ],
)
def test_a_form_that_cannot_be_right_is_refused(changes, said) -> None:
    with pytest.raises(ValidationError, match=said):
        mqtt(**changes)


def test_a_gateway_and_sparkplug_tell_no_meters_presence() -> None:
    # A gateway's will would speak for meters behind it; Sparkplug B has deaths.
    with pytest.raises(ValidationError, match="must have the names"):
        mqtt("generic-gateway", presence=told("acme/{gateway}/lwt"))
    with pytest.raises(ValidationError, match="presence: means nothing"):
        mqtt("sparkplug-b", presence=told("x/{node}/{device}"))
