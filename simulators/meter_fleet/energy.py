"""What a light meter has counted: whole numbers in closed form. Pure.

A load of two steps, one for half of each day and one for the other half, so that the
energy since the meter was installed is a whole number of millijoules (a watt for a
millisecond) at every millisecond, for ever and without adding anything up.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from meters.reading import IntArray
from meters.registers import exact

DAY_MS, HALF_MS = 86_400_000, 43_200_000
_MJ_PER_KWH = 3_600_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class TwoSteps:
    """A load that takes one power for the first half of each day, another after it.

    Days are those of UTC. Below 5 MW and ten years, 63 bits hold every figure.
    """

    first_w: int
    second_w: int

    def power_w(self, at_ms: int) -> int:
        """Watts at an instant, in milliseconds since 1970 UTC."""
        return self.first_w if at_ms % DAY_MS < HALF_MS else self.second_w

    def energy_mj(self, since_ms: int, until_ms: int) -> int:
        """Millijoules from one instant to a later one, exactly.

        Examples
        --------
        >>> TwoSteps(first_w=1000, second_w=0).energy_mj(0, 3_600_000) / 3.6e9
        1.0

        """
        return self._since_1970_mj(until_ms) - self._since_1970_mj(since_ms)

    def energies_mj(self, since_ms: int, until_ms: IntArray) -> IntArray:
        """As `energy_mj`, for a whole column of instants, shape (n,)."""
        # From the first day on, not from 1970: so the products fit 64 bits.
        start = since_ms - since_ms % DAY_MS
        days, rest = np.divmod(until_ms - start, DAY_MS)
        of_days = days * (HALF_MS * (self.first_w + self.second_w))
        first = np.minimum(rest, HALF_MS) * self.first_w
        second = np.maximum(rest - HALF_MS, 0) * self.second_w
        energies: IntArray = of_days + first + second
        return energies - self.energy_mj(start, since_ms)

    def _since_1970_mj(self, at_ms: int) -> int:
        days, rest = divmod(at_ms, DAY_MS)
        of_days = days * HALF_MS * (self.first_w + self.second_w)
        first = min(rest, HALF_MS) * self.first_w
        return of_days + first + max(rest - HALF_MS, 0) * self.second_w


@cache
def mj_per_count(resolution: float) -> int:
    """Millijoules of one count of a register.

    Parameters
    ----------
    resolution : float
        One count. [kWh or kvarh]

    Examples
    --------
    >>> mj_per_count(0.001)
    3600000

    """
    numerator, denominator = exact(resolution)
    whole, rest = divmod(_MJ_PER_KWH * numerator, denominator)
    if rest or not whole:
        raise ValueError(f"a count of {resolution} kWh is no whole number of mJ")
    return whole
