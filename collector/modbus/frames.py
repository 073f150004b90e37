"""Which of the bytes on a line answer a request. Pure.

pymodbus passes over a frame of another unit in silence and, on a serial line, over all
that came with it; it also takes what comes next for the answer. Here every byte is
looked at: what is not the answer to this very request is named.

Errors
------
FrameError
    WrongAnswerError
        What came answers something else, or is no Modbus.
    WrongLengthError
        An answer of this unit and function with another number of registers.
    ExceptionAnswerError
        The meter answered that it will not.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from struct import Struct, unpack

MOST_BYTES = 1024
"""No answer is longer than 260 bytes; with more than this the line is babbling."""
_HEADER = Struct(">HHH")
_UNIT_AT, _PDU_AT = 6, 7
_LONGEST_TCP = 254
_IS_EXCEPTION = 0x80
_LEAST_RTU = 5
_READS = (3, 4)
WRITE = 16
_RTU_WRITTEN = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is asked of a unit."""

    unit: int
    function: int
    address: int
    count: int
    words: tuple[int, ...] = ()
    """To write."""

    @property
    def kind(self) -> tuple[int, int]:
        """What an answer in an RTU frame tells of it."""
        return self.function, self.count


Owed = Mapping[int, Collection[tuple[int, int]]]
"""Function and register count of the requests that each unit still owes an answer to,
though they were given up."""


class FrameError(Exception):
    """The request was not answered as it should be."""


class WrongAnswerError(FrameError):
    """What came answers something else, or is no Modbus."""


class WrongLengthError(FrameError):
    """An answer of this unit and function with another number of registers."""


class ExceptionAnswerError(FrameError):
    """The meter answered that it will not."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}")
        self.code = code


def tcp_words(heard: bytes, sent: bytes, count: int) -> list[int] | None:
    """Find the words that answer a request of Modbus TCP.

    Parameters
    ----------
    heard : bytes
        All that came since the request went out.
    sent : bytes
        The request's frame.
    count : int
        Registers asked for.

    Returns
    -------
    list of int or None
        None while the answer is not complete; no words where they were written.

    Raises
    ------
    FrameError
        What came is not, and will not become, the answer.

    """
    at, unit = 0, sent[_UNIT_AT]
    while len(heard) > at + _PDU_AT:
        transaction, protocol, length = _HEADER.unpack_from(heard, at)
        if protocol or not 2 <= length <= _LONGEST_TCP:  # noqa: PLR2004 - unit, function
            raise WrongAnswerError(f"what is no Modbus TCP ({_shown(heard[at:])})")
        stop = at + _UNIT_AT + length
        # Some count an exception's code not in.
        if length == 2 and len(heard) == stop + 1:  # noqa: PLR2004
            stop += 1
        # Those that give no transaction number at all give 0.
        if transaction and transaction != _HEADER.unpack_from(sent)[0]:
            at = stop
            continue
        if unit and heard[at + _UNIT_AT] != unit:
            raise WrongAnswerError(f"an answer of unit {heard[at + _UNIT_AT]}")
        if stop > len(heard):
            return None
        return _words(heard[at + _PDU_AT : stop], sent[_PDU_AT:], count)
    return None


def rtu_words(heard: bytes, sent: bytes, count: int, owed: Owed) -> list[int] | None:
    """Find the words that answer a request of Modbus RTU; else as `tcp_words`.

    Noise before a frame, our own request as some converters echo it, and answers that
    are owed from before are passed over.
    """
    at = len(sent) if heard.startswith(sent) else 0
    unit, function = sent[0], sent[1]
    while len(heard) - at >= _LEAST_RTU:
        stop = _rtu_stop(heard, at)
        if stop > len(heard) and (heard[at], heard[at + 1]) == (unit, function):
            return None  # most likely ours, still coming
        if not at < stop <= len(heard) or not _is_sound(heard[at:stop]):
            at += 1
            continue
        frame = heard[at : stop - 2]
        if _is_owed(frame, unit, function, count, owed):
            at = stop
            continue
        if unit and frame[0] != unit:
            raise WrongAnswerError(f"an answer of unit {frame[0]}")
        return _words(frame[1:], sent[1:], count)
    return None


def _rtu_stop(heard: bytes, at: int) -> int:
    """Where a frame that begins here would end; `at` where none can."""
    function = heard[at + 1]
    if function & _IS_EXCEPTION:
        return at + _LEAST_RTU
    if function == WRITE:
        return at + _RTU_WRITTEN
    return at + heard[at + 2] + _LEAST_RTU if function in _READS else at


def _is_owed(frame: bytes, unit: int, function: int, count: int, owed: Owed) -> bool:
    """Whether a frame answers a request that was given up, not this one."""
    if frame[0] not in owed:
        return False
    if frame[0] != unit:
        return True
    said = (frame[1], frame[2])
    if said == (function, 2 * count) or function == WRITE:
        return False
    return any(
        said == (code, 2 * registers) or frame[1] == code == WRITE
        for code, registers in owed[unit]
    )


def _words(pdu: bytes, asked: bytes, count: int) -> list[int]:
    """Take the words out of what a unit said; both without unit and checksum."""
    function = asked[0]
    if pdu[0] == function | _IS_EXCEPTION:
        raise ExceptionAnswerError(pdu[1] if len(pdu) > 1 else 0)
    if pdu[0] != function:
        raise WrongAnswerError(f"an answer of function {pdu[0]}")
    if function == WRITE:
        if pdu != asked[:5]:  # which registers, and how many
            raise WrongAnswerError(f"a confirmation of something else ({_shown(pdu)})")
        return []
    if len(pdu) < 2 or len(pdu) != 2 + pdu[1] or pdu[1] % 2:  # noqa: PLR2004
        raise WrongAnswerError(f"an answer that is cut short ({_shown(pdu)})")
    if pdu[1] != 2 * count:
        raise WrongLengthError(f"an answer of {pdu[1] // 2} registers")
    return list(unpack(f">{count}H", pdu[2:]))


def _shown(heard: bytes) -> str:
    """Show the first bytes."""
    more = "…" if len(heard) > 12 else ""  # noqa: PLR2004 - as many say enough
    return heard[:12].hex(" ") + more


def _table() -> tuple[int, ...]:
    """Make the CRC of every byte: polynomial 0xA001."""
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC = _table()


def checksum(data: bytes) -> int:
    """CRC of a Modbus RTU frame; it travels low byte first.

    Examples
    --------
    >>> hex(checksum(bytes([2, 7])))  # Modbus over serial line V1.02, 6.2.2
    '0x1241'

    """
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc


def _is_sound(frame: bytes) -> bool:
    return checksum(frame[:-2]) == frame[-2] | frame[-1] << 8
