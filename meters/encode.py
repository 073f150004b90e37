"""Readings to registers, for the simulators: the inverse of `meters.decode`. Pure."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from math import isnan, nan

from meters.encoding import Encoding
from meters.event import MeterEvent
from meters.layout import encode_measured, encode_number, encode_time
from meters.modbus_parts import Clock, Register, ScaleRegister, Status
from meters.modbus_profile import ModbusProfile
from meters.quantity import Quantity
from meters.scaling import NO_EXPONENT, finest_exponent


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
    held = profile.fixed_words
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
            # Without an exponent there are no values either.
            exponent = 0 if exponent == NO_EXPONENT else exponent
            words = encode_measured(profile, part, value, exponent)
        elif isinstance(part, Status):
            words = encode_number(profile, part, _told(part, events), part.encoding)
        else:
            exponent = exponents[part.function, part.address]
            words = encode_number(profile, part, exponent, Encoding.INT16)
        held.update(enumerate(words, start=part.address))
    return held


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
