"""Arithmetic of cumulative registers, in whole counts as the meter shows them. Pure.

A register of `digits` digits runs from 0 to ``10**digits - 1`` counts and starts again;
one count is `resolution` kWh (or kvarh). A meter that shows 999999.99 kWh has eight
digits at a resolution of 0.01 kWh.
"""

from fractions import Fraction
from functools import cache


@cache
def exact(decimal: float) -> tuple[int, int]:
    """Numerator and denominator of the decimal that was typed, not of its double.

    Examples
    --------
    >>> exact(0.001)
    (1, 1000)

    """
    return Fraction(repr(decimal)).as_integer_ratio()


def modulus(digits: int) -> int:
    """Count one full turn of a register.

    Examples
    --------
    >>> modulus(6)
    1000000

    """
    return int(10**digits)


def counts(value: float, resolution: float) -> int:
    """Whole register counts nearest to a value.

    Parameters
    ----------
    value : float
        Register reading. [kWh or kvarh]
    resolution : float
        One count. [kWh or kvarh]

    Returns
    -------
    int
        Exact for every reading a double can tell from its neighbours (2**51 counts).

    Examples
    --------
    >>> counts(671433.6, 0.001)
    671433600

    """
    numerator, denominator = exact(resolution)
    return round(value * denominator / numerator)


def wrapped(value_kwh: float, digits: int, resolution: float) -> float:
    """Return what a register shows that has counted so much: rounded, and wrapped.

    Examples
    --------
    >>> wrapped(1000012.314, 8, 0.01)
    12.31

    """
    numerator, denominator = exact(resolution)
    shown = counts(value_kwh, resolution) % modulus(digits)
    return shown * numerator / denominator
