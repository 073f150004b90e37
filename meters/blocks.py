"""Which requests read a whole meter. Pure."""

from dataclasses import dataclass, field

from meters.modbus_profile import Clock, Function, ModbusProfile, Register


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One Modbus request: consecutive registers of one table."""

    function: Function
    address: int
    """First register, from zero."""
    count: int
    """How many 16-bit registers."""
    registers: tuple[Register | Clock, ...] = field(compare=False)
    """What stands in it, by address."""


def plan_blocks(profile: ModbusProfile) -> tuple[Block, ...]:
    """Cover every register of a profile with the fewest requests its rules allow.

    Notes
    -----
    Registers are taken by address, each block as far as `max_block` and `max_gap`
    allow. This is optimal: any part of an allowed block is itself allowed, so a block
    that stops earlier can only leave more to the blocks after it.

    """
    blocks: list[Block] = []
    run: list[Register | Clock] = []
    for part in profile.placed:
        if run and not _fits(profile, run, part):
            blocks.append(_block(profile, run))
            run = []
        run.append(part)
    blocks.append(_block(profile, run))
    return tuple(blocks)


def _fits(
    profile: ModbusProfile, run: list[Register | Clock], part: Register | Clock
) -> bool:
    """Whether a block may be stretched to one more part."""
    return (
        profile.function_of(part) == profile.function_of(run[0])
        and part.address - _end(run[-1]) <= profile.max_gap
        and _end(part) - run[0].address <= profile.max_block
    )


def _block(profile: ModbusProfile, run: list[Register | Clock]) -> Block:
    """Close a run of parts."""
    return Block(
        function=profile.function_of(run[0]),
        address=run[0].address,
        count=_end(run[-1]) - run[0].address,
        registers=tuple(run),
    )


def _end(part: Register | Clock) -> int:
    """First address after a part."""
    return part.address + part.words
