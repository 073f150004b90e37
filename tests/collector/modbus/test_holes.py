import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.modbus.failure import Failure, MeterError
from collector.modbus.holes import TRIED_AGAIN_S, Plan
from meters.blocks import Block
from meters.decode import decode_blocks
from meters.modbus_profile import ModbusProfile
from meters.quantity import REGISTERS, Quantity
from tests.collector.modbus.gateway import modbus_profile

SDM630 = modbus_profile("eastron-sdm630")
ADDRESSES = sorted(register.address for register in SDM630.registers)
ENERGY = {r.address for r in SDM630.registers if r.quantity.is_register}


def illegal(block: Block, code: int = 2) -> MeterError:
    return MeterError(f"{block}", Failure.EXCEPTION, exception_code=code)


class HoledMeter:
    """Refuses every request that touches one of its holes, or is too long."""

    def __init__(self, *holes: int, most: int = 125) -> None:
        self.holes, self.most = set(holes), most
        self.asked: list[Block] = []

    async def ask(self, block: Block) -> list[int]:
        self.asked.append(block)
        touched = self.holes & set(range(block.address, block.address + block.count))
        if touched or block.count > self.most:
            raise illegal(block, 2 if touched else 3)
        return [0] * block.count

    def poll(self, plan: Plan, at: float = 0.0, *, slow: bool = True) -> set[str]:
        """Poll the meter once; return the names of what was read."""
        words = {}

        async def run() -> None:
            for block in plan.blocks(at, slow=slow):
                try:
                    words[block] = await self.ask(block)
                except MeterError as exc:
                    words.update(await plan.mended(block, exc, self.ask, at))

        self.asked.clear()
        asyncio.run(run())
        return set(decode_blocks(plan.profile, words).values)


def names(*but: int) -> set[str]:
    return {r.quantity for r in SDM630.registers if r.address not in but}


def test_the_rest_of_a_block_is_read_around_a_hole() -> None:
    plan, meter = Plan(SDM630), HoledMeter(0x34)
    assert meter.poll(plan) == names(0x34)
    assert [part.label for part in plan.missing] == ["active_power_kw"]
    # The whole, a search among its 17 parts (2**4 = 16 and one), the hole, the rest.
    assert len(meter.asked) <= 1 + 5 + 1 + 1
    # Known by now: what is before the hole, and what is after it.
    assert meter.poll(plan) == names(0x34)
    assert [(b.address, b.count) for b in meter.asked] == [(0, 18), (0x3C, 20)]


@given(st.sets(st.sampled_from(ADDRESSES), min_size=1))
def test_everything_but_the_holes_is_read_with_the_fewest_requests(holes) -> None:
    plan, meter = Plan(SDM630), HoledMeter(*holes)
    if holes >= ENERGY:
        with pytest.raises(MeterError):
            meter.poll(plan)
        return
    assert meter.poll(plan) == names(*holes)
    assert {part.address for part in plan.missing} == holes
    assert len(meter.asked) <= 1 + 7 * len(holes)
    assert meter.poll(plan) == names(*holes)
    # One run of parts without a hole in it is one request.
    runs = sum(
        a not in holes and (at == 0 or ADDRESSES[at - 1] in holes)
        for at, a in enumerate(ADDRESSES)
    )
    assert len(meter.asked) == runs


@given(st.integers(4, 79))
def test_a_meter_that_gives_less_at_once_is_asked_for_less(most: int) -> None:
    plan, meter = Plan(SDM630), HoledMeter(most=most)
    assert meter.poll(plan) == names()
    assert plan.missing == ()
    assert meter.poll(plan) == names()
    assert all(block.count <= most for block in meter.asked)


def test_a_gap_that_cannot_be_read_over_costs_no_quantity() -> None:
    plan, meter = Plan(SDM630), HoledMeter(0x20)
    assert meter.poll(plan) == names()
    assert plan.missing == ()
    meter.poll(plan)
    assert [(b.address, b.count) for b in meter.asked] == [(0, 18), (0x34, 28)]


def test_without_an_energy_register_it_is_the_meter_that_fails() -> None:
    plan, meter = Plan(SDM630), HoledMeter(*ENERGY)
    with pytest.raises(MeterError) as caught:
        meter.poll(plan)
    assert caught.value.exception_code == 2
    # Nothing was remembered: when it has started up, it is read as a whole.
    meter.holes.clear()
    assert meter.poll(plan) == names()
    assert len(meter.asked) == 1


def test_holes_are_tried_again_after_a_day() -> None:
    plan, meter = Plan(SDM630), HoledMeter(0x34)
    meter.poll(plan, at=100.0)
    meter.holes.clear()
    assert meter.poll(plan, at=99.0 + TRIED_AGAIN_S) == names(0x34)
    assert meter.poll(plan, at=100.0 + TRIED_AGAIN_S) == names()


def test_a_time_out_while_looking_for_holes_is_one_and_nothing_is_remembered() -> None:
    class Dying(HoledMeter):
        async def ask(self, block: Block) -> list[int]:
            if len(self.asked) == 3:
                raise MeterError("no answer")
            return await super().ask(block)

    plan, meter = Plan(SDM630), Dying(0x34)
    with pytest.raises(MeterError, match="no answer"):
        meter.poll(plan)
    assert plan.missing == ()


def with_slow(*slow: Quantity) -> ModbusProfile:
    registers = [
        r.model_dump() | {"pace": "slow" if r.quantity in slow else "fast"}
        for r in SDM630.registers
    ]
    return ModbusProfile.model_validate(SDM630.model_dump() | {"registers": registers})


def test_slow_quantities_are_left_out_of_a_fast_poll() -> None:
    plan, meter = Plan(with_slow(*REGISTERS)), HoledMeter()
    assert meter.poll(plan, slow=False) == names(*ENERGY)
    assert [(b.address, b.count) for b in meter.asked] == [(0, 72)]
    assert meter.poll(plan) == names()


def test_what_a_fast_request_covers_anyway_is_taken_along() -> None:
    # The reactive power lies between other fast ones: both plans ask for one range, and
    # what stands in it must not depend on which of them came first.
    for first in (False, True):
        plan = Plan(with_slow(Quantity.REACTIVE_POWER_KVAR))
        assert HoledMeter().poll(plan, slow=first) == names()
        assert HoledMeter().poll(plan, slow=not first) == names()


def test_a_hole_found_at_the_slow_pace_is_known_at_the_fast_one() -> None:
    plan, meter = Plan(with_slow(*REGISTERS)), HoledMeter(0x34)
    meter.poll(plan)
    assert meter.poll(plan, slow=False) == names(0x34, *ENERGY)
    assert [(b.address, b.count) for b in meter.asked] == [(0, 18), (0x3C, 12)]
