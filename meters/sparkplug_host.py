"""What Sparkplug B edge nodes have said, and which meters their devices are. Pure."""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime

from meters.heard import Heard, Message, Pattern
from meters.meter import Meter
from meters.mqtt_profile import MqttProfile
from meters.payload_error import PayloadError
from meters.ratios import RatioName, Statement, ratios_of
from meters.reading import utc_us
from meters.refusal import Reason
from meters.sparkplug import (
    COMMANDS,
    Kind,
    SparkplugPayload,
    SparkplugTopic,
    decode_sparkplug,
    rebirth_request,
)
from meters.sparkplug_node import EdgeNode, Said
from meters.sparkplug_values import sparkplug_readings, stated_ratios
from meters.unpack import unpacked

MOST_NODES = 5_000
"""Edge nodes remembered; the one that was silent longest is born again."""


class SparkplugHost:
    """Feed it with all messages of the edge nodes, in the order in which they come."""

    def __init__(self) -> None:
        self._patterns: Sequence[Pattern] = ()
        self._ratios: dict[int, dict[RatioName, float]] = {}
        """As each meter stated them last."""
        self._nodes: OrderedDict[tuple[str, str, str], EdgeNode] = OrderedDict()

    def bind(self, patterns: Sequence[Pattern]) -> None:
        """Replace the known meters; what was said is remembered."""
        self._patterns = patterns

    def is_of_node(self, topic: str) -> bool:
        """Whether a topic is of an edge node that may carry one of our meters."""
        return any(_node_fits(pattern.kind, topic) for pattern in self._patterns)

    def hear(self, message: Message) -> Heard:
        """Take one message."""
        heard = Heard()
        who = SparkplugTopic.of(message.topic)
        if who is None or who.kind in COMMANDS:
            return heard
        meter, profile = self._speaker_on(message.topic)
        try:
            raw, told = self._read(message)
        except PayloadError as exc:
            heard.faults.append((meter, exc))
            return heard
        node = self._node(who)
        said = node.take(who.kind, who.device, told, raw)
        if meter or profile or who.kind in {Kind.NBIRTH, Kind.NDEATH}:
            heard.faults += [(meter, fault) for fault in said.faults]
        if said.is_birth_missing and node.asks_at(message.arrived_at):
            at_ms = utc_us(message.arrived_at) // 1000
            heard.to_publish.append(rebirth_request(who, at_ms))
        if profile is not None:
            _hear_metrics(heard, meter, profile, said, told.timestamp_ms)
        if meter is not None and profile is not None and profile.ratio:
            self._hear_ratios(heard, meter, profile, said, message.arrived_at)
        return heard

    def _hear_ratios(
        self,
        heard: Heard,
        meter: Meter,
        profile: MqttProfile,
        said: Said,
        arrived_at: datetime,
    ) -> None:
        """Take the ratios that a device states; data tells only what changed."""
        told = stated_ratios(profile, said.named)
        if not told or profile.ratio_in_meter:
            return
        known = self._ratios.setdefault(meter.meter_id, {})
        known.update(told)
        multiplier = ratios_of(known).multiplier
        if multiplier is not None:
            said_now = Statement(meter.meter_id, arrived_at, multiplier)
            heard.stated.append(said_now)

    def _read(self, message: Message) -> tuple[bytes, SparkplugPayload]:
        """Return a message unpacked, and decoded."""
        if message.is_retained:
            raise PayloadError(
                Reason.RETAINED,
                "The broker had retained this message; Sparkplug B wants none "
                "retained, for it may be of a session that is long over.",
            )
        most = max(pattern.kind.max_bytes for pattern in self._patterns)
        raw = unpacked(message.whole(), most)
        return raw, decode_sparkplug(raw)

    def _speaker_on(self, topic: str) -> tuple[Meter | None, MqttProfile | None]:
        """Return the meter that speaks on a topic, if any, and how it speaks."""
        stranger: MqttProfile | None = None
        for pattern in self._patterns:
            if pattern.kind.topic_form.names_in(topic) is None:
                continue
            meter = pattern.meter_on(topic)
            if meter is not None:
                return meter, pattern.kind
            if pattern.kind.strangers == "quarantine":
                stranger = pattern.kind
        return None, stranger

    def _node(self, who: SparkplugTopic) -> EdgeNode:
        """Return what is known of an edge node."""
        key = (who.namespace, who.group, who.node)
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = EdgeNode()
            if len(self._nodes) > MOST_NODES:
                self._nodes.popitem(last=False)
        self._nodes.move_to_end(key)
        return node


_NODE_LEVELS, _DEVICE_LEVELS = 4, 5


def _node_fits(profile: MqttProfile, topic: str) -> bool:
    """Whether a topic is of an edge node that may carry a profile's meters."""
    levels = topic.split("/")
    return len(levels) in (_NODE_LEVELS, _DEVICE_LEVELS) and all(
        wanted in (level, "+") or wanted.startswith("{")
        for level, wanted in zip(levels, profile.topic_form.levels[:4], strict=False)
    )


def _hear_metrics(
    heard: Heard,
    meter: Meter | None,
    profile: MqttProfile,
    said: Said,
    message_ms: int | None,
) -> None:
    """Take what a device said by name."""
    readings, faults = sparkplug_readings(profile, said.named, message_ms)
    heard.faults += [(meter, fault) for fault in faults]
    if meter is not None:
        heard.readings += [(meter, reading) for reading in readings]
    elif readings:
        text = "No meter is known that is this device."
        fault = PayloadError(Reason.UNKNOWN_METER, text, len(readings))
        heard.faults.append((None, fault))
