"""One line to meters, with one request on it at a time.

What comes back is looked at byte by byte, so that each answer is the right one or an
error at once.

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
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from collector.modbus.connection import Connection, ConnectionLostError
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

_FUNCTION: dict[str, int] = {"input": 4, "holding": 3}
_MOST_OWED = 4
"""Of each unit. Whoever still owed more would have been asked for half a minute."""
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
        self._connection = Connection(address, self._hear, self._has_lost)
        self._answer: asyncio.Future[list[int]] | None = None
        self._count, self._heard = 0, b""
        self._owed: dict[int, deque[tuple[int, int]]] = {}
        self._deadline = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._heard_at = -1e9
        self._must_be_silent = False

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent without opening it."""
        return self._connection.is_open

    async def open(self, timeout_s: float) -> bool:
        """Open it, anew where it is open; False where nobody answers there."""
        return await self._connection.open(timeout_s)

    def close(self) -> None:
        """Close it."""
        self._connection.close()
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
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[int]] = loop.create_future()
        self._answer, self._count, self._heard = answer, request.count, b""
        self._wait_until(loop.time() + timeout_s)
        try:
            await self._connection.send(request)
            return await answer
        except ConnectionLostError as exc:
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

    def _hear(self, data: bytes) -> None:
        """Take what came since the last request."""
        self._heard_at = asyncio.get_running_loop().time()
        answer = self._answer
        if answer is not None and not answer.done():
            self._heard = data
            self._judge(answer, data)
        elif self._is_rtu:  # nobody asked
            self._connection.forget()
        elif len(data) > MOST_BYTES:
            self.close()

    def _judge(self, answer: asyncio.Future[list[int]], heard: bytes) -> None:
        """See whether the answer is among what came."""
        sent = self._connection.sent
        try:
            if self._is_rtu:
                words = rtu_words(heard, sent, self._count, self._owed)
            else:
                words = tcp_words(heard, sent, self._count)
        except FrameError as exc:
            answer.set_exception(exc)
            return
        if words is not None:
            answer.set_result(words)
        elif len(heard) > MOST_BYTES:
            answer.set_exception(BabbleError("bytes without end"))

    def _has_lost(self) -> None:
        answer = self._answer
        if answer is not None and not answer.done():
            answer.set_exception(LineClosedError())
