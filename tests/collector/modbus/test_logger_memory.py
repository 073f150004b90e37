"""The logger's memory, identity and ratios, read from a server over the wire."""

import asyncio
from datetime import UTC, datetime, timedelta

from meters.blocks import plan_blocks
from meters.decode import decode_blocks, encode_registers
from meters.event import MeterEvent
from meters.identity import (
    decode_identity,
    decode_ratios,
    encode_identity,
    plan_identity,
    plan_ratios,
)
from meters.load_memory import LogMemory, encode_load_profile
from meters.load_profile import (
    LogRecord,
    decode_load_profile,
    plan_load_profile,
    plan_pointers,
    state_of,
)
from meters.quantity import Quantity
from meters.ratios import Ratios
from tests.collector.modbus.gateway import modbus_profile
from tests.collector.modbus.test_sunspec_walk import device

IMPORT = Quantity.ENERGY_IMPORT_KWH
LOGGER = modbus_profile("keywatt-logger")
QUARTER = timedelta(minutes=15)
NOON = datetime(2018, 1, 15, 12, tzinfo=UTC)


def meter() -> dict[int, int]:
    """What a logger holds after 2000 quarter-hours of 100 kW, with one cover open."""
    records = [
        LogRecord(measured_at=NOON + i * QUARTER, values={IMPORT: 25.0 * i})
        for i in range(2000)
    ]
    now = NOON + 2000 * QUARTER
    held = encode_registers(LOGGER, {IMPORT: 50_000.0}, now, {MeterEvent.COVER_OPEN})
    held |= encode_identity(LOGGER, {"serial": "KW-17"}, Ratios(ct=80.0, pt=1.0))
    return held | encode_load_profile(LOGGER, LogMemory(records=records, total=2000))


async def words_of(bus, blocks):
    return {block: await bus.read_block(1, block) for block in blocks}


def test_a_gap_is_filled_from_the_meters_memory() -> None:
    begin, end = NOON + 1800 * QUARTER, NOON + 1900 * QUARTER

    async def run() -> None:
        found = {}
        async with device(meter()) as bus:
            state = state_of(LOGGER, await words_of(bus, plan_pointers(LOGGER)))
            while asked := plan_load_profile(LOGGER, state, begin, end):
                for request in asked:
                    words = await bus.read_block(1, request.block)
                    records = decode_load_profile(LOGGER, request, words)
                    state = state.after(request, records)
                    found |= {record.measured_at: record for record in records}
        wanted = [NOON + i * QUARTER for i in range(1800, 1901)]
        assert [found[at].values[IMPORT] for at in wanted] == [
            25.0 * i for i in range(1800, 1901)
        ]

    asyncio.run(run())


def test_the_logger_says_who_it_is_and_what_ails_it() -> None:
    async def run() -> None:
        async with device(meter()) as bus:
            who = await words_of(bus, plan_identity(LOGGER))
            ratios = await words_of(bus, plan_ratios(LOGGER))
            poll = await words_of(bus, plan_blocks(LOGGER, "fast"))
        assert decode_identity(LOGGER, who).fits is True
        assert decode_identity(LOGGER, who).serial == "KW-17"
        assert decode_ratios(LOGGER, ratios) == Ratios(ct=80.0, pt=1.0)
        decoded = decode_blocks(LOGGER, poll)
        assert decoded.values == {IMPORT: 50_000.0}
        assert decoded.measured_at == NOON + 2000 * QUARTER
        assert decoded.events == {MeterEvent.COVER_OPEN}

    asyncio.run(run())
