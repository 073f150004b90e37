"""Loads of light meters that come out of an array instead of a formula. Pure."""

from dataclasses import dataclass, field

import numpy as np

from meters.reading import IntArray

_MINUTE_MS = 60_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ByMinute:
    """A load that is given minute by minute, and nothing before and after.

    Below 50 MW and five years, 63 bits hold every figure.
    """

    first_ms: int
    """Start of the first minute, in milliseconds since 1970 UTC."""
    minute_w: IntArray
    """shape (m,): watts taken throughout each minute"""
    _before_mj: IntArray = field(init=False, repr=False)
    """shape (m + 1,): millijoules before each minute"""

    def __post_init__(self) -> None:
        """Add up once."""
        sums = np.zeros(self.minute_w.size + 1, dtype=np.int64)
        np.cumsum(self.minute_w * _MINUTE_MS, out=sums[1:])
        object.__setattr__(self, "_before_mj", sums)

    def power_w(self, at_ms: int) -> int:
        """Watts at an instant, in milliseconds since 1970 UTC."""
        minute = (at_ms - self.first_ms) // _MINUTE_MS
        return int(self.minute_w[minute]) if 0 <= minute < self.minute_w.size else 0

    def energy_mj(self, since_ms: int, until_ms: int) -> int:
        """Millijoules from one instant to a later one, exactly.

        Examples
        --------
        >>> load = ByMinute(first_ms=0, minute_w=np.array([6000, 1000]))
        >>> load.energy_mj(30_000, 90_000)  # half a minute of each
        210000000

        """
        return self._since_first_mj(until_ms) - self._since_first_mj(since_ms)

    def energies_mj(self, since_ms: int, until_ms: IntArray) -> IntArray:
        """As `energy_mj`, for a whole column of instants, shape (n,)."""
        passed = np.clip(until_ms - self.first_ms, 0, self.minute_w.size * _MINUTE_MS)
        minute, rest = np.divmod(passed, _MINUTE_MS)
        now_w = np.append(self.minute_w, 0)[minute]
        energies: IntArray = self._before_mj[minute] + now_w * rest
        return energies - self._since_first_mj(since_ms)

    def _since_first_mj(self, at_ms: int) -> int:
        last_ms = self.minute_w.size * _MINUTE_MS
        minute, rest = divmod(min(max(at_ms - self.first_ms, 0), last_ms), _MINUTE_MS)
        whole = int(self._before_mj[minute])
        return whole + (int(self.minute_w[minute]) * rest if rest else 0)
