"""Sparkplug B messages, from and to their bytes; and their topics. Pure.

The only file that knows how they are laid out in protobuf (`sparkplug_wire`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from google.protobuf.message import DecodeError, EncodeError

from meters.payload_error import PayloadError, short
from meters.refusal import Reason
from meters.sparkplug_types import DataType, Value
from meters.sparkplug_wire import WirePayload

MOST_METRICS = 20_000
"""Of one message: more than any edge node's birth holds."""
SEQUENCE = 256
"""Messages of an edge node are numbered from 0 to 255, and on from 0."""
REBIRTH = "Node Control/Rebirth"
BIRTH_DEATH = "bdSeq"
UNIT = "engUnit"
"""Property of a metric: the name that is usual for its unit."""


class Kind(StrEnum):
    """What a message says, the third level of its topic."""

    NBIRTH = "NBIRTH"
    NDEATH = "NDEATH"
    NDATA = "NDATA"
    NCMD = "NCMD"
    DBIRTH = "DBIRTH"
    DDEATH = "DDEATH"
    DDATA = "DDATA"
    DCMD = "DCMD"


OF_NODES = frozenset({Kind.NBIRTH, Kind.NDEATH, Kind.NDATA, Kind.NCMD})
COMMANDS = frozenset({Kind.NCMD, Kind.DCMD})


@dataclass(frozen=True, slots=True)
class SparkplugTopic:
    """Who says a message, and what it is."""

    namespace: str
    group: str
    kind: Kind
    node: str
    device: str | None
    """None where the edge node speaks for itself."""

    @classmethod
    def of(cls, topic: str) -> Self | None:
        """Read it; None where it is no Sparkplug B message of a node or device."""
        levels = topic.split("/")
        if len(levels) not in (4, 5) or levels[2] not in Kind.__members__:
            return None
        kind, device = Kind(levels[2]), levels[4] if len(levels) == 5 else None  # noqa: PLR2004 - with a device
        if (kind in OF_NODES) != (device is None) or "" in levels:
            return None
        return cls(levels[0], levels[1], kind, levels[3], device)

    def __str__(self) -> str:
        """Write it."""
        node = f"{self.namespace}/{self.group}/{self.kind}/{self.node}"
        return node if self.device is None else f"{node}/{self.device}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One metric as a message bears it."""

    name: str | None = None
    alias: int | None = None
    timestamp_ms: int | None = None
    """Since 1970 in UTC."""
    datatype: int | None = None
    is_historical: bool = False
    is_null: bool = False
    value: Value = None
    """As it stands in protobuf: whole numbers without a sign."""
    unit: str | None = None
    """Its property `engUnit`."""

    @property
    def label(self) -> str:
        """What a person is told of which metric it is."""
        return short(self.name) if self.name is not None else f"alias {self.alias}"


@dataclass(frozen=True, kw_only=True, slots=True)
class SparkplugPayload:
    """One message."""

    timestamp_ms: int | None = None
    seq: int | None = None
    metrics: tuple[Metric, ...] = ()


def decode_sparkplug(payload: bytes) -> SparkplugPayload:
    """Read a message.

    Raises
    ------
    PayloadError
        If it is no Sparkplug B, or bears too many metrics.

    """
    found = WirePayload()
    try:
        found.ParseFromString(payload)
        if len(found.metrics) > MOST_METRICS:
            raise PayloadError(
                Reason.TOO_LARGE,
                f"The message bears {len(found.metrics)} metrics, more than "
                f"{MOST_METRICS}.",
            )
        return SparkplugPayload(
            timestamp_ms=found.timestamp if found.HasField("timestamp") else None,
            seq=found.seq if found.HasField("seq") else None,
            metrics=tuple(_metric(one) for one in found.metrics),
        )
    except (DecodeError, UnicodeDecodeError):
        raise _not_sparkplug() from None


def _not_sparkplug() -> PayloadError:
    return PayloadError(
        Reason.NOT_SPARKPLUG, "The payload is not a Sparkplug B message."
    )


def _metric(found: WirePayload) -> Metric:
    """Take a metric out of protobuf."""
    name = found.name if found.HasField("name") else None
    if isinstance(name, bytes):  # so the runtime gives what is not UTF-8
        raise _not_sparkplug()
    kind = found.WhichOneof("value")
    return Metric(
        name=name,
        alias=found.alias if found.HasField("alias") else None,
        timestamp_ms=found.timestamp if found.HasField("timestamp") else None,
        datatype=found.datatype if found.HasField("datatype") else None,
        is_historical=found.is_historical,
        is_null=found.is_null,
        value=None if kind is None else getattr(found, kind),
        unit=_unit(found.properties) if found.HasField("properties") else None,
    )


def _unit(properties: WirePayload) -> str | None:
    """Find the unit among a metric's properties."""
    for key, value in zip(properties.keys, properties.values, strict=False):
        if key == UNIT and isinstance(value.text, str):
            return value.text or None
    return None


def encode_sparkplug(payload: SparkplugPayload) -> bytes:
    """Inverse of `decode_sparkplug`, for rebirth requests and the simulators.

    Raises
    ------
    ValueError
        If a value does not fit its data type.

    """
    made = WirePayload()
    if payload.timestamp_ms is not None:
        made.timestamp = payload.timestamp_ms
    if payload.seq is not None:
        made.seq = payload.seq
    for metric in payload.metrics:
        _set_metric(made.metrics.add(), metric)
    try:
        encoded: bytes = made.SerializeToString()
    except EncodeError as exc:
        raise ValueError(str(exc)) from exc
    return encoded


_KEYS = {
    "name": "name",
    "alias": "alias",
    "timestamp_ms": "timestamp",
    "datatype": "datatype",
    "is_historical": "is_historical",
    "is_null": "is_null",
}


def _set_metric(one: WirePayload, metric: Metric) -> None:
    """Put a metric into protobuf; what says nothing is left out."""
    for key, field in _KEYS.items():
        value = getattr(metric, key)
        if value is not None and value is not False:
            setattr(one, field, value)
    if metric.value is not None:
        _set_value(one, metric)
    if metric.unit is not None:
        one.properties.keys.append(UNIT)
        one.properties.values.add().text = metric.unit


def _set_value(one: WirePayload, metric: Metric) -> None:
    """Put a value into the field that belongs to its data type."""
    value, datatype = metric.value, metric.datatype
    if isinstance(value, bool):
        one.boolean_value = value
    elif isinstance(value, float):
        if datatype == DataType.FLOAT:
            one.float_value = value
        else:
            one.double_value = value
    elif isinstance(value, int):
        if datatype in {DataType.INT64, DataType.UINT64, DataType.DATETIME}:
            one.long_value = value
        else:
            one.int_value = value
    elif isinstance(value, str):
        one.string_value = value
    elif value is not None:
        one.bytes_value = value


def rebirth_request(who: SparkplugTopic, at_ms: int) -> tuple[str, bytes]:
    """Return topic and payload of the command by which births are asked for again."""
    topic = SparkplugTopic(who.namespace, who.group, Kind.NCMD, who.node, None)
    asked = Metric(
        name=REBIRTH, timestamp_ms=at_ms, datatype=DataType.BOOLEAN, value=True
    )
    payload = SparkplugPayload(timestamp_ms=at_ms, metrics=(asked,))
    return str(topic), encode_sparkplug(payload)


def seq_after(seq: int) -> int:
    """Return the number of the message that follows."""
    return (seq + 1) % SEQUENCE


def metric_named(metrics: Sequence[Metric], name: str) -> Metric | None:
    """Find a metric by its name."""
    return next((one for one in metrics if one.name == name), None)
