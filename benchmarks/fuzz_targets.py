"""What is fed with any bytes at all, and what must hold of whatever comes out.

Each target takes bytes and raises `PromiseError`, or whatever the product raised, where
a promise is broken: no crash, and nothing accepted that breaks a bound. They are run by
tests (hypothesis) and for a long time by `benchmarks.fuzz`.
"""

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Protocol

from collector.counting.counts import Counts
from collector.mqtt.intake import Intake
from collector.mqtt.packets import Message
from meters.blocks import plan_blocks
from meters.bounds import check
from meters.decode import DecodeError, decode_blocks, encode_registers
from meters.meter import Meter, Transport
from meters.profile import ModbusProfile, MqttProfile, load_profile, profile_names
from meters.quantity import QUANTITIES, Quantity
from meters.refusal import MOST_RAW_BYTES
from meters.sparkplug_edge import SparkplugEdge
from meters.topic import topic_of
from meters.voice import voice_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INSTALLED = datetime(2026, 1, 1, tzinfo=UTC)
GREATEST = 1e15
_SERIAL = "gw7.11"
_LONGEST_TEXT = 600


class PromiseError(AssertionError):
    """A promise is broken."""


class _Judged(Protocol):
    """What was accepted of a message or a read."""

    @property
    def measured_at(self) -> datetime: ...
    @property
    def values(self) -> Mapping[Quantity, float]: ...


def _meter(profile: str, transport: Transport) -> Meter:
    return Meter(
        meter_id=1,
        serial=_SERIAL,
        profile=profile,
        transport=transport,
        installed_at=INSTALLED,
    )


def check_values(values: Mapping[Quantity, float]) -> None:
    """Demand that every value is a number that a meter could show."""
    if not values:
        raise PromiseError("a reading without a value was accepted")
    for quantity, value in values.items():
        if not math.isfinite(value) or abs(value) > GREATEST:
            raise PromiseError(f"{quantity} = {value} was accepted")
        if quantity.is_register and value < 0:
            raise PromiseError(f"the register {quantity} = {value} was accepted")


def _check_reading(reading: _Judged) -> None:
    """Demand a time that can be, and numbers that can be."""
    if not INSTALLED <= reading.measured_at <= NOW + timedelta(hours=1):
        raise PromiseError(f"a reading of {reading.measured_at} was accepted")
    check_values(reading.values)


class _Mqtt:
    """A collector's intake that knows one meter of each shipped profile."""

    def __init__(self, *names: str) -> None:
        self.counts, self.published = Counts(), 0
        self.intake = Intake(lambda: NOW, self.counts, self._publish)
        meters = [_meter(name, Transport.MQTT) for name in names or mqtt_profiles()]
        self.intake.bind(meters)

    def _publish(self, topic: str, payload: bytes) -> None:
        if "/NCMD/" not in topic or not payload:
            raise PromiseError(f"{topic} was to be published")
        self.published += 1

    def take(self, topic: str, payload: bytes, *, is_retained: bool) -> None:
        """Take one message; check what became of it."""
        message = Message(topic, payload, 1, is_retained, len(payload))
        parcel = self.intake.parcel([message], lambda: None)
        if parcel is None:
            raise PromiseError(
                f"a message on {topic} is held though its meter is known"
            )
        for reading in parcel.batch.readings():
            _check_reading(reading)
        for refusal in parcel.refusals:
            text = refusal.text
            if not text.isprintable() or not 0 < len(text) < _LONGEST_TEXT:
                raise PromiseError(f"{text!r} cannot be shown")
            if len(refusal.raw) > MOST_RAW_BYTES or refusal.readings < 1:
                raise PromiseError("a refusal that cannot be stored")


@cache
def mqtt_profiles() -> tuple[str, ...]:
    """Names of the shipped profiles that speak over MQTT."""
    names = profile_names()
    return tuple(n for n in names if isinstance(load_profile(n), MqttProfile))


def mqtt_profile(name: str) -> MqttProfile:
    """Return a shipped profile that speaks over MQTT."""
    profile = load_profile(name)
    if not isinstance(profile, MqttProfile):
        raise TypeError(name)
    return profile


@cache
def kinds() -> tuple[tuple[str, str], ...]:
    """Return profile and topic of each kind of JSON message."""
    return tuple(
        (name, topic_of(kind, _SERIAL))
        for name in mqtt_profiles()
        if mqtt_profile(name).format == "json"
        for kind in mqtt_profile(name).messages
    )


def payload(data: bytes) -> None:
    """Feed one message of one profile; the first byte says which, and if retained."""
    if not data:
        return
    name, topic = kinds()[(data[0] >> 1) % len(kinds())]
    _mqtt(name).take(topic, data[1:], is_retained=bool(data[0] & 1))


@cache
def _mqtt(name: str) -> _Mqtt:
    return _Mqtt(name)


_SPARKPLUG = ("NBIRTH", "NDEATH", "NDATA", "DBIRTH", "DDEATH", "DDATA", "NCMD", "DCMD")


def sparkplug(data: bytes) -> None:
    """Feed messages one after another: a byte of kind, two of length, the message."""
    mqtt = _Mqtt("sparkplug-b")
    for head, body in _parts(data):
        kind = _SPARKPLUG[head & 7]
        device = "" if kind[0] == "N" else ("/11", "/12")[head >> 3 & 1]
        topic = f"spBv1.0/keywatt/{kind}/gw7{device}"
        mqtt.take(topic, body, is_retained=head >> 4 == 0x0F)


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Cut into messages."""
    at = 0
    while at + 3 <= len(data):
        head, length = struct.unpack_from(">BH", data, at)
        yield head, data[at + 3 : at + 3 + length]
        at += 3 + length


@cache
def _modbus_profiles() -> tuple[ModbusProfile, ...]:
    profiles = (load_profile(name) for name in profile_names())
    return tuple(one for one in profiles if isinstance(one, ModbusProfile))


def modbus(data: bytes) -> None:
    """Feed a meter's registers; the first byte says of which profile."""
    if not data:
        return
    profiles = _modbus_profiles()
    profile = profiles[data[0] % len(profiles)]
    blocks = plan_blocks(profile)
    count = sum(block.count for block in blocks)
    filled = data[1 : 1 + 2 * count].ljust(2 * count, b"\0")
    words = iter(struct.unpack(f">{count}H", filled))
    try:
        decoded = decode_blocks(
            profile, {b: [next(words) for _ in range(b.count)] for b in blocks}
        )
    except DecodeError as exc:
        if not str(exc).isprintable():
            raise PromiseError(f"{exc!r} cannot be shown") from exc
        return
    measured_at = decoded.measured_at or NOW
    meter = _meter(profile.name, Transport.MODBUS)
    if check(meter, measured_at, decoded.values, NOW) is None and decoded.values:
        check_values(decoded.values)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "payload": payload,
    "sparkplug": sparkplug,
    "modbus": modbus,
}


def seeds(target: str) -> list[bytes]:
    """Return what real meters send, for a fuzzer to begin with."""
    values = dict.fromkeys(QUANTITIES, 1.5)
    if target == "payload":
        known = {topic: at for at, (_, topic) in enumerate(kinds())}
        return [
            bytes([2 * known[topic]]) + sent
            for name in dict.fromkeys(name for name, _ in kinds())
            for topic, sent in voice_of(mqtt_profile(name), _SERIAL).say(NOW, values)
        ]
    if target == "sparkplug":
        edge = SparkplugEdge(mqtt_profile("sparkplug-b"), "keywatt", "gw7")
        sent = [edge.will(), *edge.birth(NOW, {"11": values})]
        sent += [edge.data("11", [(NOW, values)]), edge.death("11", NOW)]
        return [
            b"".join(
                struct.pack(">BH", _SPARKPLUG.index(topic.split("/")[2]), len(body))
                + body
                for topic, body in sent
            )
        ]
    return [
        bytes([at]) + _registers(profile, values)
        for at, profile in enumerate(_modbus_profiles())
    ]


def _registers(profile: ModbusProfile, values: Mapping[Quantity, float]) -> bytes:
    """Return what a meter of this type holds, block after block."""
    held = encode_registers(profile, values, NOW)
    addresses = (
        address
        for block in plan_blocks(profile)
        for address in range(block.address, block.address + block.count)
    )
    return b"".join(struct.pack(">H", held.get(at, 0)) for at in addresses)


def words(target: str) -> list[bytes]:
    """Return what a fuzzer would not guess: names of fields, first bytes of packers."""
    names = {b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"NaN", b"Infinity", b"1e999"}
    if target == "modbus":
        return []
    for profile in (mqtt_profile(name) for name in mqtt_profiles()):
        for kind in profile.messages:
            paths = [field.path for field in kind.fields]
            paths += [p for p in (kind.measured_at, kind.batch, kind.serial) if p]
            for path in paths:
                parts = path.replace("[", ".").replace('"', "").split(".")
                names |= {part.encode() for part in parts if "]" not in part}
    return sorted(names)
