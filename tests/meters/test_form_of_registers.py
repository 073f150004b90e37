"""Every way a register can be laid out, drawn at random: decode undoes encode.

Also what goes with the registers: scale registers, paces, events, one request each.
"""

import math
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.blocks import Block, plan_blocks
from meters.decode import DecodeError, decode_blocks, encode_registers
from meters.encoding import Encoding
from meters.event import MeterEvent
from meters.modbus_parts import Register, ScaleRegister
from meters.profile import ModbusProfile
from meters.quantity import QUANTITIES, Quantity

Q = Quantity
NOON = datetime(2018, 1, 15, 12, tzinfo=UTC)
MOMENTARY = [quantity for quantity in QUANTITIES if not quantity.is_register]
ORDERS = ["big", "little"]
GOOD = {
    "name": "acme",
    "title": "Acme",
    "manual": {"document": "Acme", "revision": "1"},
    "transport": "modbus",
    "function": "holding",
    "word_order": "big",
    "byte_order": "big",
    "max_block": 125,
    "max_gap": 0,
    "register_digits": 6,
    "register_resolution": 0.01,
}


def profile_with(*registers, **others) -> ModbusProfile:
    """A profile of registers (quantity, address, encoding, further keys)."""
    laid = [
        {
            "quantity": quantity,
            "address": address,
            "manual": str(address),
            "encoding": encoding,
        }
        | further
        for quantity, address, encoding, further in registers
    ]
    return ModbusProfile.model_validate(GOOD | {"registers": laid} | others)


def answers(held, blocks) -> dict[Block, list[int]]:
    return {b: [held.get(b.address + i, 0) for i in range(b.count)] for b in blocks}


def read(profile, held, pace=None):
    return decode_blocks(profile, answers(held, plan_blocks(profile, pace)))


@st.composite
def profiles(draw):
    """Several momentary quantities in any encodings, orders, scales and paces."""
    registers, address = [], 0
    for quantity in draw(st.lists(st.sampled_from(MOMENTARY), unique=True, min_size=1)):
        encoding = draw(st.sampled_from(list(Encoding)))
        further = {
            "scale": draw(st.sampled_from([1.0, 0.1, 0.001])),
            "reverse": draw(st.booleans()),
            "word_order": draw(st.sampled_from([*ORDERS, None])),
            "byte_order": draw(st.sampled_from([*ORDERS, None])),
            "function": draw(st.sampled_from(["input", "holding", None])),
            "pace": draw(st.sampled_from(["fast", "slow"])),
            "alone": draw(st.sampled_from([False, False, False, True])),
        }
        if draw(st.booleans()):
            # Only one scale register is shared by several, of the same table.
            further["scale_register"] = draw(st.sampled_from([900, 901]))
            further["function"] = None
        ones = (1 << 16 * encoding.words) - 1
        absent = [None, ones, [ones, ones - 1]]
        if encoding.is_float:
            absent = [None, "nan", ["nan", ones]]
        further["not_available"] = draw(st.sampled_from(absent))
        address += draw(st.integers(0, 4))
        registers.append((quantity, address, encoding.value, further))
        address += encoding.words
    registers[0][3]["pace"] = "fast"
    return profile_with(
        *registers,
        word_order=draw(st.sampled_from(ORDERS)),
        byte_order=draw(st.sampled_from(ORDERS)),
        max_gap=draw(st.integers(0, 6)),
        max_block=draw(st.integers(4, 30)),
        one_request_each=draw(st.booleans()),
        clock=draw(
            st.sampled_from(
                [None]
                + [
                    {"address": 950, "manual": "951", "encoding": encoding}
                    for encoding in ("ti081", "unix32", "ymdhms8", "ymdhms-bcd")
                ]
            )
        ),
    )


@given(profile=profiles(), data=st.data())
def test_decode_undoes_encode(profile, data) -> None:
    sent = {
        r.quantity: data.draw(
            st.one_of(st.floats(0, 6), st.just(math.nan)), r.quantity.value
        )
        * (-1 if r.reverse else 1)
        for r in profile.registers
    }
    held = encode_registers(profile, sent, NOON)
    decoded = read(profile, held)
    assert decoded.measured_at == (NOON if profile.clock else None)
    for register in profile.registers:
        was = sent[register.quantity]
        found = decoded.values.get(register.quantity)
        if math.isnan(was):
            assert found is None or (register.not_available is None and found == 0)
            continue
        assert found == pytest.approx(was, abs=step_of(profile, register))


def step_of(profile, register) -> float:
    """How far a value may be off, once shown."""
    if register.encoding.is_float:
        return 1e-6
    if register.scale_register is None:
        return register.scale / 2 * (1 + 1e-9)
    # Whoever shares the power of ten may need it coarser: 6 / 0.001 in 9999 or more
    # are steps of 1 at the most; of 32767 or 9999 a tenth will do.
    finest = min(r.scale for r in profile.scaled_by(profile.scale_key(register)))
    return register.scale * max(0.001, 6 / 9998 / finest * 10) / 2 * (1 + 1e-9)


@given(profiles())
def test_each_pace_covers_its_registers_exactly(profile) -> None:
    for pace in (None, "fast", "slow"):
        wanted = {r.label for r in profile.registers if pace in {None, r.pace}}
        parts = [part for b in plan_blocks(profile, pace) for part in b.registers]
        registers = [part for part in parts if isinstance(part, Register)]
        assert sorted(r.label for r in registers) == sorted(wanted)
        labels = [part.label for part in parts]
        assert labels.count("clock") == bool(wanted and profile.clock)
        scales = {profile.scale_key(r) for r in registers} - {None}
        laid = [p for p in parts if isinstance(p, ScaleRegister)]
        assert {(p.function, p.address) for p in laid} == scales
        assert len(laid) == len(scales)


@given(profiles())
def test_no_block_breaks_a_rule(profile) -> None:
    for pace in (None, "fast", "slow"):
        for block in plan_blocks(profile, pace):
            assert block.count <= profile.max_block
            for a, b in pairwise(block.registers):
                assert b.address - a.address - a.words <= profile.max_gap
            if profile.one_request_each or any(p.alone for p in block.registers):
                assert len(block.registers) == 1


@given(profile=profiles(), data=st.data())
def test_a_partial_answer_gives_a_part_of_the_whole(profile, data) -> None:
    sent = {r.quantity: -2.0 if r.reverse else 2.0 for r in profile.registers}
    held = encode_registers(profile, sent, NOON)
    whole = read(profile, held).values
    for pace in ("fast", "slow"):
        part = read(profile, held, pace).values
        assert part.items() <= whole.items()
        wanted = {r.quantity for r in profile.registers if r.pace == pace}
        assert wanted <= part.keys()
    blocks = answers(held, plan_blocks(profile))
    some = data.draw(st.sets(st.sampled_from(sorted(blocks, key=repr))))
    part = decode_blocks(profile, {block: blocks[block] for block in some}).values
    assert part.items() <= whole.items()


def test_scale_registers_by_hand() -> None:
    scaled = {"scale_register": 10, "not_available": 0x8000}
    energy = {"scale": 0.001, "scale_register": 11}
    profile = profile_with(
        (Q.VOLTAGE_L1_V, 0, "int16", scaled),
        (Q.VOLTAGE_L2_V, 1, "int16", scaled),
        (Q.ENERGY_IMPORT_KWH, 2, "uint32", energy),
    )
    # 2305 x 10**-1 V; 67143 = 0x0001_0647 x 10**1 Wh.
    held = {0: 2305, 1: 0x8000, 10: 0xFFFF, 2: 0x0001, 3: 0x0647, 11: 1}
    assert read(profile, held).values == {
        Q.VOLTAGE_L1_V: 230.5,
        Q.ENERGY_IMPORT_KWH: 671.43,
    }
    # A power of ten that is not available takes with it what it belongs to.
    assert Q.VOLTAGE_L1_V not in read(profile, held | {10: 0x8000}).values
    with pytest.raises(DecodeError, match="scale register at 10: 37 is no power of"):
        read(profile, held | {10: 37})
    # Shown in counts of 0.01 kWh = 10**1 Wh, and it turns over at six digits: 10,000.00
    # kWh. 671.43 kWh are 67143.
    shown = encode_registers(profile, {Q.ENERGY_IMPORT_KWH: 10_671.43}, None)
    assert (shown[11], shown[2], shown[3]) == (1, 0x0001, 0x0647)


def test_a_scale_register_that_did_not_come_leaves_its_values_out() -> None:
    profile = profile_with(
        (Q.VOLTAGE_L1_V, 0, "int16", {"scale_register": 10}),
        (Q.FREQUENCY_HZ, 1, "int16", {}),
    )
    first, second = plan_blocks(profile)
    words = {first: [2305, 50], second: [0xFFFF]}
    assert decode_blocks(profile, {first: words[first]}).values == {Q.FREQUENCY_HZ: 50}
    assert decode_blocks(profile, {second: [0xFFFF]}).values == {}
    assert decode_blocks(profile, words).values[Q.VOLTAGE_L1_V] == 230.5


def test_a_block_that_runs_over_slow_registers_gives_them_too() -> None:
    profile = profile_with(
        (Q.VOLTAGE_L1_V, 0, "uint16", {}),
        (Q.VOLTAGE_L2_V, 1, "uint16", {"pace": "slow"}),
        (Q.VOLTAGE_L3_V, 2, "uint16", {}),
        max_gap=1,
    )
    (block,) = plan_blocks(profile, "fast")
    assert [part.label for part in block.registers] == ["voltage_l1_v", "voltage_l3_v"]
    assert decode_blocks(profile, {block: [230, 231, 232]}).values == {
        Q.VOLTAGE_L1_V: 230,
        Q.VOLTAGE_L2_V: 231,
        Q.VOLTAGE_L3_V: 232,
    }
    # A block that was cut in two, because a part of it did not answer.
    half = Block(function="holding", address=1, count=2, registers=())
    assert decode_blocks(profile, {half: [231, 232]}).values == {
        Q.VOLTAGE_L2_V: 231,
        Q.VOLTAGE_L3_V: 232,
    }


def test_nothing_slow_is_no_request() -> None:
    clock = {"address": 10, "manual": "11", "encoding": "unix32"}
    profile = profile_with((Q.FREQUENCY_HZ, 0, "uint16", {}), clock=clock)
    assert plan_blocks(profile, "slow") == ()
    assert plan_blocks(profile, "fast") == plan_blocks(profile)


EVENTS = [
    {"code": "phase-loss", "address": 20, "manual": "21", "bit": 3},
    {"code": "cover-open", "address": 20, "manual": "21", "bit": 0, "when": 0},
    {"code": "clock-reset", "address": 22, "manual": "23", "equals": 7},
    {
        "code": "reverse-current",
        "address": 30,
        "manual": "31",
        "encoding": "uint32",
        "bit": 17,
        "pace": "slow",
    },
]


def test_events_by_hand() -> None:
    profile = profile_with((Q.FREQUENCY_HZ, 0, "uint16", {}), events=EVENTS)
    assert [(b.address, b.count) for b in plan_blocks(profile)] == [
        (0, 1),
        (20, 1),
        (22, 1),
        (30, 2),
    ]
    assert [b.address for b in plan_blocks(profile, "fast")] == [0, 20, 22]
    assert [b.address for b in plan_blocks(profile, "slow")] == [30]
    # Bit 3 is 8, and bit 0 is clear; bit 17 is bit 1 of the high word.
    held = {20: 0x0008, 22: 7, 30: 0x0002, 31: 0}
    assert read(profile, held).events == set(MeterEvent) & {
        "phase-loss",
        "cover-open",
        "clock-reset",
        "reverse-current",
    }
    assert read(profile, {20: 0x0001, 22: 8}).events == frozenset()
    assert read(profile, held, "slow").events == {MeterEvent.REVERSE_CURRENT}


@given(
    st.sets(st.sampled_from([MeterEvent(event["code"]) for event in EVENTS])),
    st.sampled_from(ORDERS),
    st.sampled_from(ORDERS),
)
def test_events_are_found_again(events, word_order, byte_order) -> None:
    profile = profile_with(
        (Q.FREQUENCY_HZ, 0, "uint16", {}),
        events=EVENTS,
        word_order=word_order,
        byte_order=byte_order,
    )
    held = encode_registers(profile, {}, None, events)
    assert read(profile, held).events == events


@pytest.mark.parametrize("encoding", ["unix32", "since2000", "ymdhms8", "ymdhms16"])
@pytest.mark.parametrize("word_order", ORDERS)
@pytest.mark.parametrize("byte_order", ORDERS)
def test_a_clock_is_found_again_in_every_order(
    encoding, word_order, byte_order
) -> None:
    profile = profile_with(
        (Q.FREQUENCY_HZ, 0, "uint16", {}),
        clock={"address": 1, "manual": "2", "encoding": encoding},
        word_order=word_order,
        byte_order=byte_order,
    )
    held = encode_registers(profile, {Q.FREQUENCY_HZ: 50.0}, NOON)
    assert read(profile, held).measured_at == NOON
    assert read(profile, encode_registers(profile, {}, None)).measured_at is None


def test_a_counter_that_fills_its_bits_starts_again_there() -> None:
    profile = profile_with(
        (Q.ENERGY_IMPORT_KWH, 0, "uint32", {"scale": 0.01}),
        turnover="bits",
        register_digits=10,
    )
    # 2**32 counts of 0.01 kWh are 42,949,672.96 kWh; 12.34 kWh more are shown alone.
    assert profile.turn_counts == 2**32
    held = encode_registers(profile, {Q.ENERGY_IMPORT_KWH: 42_949_685.30}, None)
    assert read(profile, held).values == {Q.ENERGY_IMPORT_KWH: 12.34}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([0x0A30], r"frequency_hz at 0 \(manual 0\): 0A30 is not of the decimal"),
        ([0x10000], r"frequency_hz at 0 \(manual 0\): \[65536\] are not"),
    ],
)
def test_digits_that_are_none_name_the_register(words, told) -> None:
    profile = profile_with((Q.FREQUENCY_HZ, 0, "bcd16", {"scale": 0.1}))
    (block,) = plan_blocks(profile)
    assert decode_blocks(profile, {block: [0x0500]}).values == {Q.FREQUENCY_HZ: 50.0}
    with pytest.raises(DecodeError, match=told):
        decode_blocks(profile, {block: words})
