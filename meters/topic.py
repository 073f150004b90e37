"""Where an MQTT meter publishes: topics with the serial number as one level. Pure."""

from meters.mqtt_profile import MqttProfile

_SERIAL = "{serial}"


def topic_of(profile: MqttProfile, serial: str) -> str:
    """Return the topic on which a meter publishes its readings."""
    return profile.topic.replace(_SERIAL, serial)


def subscription(profile: MqttProfile) -> str:
    """Return the filter that catches every meter of a profile.

    Examples
    --------
    >>> from meters.profile import MqttProfile, load_profile
    >>> profile = load_profile("keywatt-json")
    >>> assert isinstance(profile, MqttProfile)
    >>> subscription(profile)
    'keywatt/meters/+/reading'
    >>> serial_of_topic(profile, "keywatt/meters/KW-1001/reading")
    'KW-1001'

    """
    return topic_of(profile, "+")


def serial_of_topic(profile: MqttProfile, topic: str) -> str | None:
    """Return the serial number in a topic; None if the topic is not of this profile."""
    before, _, after = profile.topic.partition(_SERIAL)
    if not (topic.startswith(before) and topic.endswith(after)):
        return None
    serial = topic[len(before) : len(topic) - len(after)]
    return serial if serial and "/" not in serial else None
