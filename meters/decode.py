"""Registers to readings. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isnan

from meters.block_reader import BlockReader, Further, ScaleKey, reader_of
from meters.blocks import Block
from meters.clock import decode_clock
from meters.encode import encode_registers
from meters.encoding import (
    DecodeError,
    decode_words,
    encode_words,
)
from meters.event import MeterEvent
from meters.layout import decode_number
from meters.modbus_parts import Register
from meters.modbus_profile import ModbusProfile
from meters.quantity import Quantity
from meters.scaling import checked_exponent, fraction_of

__all__ = [
    "DecodeError",
    "Decoded",
    "decode_blocks",
    "decode_words",
    "encode_registers",
    "encode_words",
]


_NO_EVENTS: frozenset[MeterEvent] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded:
    """What one read of a meter said."""

    values: dict[Quantity, float]
    """In the quantity's unit; what the meter does not have is absent."""
    measured_at: datetime | None
    """By the meter's clock, in UTC; None if it has none or does not trust it."""
    events: frozenset[MeterEvent] = _NO_EVENTS
    """What the meter says of itself; of the blocks that were read."""


def decode_blocks(
    profile: ModbusProfile, blocks: Mapping[Block, Sequence[int]]
) -> Decoded:
    """Turn the words of answered blocks into values in house units.

    A scaled integer becomes the double nearest to its exact decimal, so that `counts`
    gives the meter's own number back. NaN stays NaN unless the profile says that it
    stands for "not available". Blocks that are missing leave out what stands in them,
    and what stands elsewhere but is scaled by them.

    Raises
    ------
    DecodeError
        Naming the register, if an answer is too short or holds what cannot be.

    """
    values: dict[Quantity, float] = {}
    measured_at: datetime | None = None
    further: list[Answered] | None = None
    readers = _readers(profile)
    for block, words in blocks.items():
        reader = readers.get(block)
        if reader is None:
            reader = readers[block] = reader_of(profile, block)
        if len(words) != block.count:
            raise DecodeError(
                f"registers {block.address} to {block.address + block.count - 1}: "
                f"{len(words)} words came, not {block.count}"
            )
        numbers = reader.numbers(words)
        for (quantity, numerator, denominator, absent, is_nan_absent), raw in zip(
            reader.values, numbers, strict=False
        ):
            if raw == absent or (is_nan_absent and isnan(raw)):
                continue
            # Whole numbers divide exactly; the quotient is rounded once.
            values[quantity] = raw * numerator / denominator
        clock = reader.clock
        if clock is not None:
            own = [int(word) for word in numbers[-clock.words :]]
            measured_at = decode_clock(own, clock.zone, clock.encoding)
        if reader.further is not None:
            further = further or []
            further.append((reader.further, numbers, words))
    events = _NO_EVENTS
    if further is not None:
        events = _add_further(profile, values, further)
    return Decoded(values=values, measured_at=measured_at, events=events)


Answered = tuple[Further, Sequence[float], Sequence[int]]
"""What is left to do of a block, its numbers and its words."""


def _add_further(
    profile: ModbusProfile, values: dict[Quantity, float], further: Sequence[Answered]
) -> frozenset[MeterEvent]:
    """Add the values that need more to those there are; return the events."""
    exponents = {
        key: checked_exponent(int(numbers[at]), key[1])
        for each, numbers, _ in further
        for key, at in each.scales
    }
    events: set[MeterEvent] = set()
    for each, numbers, words in further:
        for register, key, at, absent, is_nan_absent in each.scaled:
            raw, exponent = numbers[at], exponents.get(key)
            if exponent is None or raw == absent or (is_nan_absent and isnan(raw)):
                continue
            numerator, denominator = fraction_of(register.factor, exponent)
            values[register.quantity] = raw * numerator / denominator
        for register, at in each.odd:
            value = _odd(profile, register, words[at : at + register.words], exponents)
            if value is not None:
                values[register.quantity] = value
        for status, at in each.statuses:
            told = int(numbers[at])
            events.update(event.code for event in status.events if event.is_on(told))
    return frozenset(events)


def _odd(
    profile: ModbusProfile,
    register: Register,
    words: Sequence[int],
    exponents: Mapping[ScaleKey, int | None],
) -> float | None:
    """Decode one register by itself; None: not available."""
    key = profile.scale_key(register)
    exponent = 0 if key is None else exponents.get(key)
    if exponent is None:
        return None
    try:
        return decode_number(profile, register, words, exponent)
    except DecodeError as exc:
        raise DecodeError(f"{register.place}: {exc}") from exc


_READERS: dict[int, tuple[ModbusProfile, dict[Block, BlockReader]]] = {}


def _readers(profile: ModbusProfile) -> dict[Block, BlockReader]:
    """Return the readers of a profile's blocks that were made so far."""
    # By identity: hashing a profile's content at every poll would cost more than the
    # decoding. The profile is kept beside them, so its id is not given again.
    return _READERS.setdefault(id(profile), (profile, {}))[1]
