"""A fleet's Modbus meters, asked by the collector's own bus and by pymodbus."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient

from collector.modbus.bus import MeterError, ModbusBus
from collector.modbus.memory import MeterMemory
from meters.blocks import Block, plan_blocks
from meters.clock import decode_clock, encode_clock
from meters.decode import decode_blocks
from meters.identity import decode_identity, plan_identity
from meters.load_profile import (
    decode_load_profile,
    plan_load_profile,
    plan_pointers,
    state_of,
)
from meters.load_records import LogRecord, LogState, merged
from meters.load_search import channel_of, plan_channel
from meters.meter import BusAddress, Framing
from meters.quantity import REGISTERS
from meters.reading import from_utc_us, utc_us
from simulators.meter_fleet.faults import Fault, Spell
from simulators.meter_fleet.ledger import Ledger, Standing
from simulators.meter_fleet.ledger_file import read_ledger
from simulators.meter_fleet.meter import LightMeter
from simulators.meter_fleet.modbus_frames import FramingKind
from simulators.meter_fleet.modbus_port import FleetPort
from simulators.meter_fleet.modbus_unit import FleetUnit
from simulators.simulator_error import SimulatorError
from tests.collector.waiting import until
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
                bus = ModbusBus.tcp(HOST, port.port, timeout_s=TIMEOUT_S)
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


def test_a_pass_goes_on_where_its_connection_is_renewed(tmp_path) -> None:
    meter, seen = one_meter("schneider-iem3155"), []

    @run_with(tmp_path, meter)
    async def port(port, bus) -> None:
        first, *rest = plan_blocks(meter.profile)
        blocks = {first: await bus.read_block(1, first)}
        bus.close()
        port.clock.ms += 1000
        blocks |= {block: await bus.read_block(1, block) for block in rest}
        seen.append(decode_blocks(meter.profile, blocks))
        seen.append(await read(bus, meter))

    given = read_ledger(port.file)
    assert len(given) == 2
    assert [from_utc_us(us) for us in given.measured_us] == [
        decoded.measured_at for decoded in seen
    ]


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
        (Fault.ENDLESS, "no Modbus TCP"),
        (Fault.WRONG_UNIT_ECHO, "an answer of unit 2"),
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


LOGGER = "keywatt-logger"


async def read_fast(bus: ModbusBus, meter: LightMeter, unit: int = 1) -> None:
    for block in plan_blocks(meter.profile, "fast"):
        await bus.read_block(unit, block)


def test_a_poll_without_what_is_slow_is_a_reading_too(tmp_path) -> None:
    meter = one_meter(LOGGER)

    @run_with(tmp_path, meter)
    async def port(_port, bus) -> None:
        await read(bus, meter)
        await read_fast(bus, meter)
        await read_fast(bus, meter)

    assert port.counted() == {"certain": 2, "doubtful": 1, "refusable": 0}


def test_a_poll_that_broke_off_amid_what_is_slow_is_in_doubt(tmp_path) -> None:
    meter = one_meter(LOGGER)
    slow = [b for b in plan_blocks(meter.profile) if b.address >= 160]
    [block] = slow
    half = Block(function="holding", address=block.address, count=2, registers=())

    @run_with(tmp_path, meter)
    async def port(_port, bus) -> None:
        await read_fast(bus, meter)
        await bus.read_block(1, half)
        await read_fast(bus, meter)

    assert port.counted() == {"certain": 0, "doubtful": 2, "refusable": 0}


def test_a_poll_in_which_something_was_refused_is_in_doubt(tmp_path) -> None:
    meter = one_meter("eastron-sdm630")
    beyond = Block(function="input", address=0x4000, count=1, registers=())

    @run_with(tmp_path, meter)
    async def port(_port, bus) -> None:
        await read(bus, meter)
        with pytest.raises(MeterError, match="exception 2"):
            await bus.read_block(1, beyond)
        await read(bus, meter)
        await read(bus, meter)

    assert port.counted() == {"certain": 1, "doubtful": 2, "refusable": 0}


def test_two_who_read_at_once_do_not_mix_their_passes(tmp_path) -> None:
    meter = one_meter("schneider-iem3155")
    first, *rest = plan_blocks(meter.profile)

    @run_with(tmp_path, meter)
    async def port(port, bus) -> None:
        other = ModbusBus.tcp(HOST, port.port, timeout_s=TIMEOUT_S)
        words = {first: await bus.read_block(1, first)}
        port.clock.ms += 1000
        await read(other, meter)
        words |= {block: await bus.read_block(1, block) for block in rest}
        decoded = decode_blocks(meter.profile, words)
        assert decoded.measured_at == from_utc_us(START_MS * 1000)
        true = meter.show(START_MS).values[REGISTERS[0]]
        assert decoded.values[REGISTERS[0]] == true
        other.close()

    assert port.counted()["doubtful"] == 2
    times = sorted(read_ledger(port.file).measured_us.tolist())
    assert times == [START_MS * 1000, (START_MS + 1000) * 1000]


def test_a_logger_says_who_it_is_and_what_it_recorded(tmp_path) -> None:
    meter = one_meter(LOGGER)
    end = from_utc_us((START_MS - START_MS % 900_000) * 1000)
    found = {}

    @run_with(tmp_path, meter)
    async def port(_port, bus) -> None:
        who = {b: await bus.read_block(1, b) for b in plan_identity(meter.profile)}
        told = decode_identity(meter.profile, who)
        assert (told.fits, told.serial) == (True, meter.serial)
        pointers = plan_pointers(meter.profile)
        words = {block: await bus.read_block(1, block) for block in pointers}
        state = state_of(meter.profile, words)
        begin = end - timedelta(hours=2)
        while asked := plan_load_profile(meter.profile, state, begin, end):
            for request in asked:
                words = await bus.read_block(1, request.block)
                records = decode_load_profile(meter.profile, request, words)
                state = state.after(request, records)
                found.update((r.measured_at, r.values) for r in records)

    # Nine quarter-hours, both ends included, each as the register stood then.
    for quarters in range(9):
        at = end - quarters * timedelta(minutes=15)
        counts = meter.counts_at(REGISTERS[0], utc_us(at) // 1000)
        assert found[at][REGISTERS[0]] == counts / 1000
    given = read_ledger(port.file)
    assert set(given.standing.tolist()) == {Standing.DOUBTFUL}
    assert {from_utc_us(us) for us in given.measured_us} == set(found)


def test_a_logger_of_intervals_tells_the_energy_of_each(tmp_path) -> None:
    meter = one_meter("keywatt-interval-logger")
    end = from_utc_us((START_MS - START_MS % 900_000) * 1000)
    found = {}

    @run_with(tmp_path, meter)
    async def port(_port, bus) -> None:
        pointers = plan_pointers(meter.profile)
        words = {block: await bus.read_block(1, block) for block in pointers}
        state = state_of(meter.profile, words)
        begin = end - timedelta(hours=1)
        while asked := plan_load_profile(meter.profile, state, begin, end):
            for request in asked:
                words = await bus.read_block(1, request.block)
                records = decode_load_profile(meter.profile, request, words)
                state = state.after(request, records)
                found.update((r.measured_at, r.values) for r in records)

    quarter = timedelta(minutes=15)
    for quarters in range(4):
        at = end - quarters * quarter
        ends = [utc_us(moment) // 1000 for moment in (at - quarter, at)]
        before, after = (meter.counts_at(REGISTERS[0], ms) for ms in ends)
        assert found[at][REGISTERS[0]] == pytest.approx((after - before) / 1000)
        assert after > before
    # Energy of intervals is no reading: the ledger of readings knows nothing of it.
    assert read_ledger(port.file).standing.size == 0


def searched(meter: LightMeter, begin, end):
    """Read a memory over the wire, as the collector does; yields what came, and when.

    Parameters
    ----------
    meter : LightMeter
        Unit 1.

    """

    async def read_memory(bus: ModbusBus) -> list[LogRecord]:
        memory, found = MeterMemory(Entry(meter), meter.profile, bus), []
        state, latest = LogState(count=1), asyncio.get_running_loop().time() + 60
        while (about := plan_channel(meter.profile, state)) is not None:
            told = await memory.ask(about, latest)
            state = state.knowing(channel_of(meter.profile, state, told))
        while asked := plan_load_profile(meter.profile, state, begin, end):
            words = await memory.ask(asked[0], latest)
            records = decode_load_profile(meter.profile, asked[0], words)
            found += [r for r in records if state.is_news(asked[0], r)]
            state = state.after(asked[0], records)
        return merged(found)

    return read_memory


class Entry:
    """What the memory's reader wants to know of a meter."""

    def __init__(self, _meter: LightMeter) -> None:
        self.unit = 1


@pytest.mark.parametrize("kind", [FramingKind.TCP, FramingKind.RTU])
def test_a_memory_is_searched_channel_by_channel(tmp_path, kind) -> None:
    meter, found = one_meter("abb-a44"), []
    end = from_utc_us((START_MS - START_MS % 900_000) * 1000)
    begin = end - timedelta(hours=6)
    address = BusAddress(host=HOST, port=0)

    async def run() -> FleetPort:
        async with port_of(tmp_path, meter, kind=kind) as port:
            framing = Framing.TCP if kind is FramingKind.TCP else Framing.RTU_OVER_TCP
            place = replace(address, port=port.port, framing=framing)
            bus = ModbusBus(place, timeout_s=2.0)
            found.extend(await searched(meter, begin, end)(bus))
            bus.close()
        return port

    port = asyncio.run(run())
    wanted = [begin + n * timedelta(minutes=15) for n in range(25)]
    times = [record.measured_at for record in found]
    assert [at for at in times if begin <= at <= end] == wanted
    for record in found:
        ended_ms = utc_us(record.measured_at) // 1000
        assert record.values == {
            quantity: meter.counts_at(quantity, ended_ms) / 100
            for quantity in REGISTERS
        }
    given = read_ledger(port.file)
    assert {from_utc_us(us) for us in given.measured_us} == set(times)
    assert set(given.standing.tolist()) == {Standing.DOUBTFUL}


def test_what_was_recorded_while_a_counter_glitched_is_marked_bad(tmp_path) -> None:
    meter, found = one_meter("abb-a44"), []
    end = from_utc_us((START_MS - START_MS % 900_000) * 1000)
    spell_ms = utc_us(end) // 1000 - 1000
    meter.spells = (
        Spell(
            fault=Fault.COUNTER_GLITCH,
            size=1.0,
            from_ms=spell_ms,
            until_ms=spell_ms + 2000,
        ),
    )

    @run_with(tmp_path, meter)
    async def port(_port, bus) -> None:
        begin = end - timedelta(minutes=30)
        found.extend(await searched(meter, begin, end)(bus))

    bad = [record for record in found if record.is_doubtful]
    assert {record.measured_at for record in bad} == {end}
    assert len(bad) == len(REGISTERS)
    times = {from_utc_us(us) for us in read_ledger(port.file).measured_us}
    assert end not in times
    assert end - timedelta(minutes=15) in times


def test_a_search_for_what_is_old_is_answered_late(tmp_path) -> None:
    # A day of quarter-hours is 0.19 s, so 0.4 s are two days and some.
    meter = one_meter("abb-a44")
    meter.installed_ms -= 3 * 86_400_000
    old = from_utc_us((START_MS - 225 * 900_000) * 1000)

    @run_with(tmp_path, meter)
    async def port(port, bus) -> None:
        await bus.write_registers(1, 0x8703, (1,))
        words = encode_clock(old, encoding="ymdhms8")
        with pytest.raises(MeterError, match="no answer"):
            await bus.write_registers(1, 0x8704, words)
        with pytest.raises(MeterError, match="no answer"):
            await read(bus, meter)
        unit = port.units[1]
        await until(lambda: asyncio.get_running_loop().time() > unit.busy_until_s)
        # It had been heard: nothing needs to be written again.
        block = Block(function="holding", address=0x8704, count=3, registers=())
        assert tuple(await bus.read_block(1, block)) == words
        block = Block(function="holding", address=0x8720, count=120, registers=())
        shown = await bus.read_block(1, block)
        assert decode_clock(shown[:3], encoding="ymdhms8") <= old

    assert port.requests >= 5


def test_nothing_else_can_be_written(tmp_path) -> None:
    meters = one_meter("abb-a44"), one_meter("keywatt-logger")

    @run_with(tmp_path, *meters)
    async def port(_port, bus) -> None:
        for unit, address, words in (
            (1, 0x5000, (1,)),
            (1, 0x8704, (1, 2)),
            (1, 0x8704, (1, 2, 3)),  # no date
            (2, 0x1000, (1,)),
        ):
            with pytest.raises(MeterError, match="exception 2"):
                await bus.write_registers(unit, address, words)
        # Nothing was searched yet.
        block = Block(function="holding", address=0x8720, count=120, registers=())
        assert await bus.read_block(1, block) == [0xFFFF] * 120

    assert port.requests == 5
