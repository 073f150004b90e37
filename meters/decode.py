"""Registers to readings, and back for the simulators. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isnan, nan
from operator import itemgetter
from struct import Struct, error, unpack

from meters.blocks import Block
from meters.clock import decode_clock, encode_clock
from meters.encoding import FORMAT, DecodeError, Encoding, decode_words, encode_words
from meters.modbus_profile import Clock, ModbusProfile, Register
from meters.quantity import Quantity
from meters.registers import counts, exact, modulus

__all__ = [
    "DecodeError",
    "Decoded",
    "decode_blocks",
    "decode_words",
    "encode_registers",
    "encode_words",
]


_WORD = range(0x10000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded:
    """What one complete read of a meter said."""

    values: dict[Quantity, float]
    """In the quantity's unit; what the meter does not have is absent."""
    measured_at: datetime | None
    """By the meter's clock, in UTC; None if it has none or does not trust it."""


def decode_blocks(
    profile: ModbusProfile, blocks: Mapping[Block, Sequence[int]]
) -> Decoded:
    """Turn the words of answered blocks into values in house units.

    A scaled integer becomes the double nearest to its exact decimal, so that `counts`
    gives the meter's own number back. NaN stays NaN unless the profile says that it
    stands for "not available".

    Raises
    ------
    DecodeError
        Naming the register, if an answer is too short or holds what cannot be.

    """
    values: dict[Quantity, float] = {}
    measured_at: datetime | None = None
    readers = _readers(profile)
    for block, words in blocks.items():
        reader = readers.get(block)
        if reader is None:
            reader = readers[block] = _reader(profile, block)
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
        if reader.clock is not None:
            measured_at = decode_clock(
                [int(word) for word in numbers[-4:]], reader.clock.zone
            )
    return Decoded(values=values, measured_at=measured_at)


@dataclass(frozen=True, slots=True)
class _Reader:
    """How one block's words become numbers: laid out once, since polls repeat."""

    block: Block
    pick: Callable[[Sequence[int]], Sequence[int]]
    """Takes the words of all numbers out of the block's, most significant first."""
    words: Struct
    """Packs them; swaps the bytes of each where the profile says so."""
    layout: Struct
    """Unpacks them as the numbers they carry, the clock's four words last."""
    values: tuple[tuple[Quantity, int, int, int | None, bool], ...]
    """Quantity, scale as a fraction, raw value and whether NaN mean not available."""
    clock: Clock | None

    def numbers(self, words: Sequence[int]) -> tuple[float, ...]:
        """Return the raw numbers in a block, the clock's four words last."""
        picked = self.pick(words)
        try:
            return self.layout.unpack(self.words.pack(*picked))
        except error as exc:
            wrong = [word for word in words if word not in _WORD]
            raise DecodeError(
                f"registers {self.block.address} to "
                f"{self.block.address + self.block.count - 1}: {wrong} are not words "
                "of 16 bits"
            ) from exc


_READERS: dict[int, tuple[ModbusProfile, dict[Block, _Reader]]] = {}


def _readers(profile: ModbusProfile) -> dict[Block, _Reader]:
    """Return the readers of a profile's blocks that were made so far."""
    # By identity: hashing a profile's content at every poll would cost more than the
    # decoding. The profile is kept beside them, so its id is not given again.
    return _READERS.setdefault(id(profile), (profile, {}))[1]


def _reader(profile: ModbusProfile, block: Block) -> _Reader:
    """Lay out how a block is read."""
    order: list[int] = []
    layout, values, clock = ">", [], None
    for part in sorted(block.registers, key=lambda part: isinstance(part, Clock)):
        at = part.address - block.address
        own = range(at, at + part.words)
        if isinstance(part, Clock):
            # The fields of a date stand each in its own word.
            clock = part
            layout += "4H"
            order += own
            continue
        layout += FORMAT[part.encoding]
        order += own if profile.word_order == "big" else reversed(own)
        values.append((part.quantity, *exact(part.scale), *_absent(part)))
    swapped = "<" if profile.byte_order == "little" else ">"
    return _Reader(
        block=block,
        pick=itemgetter(*order) if len(order) > 1 else _only(order[0]),
        words=Struct(f"{swapped}{len(order)}H"),
        layout=Struct(layout),
        values=tuple(values),
        clock=clock,
    )


def _only(at: int) -> Callable[[Sequence[int]], Sequence[int]]:
    """Take one word, as a sequence: `itemgetter` of one index gives the bare item."""
    return lambda words: (words[at],)


def _absent(register: Register) -> tuple[int | None, bool]:
    """Return the raw number, and whether NaN, that stand for "not available"."""
    bits = register.not_available
    if bits is None or isinstance(bits, str):
        return None, bits == "nan"
    raw = unpack(f">{FORMAT[register.encoding]}", bits.to_bytes(2 * register.words))
    number: int = raw[0]
    return number, isnan(number)


def encode_registers(
    profile: ModbusProfile,
    values: Mapping[Quantity, float],
    measured_at: datetime | None,
) -> dict[int, int]:
    """Inverse of `decode_blocks`: what a meter of this type holds, address to word.

    Energy appears as a real meter shows it: in whole counts of the register, which
    turns over at its digits. A value that is absent or NaN appears as the type's "not
    available", or 0 where it has none, which is what such meters show. A clock without
    a time is marked invalid.

    Raises
    ------
    DecodeError
        Naming the register, if a value does not fit.

    """
    held: dict[int, int] = {}
    for part in profile.placed:
        if isinstance(part, Clock):
            words: Sequence[int] = (0, 0, 0x0080, 0)
            if measured_at is not None:
                words = encode_clock(measured_at, part.zone)
            if profile.byte_order == "little":
                words = [(word >> 8) | (word & 0xFF) << 8 for word in words]
        else:
            words = _words(profile, part, values.get(part.quantity, nan))
        held.update(enumerate(words, start=part.address))
    return held


_UNSIGNED = {1: Encoding.UINT16, 2: Encoding.UINT32, 4: Encoding.UINT64}


def _words(profile: ModbusProfile, register: Register, value: float) -> tuple[int, ...]:
    """Words of one register that shows a value."""
    encoding, raw = register.encoding, _raw(profile, register, value)
    if isnan(value) and isinstance(register.not_available, int):
        encoding = _UNSIGNED[register.words]
    try:
        return encode_words(raw, encoding, profile.word_order, profile.byte_order)
    except DecodeError as exc:
        raise DecodeError(f"{_place(register)}: {exc}") from exc


def _raw(profile: ModbusProfile, register: Register, value: float) -> float:
    """Turn a value into the register's own unit, energy in whole counts."""
    if isnan(value):
        absent = register.not_available
        return nan if absent == "nan" else absent or 0
    numerator, denominator = exact(register.scale)
    if not register.quantity.is_register:
        return value * denominator / numerator
    shown = counts(value, profile.register_resolution)
    shown %= modulus(profile.register_digits)
    per, count = exact(profile.register_resolution)
    dividend, divisor = shown * per * denominator, count * numerator
    # Of integer registers the division has no rest: the profile was checked for it.
    return dividend / divisor if register.encoding.is_float else dividend // divisor


def _place(register: Register) -> str:
    """Name a register for people."""
    return f"{register.quantity} at {register.address} (manual {register.manual})"
