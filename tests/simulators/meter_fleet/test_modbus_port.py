"""A fleet's Modbus meters, asked by the collector's own bus and by pymodbus."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient

from collector.modbus.bus import MeterError, ModbusBus
from meters.blocks import Block, plan_blocks
from meters.decode import decode_blocks
from meters.quantity import REGISTERS
from meters.reading import from_utc_us
from simulators.meter_fleet.faults import Fault
from simulators.meter_fleet.ledger import Ledger
from simulators.meter_fleet.ledger_file import read_ledger
from simulators.meter_fleet.meter import LightMeter
from simulators.meter_fleet.modbus_frames import FramingKind
from simulators.meter_fleet.modbus_port import FleetPort
from simulators.meter_fleet.modbus_unit import FleetUnit
from simulators.simulator_error import SimulatorError
from tests.simulators.meter_fleet.made import MODBUS_PROFILES, START_MS, one_meter

HOST = "127.0.0.1"
TIMEOUT_S = 0.2


class Clock:
    """The fleet's time, which passes when it is told to."""

    def __init__(self) -> None:
        self.ms = START_MS

    def __call__(self) -> int:
        return self.ms


class Answered(FleetPort):
    """A port on a free number, with its clock and its ledger's file."""

    clock: Clock
    file: object

    def counted(self) -> dict[str, int]:
        return self.ledger.summary().given["modbus"]


@asynccontextmanager
async def port_of(tmp_path, *meters: LightMeter, kind=FramingKind.TCP):
    """Serve meters as units 1, 2, ... while the block lasts."""
    for index, meter in enumerate(meters):
        meter.index = index
    file = tmp_path / "ledger.parquet"
    with Ledger(meters, file) as ledger:
        units = [
            (number, FleetUnit(meter, meter.profile, ledger))
            for number, meter in enumerate(meters, start=1)
        ]
        clock = Clock()
        async with Answered(
            units, host=HOST, port=0, kind=kind, now_ms=clock, ledger=ledger
        ) as port:
            port.clock, port.file = clock, file
            yield port


async def read(bus: ModbusBus, meter: LightMeter, unit: int = 1):
    blocks = {
        block: await bus.read_block(unit, block) for block in plan_blocks(meter.profile)
    }
    return decode_blocks(meter.profile, blocks)


def run_with(tmp_path, *meters, kind=FramingKind.TCP):
    """Decorate a coroutine that takes a port and a bus; it runs at once."""

    def decorate(test) -> FleetPort:
        async def run() -> FleetPort:
            async with port_of(tmp_path, *meters, kind=kind) as port:
                bus = ModbusBus(HOST, port.port, timeout_s=TIMEOUT_S)
                await test(port, bus)
                bus.close()
            return port

        return asyncio.run(run())

    return decorate


@pytest.mark.parametrize("name", MODBUS_PROFILES)
def test_what_is_read_is_what_the_ledger_holds(tmp_path, name) -> None:
    meter, seen = one_meter(name), []

    @run_with(tmp_path, meter)
    async def port(port, bus) -> None:
        for _ in range(3):
            port.clock.ms += 1000
            seen.append(await read(bus, meter))

    # Two were asked for again, so they had arrived; whether the third did, who knows.
    assert port.counted() == {"certain": 2, "doubtful": 1, "refusable": 0}
    given = read_ledger(port.file)
    assert given.registers.tolist() == [
        [decoded.values[quantity] for quantity in REGISTERS] for decoded in seen
    ]
    if meter.has_clock:
        times = [from_utc_us(us) for us in given.measured_us]
        assert times == [decoded.measured_at for decoded in seen]


def test_a_pass_that_was_not_ended_was_not_given(tmp_path) -> None:
    meter = one_meter("schneider-iem3155")

    @run_with(tmp_path, meter)
    async def port(_port, bus) -> None:
        for block in plan_blocks(meter.profile)[:-1]:
            await bus.read_block(1, block)
        await read(bus, meter)

    assert sum(port.counted().values()) == 1


def test_a_new_connection_proves_nothing_about_the_last_answer(tmp_path) -> None:
    meter = one_meter("eastron-sdm630")

    @run_with(tmp_path, meter)
    async def port(_port, bus) -> None:
        for _ in range(3):
            await read(bus, meter)
            bus.close()

    assert port.counted()["doubtful"] == 3


@pytest.mark.parametrize(
    ("kind", "framer"),
    [(FramingKind.TCP, FramerType.SOCKET), (FramingKind.RTU, FramerType.RTU)],
)
def test_pymodbus_reads_over_either_framing(tmp_path, kind, framer) -> None:
    meters = [one_meter("carlo-gavazzi-em340") for _ in range(3)]

    async def run() -> None:
        async with port_of(tmp_path, *meters, kind=kind) as port:
            client = AsyncModbusTcpClient(HOST, port=port.port, framer=framer)
            await client.connect()
            for unit in (1, 2, 3):
                answer = await client.read_input_registers(0, count=50, device_id=unit)
                assert len(answer.registers) == 50
            for address, count in ((0x0052, 1), (0xFFFF, 1), (0, 100)):
                answer = await client.read_input_registers(address, count=count)
                assert answer.exception_code == 2
            answer = await client.write_register(0, 1)
            assert answer.exception_code == 1
            answer = await client.read_input_registers(0, count=1, device_id=77)
            assert answer.exception_code == 11
            client.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault.DEAD, "no answer"),
        (Fault.LATE_REPLY, "no answer"),
        (Fault.ENDLESS, "no answer"),
        (Fault.WRONG_UNIT_ECHO, "no answer"),
        (Fault.EXCEPTION, "exception"),
        (Fault.GARBAGE, None),
    ],
)
def test_nothing_is_given_where_nothing_is_answered(tmp_path, fault, said) -> None:
    meter, healthy = one_meter("eastron-sdm630", fault), one_meter("eastron-sdm630")

    @run_with(tmp_path, meter, healthy)
    async def port(_port, bus) -> None:
        for _ in range(4):
            with pytest.raises(MeterError, match=said):
                await read(bus, meter)
            await read(bus, healthy, unit=2)

    assert sum(port.counted().values()) == 4  # the healthy one's
    assert port.ledger.withheld[fault] == 4
    assert set(read_ledger(port.file).meter.tolist()) == {1}


def test_a_slow_answer_counts_once_it_is_sent(tmp_path) -> None:
    meter = one_meter("eastron-sdm630", Fault.SLOW, size=0.05)

    @run_with(tmp_path, meter)
    async def port(_port, bus) -> None:
        for _ in range(2):
            await read(bus, meter)

    assert port.counted() == {"certain": 1, "doubtful": 1, "refusable": 0}


def test_an_answer_after_which_the_client_had_asked_on_is_in_doubt(tmp_path) -> None:
    meter = one_meter("eastron-sdm630", Fault.LATE_REPLY, size=0.1)
    healthy = one_meter("eastron-sdm630")

    async def run() -> FleetPort:
        async with port_of(tmp_path, meter, healthy) as port:
            # A client that does not hang up after a time-out, and goes on to the next.
            reader, writer = await asyncio.open_connection(HOST, port.port)
            for transaction, unit in ((1, 1), (2, 2)):
                head = transaction.to_bytes(2, "big") + bytes([0, 0, 0, 6, unit])
                writer.write(head + bytes([4, 0, 0, 0, 80]))
            first = await reader.readexactly(9 + 160)
            late = await reader.readexactly(9 + 160)
            assert (first[1], late[1]) == (2, 1)  # which is what makes it dangerous
            writer.close()
        return port

    port = asyncio.run(run())
    assert port.counted() == {"certain": 0, "doubtful": 2, "refusable": 0}


def test_a_hole_fails_the_block_over_it_and_nothing_else(tmp_path) -> None:
    meter = one_meter("eastron-sdm630", Fault.HOLE)
    [whole] = plan_blocks(meter.profile)

    @run_with(tmp_path, meter)
    async def port(_port, bus) -> None:
        with pytest.raises(MeterError, match="exception 2"):
            await bus.read_block(1, whole)
        # Past the hole, at the first register that the manual leaves out (0x12).
        for address, count in ((0, 0x12), (0x13, 0x50 - 0x13)):
            part = Block(function="input", address=address, count=count, registers=())
            await bus.read_block(1, part)

    assert sum(port.counted().values()) == 1


def test_haste_is_missed_and_patience_answered(tmp_path) -> None:
    meter = one_meter("schneider-iem3155", Fault.HASTE, size=TIMEOUT_S / 2)
    first, second, *_ = plan_blocks(meter.profile)

    @run_with(tmp_path, meter)
    async def port(_port, bus) -> None:
        await bus.read_block(1, first)
        with pytest.raises(MeterError, match="no answer"):
            await bus.read_block(1, second)
        await bus.read_block(1, second)  # a whole time-out later


def test_the_other_word_order_is_what_the_ledger_expects_to_be_stored(
    tmp_path,
) -> None:
    meter, seen = one_meter("carlo-gavazzi-em340", Fault.WORD_ORDER), []

    @run_with(tmp_path, meter)
    async def port(port, bus) -> None:
        for _ in range(2):
            seen.append(await read(bus, meter))
            port.clock.ms += 1000

    given = read_ledger(port.file)
    # 20 MWh with the words turned is millions of them.
    assert given.registers[0, 0] == seen[0].values[REGISTERS[0]] > 1e6
    assert port.counted()["refusable"] == 1


def test_everything_twice_is_no_second_reading(tmp_path) -> None:
    meter = one_meter("eastron-sdm630", Fault.DUPLICATE)

    async def run() -> FleetPort:
        async with port_of(tmp_path, meter) as port:
            reader, writer = await asyncio.open_connection(HOST, port.port)
            for transaction in range(3):
                head = bytes([0, transaction, 0, 0, 0, 6, 1])
                writer.write(head + bytes([4, 0, 0, 0, 80]))
                first, again = [await reader.readexactly(9 + 160) for _ in range(2)]
                assert first == again
            writer.close()
        return port

    assert sum(asyncio.run(run()).counted().values()) == 3


def test_a_taken_port_is_said_in_one_sentence(tmp_path) -> None:
    async def run() -> None:
        async with port_of(tmp_path) as port:
            again = FleetPort(
                [],
                host=HOST,
                port=port.port,
                kind=FramingKind.TCP,
                now_ms=port.clock,
                ledger=port.ledger,
            )
            with pytest.raises(SimulatorError, match="cannot listen on"):
                await again.__aenter__()

    asyncio.run(run())
