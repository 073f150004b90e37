"""Modbus as bytes, from the meter's side: TCP, and RTU carried over TCP. Pure.

Errors
------
FrameError
    What came cannot be a request, and no later one can be found in the stream.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

READ_HOLDING, READ_INPUT, WRITE_HOLDING = 3, 4, 16
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
NO_RESPONSE_OF_TARGET = 11
EXCEPTIONS = (1, 2, 3, 4, 5, 6, 8, 10, 11)
"""Every exception code of the Modbus application protocol, V1.1b3, section 7."""
MOST_REGISTERS = 125

_MBAP = struct.Struct(">HHHB")
_TWO = struct.Struct(">HH")
_WRITE = struct.Struct(">HHB")
_LONGEST_TCP = 254
"""Unit and PDU; Modbus Messaging on TCP/IP, V1.0b, section 4.1."""


class FrameError(ValueError):
    """The stream is no Modbus any more."""


class FramingKind(StrEnum):
    """How requests and answers are laid into the stream."""

    TCP = "tcp"
    RTU = "rtu"
    """As on a serial line, with a CRC, over TCP."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, its checks passed."""

    transaction: int
    """0 where frames do not carry any."""
    unit: int
    function: int
    body: bytes
    """After the function."""

    @property
    def span(self) -> tuple[int, int] | None:
        """First register and number of registers; None if it is no such read."""
        if self.function not in (READ_HOLDING, READ_INPUT) or len(self.body) != 4:  # noqa: PLR2004 - two words
            return None
        address, count = _TWO.unpack(self.body)
        return int(address), int(count)

    @property
    def written(self) -> tuple[int, tuple[int, ...]] | None:
        """First register and words to write; None if it is no such write."""
        if self.function != WRITE_HOLDING or len(self.body) < _WRITE.size:
            return None
        address, count, size = _WRITE.unpack_from(self.body)
        data = self.body[_WRITE.size :]
        if not count or size != 2 * count or len(data) != size:
            return None
        return int(address), struct.unpack(f">{count}H", data)


class Framing(Protocol):
    """The two directions of one connection."""

    def feed(self, chunk: bytes) -> Iterator[Request]:
        """Yield the requests that are complete now; raise FrameError."""
        ...

    def frame(self, request: Request, pdu: bytes, unit: int | None = None) -> bytes:
        """Wrap an answer; `unit` if it is to bear another's id."""
        ...


def framing(kind: FramingKind) -> Framing:
    """Begin a connection."""
    return TcpFraming() if kind is FramingKind.TCP else RtuFraming()


class TcpFraming:
    """Modbus TCP: a header with transaction, length and unit before each PDU."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> Iterator[Request]:
        """Yield the requests that are complete now; raise FrameError."""
        self._held += chunk
        while len(self._held) > _MBAP.size:
            transaction, protocol, length, unit = _MBAP.unpack_from(self._held)
            if protocol or not 2 <= length <= _LONGEST_TCP:  # noqa: PLR2004 - unit and function
                raise FrameError(f"no frame begins with {self._held[:8].hex(' ')}")
            end = 6 + length
            if len(self._held) < end:
                return
            body, self._held = self._held[7:end], self._held[end:]
            yield Request(transaction, unit, body[0], body[1:])

    def frame(self, request: Request, pdu: bytes, unit: int | None = None) -> bytes:
        """Wrap an answer; `unit` if it is to bear another's id."""
        unit = request.unit if unit is None else unit
        return _MBAP.pack(request.transaction, 0, len(pdu) + 1, unit) + pdu


class RtuFraming:
    """Modbus RTU over TCP: unit, PDU, CRC; where frames end follows from the function.

    On a line, silence ends a frame; TCP has none. What fits no checksum is skipped byte
    by byte until something does.
    """

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> Iterator[Request]:
        """Yield the requests that are complete now; raise FrameError."""
        self._held += chunk
        while len(self._held) >= 4:  # noqa: PLR2004 - unit, function, CRC
            length = _request_length(self._held)
            if length is not None and length > len(self._held):
                return
            if length is not None and crc16(self._held[:length]) == 0:
                whole, self._held = self._held[:length], self._held[length:]
                yield Request(0, whole[0], whole[1], whole[2:-2])
            else:
                self._held = self._held[1:]

    def frame(self, request: Request, pdu: bytes, unit: int | None = None) -> bytes:
        """Wrap an answer; `unit` if it is to bear another's id."""
        head = bytes([request.unit if unit is None else unit]) + pdu
        return head + crc16(head).to_bytes(2, "little")


def read_answer(function: int, data: bytes) -> bytes:
    """Make the PDU that gives registers, as big-endian bytes."""
    return bytes([function, len(data)]) + data


def write_answer(request: Request) -> bytes:
    """Make the PDU that confirms a write: its address and count again."""
    return bytes([request.function]) + request.body[: _TWO.size]


def exception_answer(function: int, code: int) -> bytes:
    """Make the PDU that refuses."""
    return bytes([function | 0x80, code])


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ 0xA001 if byte & 1 else byte >> 1
    return byte


_CRC = tuple(_crc_of(byte) for byte in range(256))


def crc16(frame: bytes) -> int:
    """Checksum of a serial line, low byte first on the wire; 0 over a whole frame.

    Examples
    --------
    >>> hex(crc16(bytes.fromhex("010300000001")))
    '0xa84'
    >>> crc16(bytes.fromhex("010300000001840a"))
    0

    """
    crc = 0xFFFF
    for byte in frame:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc


def _request_length(held: bytes) -> int | None:
    """Return how long the request at the front is; None if nobody can say."""
    function = held[1]
    if function in (1, 2, 3, 4, 5, 6, 8):
        return 8
    if function in (7, 11, 12, 17):
        return 4
    if function in (15, 16):
        return 9 + held[6] if len(held) > 6 else 9  # noqa: PLR2004 - its byte count
    if function == 43:  # noqa: PLR2004 - read device identification
        return 7
    return None
