"""RTU frames, through a serial-device server and on a serial line."""

import asyncio

import pytest
from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType

from collector.modbus.bus import MeterError, ModbusBus
from collector.modbus.failure import Failure
from collector.modbus.turns import Asking
from meters.blocks import Block
from meters.decode import decode_blocks
from meters.meter import BusAddress, Framing
from meters.quantity import Quantity
from tests.collector.modbus.gateway import Unit, gateway, raw_server, streams
from tests.collector.modbus.serial_line import loose_line, rtu, serial_line
from tests.collector.modbus.test_bus import (
    ENERGY,
    ENERGY_1_KWH,
    SDM630,
    VOLTAGE_230_V,
    VOLTAGES,
    WHOLE,
    meter,
)
from tests.fix_broker import HOST


def over_tcp(port: int, timeout_s: float = 2.0) -> ModbusBus:
    address = BusAddress(framing=Framing.RTU_OVER_TCP, host=HOST, port=port)
    return ModbusBus(address, timeout_s=timeout_s)


def on(device: str, timeout_s: float = 2.0) -> ModbusBus:
    address = BusAddress(framing=Framing.SERIAL, device=device)
    return ModbusBus(address, timeout_s=timeout_s)


def test_meters_behind_a_serial_device_server_are_read() -> None:
    async def run() -> None:
        async with gateway(meter(1), meter(2), framer=FramerType.RTU) as port:
            bus = over_tcp(port)
            assert await bus.read_block(1, VOLTAGES) == VOLTAGE_230_V
            assert await bus.read_block(2, ENERGY) == ENERGY_1_KWH
            bus.close()

    asyncio.run(run())


def test_meters_on_a_serial_line_are_read() -> None:
    async def run() -> None:
        async with serial_line(meter(1), meter(2)) as line:
            bus = on(line.device)
            decoded = decode_blocks(SDM630, {WHOLE: await bus.read_block(1, WHOLE)})
            assert decoded.values[Quantity.VOLTAGE_L1_V] == 230.0
            assert await bus.read_block(2, ENERGY) == ENERGY_1_KWH
            bus.close()

    asyncio.run(run())


def test_an_exception_on_a_serial_line_is_one() -> None:
    async def run() -> None:
        async with serial_line(meter(refusal=ExcCodes.ILLEGAL_ADDRESS)) as line:
            bus = on(line.device)
            with pytest.raises(MeterError, match=r"exception 2 \(illegal address\)"):
                await bus.read_block(1, ENERGY)
            bus.close()

    asyncio.run(run())


def test_a_line_that_is_not_there_is_named() -> None:
    async def run() -> None:
        with pytest.raises(MeterError) as caught:
            await on("/dev/none-such").read_block(1, ENERGY)
        assert caught.value.failure is Failure.NO_CONNECTION
        assert "no connection to /dev/none-such" in str(caught.value)

    asyncio.run(run())


class SlowMeter:
    """Answers in the order of the requests, and the first one too late.

    Words of a register are its address, so that each answer tells what was asked.
    """

    def __init__(self, late_s: float) -> None:
        self.late_s = late_s
        self.is_late = True
        self.free_at = 0.0

    def answer(self, request: bytes) -> bytes:
        unit, function, _, address, _, count = request[:6]
        words = b"".join(n.to_bytes(2) for n in range(address, address + count))
        return rtu(unit, bytes([function, 2 * count]) + words)

    def hear(self, say, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        begins = max(loop.time(), self.free_at)
        self.free_at = begins + (self.late_s if self.is_late else 0.0)
        self.is_late = False
        loop.call_at(self.free_at, say, self.answer(data))


def block(address: int, count: int) -> Block:
    return Block(function="input", address=address, count=count, registers=())


@pytest.mark.parametrize("how", ["time-out", "cancelled"])
@pytest.mark.parametrize("later", [0x48, 0x0A])
def test_a_late_answer_on_a_serial_line_is_never_taken_for_another(how, later) -> None:
    # Unit 1 answers the first request 0.3 s later, when it is given up and the next, of
    # the same length, has been sent: nothing in an RTU frame tells the two apart.
    slow = SlowMeter(0.3)

    async def run() -> None:
        async with loose_line(lambda line, data: slow.hear(line.say, data)) as line:
            bus = on(line.device, timeout_s=0.1 if how == "time-out" else 5.0)
            given_up = asyncio.create_task(bus.read_block(1, block(0, 2)))
            await asyncio.sleep(0.1)
            if how == "cancelled":
                given_up.cancel()
            with pytest.raises((MeterError, asyncio.CancelledError)):
                await given_up
            bus.timeout_s = 5.0
            assert await bus.read_block(1, block(later, 2)) == [later, later + 1]
            assert await bus.read_block(1, block(0, 2)) == [0, 1]
            bus.close()

    asyncio.run(run())


def test_a_late_answer_of_one_meter_costs_another_nothing() -> None:
    slow = SlowMeter(0.2)

    async def run() -> None:
        async with loose_line(lambda line, data: slow.hear(line.say, data)) as line:
            bus = on(line.device, timeout_s=0.1)
            with pytest.raises(MeterError, match=r"/1: no answer"):
                await bus.read_block(1, block(0, 2))
            bus.timeout_s = 5.0
            # Unit 1's answer comes first, then that of unit 2.
            assert await bus.read_block(2, block(4, 2)) == [4, 5]
            bus.close()

    asyncio.run(run())


def test_a_late_answer_that_a_device_server_kept_is_not_taken_either() -> None:
    slow, writers = SlowMeter(0.3), []

    async def serve(reader, writer) -> None:
        writers.append(writer)
        # Whoever is connected now hears what the line brings.
        while request := await reader.read(256):
            slow.hear(writers[-1].write, request)

    async def run() -> None:
        async with streams(serve) as port:
            bus = over_tcp(port, timeout_s=0.1)
            with pytest.raises(MeterError):
                await bus.read_block(1, block(0, 2))
            bus.timeout_s = 5.0
            assert await bus.read_block(1, block(0x48, 2)) == [0x48, 0x49]
            bus.close()
        assert len(writers) == 2

    asyncio.run(run())


@pytest.mark.parametrize("framing", ["serial", "rtu-over-tcp"])
def test_an_answer_of_a_unit_that_nobody_asked_is_refused(framing) -> None:
    answers = [rtu(9, b"\x04\x04\0\1\0\2"), rtu(1, b"\x04\x04\x3f\x80\0\0")]

    async def reply(_: bytes) -> bytes:
        return answers.pop(0)

    async def check(bus: ModbusBus) -> None:
        with pytest.raises(MeterError, match="/1: an answer of unit 9 to") as caught:
            await bus.read_block(1, ENERGY)
        assert caught.value.failure is Failure.WRONG_ANSWER
        answers.insert(0, rtu(1, b"\x84\x02"))  # to what settles that nothing is owed
        assert await bus.read_block(1, ENERGY) == ENERGY_1_KWH
        bus.close()

    async def run() -> None:
        if framing == "serial":
            async with loose_line(lambda line, _: line.say(answers.pop(0))) as line:
                await check(on(line.device))
        else:
            async with raw_server(reply) as port:
                await check(over_tcp(port))

    asyncio.run(run())


def test_a_line_that_is_never_silent_is_given_up_in_one_sentence() -> None:
    async def run() -> None:
        async with loose_line(lambda *_: None) as line:
            bus = on(line.device, timeout_s=5.0)

            async def babble() -> None:
                while True:
                    line.say(b"\x55" * 64)
                    await asyncio.sleep(0.001)

            babbling = asyncio.create_task(babble())
            try:
                for _ in range(2):  # to a request, and before the next one
                    with pytest.raises(MeterError, match="/1: bytes without end") as ex:
                        await bus.read_block(1, ENERGY)
                    assert ex.value.failure is Failure.WRONG_ANSWER
            finally:
                babbling.cancel()
                bus.close()

    asyncio.run(run())


def test_nothing_is_asked_while_an_answer_that_was_given_up_trickles_in() -> None:
    asked_at: list[float] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        trickled_at = [0.0]

        async def trickle(line) -> None:
            for _ in range(40):
                line.say(b"\x55")
                trickled_at[0] = loop.time()
                await asyncio.sleep(0.001)

        def hear(line, data: bytes) -> None:
            asked_at.append(loop.time())
            if len(asked_at) == 1:
                trickling.append(asyncio.create_task(trickle(line)))
            else:
                line.say(SlowMeter(0).answer(data))

        trickling: list[asyncio.Task[None]] = []
        async with loose_line(hear) as line:
            bus = on(line.device, timeout_s=0.03)
            with pytest.raises(MeterError):
                await bus.read_block(1, block(0, 2))
            bus.timeout_s = 5.0
            assert await bus.read_block(2, block(4, 2)) == [4, 5]
            await asyncio.wait(trickling)
            bus.close()
        assert asked_at[1] > trickled_at[0]

    asyncio.run(run())


def test_a_line_rests_between_requests_as_long_as_its_meters_need() -> None:
    async def run() -> None:
        async with serial_line(unit := meter(1)) as line:
            bus = on(line.device)
            for _ in range(2):
                await bus.read_block(1, ENERGY, Asking(pause_s=0.15))
            bus.close()
        assert unit.asked_at[1] - unit.asked_at[0] >= 0.15

    asyncio.run(run())


def test_a_unit_is_served_after_the_gateway_was_renewed() -> None:
    units = Unit(1, delay_s=60), meter(2)

    async def run() -> None:
        async with gateway(*units, framer=FramerType.RTU) as port:
            bus = over_tcp(port, timeout_s=0.1)
            with pytest.raises(MeterError, match="/1: no answer"):
                await bus.read_block(1, ENERGY)
            assert await bus.read_block(2, ENERGY) == ENERGY_1_KWH
            bus.close()

    asyncio.run(run())


def test_an_adapter_that_is_unplugged_is_a_line_that_is_not_there(tmp_path) -> None:
    name = tmp_path / "line"  # as /dev/serial/by-id names what is plugged in

    async def run() -> None:
        bus = on(str(name), timeout_s=5.0)
        for _ in range(2):
            async with serial_line(meter(1)) as line:
                name.symlink_to(line.device)
                bus.breaker.succeeded()
                assert await bus.read_block(1, ENERGY) == ENERGY_1_KWH
            name.unlink()
            with pytest.raises(MeterError) as caught:
                await asyncio.wait_for(bus.read_block(1, ENERGY), 4)
            assert caught.value.failure is Failure.NO_CONNECTION
        bus.close()

    asyncio.run(run())
