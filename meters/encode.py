"""Readings to registers, for the simulators: the inverse of `meters.decode`. Pure."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from math import isnan, nan

from meters.clock import encode_clock, unset_clock
from meters.encoding import DecodeError, Encoding, encode_words, words_of
from meters.event import MeterEvent
from meters.modbus_parts import Clock, Register, ScaleRegister, Status, TimeForm
from meters.modbus_profile import ModbusProfile
from meters.quantity import Quantity
from meters.registers import counts, exact, modulus
from meters.scaling import NO_EXPONENT, finest_exponent, fraction_of

__all__ = ["encode_registers", "encode_time"]


def encode_registers(
    profile: ModbusProfile,
    values: Mapping[Quantity, float],
    measured_at: datetime | None,
    events: Collection[MeterEvent] = (),
) -> dict[int, int]:
    """Inverse of `decode_blocks`: what a meter of this type holds, address to word.

    Energy appears as a real meter shows it: in whole counts of the register, which
    turns over at its digits. A value that is absent or NaN appears as the type's "not
    available", or 0 where it has none, which is what such meters show. A clock without
    a time is marked invalid. A scale register says what its registers need.

    Raises
    ------
    DecodeError
        Naming the register, if a value does not fit.

    """
    held: dict[int, int] = {}
    exponents: dict[object, int] = {}
    for part in profile.placed:
        if isinstance(part, ScaleRegister):
            key = part.function, part.address
            exponents[key] = _exponent(profile, profile.scaled_by(key), values)
    for part in profile.placed:
        words: Sequence[int]
        if isinstance(part, Clock):
            words = encode_time(profile, part, measured_at)
        elif isinstance(part, Register):
            exponent = exponents.get(profile.scale_key(part), 0)
            value = values.get(part.quantity, nan)
            words = _words(profile, part, value, exponent)
        elif isinstance(part, Status):
            words = _number(profile, part, _told(part, events), part.encoding)
        else:
            exponent = exponents[part.function, part.address]
            words = _number(profile, part, exponent, Encoding.INT16)
        held.update(enumerate(words, start=part.address))
    return held


def encode_time(
    profile: ModbusProfile, form: TimeForm, moment: datetime | None
) -> Sequence[int]:
    """Words of a time, in the order of their addresses; None: not set."""
    words: Sequence[int] = unset_clock(form.encoding)
    if moment is not None:
        words = encode_clock(moment, form.zone, form.encoding)
    if form.is_one_number and profile.word_order_of(form) == "little":
        words = words[::-1]
    if profile.byte_order_of(form) == "little":
        words = [(word >> 8) | (word & 0xFF) << 8 for word in words]
    return words


def _exponent(
    profile: ModbusProfile,
    registers: Sequence[Register],
    values: Mapping[Quantity, float],
) -> int:
    """Choose what a scale register says: what energy needs, or the finest that fits."""
    bound = profile.energy_exponent(
        (profile.function_of(registers[0]), registers[0].scale_register or 0)
    )
    if bound is not None:
        return bound
    given = [(r, values.get(r.quantity, nan)) for r in registers]
    present = [(register, value) for register, value in given if not isnan(value)]
    needs_pattern = any(
        isnan(value) and not (r.absent_bits or r.is_nan_absent) for r, value in given
    )
    if not present and needs_pattern:
        return NO_EXPONENT
    return finest_exponent(present)


def _told(status: Status, events: Collection[MeterEvent]) -> int:
    """Set the bits, or the value, that say what lasts; of two values the first."""
    told = 0
    for event in status.events:
        is_on = event.code in events
        if event.equals is not None and is_on:
            return event.equals
        if event.bit is not None and is_on == bool(event.when):
            told |= 1 << event.bit
    return told


def _number(
    profile: ModbusProfile, part: object, value: float, encoding: Encoding
) -> tuple[int, ...]:
    orders = profile.word_order_of(part), profile.byte_order_of(part)
    return encode_words(value, encoding, *orders)


def _words(
    profile: ModbusProfile, register: Register, value: float, exponent: int
) -> tuple[int, ...]:
    """Words of one register that shows a value."""
    if isnan(value) and register.absent_bits:
        bits = register.absent_bits[0].to_bytes(2 * register.words)
        orders = profile.word_order_of(register), profile.byte_order_of(register)
        return words_of(bits, *orders)
    raw = _raw(profile, register, value, exponent)
    try:
        return _number(profile, register, raw, register.encoding)
    except DecodeError as exc:
        raise DecodeError(f"{register.place}: {exc}") from exc


def _raw(
    profile: ModbusProfile, register: Register, value: float, exponent: int
) -> float:
    """Turn a value into the register's own unit, energy in whole counts."""
    if isnan(value):
        return nan if register.is_nan_absent else 0
    if exponent == NO_EXPONENT:
        exponent = 0
    numerator, denominator = fraction_of(register.scale, exponent)
    if not register.quantity.is_register:
        return value * denominator / numerator
    shown = counts(value, profile.register_resolution)
    shown %= modulus(profile.register_digits)
    per, count = exact(profile.register_resolution)
    dividend, divisor = shown * per * denominator, count * numerator
    # Of integer registers the division has no rest: the profile was checked for it.
    return dividend / divisor if register.encoding.is_float else dividend // divisor
