"""The fewest requests, against trying all ways."""

from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.blocks import Block, plan_blocks
from meters.profile import ModbusProfile, load_profile, profile_names
from meters.quantity import QUANTITIES


def profile_of(places, max_block, max_gap) -> ModbusProfile:
    """A profile with registers at (function, address, encoding)."""
    return ModbusProfile.model_validate(
        {
            "name": "acme",
            "title": "Acme",
            "manual": {"document": "Acme", "revision": "1"},
            "transport": "modbus",
            "function": "input",
            "word_order": "big",
            "byte_order": "big",
            "max_block": max_block,
            "max_gap": max_gap,
            "register_digits": 4,
            "register_resolution": 1.0,
            "registers": [
                {
                    "quantity": quantity,
                    "address": address,
                    "manual": str(address),
                    "encoding": encoding,
                    "function": function,
                }
                for quantity, (function, address, encoding) in zip(
                    QUANTITIES, places, strict=False
                )
            ],
        }
    )


WORDS = {"int16": 1, "float32": 2, "int64": 4}


@st.composite
def profiles(draw):
    """Up to nine registers anywhere, none overlapping."""
    places, address = [], {"input": 0, "holding": 0}
    for _ in range(draw(st.integers(1, 9))):
        function = draw(st.sampled_from(["input", "input", "holding"]))
        encoding = draw(st.sampled_from(list(WORDS)))
        address[function] += draw(st.integers(0, 6))
        places.append((function, address[function], encoding))
        address[function] += WORDS[encoding]
    order = draw(st.permutations(places))
    return profile_of(order, draw(st.integers(4, 20)), draw(st.integers(0, 6)))


def fewest(profile: ModbusProfile) -> int:
    """Least number of allowed requests, by trying every way to cut the registers."""
    parts = profile.placed

    def allowed(run) -> bool:
        same = len({profile.function_of(part) for part in run}) == 1
        gaps = [b.address - a.address - a.words for a, b in pairwise(run)]
        span = run[-1].address + run[-1].words - run[0].address
        gap_ok = all(gap <= profile.max_gap for gap in gaps)
        return same and gap_ok and span <= profile.max_block

    @cache
    def best(start: int) -> int:
        if start == len(parts):
            return 0
        ends = [e for e in range(start + 1, len(parts) + 1) if allowed(parts[start:e])]
        return 1 + min(best(end) for end in ends)

    return best(0)


@given(profiles())
def test_no_way_needs_fewer_requests(profile) -> None:
    blocks = plan_blocks(profile)
    assert len(blocks) == fewest(profile)
    assert [part for block in blocks for part in block.registers] == profile.placed
    for block in blocks:
        assert block.count <= profile.max_block
        for part in block.registers:
            assert block.function == profile.function_of(part)
            assert block.address <= part.address
            assert part.address + part.words <= block.address + block.count


@pytest.mark.parametrize("name", profile_names())
def test_shipped_profiles_stay_within_their_rules(name) -> None:
    profile = load_profile(name)
    if isinstance(profile, ModbusProfile):
        for block in plan_blocks(profile):
            assert block.count <= profile.max_block
            for a, b in pairwise(block.registers):
                assert b.address - a.address - a.words <= profile.max_gap


def plan_of(name) -> list[tuple[str, int, int]]:
    profile = load_profile(name)
    assert isinstance(profile, ModbusProfile)
    return [(b.function, b.address, b.count) for b in plan_blocks(profile)]


def test_the_sdm630_is_read_in_one_request_of_its_80_registers() -> None:
    # 30001 to 30079: addresses 0 to 79, the manual's limit of 40 values.
    assert plan_of("eastron-sdm630") == [("input", 0, 80)]


def test_the_em340_takes_two_requests() -> None:
    # 0000h to 0051h are 82 registers, 50 a request.
    assert plan_of("carlo-gavazzi-em340") == [("input", 0, 50), ("input", 51, 31)]


def test_the_iem3155_is_never_read_over_a_hole() -> None:
    # The clock; then currents, voltages, power, reactive power, frequency, energy each.
    assert plan_of("schneider-iem3155") == [
        ("holding", 1844, 4),
        ("holding", 2999, 6),
        ("holding", 3027, 6),
        ("holding", 3053, 8),
        ("holding", 3067, 2),
        ("holding", 3109, 2),
        ("holding", 3203, 8),
        ("holding", 3219, 8),
    ]


def test_a_block_is_known_by_what_it_asks() -> None:
    one = Block(function="input", address=0, count=2, registers=())
    assert {one: "words"}[
        Block(function="input", address=0, count=2, registers=())
    ] == "words"
