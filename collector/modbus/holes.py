"""Which requests read a meter: its profile's, less what this one meter does not have.

A request over registers that a meter does not have fails as a whole. The longest part
of it that can be read is looked for once, then what comes after it, and so on; what
cannot be read alone is a hole. Holes are remembered, for a day.
"""

from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby

from collector.modbus.failure import Failure, MeterError
from meters.blocks import Block, Placeable, plan_blocks
from meters.modbus_profile import ModbusProfile

Ask = Callable[[Block], Awaitable[list[int]]]
Words = dict[Block, list[int]]

TRIED_AGAIN_S = 86_400.0
_ILLEGAL = (2, 3)
"""Illegal data address, and illegal data value: as some refuse a count of registers."""


def may_have_holes(refused: MeterError) -> bool:
    """Whether a smaller request may succeed where this one failed."""
    if refused.failure is Failure.WRONG_LENGTH:
        return True
    return refused.failure is Failure.EXCEPTION and refused.exception_code in _ILLEGAL


class Plan:
    """The requests of one meter."""

    def __init__(self, profile: ModbusProfile) -> None:
        self.profile = profile
        self._forget()

    def _forget(self) -> None:
        """Plan as if the meter had all that its profile names."""
        self.missing: tuple[Placeable, ...] = ()
        """What the meter does not have."""
        self._tried_again_at = float("inf")
        self._whole = plan_blocks(self.profile)
        # Slow quantities between fast ones come for nothing.
        fast = plan_blocks(self.profile, "fast")
        self._fast = tuple(_filled(block, self._whole) for block in fast)

    def blocks(self, at: float, *, slow: bool = True) -> tuple[Block, ...]:
        """Return what to ask for, with or without the slow quantities.

        Parameters
        ----------
        at : float
            Now, by a steady clock. [s]
        slow : bool
            Whether it is the slow quantities' turn.

        """
        if at >= self._tried_again_at:
            self._forget()
        return self._whole if slow else self._fast

    async def mended(
        self, block: Block, refused: MeterError, ask: Ask, at: float
    ) -> Words:
        """Read what there is of a block that was refused, and remember the holes.

        Raises
        ------
        MeterError
            `refused`, where no energy register is left: then it is the meter that
            fails, not one of its registers. Or that of `ask`.

        """
        found, holes = await _runs(block, ask)
        missing = (*self.missing, *holes)
        if self._has_no_energy_but(missing):
            raise refused
        self.missing = missing
        self._tried_again_at = min(self._tried_again_at, at + TRIED_AGAIN_S)
        self._whole = _replaced(self._whole, block, found, holes)
        self._fast = _replaced(self._fast, block, found, holes)
        return found

    def _has_no_energy_but(self, missing: Sequence[Placeable]) -> bool:
        energy = [r for r in self.profile.registers if r.quantity.is_register]
        return bool(energy) and all(register in missing for register in energy)


def _filled(block: Block, whole: Sequence[Block]) -> Block:
    """Name all that stands in a block's range."""
    end = block.address + block.count
    inside = [
        part
        for each in whole
        if each.function == block.function
        for part in each.registers
        if block.address <= part.address < end
    ]
    return _run_of(block, inside)


def _replaced(
    blocks: Sequence[Block], block: Block, found: Words, holes: Sequence[Placeable]
) -> tuple[Block, ...]:
    """Put what could be read in the place of a block; leave holes out of the others."""
    replaced: list[Block] = []
    for each in blocks:
        if each == block:
            replaced += found
        else:
            replaced += _without(each, holes)
    return tuple(replaced)


def _without(block: Block, holes: Sequence[Placeable]) -> list[Block]:
    """Split a block at its holes."""
    runs = groupby(block.registers, key=lambda part: part in holes)
    return [_run_of(block, list(run)) for is_hole, run in runs if not is_hole]


def _run_of(block: Block, parts: Sequence[Placeable]) -> Block:
    """Ask for some consecutive parts of a block."""
    first, last = parts[0], parts[-1]
    return Block(
        function=block.function,
        address=first.address,
        count=last.address + last.words - first.address,
        registers=tuple(parts),
    )


async def _runs(block: Block, ask: Ask) -> tuple[Words, list[Placeable]]:
    """Read a block that was refused, in the longest runs that can be read."""
    found: Words = {}
    holes: list[Placeable] = []
    left = list(block.registers)
    while left:
        run, words = await _longest(block, left, ask)
        if words is not None:
            found[run] = words
            left = left[len(run.registers) :]
            run = _run_of(block, left[:1])
            words = await _read(run, ask)
        # What follows the longest run is a hole, or cannot be read together with it.
        if words is None:
            holes.append(left.pop(0))
        elif len(left) == 1:
            found[run], left = words, []
        if left and (words := await _read(_run_of(block, left), ask)) is not None:
            found[_run_of(block, left)] = words
            left = []
    return found, holes


async def _longest(
    block: Block, parts: Sequence[Placeable], ask: Ask
) -> tuple[Block, list[int] | None]:
    """Find the longest run from the first part on; all of them together are refused.

    None instead of words where there is none.
    """
    run, words = _run_of(block, parts[:1]), None
    readable, refused = 0, len(parts)
    while refused - readable > 1:
        middle = (readable + refused) // 2
        tried = _run_of(block, parts[:middle])
        answer = await _read(tried, ask)
        if answer is None:
            refused = middle
        else:
            readable, run, words = middle, tried, answer
    return run, words


async def _read(block: Block, ask: Ask) -> list[int] | None:
    """Ask; None where the meter refuses."""
    try:
        return await ask(block)
    except MeterError as exc:
        if may_have_holes(exc):
            return None
        raise
