"""How records lie in the journal's files, and how they are found again. Pure.

A frame is 32 bytes of head and a record. Its checksum covers the rest of the head and
the record, so that a flipped bit is found wherever it lies; its magic number lets a
reader find the next frame after a stretch that cannot be read; its number and its
running total say how many readings such a stretch held.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

_MAGIC = b"\xd7KWJ"
_HEAD = struct.Struct("<4sIIIQQ")
"""Magic, checksum, length of the record, readings in it, number, total."""
_UNCHECKED = 8
"""Bytes before what the checksum covers."""
HEAD_BYTES = _HEAD.size
MOST_RECORD_BYTES = 8 * 1024 * 1024
"""A length beyond it is a flipped bit's."""


class Mark(NamedTuple):
    """A place in the journal: after the frame of this number."""

    number: int = 0
    total: int = 0
    """Readings in the journal's frames up to here, since its first."""


class Frame(NamedTuple):
    """One record, whole."""

    number: int
    readings: int
    total: int
    """Readings up to and with this record's."""
    record: bytes

    @property
    def before(self) -> Mark:
        """The place before it."""
        return Mark(self.number - 1, self.total - self.readings)

    @property
    def mark(self) -> Mark:
        """The place after it."""
        return Mark(self.number, self.total)


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes in which there is no frame."""

    raw: bytes


class Scan(NamedTuple):
    """What was found in a stretch of a file."""

    pieces: Sequence[Frame | Damage]
    end: int
    """Where the next scan begins: up to here every byte is in one of the pieces."""


def frame_of(mark: Mark, readings: int, record: bytes) -> bytes:
    """Lay a record out, to stand after `mark`."""
    head = _HEAD.pack(
        _MAGIC, 0, len(record), readings, mark.number + 1, mark.total + readings
    )
    checked = head[_UNCHECKED:] + record
    return _MAGIC + zlib.crc32(checked).to_bytes(4, "little") + checked


def scan(data: bytes, *, is_end: bool) -> Scan:
    """Find the frames in bytes that begin with one.

    Parameters
    ----------
    data : bytes
        A stretch of a file.
    is_end : bool
        Whether the file ends here: then what cannot be read is damage, else it may be
        a frame that goes on behind the stretch.

    """
    pieces: list[Frame | Damage] = []
    begin = 0
    while begin < len(data):
        frame = _frame_at(data, begin)
        if isinstance(frame, Frame):
            pieces.append(frame)
            begin += HEAD_BYTES + len(frame.record)
            continue
        # While more may come, no other frame is looked for in one that has only begun:
        # a record may quote what looks like a frame.
        may_go_on = frame is _BEGUN and not is_end
        following = None if may_go_on else _next_frame(data, begin + 1)
        if following is None:
            break
        pieces.append(Damage(data[begin:following]))
        begin = following
    if is_end and begin < len(data):
        pieces.append(Damage(data[begin:]))
        begin = len(data)
    return Scan(pieces, begin)


_BEGUN, _NONE = object(), object()
"""What `_frame_at` says of a frame that ends behind the data, and of none."""


def _frame_at(data: bytes, begin: int) -> Frame | object:
    """Return the frame that begins here, if it is whole and unharmed."""
    if len(data) - begin < HEAD_BYTES:
        return _BEGUN
    magic, checksum, length, readings, number, total = _HEAD.unpack_from(data, begin)
    record = begin + HEAD_BYTES
    end = record + length
    if magic != _MAGIC or length > MOST_RECORD_BYTES:
        return _NONE
    if end > len(data):
        return _BEGUN
    if zlib.crc32(data[begin + _UNCHECKED : end]) != checksum:
        return _NONE
    return Frame(number, readings, total, data[record:end])


def _next_frame(data: bytes, begin: int) -> int | None:
    """Return where the next whole frame begins."""
    while (begin := data.find(_MAGIC, begin)) >= 0:
        if isinstance(_frame_at(data, begin), Frame):
            return begin
        begin += 1
    return None


def claimed(raw: bytes, after: Mark) -> Mark | None:
    """Return the place after a damaged frame, where its head can still be believed.

    It can if it is the next one's and the record has just the length that it says:
    then a bit of the record is flipped. Otherwise it was never written whole.
    """
    if len(raw) < HEAD_BYTES:
        return None
    magic, _, length, readings, number, total = _HEAD.unpack_from(raw)
    expected = (_MAGIC, len(raw) - HEAD_BYTES, after.number + 1, after.total + readings)
    return Mark(number, total) if (magic, length, number, total) == expected else None


def mark_bytes(mark: Mark) -> bytes:
    """Lay a place out, for a file of its own: an empty frame that stands after it."""
    return frame_of(mark, 0, b"")


def mark_from(data: bytes) -> Mark | None:
    """Inverse of `mark_bytes`; None where it is damaged."""
    frame = _frame_at(data, 0)
    return frame.before if isinstance(frame, Frame) else None
