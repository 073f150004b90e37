"""Topics name their meter."""

from meters.profile import MqttProfile, load_profile
from meters.topic import subscription, topic_of

OURS = load_profile("keywatt-json")
assert isinstance(OURS, MqttProfile)


def test_one_subscription_catches_all() -> None:
    assert subscription(OURS) == "keywatt/meters/+/reading"
    assert topic_of(OURS, "KW-1") == "keywatt/meters/KW-1/reading"
