"""Topics name their meter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.profile import MqttProfile, load_profile
from meters.topic import serial_of_topic, subscription, topic_of

OURS = load_profile("keywatt-json")
assert isinstance(OURS, MqttProfile)


@given(st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True))
def test_serial_of_topic_undoes_topic_of(serial) -> None:
    assert serial_of_topic(OURS, topic_of(OURS, serial)) == serial


def test_one_subscription_catches_all() -> None:
    assert subscription(OURS) == "keywatt/meters/+/reading"
    assert topic_of(OURS, "KW-1") == "keywatt/meters/KW-1/reading"


@pytest.mark.parametrize(
    "topic",
    [
        "keywatt/meters//reading",
        "keywatt/meters/a/b/reading",
        "keywatt/meters/a/command",
        "other/meters/a/reading",
        "keywatt/meters/reading",
        "",
    ],
)
def test_other_topics_name_no_meter(topic) -> None:
    assert serial_of_topic(OURS, topic) is None
