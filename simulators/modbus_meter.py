"""Simulated meters behind one Modbus TCP port: the only file with pymodbus' server.

Errors: `SimulatorError`, one sentence, if the port cannot be opened.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType
from typing import Self

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from meters.decode import encode_registers
from meters.profile import ModbusProfile
from simulators.display import Display, ShowingMeter
from simulators.simulator_error import SimulatorError


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """One meter at one unit id."""

    unit: int
    profile: ModbusProfile
    meter: ShowingMeter


class ModbusMeters:
    """A gateway with several units; `async with` opens and closes its port."""

    def __init__(self, units: Iterable[Unit], *, host: str, port: int) -> None:
        self._units = [_Registers(unit) for unit in units]
        self.host = host
        self.port = port
        """0 takes a free one, which stands here once it is open."""
        self._server: ModbusTcpServer | None = None

    async def __aenter__(self) -> Self:
        """Open the port."""
        self._server = ModbusTcpServer(
            [registers.device() for registers in self._units],
            address=(self.host, self.port),
            # A silent meter gives no answer at all, not an exception.
            ignore_missing_devices=True,
        )
        try:
            await self._server.serve_forever(background=True)
        except (OSError, RuntimeError) as exc:
            await self._server.shutdown()  # type: ignore[no-untyped-call] # pymodbus: untyped
            raise SimulatorError(
                f"The simulated meters cannot listen on {self.host}:{self.port}; "
                "another program may use that port: choose another or stop it."
            ) from exc
        listening = self._server.transport
        if isinstance(listening, asyncio.Server):
            self.port = listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call] # pymodbus: untyped
            self._server = None


class _Registers:
    """The words of one unit, filled when they are asked for.

    A pass is one reading of every register of the profile, in any number of requests.
    All of a pass comes from one display: what a clock and a register say belongs
    together, as in meters that latch their values.
    """

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self._wanted = frozenset(
            address
            for part in unit.profile.placed
            for address in range(part.address, part.address + part.words)
        )
        self._unread: set[int] = set()
        self._words: dict[int, int] = {}
        self._last_display: Display | None = None

    def device(self) -> SimDevice:
        """Declare the unit to the server; addresses between registers read 0."""
        first, stop = min(self._wanted), max(self._wanted) + 1
        gap = self.unit.profile.max_gap
        held = sorted(self._wanted)
        bridged = set(held)
        for address, following in pairwise(held):
            if following - address - 1 <= gap:
                bridged.update(range(address, following))
        data = [
            SimData(address, values=0, datatype=DataType.REGISTERS)
            for address in range(first, stop)
            if address in bridged
        ]

        async def answer(  # pymodbus insists on a coroutine function
            _function: int,
            start: int,
            address: int,
            count: int,
            registers: list[int],
            set_values: list[int] | list[bool] | None,
        ) -> ExcCodes | None:
            if set_values is not None:
                return ExcCodes.ILLEGAL_FUNCTION
            self._fill(start, address, count, registers)
            return None

        return SimDevice(self.unit.unit, simdata=data, action=answer)

    def _fill(self, start: int, address: int, count: int, registers: list[int]) -> None:
        asked = self._wanted.intersection(range(address, address + count))
        if not asked <= self._unread:
            self._begin_pass()
        for each in asked:
            registers[each - start] = self._words[each]
        self._unread -= asked
        if asked and not self._unread:
            self.unit.meter.was_read()

    def _begin_pass(self) -> None:
        display = self.unit.meter.show()
        if display is None:
            self._unread = set()
            raise NoSuchIdException("silent")
        if display is not self._last_display:
            self._words = encode_registers(
                self.unit.profile, display.values, display.measured_at
            )
            self._last_display = display
        self._unread = set(self._wanted)
