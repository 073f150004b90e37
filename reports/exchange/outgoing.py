"""What is handed out of one point, whatever the format. Pure."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from accounts.account import Account, Point
from analytics.settlement.method import Method
from reports.exchange.form import ENERGIES, ExchangeError
from storage.exports import SettledRows

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_METHODS = {method.text: method for method in Method}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Outgoing:
    """Settled intervals of a point, and whose they are."""

    account: Account
    point: Point
    serial: str
    """Of the meter that sat there all the time; empty if it was swapped meanwhile."""
    rows: SettledRows
    methods: npt.NDArray[np.uint8] | None = None
    """shape (n, 4): `Method` by which an energy of a measured interval is known; NONE =
    measured too. None = all are."""

    def method_in(self, row: int, column: int) -> Method:
        """Return how one energy of a measured interval is known: NONE = measured."""
        return (
            Method.NONE if self.methods is None else Method(self.methods[row, column])
        )

    def estimated_energies(self) -> list[str]:
        """Name, for each interval, energies that are estimated in a measured one."""
        if self.methods is None or not self.methods.any():
            return [""] * len(self.rows)
        return [
            " ".join(
                name for name, method in zip(ENERGIES, each, strict=True) if method
            )
            for each in self.methods.tolist()
        ]

    @property
    def length_min(self) -> int:
        """Length of every interval.

        Raises
        ------
        ExchangeError
            They are of different lengths, which these formats cannot say.

        """
        lengths = np.unique(self.rows.length_min)
        if lengths.size > 1:
            named = " and ".join(f"{length}" for length in lengths)
            raise ExchangeError(
                f"{self.point.name} has intervals of {named} min in that time; export "
                "the days of each length by themselves."
            )
        return int(lengths[0]) if lengths.size else 15


def runs_of(days: IntArray) -> list[npt.NDArray[np.intp]]:
    """Return the rows of each day, shape (n,) each; the days ascend.

    Examples
    --------
    >>> [rows.tolist() for rows in runs_of(np.array([3, 3, 4, 7]))]
    [[0, 1], [2], [3]]

    """
    rows = np.arange(days.size)
    return np.split(rows, np.flatnonzero(np.diff(days)) + 1) if days.size else []


def method_of(text: str) -> Method:
    """Return the method that an interval names; one without a code is calculated.

    Examples
    --------
    >>> method_of("average-like-day").aemo
    15

    """
    return _METHODS.get(text, Method.CALCULATED)


def offset_text(offset: timedelta) -> str:
    """Return an offset from UTC as ISO 8601 has it.

    Examples
    --------
    >>> offset_text(timedelta(hours=-3, minutes=-30))
    '-03:30'

    """
    minutes = offset // timedelta(minutes=1)
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


def rounded_in_sum(values: FloatArray, unit: float) -> IntArray:
    """Return values in whole units, so that no sum is off by more than one half.

    What is cut off one value is added to the next, as for portions of a register; NaN
    counts as nothing.

    Parameters
    ----------
    values : array, shape (n,)
        Not negative.
    unit : float

    Examples
    --------
    >>> rounded_in_sum(np.array([1.25, 1.25, 1.25, 1.25]), 0.1).tolist()
    [12, 13, 13, 12]

    """
    passed = np.rint(np.cumsum(np.nan_to_num(values)) / unit).astype(np.int64)
    whole: IntArray = passed.copy()
    whole[1:] -= passed[:-1]
    return whole
