"""Scale registers: powers of ten that a meter gives beside its numbers. Pure."""

from collections.abc import Iterable

from meters.encoding import DecodeError
from meters.modbus_parts import Measured, Register
from meters.registers import exact

NO_EXPONENT = -32768
"""SunSpec: the scale register, and what goes with it, is not available."""
_LEAST, _GREATEST = -10, 10
"""SunSpec allows these powers; no meter was seen with others."""


def fraction_of(scale: float, exponent: int = 0) -> tuple[int, int]:
    """Numerator and denominator of a scale times a power of ten, exactly.

    Examples
    --------
    >>> fraction_of(0.001, 2)
    (100, 1000)
    >>> fraction_of(0.001, -1)
    (1, 10000)

    """
    numerator, denominator = exact(scale)
    if exponent >= 0:
        return numerator * int(10**exponent), denominator
    return numerator, denominator * int(10**-exponent)


def checked_exponent(exponent: int, address: int) -> int | None:
    """Return the power of ten in a scale register; None: not available.

    Raises
    ------
    DecodeError
        If no meter could mean it.

    """
    if exponent == NO_EXPONENT:
        return None
    if not _LEAST <= exponent <= _GREATEST:
        raise DecodeError(
            f"scale register at {address}: {exponent} is no power of ten from "
            f"{_LEAST} to {_GREATEST}"
        )
    return exponent


def steps_a_count(register: Measured, resolution: float, exponent: int = 0) -> int:
    """Count the register's own steps in one count of energy; 0: no whole number.

    Parameters
    ----------
    register : Measured
        Of an integer encoding.
    resolution : float
        One count. [kWh or kvarh]
    exponent : int
        In its scale register, if it has one.

    """
    per, count = exact(resolution)
    scale_per, scale_count = fraction_of(register.scale, exponent)
    steps, rest = divmod(per * scale_count, count * scale_per)
    return 0 if rest else steps


def energy_exponent(registers: Iterable[Register], resolution: float) -> int | None:
    """Return the coarsest power of ten that shows every count of energy registers.

    Parameters
    ----------
    registers : iterable of Register
        That share a scale register; only integer energy registers bind it.
    resolution : float
        One count. [kWh or kvarh]

    Returns
    -------
    int or None
        None if nothing binds it, or no power will do.

    """
    bound = [
        register
        for register in registers
        if register.quantity.is_register and not register.encoding.is_float
    ]
    if not bound:
        return None
    fitting = (
        exponent
        for exponent in range(_GREATEST, _LEAST - 1, -1)
        if all(steps_a_count(each, resolution, exponent) for each in bound)
    )
    return next(fitting, None)


def finest_exponent(held: Iterable[tuple[Register, float]]) -> int:
    """Return the finest power of ten, from -3 on, in which values can be shown.

    Parameters
    ----------
    held : iterable of (Register, float)
        Registers that share a scale register, and their values; none of them NaN.

    """
    pairs = list(held)
    return next(
        (e for e in range(-3, _GREATEST) if all(_shows(e, *pair) for pair in pairs)),
        _GREATEST,
    )


def _shows(exponent: int, register: Register, value: float) -> bool:
    """Whether a value fits; the ends are left to patterns of "not available"."""
    if register.encoding.is_float:
        return True
    numerator, denominator = fraction_of(register.factor, exponent)
    least, greatest = register.encoding.limits
    raw = round(value * denominator / numerator)
    return least < raw < greatest or raw == 0
