"""What a rule found, with the figures that led to it; the worst wins. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from analytics.settlement.ruleset import Severity

IntArray = npt.NDArray[np.int64]


class Status(IntEnum):
    """How a rule was met, from the best to the worst."""

    PASS = 0
    SKIPPED = 1
    """There was nothing to judge by."""
    WARN = 2
    FAIL = 3


BROKEN: Mapping[Severity, Status] = {
    Severity.FAIL: Status.FAIL,
    Severity.WARN: Status.WARN,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """One rule over [start_us, stop_us)."""

    rule: str
    status: Status
    start_us: int
    stop_us: int
    figures: Mapping[str, float | str] = field(default_factory=dict)
    """Named with their units."""


def worst(
    verdicts: Iterable[Verdict], start_us: IntArray, length_us: int
) -> npt.NDArray[np.uint8]:
    """Return the worst status that touches each interval, shape (n,).

    Parameters
    ----------
    verdicts
        What only passed or was skipped touches nothing.
    start_us : array, shape (n,)
        Ascending. [microseconds since 1970 UTC]
    length_us : int

    """
    status = np.full(start_us.shape, Status.PASS, dtype=np.uint8)
    for one in verdicts:
        if one.status <= Status.SKIPPED:
            continue
        first = int(np.searchsorted(start_us, one.start_us - length_us, side="right"))
        last = int(np.searchsorted(start_us, one.stop_us, side="left"))
        rows = slice(first, last)
        status[rows] = np.maximum(status[rows], np.uint8(one.status))
    return status


def runs(of: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first and end (exclusive) of each run of True.

    Examples
    --------
    >>> runs(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]

    """
    if not of.any():
        return []
    padded = np.zeros(of.size + 2, dtype=np.bool_)
    padded[1:-1] = of
    edges = (padded[1:] != padded[:-1]).nonzero()[0].tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))
