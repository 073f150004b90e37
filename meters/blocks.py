"""Which requests read a whole meter. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from meters.modbus_profile import Function, ModbusProfile, Pace


class Placeable(Protocol):
    """Whatever stands in consecutive registers."""

    @property
    def address(self) -> int:
        """First register, from zero."""
        ...

    @property
    def words(self) -> int:
        """How many registers it takes."""
        ...

    @property
    def label(self) -> str:
        """What it is called."""
        ...

    @property
    def function(self) -> Function | None:
        """Its table, where that differs from the profile's."""
        ...

    @property
    def alone(self) -> bool:
        """Whether the meter gives it only in a request of its own."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One Modbus request: consecutive registers of one table."""

    function: Function
    address: int
    """First register, from zero."""
    count: int
    """How many 16-bit registers."""
    registers: tuple[Placeable, ...] = field(compare=False)
    """What stands in it, by address."""


def plan_blocks(profile: ModbusProfile, pace: Pace | None = None) -> tuple[Block, ...]:
    """Cover the registers of a profile with the fewest requests its rules allow.

    Parameters
    ----------
    profile : ModbusProfile
        With the rules.
    pace : {"fast", "slow"}, optional
        Only the registers of that pace, with the clock and what they are scaled by;
        without it, all. A poll that reads both paces takes the plan of all, which
        needs fewer requests than the two together.

    Returns
    -------
    tuple of Block
        Empty if nothing has that pace.

    Notes
    -----
    Registers are taken by address, each block as far as `max_block` and `max_gap`
    allow. This is optimal: any part of an allowed block is itself allowed, so a block
    that stops earlier can only leave more to the blocks after it.

    """
    return plan_parts(profile, profile.parts(pace))


def plan_parts(profile: ModbusProfile, parts: Iterable[Placeable]) -> tuple[Block, ...]:
    """Cover any registers, such as those of identity, with the fewest requests."""
    blocks: list[Block] = []
    run: list[Placeable] = []
    for part in sorted(parts, key=lambda p: (_function(profile, p), p.address)):
        if run and not _fits(profile, run, part):
            blocks.append(_block(profile, run))
            run = []
        run.append(part)
    if run:
        blocks.append(_block(profile, run))
    return tuple(blocks)


def _fits(profile: ModbusProfile, run: list[Placeable], part: Placeable) -> bool:
    """Whether a block may be stretched to one more part."""
    return (
        not profile.one_request_each
        and not part.alone
        and not run[0].alone
        and _function(profile, part) == _function(profile, run[0])
        and part.address - _end(run[-1]) <= profile.max_gap
        and _end(part) - run[0].address <= profile.max_block
    )


def _block(profile: ModbusProfile, run: list[Placeable]) -> Block:
    """Close a run of parts."""
    return Block(
        function=_function(profile, run[0]),
        address=run[0].address,
        count=_end(run[-1]) - run[0].address,
        registers=tuple(run),
    )


def _function(profile: ModbusProfile, part: Placeable) -> Function:
    return part.function or profile.function


def _end(part: Placeable) -> int:
    """First address after a part."""
    return part.address + part.words
