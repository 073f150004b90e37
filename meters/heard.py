"""One MQTT message as it came, and what became of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from meters.gathered import Parsed
from meters.meter import Meter
from meters.mqtt_profile import MqttProfile
from meters.payload_error import PayloadError
from meters.presence import Presence
from meters.ratios import Statement
from meters.refusal import Reason


class Message(NamedTuple):
    """One message as it came."""

    topic: str
    payload: bytes
    arrived_at: datetime
    is_retained: bool = False
    """Whether the broker had kept it from before we subscribed."""
    size: int = 0
    """Bytes of payload that were sent, where those that were kept are fewer."""

    def whole(self) -> bytes:
        """Return the payload.

        Raises
        ------
        PayloadError
            If it was too large to be kept.

        """
        if self.size > len(self.payload):
            text = f"The payload has {self.size} bytes and was not read to its end."
            raise PayloadError(Reason.TOO_LARGE, text)
        return self.payload


@dataclass(slots=True)
class Heard:
    """What became of one message."""

    readings: list[tuple[Meter, Parsed]] = field(default_factory=list)
    faults: list[tuple[Meter | None, PayloadError]] = field(default_factory=list)
    to_publish: list[tuple[str, bytes]] = field(default_factory=list)
    """Topics and payloads, at QoS 0."""
    presences: list[Presence] = field(default_factory=list)
    """These are no readings."""
    stated: list[Statement] = field(default_factory=list)
    """Of readings among these, believed or not."""


class Pattern(NamedTuple):
    """One kind of messages of which the topic alone does not say whose it is."""

    kind: MqttProfile
    meters: Mapping[str, Meter]
    """By their serial numbers."""

    def meter_on(self, topic: str) -> Meter | None:
        """Return the meter whose topic it is."""
        named = self.kind.topic_form.names_in(topic)
        return None if named is None else self.meter_named(named)

    def meter_named(self, named: Mapping[str, str]) -> Meter | None:
        """Return the meter of which these are the names."""
        return self.meters.get(self.kind.serial_form.serial(named) or "")
