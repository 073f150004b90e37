"""Quarter-hours of an account on one time axis, with what was expected of them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

QUARTER_US = 15 * 60 * 1_000_000
QUARTERS_PER_HOUR = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadCurve:
    """Mean power of each quarter-hour and its expected band; all arrays shape (n,)."""

    start_us: IntArray
    """Interval starts, one after the other without a hole. [microseconds since 1970]"""
    load_kw: FloatArray
    """NaN where missing or not yet over."""
    estimated: BoolArray
    """Which known values are estimated."""
    edited: BoolArray
    """Which of the others a person set."""
    missing: BoolArray
    """Which should be known by now and are not."""
    low_kw: FloatArray
    """Expected band; NaN where there is none, as the two below."""
    expected_kw: FloatArray
    high_kw: FloatArray

    def __len__(self) -> int:
        """Count the quarter-hours, future ones too."""
        return int(self.start_us.size)

    def since_first_known(self) -> "LoadCurve":
        """Leave out the time before there was any data; all of it stays without any."""
        first = int(np.argmax(self.known))
        return LoadCurve(
            start_us=self.start_us[first:],
            load_kw=self.load_kw[first:],
            estimated=self.estimated[first:],
            edited=self.edited[first:],
            missing=self.missing[first:],
            low_kw=self.low_kw[first:],
            expected_kw=self.expected_kw[first:],
            high_kw=self.high_kw[first:],
        )

    @property
    def known(self) -> BoolArray:
        """Which have a value."""
        return ~np.isnan(self.load_kw)

    @property
    def energy_kwh(self) -> float:
        """Energy of the known quarter-hours."""
        return float(np.nansum(self.load_kw)) / QUARTERS_PER_HOUR

    @property
    def expected_so_far_kwh(self) -> float:
        """Energy expected in the quarter-hours whose load is known; NaN without band.

        A gap is left out on both sides, so that it compares with `comparable_kwh`.
        """
        return self._compared(self.expected_kw)

    @property
    def comparable_kwh(self) -> float:
        """Energy of the known quarter-hours that have a band; NaN without any."""
        return self._compared(self.load_kw)

    def _compared(self, kw: FloatArray) -> float:
        comparable = self.known & ~np.isnan(self.expected_kw)
        if not comparable.any():
            return float("nan")
        return float(kw[comparable].sum()) / QUARTERS_PER_HOUR

    @property
    def peak_kw(self) -> float:
        """Highest known load; NaN if none is known."""
        return float(np.nanmax(self.load_kw)) if self.known.any() else float("nan")

    @property
    def peak_start_us(self) -> int | None:
        """Start of the quarter-hour with the highest load, the first of equals."""
        if not self.known.any():
            return None
        return int(self.start_us[int(np.nanargmax(self.load_kw))])

    @property
    def newest(self) -> int | None:
        """Index of the newest known quarter-hour."""
        known = np.flatnonzero(self.known)
        return int(known[-1]) if known.size else None
