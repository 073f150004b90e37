"""Find a SunSpec meter in its device: the walk of `meters.sunspec`, over a bus."""

from collections.abc import Sequence
from typing import Protocol

from collector.modbus.bus import MeterError
from meters.blocks import Block
from meters.sunspec import FUNCTION, Chain, SunspecError, SunspecProfile, resolve, walk


class Bus(Protocol):
    """Whatever reads blocks of registers."""

    async def read_block(self, unit: int, block: Block) -> list[int]:
        """Read one block of one unit; raise MeterError where that fails."""
        ...


async def walk_chain(bus: Bus, unit: int) -> Chain:
    """Read which models a device has: one request a model, and a few before.

    Raises
    ------
    MeterError
        If the device did not answer at all.
    SunspecError
        If it answers, but has no chain of models.

    """
    walking, words = walk(), None
    has_answered, failure = False, None
    try:
        address, count = next(walking)
        while True:
            block = Block(function=FUNCTION, address=address, count=count, registers=())
            words, failure = await _words(bus, unit, block)
            has_answered = has_answered or words is not None
            address, count = walking.send(words)
    except StopIteration as stop:
        chain: Chain = stop.value
        return chain
    except SunspecError:
        if failure is not None and not has_answered:
            raise failure from None
        raise


async def resolve_device(
    bus: Bus, unit: int, profile: SunspecProfile
) -> SunspecProfile:
    """Walk a device's chain and return its own profile.

    Raises
    ------
    MeterError
        If the device did not answer.
    SunspecError
        If it has no such meter.

    """
    return resolve(profile.form, await walk_chain(bus, unit))


async def _words(
    bus: Bus, unit: int, block: Block
) -> tuple[Sequence[int] | None, MeterError | None]:
    """Read a block; without an answer, return why."""
    try:
        return await bus.read_block(unit, block), None
    except MeterError as exc:
        return None, exc
