"""One TCP port with many Modbus meters behind it, which may misbehave on the wire.

pymodbus' own server answers politely and asks a coroutine for each register it gives;
a thousand meters read every second, and frames that no library would send, need one
that is closer to the bytes.

Errors: `SimulatorError`, one sentence, if the port cannot be opened.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self, cast

from simulators.meter_fleet.faults import Fault, Spell
from simulators.meter_fleet.ledger import Ledger
from simulators.meter_fleet.modbus_frames import (
    NO_RESPONSE_OF_TARGET,
    WRITE_HOLDING,
    FrameError,
    Framing,
    FramingKind,
    Request,
    exception_answer,
    framing,
    read_answer,
    write_answer,
)
from simulators.meter_fleet.modbus_lies import Scene, lie
from simulators.meter_fleet.modbus_unit import FleetUnit
from simulators.simulator_error import SimulatorError

_ENDLESS_CHUNK = bytes(512)
_ENDLESS_EVERY_S = 0.01
_ENDLESS_UNREAD = 1 << 20
"""Bytes that nobody takes: enough."""
NowMs = Callable[[], int]
"""Milliseconds since 1970 UTC, by the fleet's clock."""


class FleetPort:
    """A gateway; `async with` opens and closes its port."""

    def __init__(
        self,
        units: Iterable[tuple[int, FleetUnit]],
        *,
        host: str,
        port: int,
        kind: FramingKind,
        now_ms: NowMs,
        ledger: Ledger,
        seed: int = 0,
    ) -> None:
        self.units: Mapping[int, FleetUnit] = dict(units)
        self.host, self.port, self.kind = host, port, kind
        """Port 0 takes a free one, which stands here once it is open."""
        self.now_ms, self.ledger = now_ms, ledger
        self.chance = random.Random(seed)  # noqa: S311 - no secret
        self.requests = 0
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()

    async def __aenter__(self) -> Self:
        """Open the port."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: _Connection(self, self._open), self.host, self.port, backlog=512
            )
        except OSError as exc:
            raise SimulatorError(
                f"The simulated meters cannot listen on {self.host}:{self.port} "
                f"({exc.strerror or exc}): choose another --base-port, or stop what "
                "uses it."
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the port and every connection; what is not known stays in doubt."""
        if self._server is not None:
            self._server.close()
            for connection in list(self._open):
                connection.abort()
            await self._server.wait_closed()
            self._server = None
            for connection in list(self._open):  # those whose end was not told yet
                connection.forget()

    def neighbour(self, unit: int) -> tuple[int, FleetUnit]:
        """Return the unit after one, as a gateway that mixes them up takes it."""
        ids = sorted(self.units)
        other = ids[(ids.index(unit) + 1) % len(ids)]
        return other if other != unit else unit % 247 + 1, self.units[other]


class _Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, port: FleetPort, among: "set[_Connection]") -> None:
        self._port, self._among = port, among
        self._framing: Framing = framing(port.kind)
        self._transport: asyncio.Transport | None = None
        self._asked = 0
        self._is_endless = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._among.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End: what was given over it last may not have arrived."""
        del exc
        self._transport = None
        self.forget()

    def forget(self) -> None:
        """Leave in doubt what was given last."""
        self._among.discard(self)
        for unit in self._port.units.values():
            unit.forget(self)

    def abort(self) -> None:
        """Break it off."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        try:
            for request in self._framing.feed(data):
                self._port.requests += 1
                self._asked += 1
                self._answer(request)
        except FrameError:
            self.abort()

    def _answer(self, request: Request) -> None:
        unit = self._port.units.get(request.unit)
        if unit is None:
            self._send(request, _refused(request, NO_RESPONSE_OF_TARGET))
            return
        at_ms = self._port.now_ms()
        spells = unit.meter.spells_at(at_ms)
        if spells and self._misbehaves(request, unit, spells):
            unit.trouble(self)
            return
        pdu = self._done(request, unit, at_ms)
        if isinstance(pdu, int):
            unit.trouble(self)
            self._send(request, _refused(request, pdu))
            return
        loop = asyncio.get_running_loop()
        delay_s = max(self._delay_s(spells), unit.busy_until_s - loop.time())
        if delay_s > 0:
            loop.call_later(delay_s, self._give, request, unit, pdu, self._asked)
        else:
            self._give(request, unit, pdu, self._asked)

    def _done(self, request: Request, unit: FleetUnit, at_ms: int) -> bytes | int:
        """Read or write; return the answer, or an exception's code."""
        if request.function != WRITE_HOLDING:
            found = unit.read(self, request, at_ms)
            return (
                found
                if isinstance(found, int)
                else read_answer(request.function, found)
            )
        took_s = unit.write(request, at_ms)
        if isinstance(took_s, int):
            return took_s
        unit.busy_until_s = asyncio.get_running_loop().time() + took_s
        return write_answer(request)

    def _delay_s(self, spells: Sequence[Spell]) -> float:
        delay_s = 0.0
        for spell in spells:
            if spell.fault in (Fault.SLOW, Fault.LATE_REPLY):
                self._port.ledger.withheld[spell.fault] += 1
                delay_s = max(delay_s, spell.size)
        return delay_s

    def _give(self, request: Request, unit: FleetUnit, pdu: bytes, asked: int) -> None:
        """Send registers, unless the client has gone; it may have moved on."""
        if self._transport is None or self._transport.is_closing():
            return
        self._send(request, pdu)
        if unit.meter.spell(Fault.DUPLICATE, self._port.now_ms()):
            self._send(request, pdu)
        unit.answered_at_s = asyncio.get_running_loop().time()
        sure = asked == self._asked
        unit.was_answered(self, self._port.now_ms(), sure=sure)

    def _send(self, request: Request, pdu: bytes) -> None:
        self._write(self._framing.frame(request, pdu))

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _misbehaves(
        self, request: Request, unit: FleetUnit, spells: Sequence[Spell]
    ) -> bool:
        """Do what a faulty meter does instead of answering, if it does."""
        scene = self._scene(request, unit)
        for spell in spells:
            said = lie(spell, scene)
            if said is None and spell.fault is not Fault.ENDLESS:
                continue
            self._port.ledger.withheld[spell.fault] += 1
            if said:
                self._write(said)
            elif spell.fault is Fault.ENDLESS and not self._is_endless:
                self._is_endless = True
                self._send_more()
            return True
        return False

    def _scene(self, request: Request, unit: FleetUnit) -> Scene:
        port = self._port
        other_unit, other = port.neighbour(request.unit)
        return Scene(
            request=request,
            framing=self._framing,
            chance=port.chance,
            since_answer_s=asyncio.get_running_loop().time() - unit.answered_at_s,
            other_unit=other_unit,
            other_data=lambda: other.peek(port.now_ms()),
        )

    def _send_more(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() < _ENDLESS_UNREAD:
            transport.write(_ENDLESS_CHUNK)
        asyncio.get_running_loop().call_later(_ENDLESS_EVERY_S, self._send_more)


def _refused(request: Request, code: int) -> bytes:
    return exception_answer(request.function, code)
