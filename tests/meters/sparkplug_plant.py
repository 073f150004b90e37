"""Edge nodes that do as they please, and what may be believed of what they say."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from meters.heard import Heard, Message
from meters.listening import Listener
from meters.meter import Meter, Transport
from meters.profile import MqttProfile, load_profile
from meters.quantity import Quantity
from meters.reading import from_utc_us
from meters.sparkplug import Kind, Metric, SparkplugPayload, encode_sparkplug
from meters.sparkplug_types import DataType

PROFILE = load_profile("sparkplug-b")
assert isinstance(PROFILE, MqttProfile)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
START_MS = 1_772_366_400_000 - 3_600_000
"""An hour before NOW."""
NAMES = [one.path for one in PROFILE.fields[4:8]]
QUANTITY = {one.path: one.quantity for one in PROFILE.fields}

Fact = tuple[str, datetime, Quantity, float]
"""Which meter, when, what, how much."""


def meters(*serials: str) -> list[tuple[Meter, MqttProfile]]:
    """Meters of these serial numbers."""
    return [
        (
            Meter(
                meter_id=number,
                serial=serial,
                profile="sparkplug-b",
                transport=Transport.MQTT,
            ),
            PROFILE,
        )
        for number, serial in enumerate(serials, start=1)
    ]


def listening(*serials: str) -> Listener:
    """A listener that knows these meters."""
    listener = Listener()
    listener.bind(meters(*serials), [])
    return listener


@dataclass
class Sent:
    """One message, and the facts in it."""

    topic: str
    payload: bytes
    kind: Kind
    device: str | None
    seq: int | None
    facts: Sequence[Fact] = ()


@dataclass
class Node:
    """An edge node: each birth gives its aliases anew, in the order it is told."""

    name: str = "N"
    seq: int = 255
    session: int = 1
    count: int = 0
    """Of all values ever: each is another one, and bears its quantity in its cents."""
    aliases: dict[str, dict[str, int]] = field(default_factory=dict)

    def nbirth(self) -> Sent:
        self.seq, self.aliases = 255, {}
        metrics = [
            Metric(name="bdSeq", datatype=DataType.INT64, value=self.session),
            Metric(name="Node Control/Rebirth", datatype=11, value=False),
        ]
        return self._numbered(Kind.NBIRTH, None, metrics)

    def dbirth(self, device: str, names: Sequence[str], first_alias: int = 0) -> Sent:
        self.aliases[device] = {
            name: alias for alias, name in enumerate(names, start=first_alias)
        }
        return self._metrics(Kind.DBIRTH, device, names, named=True)

    def ddata(self, device: str, names: Sequence[str], *, named: bool = False) -> Sent:
        return self._metrics(Kind.DDATA, device, names, named=named)

    def ddeath(self, device: str) -> Sent:
        self.aliases.pop(device, None)
        return self._numbered(Kind.DDEATH, device, [])

    def ndeath(self, session: int | None = None) -> Sent:
        value = self.session if session is None else session
        metric = Metric(name="bdSeq", datatype=DataType.INT64, value=value)
        payload = encode_sparkplug(SparkplugPayload(metrics=(metric,)))
        return Sent(self._topic(Kind.NDEATH, None), payload, Kind.NDEATH, None, None)

    def _metrics(
        self, kind: Kind, device: str, names: Sequence[str], *, named: bool
    ) -> Sent:
        metrics, facts = [], []
        for name in names:
            self.count += 1
            at_ms = START_MS + self.count
            value = self.count + NAMES.index(name) / 128
            metrics.append(
                Metric(
                    name=name if named else None,
                    alias=self.aliases[device][name],
                    timestamp_ms=at_ms,
                    datatype=DataType.DOUBLE if kind is Kind.DBIRTH else None,
                    value=value,
                )
            )
            moment = from_utc_us(at_ms * 1000)
            facts.append((f"{self.name}.{device}", moment, QUANTITY[name], value))
        sent = self._numbered(kind, device, metrics)
        sent.facts = facts
        return sent

    def _numbered(
        self, kind: Kind, device: str | None, metrics: Sequence[Metric]
    ) -> Sent:
        self.seq = (self.seq + 1) % 256
        self.count += 1
        payload = SparkplugPayload(
            timestamp_ms=START_MS + self.count, seq=self.seq, metrics=tuple(metrics)
        )
        topic = self._topic(kind, device)
        return Sent(topic, encode_sparkplug(payload), kind, device, self.seq)

    def _topic(self, kind: Kind, device: str | None) -> str:
        topic = f"spBv1.0/keywatt/{kind}/{self.name}"
        return topic if device is None else f"{topic}/{device}"


def hear(listener: Listener, sent: Sent, after_s: float = 0) -> Heard:
    """Let a listener hear a message."""
    at = NOW + timedelta(seconds=after_s)
    heard = listener.hear(Message(sent.topic, sent.payload, at))
    assert heard is not None
    return heard


def facts_of(heard: Heard) -> list[Fact]:
    """What it made of a message."""
    return [
        (meter.serial, one.measured_at, quantity, value)
        for meter, one in heard.readings
        for quantity, value in one.values.items()
    ]
