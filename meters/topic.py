"""Where an MQTT meter publishes: topics with the serial number as one level. Pure."""

from meters.mqtt_profile import MqttProfile


def topic_of(profile: MqttProfile, serial: str) -> str:
    """Return the topic on which a meter publishes its readings."""
    return profile.topic.replace("{serial}", serial)


def subscription(profile: MqttProfile) -> str:
    """Return the filter that catches every meter of a profile.

    Examples
    --------
    >>> from meters.profile import MqttProfile, load_profile
    >>> profile = load_profile("keywatt-json")
    >>> assert isinstance(profile, MqttProfile)
    >>> subscription(profile)
    'keywatt/meters/+/reading'

    """
    return topic_of(profile, "+")
