"""One number, as its form lays it into registers: decoded and encoded. Pure."""

from collections.abc import Sequence
from datetime import datetime
from math import isnan, nan
from typing import Protocol

from meters.clock import decode_clock, encode_clock, unset_clock
from meters.encoding import (
    DecodeError,
    Encoding,
    Order,
    bits_of,
    encode_words,
    number_in,
    words_of,
)
from meters.modbus_parts import Measured, Number, TimeForm
from meters.registers import counts, exact
from meters.scaling import fraction_of


class Orders(Protocol):
    """Knows in which order the words and bytes of a part stand: a profile."""

    @property
    def register_resolution(self) -> float:
        """One count of them, in kWh or kvarh."""
        ...

    @property
    def turn_counts(self) -> int:
        """After how many counts they start again."""
        ...

    def word_order_of(self, part: object) -> Order:
        """Return the order of words of a part."""
        ...

    def byte_order_of(self, part: object) -> Order:
        """Return the order of bytes of a part."""
        ...


def decode_number(
    orders: Orders, form: Number, words: Sequence[int], exponent: int = 0
) -> float | None:
    """Return a number in its house unit; None: not available.

    Raises
    ------
    DecodeError
        If the words hold what cannot be.

    """
    bits = bits_of(
        words, form.encoding, orders.word_order_of(form), orders.byte_order_of(form)
    )
    if int.from_bytes(bits) in form.absent_bits:
        return None
    raw = number_in(bits, form.encoding)
    if form.is_nan_absent and isnan(raw):
        return None
    numerator, denominator = fraction_of(form.factor, exponent)
    return raw * numerator / denominator


def encode_number(
    orders: Orders, part: object, raw: float, encoding: Encoding
) -> tuple[int, ...]:
    """Lay a raw number into words, in the orders of its part.

    Raises
    ------
    DecodeError
        If it does not fit.

    """
    return encode_words(
        raw, encoding, orders.word_order_of(part), orders.byte_order_of(part)
    )


def encode_measured(
    orders: Orders,
    form: Measured,
    value: float,
    exponent: int = 0,
    *,
    is_register: bool = True,
) -> tuple[int, ...]:
    """Words that show a value: energy in whole counts of its register.

    Energy that is of one interval alone (`is_register=False`) is rounded to the step
    in which it is told, like any other value.

    Raises
    ------
    DecodeError
        Naming the register, if it does not fit.

    """
    if isnan(value) and form.absent_bits:
        bits = form.absent_bits[0].to_bytes(2 * form.words)
        return words_of(bits, orders.word_order_of(form), orders.byte_order_of(form))
    raw = _raw(orders, form, value, exponent, is_counted=is_register)
    try:
        return encode_number(orders, form, raw, form.encoding)
    except DecodeError as exc:
        raise DecodeError(f"{form.place}: {exc}") from exc


def _raw(
    orders: Orders, form: Measured, value: float, exponent: int, *, is_counted: bool
) -> float:
    """Turn a value into the register's own unit."""
    if isnan(value):
        return nan if form.is_nan_absent else 0
    numerator, denominator = fraction_of(form.factor, exponent)
    if not (is_counted and form.quantity.is_register):
        return value * denominator / numerator
    shown = counts(value, orders.register_resolution) % orders.turn_counts
    per, count = exact(orders.register_resolution)
    dividend, divisor = shown * per * denominator, count * numerator
    # Of integer registers the division has no rest: the profile was checked for it.
    return dividend / divisor if form.encoding.is_float else dividend // divisor


def decode_time(
    orders: Orders, form: TimeForm, words: Sequence[int]
) -> datetime | None:
    """Return the time in words, in the order of their addresses; None: not set.

    Raises
    ------
    DecodeError
        If there is no such day or time.

    """
    return decode_clock(_turned(orders, form, words), form.zone, form.encoding)


def encode_time(
    orders: Orders, form: TimeForm, moment: datetime | None
) -> Sequence[int]:
    """Words of a time, in the order of their addresses; None: not set."""
    words: Sequence[int] = unset_clock(form.encoding)
    if moment is not None:
        words = encode_clock(moment, form.zone, form.encoding)
    return _turned(orders, form, words)


def _turned(orders: Orders, form: TimeForm, words: Sequence[int]) -> Sequence[int]:
    """Turn words from the order of addresses to that of significance, or back."""
    if form.is_one_number and orders.word_order_of(form) == "little":
        words = words[::-1]
    if orders.byte_order_of(form) == "little":
        words = [(word >> 8) | (word & 0xFF) << 8 for word in words]
    return words
