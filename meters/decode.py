"""Registers to readings, and back for the simulators. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from meters.blocks import Block
from meters.clock import decode_clock, encode_clock
from meters.encoding import DecodeError, Encoding, decode_words, encode_words
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
    for block, words in blocks.items():
        if len(words) != block.count:
            raise DecodeError(
                f"registers {block.address} to {block.address + block.count - 1}: "
                f"{len(words)} words came, not {block.count}"
            )
        for part in block.registers:
            at = part.address - block.address
            own = words[at : at + part.words]
            if isinstance(part, Clock):
                measured_at = decode_clock(_big(profile, own), part.zone)
                continue
            value = _value(profile, part, own)
            if value is not None:
                values[part.quantity] = value
    return Decoded(values=values, measured_at=measured_at)


def _value(
    profile: ModbusProfile, register: Register, words: Sequence[int]
) -> float | None:
    """One value in its unit; None where the meter has none."""
    try:
        raw = decode_words(
            words, register.encoding, profile.word_order, profile.byte_order
        )
    except DecodeError as exc:
        raise DecodeError(f"{_place(register)}: {exc}") from exc
    absent = register.not_available
    if absent is not None:
        if absent == "nan":
            if math.isnan(raw):
                return None
        elif absent == _bits(profile, register, words):
            return None
    numerator, denominator = exact(register.scale)
    # Whole numbers divide exactly; the quotient is rounded once.
    return raw * numerator / denominator


_UNSIGNED = {1: Encoding.UINT16, 2: Encoding.UINT32, 4: Encoding.UINT64}


def _bits(profile: ModbusProfile, register: Register, words: Sequence[int]) -> int:
    """Bits of a register as one unsigned number, as manuals print sentinels."""
    unsigned = _UNSIGNED[register.words]
    return int(decode_words(words, unsigned, profile.word_order, profile.byte_order))


def _big(profile: ModbusProfile, words: Sequence[int]) -> Sequence[int]:
    """Words of the clock, bytes in order; fields of a date have no word order."""
    if profile.byte_order == "big":
        return words
    return [(word >> 8) | (word & 0xFF) << 8 for word in words]


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
            words = _big(profile, words)
        else:
            words = _words(profile, part, values.get(part.quantity, math.nan))
        held.update(enumerate(words, start=part.address))
    return held


def _words(profile: ModbusProfile, register: Register, value: float) -> tuple[int, ...]:
    """Words of one register that shows a value."""
    encoding, raw = register.encoding, _raw(profile, register, value)
    if math.isnan(value) and isinstance(register.not_available, int):
        encoding = _UNSIGNED[register.words]
    try:
        return encode_words(raw, encoding, profile.word_order, profile.byte_order)
    except DecodeError as exc:
        raise DecodeError(f"{_place(register)}: {exc}") from exc


def _raw(profile: ModbusProfile, register: Register, value: float) -> float:
    """Turn a value into the register's own unit, energy in whole counts."""
    if math.isnan(value):
        absent = register.not_available
        return math.nan if absent == "nan" else absent or 0
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
