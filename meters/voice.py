"""How a meter speaks over MQTT, whatever its format: for the simulators. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from meters.mqtt_profile import MqttProfile
from meters.payload_encode import encode_messages
from meters.quantity import Quantity
from meters.sparkplug import SparkplugTopic
from meters.sparkplug_edge import SparkplugEdge
from meters.topic import topic_of


class Voice(Protocol):
    """One meter's way to tell a reading."""

    def say(
        self, measured_at: datetime, values: Mapping[Quantity, float]
    ) -> list[tuple[str, bytes]]:
        """Return the topics and payloads of one reading, in their order."""
        ...


class JsonVoice:
    """A meter that tells each reading by itself."""

    def __init__(self, profile: MqttProfile, serial: str) -> None:
        self._profile, self._serial = profile, serial

    def say(
        self, measured_at: datetime, values: Mapping[Quantity, float]
    ) -> list[tuple[str, bytes]]:
        """Return a message of each kind that holds any of the values."""
        return encode_messages(self._profile, self._serial, measured_at, values)


class SparkplugVoice:
    """A meter that is alone on its edge node: born once, then it sends data."""

    def __init__(self, profile: MqttProfile, serial: str) -> None:
        who = SparkplugTopic.of(topic_of(profile, serial))
        if who is None:
            raise ValueError(f"{serial} makes no topic of {profile.name}")
        self._device = who.device
        self.edge = SparkplugEdge(profile, who.group, who.node)
        self._is_born = False

    def say(
        self, measured_at: datetime, values: Mapping[Quantity, float]
    ) -> list[tuple[str, bytes]]:
        """Return the births, the first time, and the data."""
        if not self._is_born:
            self._is_born = True
            return self.edge.birth(measured_at, {self._device: values})
        return [self.edge.data(self._device, [(measured_at, values)])]


def voice_of(profile: MqttProfile, serial: str) -> Voice:
    """Return how a meter of a profile speaks.

    Raises
    ------
    ValueError
        If no meter of this profile can have such a serial number.

    """
    topic_of(profile, serial)
    if profile.format == "sparkplug-b":
        return SparkplugVoice(profile, serial)
    return JsonVoice(profile, serial)
