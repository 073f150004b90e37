"""Simulated Modbus meters that cost next to nothing: what is measured is who asks."""

import asyncio
import multiprocessing
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection

from meters.blocks import plan_blocks
from meters.decode import encode_registers
from meters.profile import ModbusProfile, load_profile
from meters.quantity import QUANTITIES

HOST = "127.0.0.1"
DEAD = float("inf")
_HEAD = struct.Struct(">HHHBBHH")


class Gateway:
    """Some units behind one port, each with the time that it takes to answer."""

    def __init__(self, profile: ModbusProfile, delays_s: Mapping[int, float]) -> None:
        self._answers = answers(profile)
        self.delays_s = dict(delays_s)
        """By unit; `DEAD` never answers. [s]"""
        self.asked_at: dict[int, list[float]] = {unit: [] for unit in delays_s}
        """When each unit was asked, in loop time. [s]"""
        self.port = 0

    async def open(self) -> asyncio.Server:
        """Listen on a free port."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Session(self), HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def answer(self, request: bytes) -> tuple[float, bytes] | None:
        """Return after how long which frame is sent; None: never."""
        transaction, _, _, unit, function, address, count = _HEAD.unpack(request[:12])
        delay_s = self.delays_s.get(unit, DEAD)
        if unit in self.asked_at:
            self.asked_at[unit].append(asyncio.get_running_loop().time())
        pdu = self._answers.get((function, address, count))
        if delay_s == DEAD or pdu is None:
            return None
        head = struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit)
        return delay_s, head + pdu


class _Session(asyncio.Protocol):
    """One connection to a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers are written to."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a TCP connection is needed")
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer a request, now or later."""
        answer = self._gateway.answer(data)
        if answer is None:
            return
        delay_s, frame = answer
        if delay_s:
            loop = asyncio.get_running_loop()
            loop.call_later(delay_s, self._transport.write, frame)
        else:
            self._transport.write(frame)


def answers(profile: ModbusProfile) -> dict[tuple[int, int, int], bytes]:
    """Return what a meter answers to each request of its plan."""
    values = {quantity: 230.0 + i for i, quantity in enumerate(QUANTITIES)}
    held = encode_registers(profile, values, datetime.now(UTC))
    found = {}
    for block in plan_blocks(profile):
        function = 4 if block.function == "input" else 3
        span = range(block.address, block.address + block.count)
        words = [held.get(address, 0) for address in span]
        pdu = struct.pack(f">BB{block.count}H", function, 2 * block.count, *words)
        found[function, block.address, block.count] = pdu
    return found


def modbus_profile(name: str) -> ModbusProfile:
    """Load a profile that must be one of Modbus."""
    profile = load_profile(name)
    if not isinstance(profile, ModbusProfile):
        raise SystemExit(f"{name} is not a profile of Modbus.")
    return profile


@contextmanager
def fleet_of(profile: str, gateways: int, units: int) -> Iterator[list[int]]:
    """Serve so many gateways in a process of its own; yields their ports."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=_serve, args=(theirs, profile, gateways, units), daemon=True
    )
    process.start()
    try:
        if not ours.poll(30):
            raise SystemExit("The simulated meters do not listen.")
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _serve(tell: Connection, profile: str, gateways: int, units: int) -> None:
    async def serve() -> None:
        all_of = [
            Gateway(modbus_profile(profile), dict.fromkeys(range(1, units + 1), 0.0))
            for _ in range(gateways)
        ]
        servers = [await gateway.open() for gateway in all_of]
        tell.send([gateway.port for gateway in all_of])
        await asyncio.gather(*(server.serve_forever() for server in servers))

    asyncio.run(serve())
