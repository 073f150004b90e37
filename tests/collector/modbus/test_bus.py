import asyncio
import struct
from datetime import UTC, datetime

import pytest
from pymodbus.constants import ExcCodes

from collector.modbus.bus import MeterError, ModbusBus
from collector.modbus.failure import Failure
from meters.blocks import Block, plan_blocks
from meters.decode import decode_blocks
from meters.quantity import Quantity
from tests.collector.modbus.gateway import (
    Unit,
    gateway,
    modbus_profile,
    raw_server,
    streams,
)
from tests.fix_broker import HOST, free_port

IMPORT = Quantity.ENERGY_IMPORT_KWH
SDM630 = modbus_profile("eastron-sdm630")
(WHOLE,) = plan_blocks(SDM630)
VOLTAGES = Block(function="input", address=0, count=2, registers=())
ENERGY = Block(function="input", address=0x48, count=2, registers=())
# float32 of 230.0 and of 1.0, as IEEE 754 has them, high word first.
VOLTAGE_230_V, ENERGY_1_KWH = [0x4366, 0x0000], [0x3F80, 0x0000]


def meter(unit: int = 1, **fields) -> Unit:
    values = {IMPORT: 1.0, Quantity.VOLTAGE_L1_V: 230.0}
    return Unit(unit, values=values, **fields)


def test_a_block_comes_as_the_meter_holds_it() -> None:
    async def run() -> None:
        async with gateway(meter(1), meter(2)) as port:
            bus = ModbusBus.tcp(HOST, port)
            assert await bus.read_block(1, VOLTAGES) == VOLTAGE_230_V
            assert await bus.read_block(2, ENERGY) == ENERGY_1_KWH
            bus.close()

    asyncio.run(run())


def test_holding_registers_are_read_with_their_own_function() -> None:
    iem3155 = modbus_profile("schneider-iem3155")
    at = datetime(2018, 1, 15, 4, 30, tzinfo=UTC)

    async def run() -> None:
        unit = Unit(7, profile=iem3155, values={IMPORT: 671433.6}, measured_at=at)
        async with gateway(unit) as port:
            bus = ModbusBus.tcp(HOST, port)
            words = {b: await bus.read_block(7, b) for b in plan_blocks(iem3155)}
            bus.close()
        decoded = decode_blocks(iem3155, words)
        assert decoded.values[IMPORT] == 671433.6
        assert decoded.measured_at == at

    asyncio.run(run())


def test_an_exception_answer_names_meter_block_and_exception() -> None:
    async def run() -> None:
        async with gateway(meter(refusal=ExcCodes.DEVICE_BUSY)) as port:
            bus = ModbusBus.tcp(HOST, port)
            with pytest.raises(MeterError) as caught:
                await bus.read_block(1, ENERGY)
            bus.close()
        assert str(caught.value) == (
            f"127.0.0.1:{port}/1: exception 6 (device busy) to reading 2 input "
            "registers from 72"
        )

    asyncio.run(run())


def test_a_dead_unit_costs_its_bus_one_timeout() -> None:
    async def run() -> None:
        async with gateway(meter(1, delay_s=60), meter(2)) as port:
            bus = ModbusBus.tcp(HOST, port, timeout_s=0.2)
            dead = asyncio.create_task(bus.read_block(1, ENERGY))
            await asyncio.sleep(0)
            start = asyncio.get_running_loop().time()
            assert await bus.read_block(2, ENERGY) == ENERGY_1_KWH
            assert asyncio.get_running_loop().time() - start < 0.4
            with pytest.raises(MeterError, match=r"/1: no answer to reading"):
                await dead
            bus.close()

    asyncio.run(run())


@pytest.mark.parametrize("how", ["time-out", "cancelled"])
def test_a_late_answer_is_never_taken_for_another(how) -> None:
    # The voltages' answer comes at 0.30 s, when it was given up and the energy, which
    # takes 0.25 s, is being waited for. The server would even send it with the newer
    # request's transaction number, were it on the same connection.
    async def run() -> None:
        unit = meter(delay_at={0: 0.30, 0x48: 0.25})
        async with gateway(unit) as port:
            bus = ModbusBus.tcp(
                HOST, port, timeout_s=0.15 if how == "time-out" else 5.0
            )
            given_up = asyncio.create_task(bus.read_block(1, VOLTAGES))
            await asyncio.sleep(0.15)
            if how == "cancelled":
                given_up.cancel()
            with pytest.raises((MeterError, asyncio.CancelledError)):
                await given_up
            if how == "time-out":
                bus.timeout_s = 5.0
            assert await bus.read_block(1, ENERGY) == ENERGY_1_KWH
            bus.close()

    asyncio.run(run())


def framed(request: bytes, unit: int, answer: bytes) -> bytes:
    """Answer in a frame of Modbus TCP with the request's transaction number."""
    return request[:4] + struct.pack(">HB", len(answer) + 1, unit) + answer


@pytest.mark.parametrize(
    ("unit", "answer", "text"),
    [
        pytest.param(1, b"\x04\x02\0\1", "an answer of 1 registers", id="too short"),
        pytest.param(1, b"\x03\x04\0\1\0\2", "an answer of function 3", id="function"),
        pytest.param(2, b"\x04\x04\0\1\0\2", "an answer of unit 2", id="unit"),
        pytest.param(1, b"\x04\x04\0\1", "an answer that is cut short", id="cut"),
        pytest.param(1, b"\x84\x0c", r"exception 12 \(unknown\)", id="odd exception"),
    ],
)
def test_a_wrong_answer_is_refused_and_the_next_is_heard(unit, answer, text) -> None:
    answers = [(unit, answer), (1, b"\x04\x04\x3f\x80\0\0")]

    async def reply(request: bytes) -> bytes:
        return framed(request, *answers.pop(0))

    async def run() -> None:
        async with raw_server(reply) as port:
            bus = ModbusBus.tcp(HOST, port, timeout_s=0.2)
            with pytest.raises(MeterError, match=text):
                await bus.read_block(1, ENERGY)
            assert await bus.read_block(1, ENERGY) == ENERGY_1_KWH
            bus.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        pytest.param("00", "what is no Modbus TCP", id="zeros"),
        pytest.param(b"GET / HTTP/1.1".hex(), "what is no Modbus TCP", id="text"),
        pytest.param("ffff00000007010404ffffffff", "bytes without end", id="frames"),
    ],
)
def test_an_endless_stream_is_cut_off(stream: str, text: str) -> None:
    # Long before the time-out, and with nothing kept of what comes.
    connections: list[asyncio.StreamWriter] = []

    async def serve(reader, writer) -> None:
        connections.append(writer)
        await reader.read(256)
        if len(connections) > 1:
            writer.write(bytes.fromhex("0001 0000 0007 01 04 04 3f80 0000"))
            await reader.read()
        while True:
            writer.write(bytes.fromhex(stream) * 300)
            await writer.drain()

    async def run() -> None:
        async with streams(serve) as port:
            bus = ModbusBus.tcp(HOST, port, timeout_s=60.0)
            with pytest.raises(MeterError, match=f"/1: {text}") as caught:
                await asyncio.wait_for(bus.read_block(1, ENERGY), 10)
            assert caught.value.failure is Failure.WRONG_ANSWER
            assert await bus.read_block(1, ENERGY) == ENERGY_1_KWH
            bus.close()
        assert len(connections) == 2

    asyncio.run(run())


def test_a_connection_that_the_gateway_closed_meanwhile_fails_nobody() -> None:
    connections: list[asyncio.StreamWriter] = []

    async def serve(reader, writer) -> None:
        connections.append(writer)
        request = await reader.read(256)
        writer.write(framed(request, 1, b"\x04\x04\x3f\x80\0\0"))
        await reader.read(1)  # closes only when it is asked again

    async def run() -> None:
        async with streams(serve) as port:
            bus = ModbusBus.tcp(HOST, port, timeout_s=60.0)
            for _ in range(3):
                assert await bus.read_block(1, ENERGY) == ENERGY_1_KWH
            bus.close()
        assert len(connections) == 3

    asyncio.run(run())


def test_a_closed_connection_is_an_answer_at_once() -> None:
    async def serve(reader, _writer) -> None:
        await reader.read(256)

    async def run() -> None:
        async with streams(serve) as port:
            bus = ModbusBus.tcp(HOST, port, timeout_s=60.0)
            with pytest.raises(MeterError, match="no answer, but a closed connection"):
                await asyncio.wait_for(bus.read_block(1, ENERGY), 10)
            bus.close()

    asyncio.run(run())


def test_an_unreachable_gateway_is_left_alone_for_a_while() -> None:
    attempts = []

    class Knocked(ModbusBus):
        async def _open(self, unit: int, timeout_s: float) -> None:
            attempts.append(unit)
            await super()._open(unit, timeout_s)

    async def run() -> None:
        bus = Knocked.tcp(HOST, free_port())
        for unit in (1, 2, 3):
            with pytest.raises(MeterError) as caught:
                await bus.read_block(unit, ENERGY)
            assert caught.value.failure is Failure.NO_CONNECTION
        assert attempts == [1]
        bus.breaker.opens_until = asyncio.get_running_loop().time()
        with pytest.raises(MeterError):
            await bus.read_block(2, ENERGY)
        assert attempts == [1, 2]
        assert bus.breaker.failures == 2

    asyncio.run(run())


def test_an_unreachable_gateway_is_named_and_found_again() -> None:
    async def run() -> None:
        port = free_port()
        bus = ModbusBus.tcp(HOST, port)
        with pytest.raises(MeterError, match=rf"/3: no connection to {HOST}:{port}"):
            await bus.read_block(3, ENERGY)
        async with gateway(meter(), port=port):
            with pytest.raises(MeterError, match="no connection"):  # not tried again
                await bus.read_block(1, ENERGY)
            bus.breaker.succeeded()
            assert await bus.read_block(1, ENERGY) == ENERGY_1_KWH
        async with gateway(meter(), port=port):
            assert await bus.read_block(1, ENERGY) == ENERGY_1_KWH
        bus.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("host", "port"),
    [("meter..lan", 502), (f"{'m' * 64}.lan", 502), ("no\0host", 502), (HOST, 99999)],
)
def test_an_address_that_cannot_be_one_is_a_meter_not_reached(host, port) -> None:
    async def run() -> None:
        with pytest.raises(MeterError, match=f"/1: no connection to .*:{port}"):
            await ModbusBus.tcp(host, port).read_block(1, ENERGY)

    asyncio.run(run())


def test_meters_of_an_unreachable_gateway_share_one_failure() -> None:
    async def run() -> list[str]:
        # TEST-NET-1 leads nowhere; whoever waits behind a failed attempt learns of it.
        bus = ModbusBus.tcp("192.0.2.1", 502, timeout_s=0.3)
        start = asyncio.get_running_loop().time()
        reads = [bus.read_block(unit, ENERGY) for unit in range(1, 11)]
        errors = await asyncio.gather(*reads, return_exceptions=True)
        assert asyncio.get_running_loop().time() - start < 0.9
        return [str(error) for error in errors if isinstance(error, MeterError)]

    assert len(asyncio.run(run())) == 10
