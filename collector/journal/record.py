"""A parcel as bytes, and back. Pure.

A record begins with its version, so that a later release reads an older journal. All
numbers are little-endian, texts are UTF-8 that lets half surrogates pass (what is
refused may hold anything), both behind their length.

    ValueError
        RecordError         these bytes are not a record
        └── NewerRecordError   they are one of a later release

Version 1: a head (version, transport, source, each uint8, and a byte unused; refusals
uint32, readings n uint32, the quantities that any reading gave uint64, a bit each in
the order of `COLUMNS`); n readings (meter_id int32, measured_us and received_us int64,
those quantities float64); then of each refusal: reason, text, source, transport, raw,
received_us (int64), whether it names a meter (uint8), meter_id (int64), readings
(int64).
"""

import math
import struct
from collections.abc import Mapping, Sequence

import numpy as np

from collector.parcel import Parcel
from meters.meter import Transport
from meters.quantity import QUANTITIES
from meters.reading import ReadingBatch, Source, from_utc_us, joined, utc_us
from meters.refusal import Reason, Refusal

VERSION = 1
COLUMNS: Mapping[int, tuple[str, ...]] = {
    1: (
        "energy_import_kwh",
        "energy_export_kwh",
        "energy_lagging_kvarh",
        "energy_leading_kvarh",
        "active_power_kw",
        "active_power_l1_kw",
        "active_power_l2_kw",
        "active_power_l3_kw",
        "reactive_power_kvar",
        "power_factor",
        "frequency_hz",
        "voltage_l1_v",
        "voltage_l2_v",
        "voltage_l3_v",
        "current_l1_a",
        "current_l2_a",
        "current_l3_a",
    )
}
"""Quantities of each version: never changed, a new quantity is a new version."""
_PLACES = {
    version: tuple(
        QUANTITIES.index(name) if name in QUANTITIES else None for name in names
    )
    for version, names in COLUMNS.items()
}
_TRANSPORTS = {Transport.MODBUS: 1, Transport.MQTT: 2}
_SOURCES = {
    Source.PUSHED: 1,
    Source.POLLED: 2,
    Source.LOAD_PROFILE: 3,
    Source.IMPORTED: 4,
}
_TRANSPORT_OF = {code: transport for transport, code in _TRANSPORTS.items()}
_SOURCE_OF = {code: source for source, code in _SOURCES.items()}
_HEAD, _U32, _REFUSED = (struct.Struct(form) for form in ("<BBBxIIQ", "<I", "<qBqq"))
_ROW = tuple(struct.Struct(f"<iqq{count}d") for count in range(65))
"""One reading, by how many quantities it gives."""


class RecordError(ValueError):
    """The bytes are not a record; one sentence."""


class NewerRecordError(RecordError):
    """A record of a later release."""


def encode(parcel: Parcel) -> bytes:
    """Turn a parcel's readings and refusals into a record."""
    batch, refusals = parcel.batch, parcel.refusals
    bits, rows = _row(batch) if len(batch) == 1 else _rows(batch)
    whence = _TRANSPORTS[parcel.transport], _SOURCES[parcel.source]
    head = _HEAD.pack(VERSION, *whence, len(refusals), len(batch), bits)
    return b"".join([head, rows, *(part for r in refusals for part in _refusal(r))])


def _row(batch: ReadingBatch) -> tuple[int, bytes]:
    """Encode a single reading: nearly every poll is one."""
    values = batch.values[0].tolist()
    given = [value for value in values if value == value]  # noqa: PLR0124  is no NaN
    bits = (1 << len(values)) - 1
    if len(given) < len(values):
        bits = sum(1 << n for n, v in enumerate(values) if v == v)  # noqa: PLR0124
    times = batch.measured_us.item(), batch.received_us.item()
    return bits, _ROW[len(given)].pack(batch.meter_id.item(), *times, *given)


def _rows(batch: ReadingBatch) -> tuple[int, bytes]:
    """Encode readings by the column."""
    given = np.flatnonzero(~np.isnan(batch.values).all(axis=0))
    rows = np.empty(len(batch), _row_type(given.size))
    rows["meter_id"] = batch.meter_id
    rows["measured_us"], rows["received_us"] = batch.measured_us, batch.received_us
    rows["values"] = batch.values[:, given]
    return sum(1 << place for place in given.tolist()), rows.tobytes()


def _row_type(quantities: int) -> np.dtype[np.void]:
    times = [("measured_us", "<i8"), ("received_us", "<i8")]
    values = ("values", "<f8", (quantities,))
    return np.dtype([("meter_id", "<i4"), *times, values])


def _refusal(refusal: Refusal) -> list[bytes]:
    texts = (refusal.reason, refusal.text, refusal.source, refusal.transport)
    has_meter = refusal.meter_id is not None
    return [
        *map(_text, texts),
        _bytes(refusal.raw),
        _REFUSED.pack(
            utc_us(refusal.received_at),
            has_meter,
            refusal.meter_id or 0,
            refusal.readings,
        ),
    ]


def _text(text: str) -> bytes:
    return _bytes(text.encode("utf-8", "surrogatepass"))


def _bytes(raw: bytes) -> bytes:
    return _U32.pack(len(raw)) + raw


def decode(record: bytes) -> Parcel:
    """Inverse of `encode`; the parcel's `done` does nothing.

    Raises
    ------
    RecordError
        The bytes are not a record of this release or an earlier one.

    """
    (parcel,) = decode_all([record])
    return parcel


def decode_all(records: Sequence[bytes]) -> list[Parcel]:
    """Decode records into one parcel a transport and source, in their order.

    Those that give the same quantities are decoded together.

    Raises
    ------
    RecordError
        One of them is not a record of this release or an earlier one.

    """
    alike: dict[tuple[_Whence, int], list[_Rows]] = {}
    refusals: dict[_Whence, list[Refusal]] = {}
    for number, record in enumerate(records):
        whence, count, bits, rows, refused = _parted(record)
        alike.setdefault((whence, bits), []).append((number, count, rows))
        refusals.setdefault(whence, []).extend(refused)
    return [
        Parcel(
            transport=_TRANSPORT_OF[whence[0]],
            source=_SOURCE_OF[whence[1]],
            batch=_batch([(b, g) for (w, b), g in alike.items() if w == whence]),
            refusals=refused,
        )
        for whence, refused in refusals.items()
    ]


_Whence = tuple[int, int]
"""Codes of transport and source."""
_Rows = tuple[int, int, bytes]
"""A record's place among others, how many readings it has, and their bytes."""


def _parted(record: bytes) -> tuple[_Whence, int, int, bytes, Sequence[Refusal]]:
    """Return whence, number of readings, quantities, their bytes, and refusals."""
    if record[:1] != bytes([VERSION]):
        raise _of_another_version(record)
    try:
        _, transport, source, refused, count, bits = _HEAD.unpack_from(record)
        end = _HEAD.size + count * _ROW[bits.bit_count()].size
        rest = _Rest(record, end)
        refusals = [_refused(rest) for _ in range(refused)]
    except (struct.error, ValueError, OverflowError, IndexError) as exc:
        raise RecordError(f"A record of the journal cannot be read: {exc}.") from exc
    is_known = transport in _TRANSPORT_OF and source in _SOURCE_OF
    if not is_known or bits >> len(COLUMNS[VERSION]) or not rest.is_at_the_end:
        raise RecordError("A record of the journal does not add up.")
    return (transport, source), count, bits, record[_HEAD.size : end], refusals


def _of_another_version(record: bytes) -> RecordError:
    version = record[0] if record else 0
    if version > VERSION:
        return NewerRecordError(
            f"A record of the journal has version {version}, this release reads up to "
            f"{VERSION}: start the later release that wrote it."
        )
    return RecordError(f"A record of the journal cannot have version {version}.")


def _batch(
    alike: Sequence[tuple[int, Sequence[_Rows]]],
) -> ReadingBatch:
    """Decode readings that lie in groups of the same quantities, in records' order."""
    parts, order = [], []
    for bits, group in alike:
        parts.append(_columns(bits, b"".join([rows for *_, rows in group])))
        numbers, counts, _ = zip(*group, strict=True)
        order.append(np.repeat(numbers, counts))
    if len(parts) == 1:
        return parts[0]
    return joined(parts)[np.argsort(np.concatenate(order), kind="stable")]


def _columns(bits: int, data: bytes) -> ReadingBatch:
    columns = [place for place in range(bits.bit_length()) if bits >> place & 1]
    rows = np.frombuffer(data, _row_type(len(columns)))
    values = np.full((rows.size, len(QUANTITIES)), math.nan)
    for column, place in enumerate(columns):
        if (here := _PLACES[VERSION][place]) is not None:
            values[:, here] = rows["values"][:, column]
    return ReadingBatch(
        meter_id=rows["meter_id"].astype(np.int32),
        measured_us=rows["measured_us"].astype(np.int64),
        received_us=rows["received_us"].astype(np.int64),
        values=values,
    )


class _Rest:
    """Bytes, and how far they have been read."""

    def __init__(self, record: bytes, at: int) -> None:
        self._record, self._at = record, at

    @property
    def is_at_the_end(self) -> bool:
        return self._at == len(self._record)

    def take(self, form: struct.Struct) -> tuple[int, ...]:
        numbers = form.unpack_from(self._record, self._at)
        self._at += form.size
        return numbers

    def bytes(self) -> bytes:
        (length,) = self.take(_U32)
        begin, self._at = self._at, self._at + length
        if self._at > len(self._record):
            raise ValueError("it ends too early")
        return self._record[begin : self._at]

    def text(self) -> str:
        return self.bytes().decode("utf-8", "surrogatepass")


def _refused(rest: _Rest) -> Refusal:
    reason, text, where, transport = (rest.text() for _ in range(4))
    raw = rest.bytes()
    received_us, has_meter, meter_id, readings = rest.take(_REFUSED)
    return Refusal(
        reason=Reason(reason),
        text=text,
        source=where,
        transport=transport,
        received_at=from_utc_us(received_us),
        raw=raw,
        meter_id=meter_id if has_meter else None,
        readings=readings,
    )
