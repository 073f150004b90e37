"""One Modbus bus: a meter, a gateway with several units, or a serial line.

Requests on it run one at a time, in the order of `turns`. After a request that was
given up (time-out or cancellation), or whose answer was not the right one, the
connection is renewed, so that a late answer has no way to be taken for the next one's.
A gateway that cannot be reached is left alone for a while, with all that is behind it.

Errors
------
MeterError
    The meter could not be read this time: no answer, or not the one asked for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Self, TypeVar

from collector.modbus.breaker import Breaker
from collector.modbus.failure import Failure, MeterError, exception_name
from collector.modbus.frames import (
    ExceptionAnswerError,
    FrameError,
    WrongLengthError,
)
from collector.modbus.identity import Roll
from collector.modbus.line import (
    BabbleError,
    Line,
    LineClosedError,
    LineError,
)
from collector.modbus.turns import Asking, Turns
from meters.blocks import Block
from meters.meter import BusAddress

__all__ = ["MeterError", "ModbusBus"]

_T = TypeVar("_T")


class ModbusBus:
    """One bus, one request at a time; opened when needed, also again."""

    def __init__(
        self,
        address: BusAddress,
        *,
        timeout_s: float = 2.0,
        breaker: Breaker | None = None,
    ) -> None:
        self.at = address
        self.address, self.timeout_s = address.place, timeout_s
        self.turns = Turns()
        self.roll = Roll()
        self.breaker = breaker or Breaker()
        """Of the gateway, not of a meter behind it."""
        self._line = Line(address)
        self._rests_until = float("-inf")

    @classmethod
    def tcp(cls, host: str, port: int, *, timeout_s: float = 2.0) -> Self:
        """Make the bus of a meter or gateway that speaks Modbus TCP."""
        return cls(BusAddress(host=host, port=port), timeout_s=timeout_s)

    async def read_block(
        self, unit: int, block: Block, asking: Asking | None = None
    ) -> list[int]:
        """Read one block of registers of one unit.

        Parameters
        ----------
        unit : int
            Its id on the bus.
        block : Block
            What to read.
        asking : Asking, optional
            Of the poll that this request belongs to; it is told what the request took.

        Returns
        -------
        list of int
            `block.count` words of 16 bits.

        Raises
        ------
        MeterError
            Naming bus, unit and block.

        """
        span = f"reading {block.count} {block.function} registers from {block.address}"
        return await self._in_turn(
            unit, span, lambda timeout_s: self._line.ask(unit, block, timeout_s), asking
        )

    async def write_registers(
        self,
        unit: int,
        address: int,
        words: Sequence[int],
        asking: Asking | None = None,
    ) -> None:
        """Write holding registers, as some meters want to be asked for a record.

        Raises
        ------
        MeterError
            Naming bus, unit and registers.

        """
        await self._in_turn(
            unit,
            f"writing {len(words)} holding registers from {address}",
            lambda timeout_s: self._line.write(unit, address, words, timeout_s),
            asking,
        )

    def close(self) -> None:
        """Close the connection; the next read opens another."""
        self._line.close()

    async def _in_turn(
        self,
        unit: int,
        what: str,
        request: Callable[[float], Awaitable[_T]],
        asking: Asking | None,
    ) -> _T:
        """Wait for a turn, and make a request."""
        asking = Asking() if asking is None else asking
        loop = asyncio.get_running_loop()
        self._refuse_while_unreachable(unit, loop.time())
        try:
            await self.turns.take(asking)
        except MeterError as exc:
            raise self._error(unit, what, str(exc), exc.failure) from exc
        begun = loop.time()
        try:
            return await self._made(unit, what, request, asking)
        finally:
            asking.requests += 1
            asking.spent_s += loop.time() - begun
            self._rests_until = loop.time() + asking.pause_s
            self.turns.give()

    async def _made(
        self,
        unit: int,
        what: str,
        request: Callable[[float], Awaitable[_T]],
        asking: Asking,
    ) -> _T:
        """Make a request while it is our turn."""
        if (rest_s := self._rests_until - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(rest_s)
        timeout_s = min(asking.timeout_s or self.timeout_s, self.turns.most_s)
        was_open = self._line.is_open
        if not was_open:
            await self._open(unit, timeout_s)
        try:
            try:
                return await request(timeout_s)
            except LineClosedError:
                if not was_open:
                    raise
            # Gateways close connections that were idle: that fails no poll.
            await self._open(unit, timeout_s)
            return await request(timeout_s)
        except ExceptionAnswerError as exc:
            error = self._error(unit, what, exception_name(exc.code), Failure.EXCEPTION)
            error.exception_code = exc.code
            raise error from exc
        except (FrameError, LineError) as exc:
            raise self._error(unit, what, str(exc), _failure(exc)) from exc

    async def _open(self, unit: int, timeout_s: float) -> None:
        """Open the line, unless that failed while this request waited."""
        loop = asyncio.get_running_loop()
        self._refuse_while_unreachable(unit, loop.time())
        if await self._line.open(timeout_s):
            self.breaker.succeeded()
            return
        self.breaker.failed(loop.time())
        raise self._no_connection(unit)

    def _refuse_while_unreachable(self, unit: int, at: float) -> None:
        if self.breaker.is_open(at):
            raise self._no_connection(unit)

    def _no_connection(self, unit: int) -> MeterError:
        return MeterError(
            f"{self.address}/{unit}: no connection to {self.address}",
            Failure.NO_CONNECTION,
        )

    def _error(self, unit: int, what: str, text: str, failure: Failure) -> MeterError:
        return MeterError(f"{self.address}/{unit}: {text} to {what}", failure)


def _failure(exc: FrameError | LineError) -> Failure:
    """Name what happened, for counting."""
    if isinstance(exc, WrongLengthError):
        return Failure.WRONG_LENGTH
    if isinstance(exc, (FrameError, BabbleError)):
        return Failure.WRONG_ANSWER
    return Failure.NO_ANSWER
