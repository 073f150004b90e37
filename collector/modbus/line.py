"""One line to meters: the only file that imports pymodbus' client.

A line is a TCP connection or a serial port; one request is on it at a time. pymodbus
opens it and frames the requests. What comes back is looked at here before pymodbus
sees it (`frames` says why), so that each answer is the right one or an error at once.

After a request was given up its answer may yet come. Over Modbus TCP `close` leaves it
no way to us. An RTU frame bears no number: there the line is let fall silent, answers
that units owe are told from new ones by unit and length, and a unit that owes an answer
of the same length as the next one is first asked for another length.

Errors
------
LineError
    LineClosedError
        The other side closed the line before it answered.
    BabbleError
        Bytes without end and without an answer.
    NoAnswerError
        Nothing came in time, or nothing that is an answer.
frames.FrameError
    What came is not the answer.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerType
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
)

from collector.modbus.frames import (
    MOST_BYTES,
    WRITE,
    ExceptionAnswerError,
    FrameError,
    Request,
    rtu_words,
    tcp_words,
)
from meters.blocks import Block
from meters.meter import BusAddress, Framing

# pymodbus logs every failure itself, as an error, each time. We raise all of them, and
# the poller says them once.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)

_FUNCTION: dict[str, int] = {"input": 4, "holding": 3}
_PDU: dict[int, type[ModbusPDU]] = {
    3: ReadHoldingRegistersRequest,
    4: ReadInputRegistersRequest,
    WRITE: WriteMultipleRegistersRequest,
}
_MOST_OWED = 4
"""Of each unit. Whoever still owed more would have been asked for half a minute."""
_PARITY: dict[str, Literal["N", "E", "O"]] = {"none": "N", "even": "E", "odd": "O"}
_CHUNK = 1 << 20
"""More than any read brings, so that pymodbus drops nothing unseen."""
_MOST_BABBLE_S = 1.0
"""A line must fall silent within this time."""
_LEAST_GAP_S = 0.005
_UNSURE_GAP_S = 0.05
"""Converters and device servers hand on what they hear in pieces, less far apart."""


class LineError(Exception):
    """The line gave no answer."""


class LineClosedError(LineError):
    """The other side closed the line before it answered."""

    def __init__(self) -> None:
        super().__init__("no answer, but a closed connection")


class BabbleError(LineError):
    """Bytes without end and without an answer."""


class NoAnswerError(LineError):
    """Nothing came in time, or nothing that is an answer."""


class Line:
    """A connection or port; opened when needed, also again."""

    def __init__(self, address: BusAddress) -> None:
        self._address = address
        self._is_rtu = address.framing is not Framing.TCP
        self._client: AsyncModbusTcpClient | AsyncModbusSerialClient | None = None
        self._answer: asyncio.Future[list[int]] | None = None
        self._sent, self._count, self._heard = b"", 0, b""
        self._owed: dict[int, deque[tuple[int, int]]] = {}
        self._deadline = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._heard_at = -1e9
        self._must_be_silent = False

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent without opening it."""
        return self._client is not None and self._client.connected

    async def open(self, timeout_s: float) -> bool:
        """Open it; False where nobody answers there."""
        self.close()
        try:
            client = self._new_client(timeout_s)
        # No host or port at all: a NUL, a port over 65535.
        except (ValueError, OverflowError):
            return False
        client.ctx.max_buffer_size = _CHUNK
        try:
            is_open = await client.connect()
        except (OSError, ValueError, OverflowError):  # `a..b`, a label over 63 letters
            is_open = False
        except BaseException:  # above all a cancellation
            client.close()
            raise
        if is_open:
            self._client = client
        return is_open

    def _new_client(
        self, timeout_s: float
    ) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
        # A new client each time: whatever an old connection still brings cannot reach
        # it. Retries and reconnecting are off: the next poll is the retry.
        address = self._address
        if address.framing is Framing.SERIAL:
            return AsyncModbusSerialClient(
                address.device or "",
                baudrate=address.baud_rate,
                parity=_PARITY[address.parity],
                stopbits=address.stop_bits,
                timeout=timeout_s,
                retries=0,
                reconnect_delay=0,
                trace_packet=self._seen,
                trace_connect=self._connection_is,
            )
        return AsyncModbusTcpClient(
            address.host or "",
            port=address.port or 0,
            framer=FramerType.RTU if self._is_rtu else FramerType.SOCKET,
            timeout=timeout_s,
            retries=0,
            reconnect_delay=0,
            trace_packet=self._seen,
            trace_connect=self._connection_is,
        )

    def close(self) -> None:
        """Close it; what an open serial port has heard is forgotten."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
        if self._watch is not None and self._answer is None:
            self._watch.cancel()
            self._watch = None

    async def ask(self, unit: int, block: Block, timeout_s: float) -> list[int]:
        """Send one request and wait for the words that answer it.

        Whatever fails but an exception of the meter's own renews the connection.
        """
        asked = Request(
            unit=unit,
            function=_FUNCTION[block.function],
            address=block.address,
            count=block.count,
        )
        if self._is_rtu:
            await self._fall_silent()
            if asked.kind in self._owed.get(unit, ()):
                await self._settle(asked, timeout_s)
        return await self._exchange(asked, timeout_s)

    async def write(
        self, unit: int, address: int, words: Sequence[int], timeout_s: float
    ) -> None:
        """Write holding registers, and wait until that is confirmed."""
        if self._is_rtu:
            await self._fall_silent()
        request = Request(
            unit=unit,
            function=WRITE,
            address=address,
            count=len(words),
            words=tuple(words),
        )
        await self._exchange(request, timeout_s)

    async def _settle(self, asked: Request, timeout_s: float) -> None:
        """Have a unit answer a request that no other answer can be taken for."""
        owed = self._owed[asked.unit]
        other = next(n for n in range(1, 126) if (asked.function, n) not in owed)
        with contextlib.suppress(ExceptionAnswerError):
            await self._exchange(replace(asked, count=other), timeout_s)
        await self._fall_silent()

    async def _fall_silent(self) -> None:
        """Wait until nothing has come for as long as a frame's end takes."""
        loop = asyncio.get_running_loop()
        if self._must_be_silent:
            self._heard_at, gap_s = loop.time(), _UNSURE_GAP_S
        elif self._address.framing is Framing.SERIAL:
            # A frame ends with 3.5 characters of 11 bits.
            gap_s = max(3.5 * 11 / self._address.baud_rate, _LEAST_GAP_S)
        else:
            return
        latest = loop.time() + _MOST_BABBLE_S
        while (left_s := self._heard_at + gap_s - loop.time()) > 0:
            if loop.time() > latest:
                self.close()
                raise BabbleError("bytes without end")
            await asyncio.sleep(left_s)
        self._must_be_silent = False

    async def _exchange(self, request: Request, timeout_s: float) -> list[int]:
        """Ask and wait; take note of what is owed where that fails."""
        try:
            words = await self._answered(request, timeout_s)
        except ExceptionAnswerError:
            self._owed.pop(request.unit, None)
            raise
        except BaseException as exc:  # above all a cancellation
            self._is_owed(request, exc)
            raise
        self._owed.pop(request.unit, None)
        return words

    def _is_owed(self, request: Request, exc: BaseException) -> None:
        """Renew the line, or keep what is needed to know a late answer on it."""
        if self._is_rtu:
            owed = self._owed.setdefault(request.unit, deque(maxlen=_MOST_OWED))
            owed.append(request.kind)
            self._must_be_silent = True
        is_serial = self._address.framing is Framing.SERIAL
        is_quiet = isinstance(exc, (NoAnswerError, asyncio.CancelledError))
        if not (is_serial and is_quiet):
            self.close()

    async def _answered(self, request: Request, timeout_s: float) -> list[int]:
        """Send and wait."""
        client = self._client
        if client is None:
            raise LineClosedError
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[int]] = loop.create_future()
        self._answer, self._count, self._heard = answer, request.count, b""
        self._wait_until(loop.time() + timeout_s)
        try:
            # Not to be waited for by pymodbus: the answer comes by `_seen`.
            await client.execute(True, _pdu(request))
            return await answer
        except ModbusException as exc:
            raise LineClosedError from exc
        finally:
            self._answer = None

    def _wait_until(self, deadline: float) -> None:
        """Have somebody look at the clock: one for all requests, which seldom fail."""
        self._deadline = deadline
        if self._watch is not None and self._watch.when() <= deadline:
            return
        if self._watch is not None:
            self._watch.cancel()
        self._watch = asyncio.get_running_loop().call_at(deadline, self._look)

    def _look(self) -> None:
        """Give up the request that waits, if it is time."""
        self._watch = None
        answer = self._answer
        if answer is None or answer.done():
            return
        if asyncio.get_running_loop().time() < self._deadline:
            self._wait_until(self._deadline)
            return
        heard = self._heard
        shown = f", only {heard[:12].hex(' ')}" if heard else ""
        answer.set_exception(NoAnswerError(f"no answer{shown}"))

    def _seen(self, is_sending: bool, data: bytes) -> bytes:  # noqa: FBT001 - pymodbus calls it so
        """Look at what goes out and comes in."""
        if is_sending:
            self._sent = data
            return data
        self._heard_at = asyncio.get_running_loop().time()
        answer = self._answer
        if answer is not None and not answer.done():
            self._heard = data
            self._judge(answer, data)
        else:
            self._drop(data)
        return b""

    def _drop(self, data: bytes) -> None:
        """Forget what nobody asked for; `data` is all since the last request."""
        if self._is_rtu and self._client is not None:
            self._client.ctx.recv_buffer = b""
        elif len(data) > MOST_BYTES:
            self.close()

    def _judge(self, answer: asyncio.Future[list[int]], heard: bytes) -> None:
        """See whether the answer is among what came."""
        try:
            if self._is_rtu:
                words = rtu_words(heard, self._sent, self._count, self._owed)
            else:
                words = tcp_words(heard, self._sent, self._count)
        except FrameError as exc:
            answer.set_exception(exc)
            return
        if words is not None:
            answer.set_result(words)
        elif len(heard) > MOST_BYTES:
            answer.set_exception(BabbleError("bytes without end"))

    def _connection_is(self, is_open: bool) -> None:  # noqa: FBT001 - pymodbus calls it so
        answer = self._answer
        if not is_open and answer is not None and not answer.done():
            answer.set_exception(LineClosedError())


def _pdu(request: Request) -> ModbusPDU:
    """Make of a request what pymodbus sends."""
    return _PDU[request.function](
        dev_id=request.unit,
        address=request.address,
        count=request.count,
        registers=list(request.words),
    )
