"""Changes that keep the form: parsers refuse most of what is spoilt byte by byte.

A number in a JSON document becomes a strange one, a metric of a Sparkplug B message
another, a message comes twice: that goes deeper than a missing bracket.
"""

import json
import random
import struct
from collections.abc import Callable
from dataclasses import replace

from meters.payload_error import PayloadError
from meters.sparkplug import (
    Metric,
    SparkplugPayload,
    decode_sparkplug,
    encode_sparkplug,
)
from meters.unpack import packed

_STRANGE: list[object] = [
    *(None, True, "", "nan", "1e999", "-0", "230.1", "1970-01-01T00:00:00", "\ud800"),
    *(0, -1, 1e-320, 1e15, 1.1e15, 1e308, 10**30, 10**400, float("nan")),
    *(float("inf"), 2**63, 2**64, 253_402_300_800, 253_402_300_800_000, [], {}),
    *([[]], [None], [1, 2, 3], [1, "2"], {"a": 1}, "9999-12-31T23:59:59+00:00"),
    *("2026-10-25T02:30:00", "0001-01-01T00:00:00+14:00", "2026-W09-7"),
]
_EDGES = (0, 1, 0x7F, 0x80, 0x7FFF, 0x8000, 0x7F80, 0xFF80, 0x7FC0, 0x7FF0, 0xFFFF)


def changed(target: str, data: bytes, chance: random.Random) -> bytes:
    """Return other bytes of the same form; the same where they are of none."""
    return _CHANGES[target](data, chance)


def _payload(data: bytes, chance: random.Random) -> bytes:
    """Put strange things into a JSON document; pack it now and then."""
    try:
        document = json.loads(data[1:])
    except (ValueError, RecursionError):
        return data
    for _ in range(chance.randrange(1, 4)):
        document = _with_strange(document, chance)
    body = json.dumps(document).encode()
    if chance.randrange(8) == 0:
        body = packed(body, chance.choice(["gzip", "zstd"]))
    head = data[0] if chance.randrange(4) else chance.randrange(256)
    return bytes([head]) + body


def _with_strange(document: object, chance: random.Random) -> object:
    """Change one place of a document, however deep."""
    if isinstance(document, dict) and document and chance.randrange(8):
        name = chance.choice(list(document))
        if chance.randrange(12) == 0:
            return {key: value for key, value in document.items() if key != name}
        return document | {name: _with_strange(document[name], chance)}
    if isinstance(document, list) and document and chance.randrange(4):
        at = chance.randrange(len(document))
        inner = _with_strange(document[at], chance)
        return [*document[:at], inner, *document[at + chance.randrange(2) :]]
    return chance.choice(_STRANGE)


def _sparkplug(data: bytes, chance: random.Random) -> bytes:
    """Change a metric or a number of one message; repeat, leave out, exchange some."""
    messages = []
    while len(data) >= 3:
        head, length = struct.unpack_from(">BH", data)
        messages.append((head, data[3 : 3 + length]))
        data = data[3 + length :]
    if not messages:
        return data
    at = chance.randrange(len(messages))
    match chance.randrange(6):
        case 0:
            messages.insert(chance.randrange(len(messages) + 1), messages[at])
        case 1:
            del messages[at]
        case 2:
            chance.shuffle(messages)
        case 3:
            messages[at] = (chance.randrange(16), messages[at][1])
        case _:
            messages[at] = (messages[at][0], _other_message(messages[at][1], chance))
    return b"".join(
        struct.pack(">BH", head, len(body)) + body for head, body in messages[:64]
    )


def _other_message(body: bytes, chance: random.Random) -> bytes:
    try:
        message = decode_sparkplug(body)
    except PayloadError:
        return body
    metrics = list(message.metrics)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(metrics) + 1)
        metrics[at : at + 1] = [_other_metric(*metrics[at : at + 1], chance=chance)]
    ms = chance.choice([message.timestamp_ms, None, 0, 2**63, 2**64 - 1])
    seq = chance.choice([message.seq, None, 0, 1, 255, 256, 2**64 - 1])
    if chance.randrange(2):
        ms, seq = message.timestamp_ms, message.seq
    try:
        return encode_sparkplug(
            SparkplugPayload(timestamp_ms=ms, seq=seq, metrics=tuple(metrics))
        )
    except (ValueError, TypeError):
        return body


def _other_metric(*known: Metric, chance: random.Random) -> Metric:
    metric = known[0] if known else Metric(name="Voltage/L1", alias=11, datatype=10)
    values = [None, True, "1", "nan", b"\xff", 0, 2**32 - 1, 1.5, float("nan"), 1e300]
    match chance.randrange(6):
        case 0:
            return replace(metric, alias=chance.choice([None, 0, 1, 11, 2**64 - 1]))
        case 1:
            return replace(metric, name=None)
        case 2:
            times = [None, 0, 1_772_366_400_000, 253_402_300_800_000, 2**64 - 1]
            return replace(metric, timestamp_ms=chance.choice(times))
        case 3:
            return replace(metric, datatype=chance.choice([None, *range(36)]))
        case 4:
            return replace(metric, is_null=not metric.is_null)
        case _:
            return replace(metric, value=chance.choice(values))


def _modbus(data: bytes, chance: random.Random) -> bytes:
    """Put the edges of numbers into a meter's registers."""
    made = bytearray(data or b"\0")
    for _ in range(chance.randrange(1, 6)):
        at = 1 + 2 * chance.randrange(max(1, len(made) // 2))
        made[at : at + 2] = struct.pack(">H", chance.choice(_EDGES))
    return bytes(made)


_CHANGES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "payload": _payload,
    "sparkplug": _sparkplug,
    "modbus": _modbus,
}
