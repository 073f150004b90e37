"""Where an MQTT meter publishes, and what to subscribe to. Pure."""

from meters.mqtt_profile import MqttProfile

_ANY = "any"
"""For a level of which nothing is known."""


def topic_of(profile: MqttProfile, serial: str) -> str:
    """Return the topic on which a meter publishes its (first kind of) readings.

    Levels that say nothing of the meter are `any`; of Sparkplug B it is that of data.

    Raises
    ------
    ValueError
        If no meter of this profile can have such a serial number.

    """
    named = profile.serial_form.named(serial)
    if named is None or any("/" in name for name in named.values()):
        raise ValueError(
            f"{serial} is no serial number of profile {profile.name} "
            f"({profile.serial_form.text})"
        )
    form = profile.topic_form
    levels = form.written(named).split("/")
    if profile.format == "sparkplug-b":
        levels[2] = "NDATA" if len(levels) == 4 else "DDATA"  # noqa: PLR2004 - no device
    return "/".join(_ANY if level == "+" else level for level in levels)


def subscription(profile: MqttProfile) -> str:
    """Return the filter that catches every meter's first kind of messages.

    Examples
    --------
    >>> from meters.profile import MqttProfile, load_profile
    >>> profile = load_profile("keywatt-json")
    >>> assert isinstance(profile, MqttProfile)
    >>> subscription(profile)
    'keywatt/meters/+/reading'

    """
    return profile.topic_form.wildcard


def subscriptions(profile: MqttProfile) -> tuple[str, ...]:
    """Return the filters that catch all messages of every meter of a profile."""
    if profile.format == "json":
        return tuple(subscription(kind) for kind in profile.messages)
    levels = profile.topic_form.wildcard.split("/")
    node = "/".join(levels[:4])
    return (node,) if len(levels) == 4 else (node, "/".join(levels))  # noqa: PLR2004 - no device
