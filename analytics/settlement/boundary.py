"""The point's energy at the intervals' boundaries; its holes. Pure.

A boundary is one whole number of quanta, used for the interval before and the one
after: whatever shares out a hole between two readings, intervals sum to what the
registers say.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.settlement.quanta import portions, shared_out
from analytics.settlement.track import EnergyTrack

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

FURTHEST_DAYS = 400
"""A hole is shared out as a whole as long as readings are kept: 13 months."""
_DAY_US = 86_400_000_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Boundaries:
    """A point's energy at b boundaries."""

    at_us: IntArray
    """shape (b,), ascending"""
    quanta: IntArray
    """shape (b,); meaningless where not `known`"""
    known: BoolArray
    """shape (b,): read, or between two readings not too far apart"""
    stretch: IntArray
    """shape (b,)"""
    gap_us: IntArray
    """shape (b,): between the readings around it; 0 where read at that moment"""
    step: IntArray
    """shape (b,): of the track, in which it lies; -1 where read or outside"""

    def knows(self, first: int, stop: int) -> bool:
        """Whether the energy between two boundaries is known."""
        both = self.known[first] and self.known[stop]
        return bool(both and self.stretch[first] == self.stretch[stop])


def at_boundaries(track: EnergyTrack, at_us: IntArray, max_gap_us: int) -> Boundaries:
    """Return the energy at boundaries, read or taken to have run evenly.

    Parameters
    ----------
    track : EnergyTrack
    at_us : array, shape (b,)
        Ascending. [microseconds since 1970 UTC]
    max_gap_us : int
        Between readings further apart it is not taken to have run evenly: a hole.
        [microseconds]

    """
    size = track.at_us.size
    if size == 0:
        zero = np.zeros(at_us.shape, dtype=np.int64)
        return Boundaries(
            at_us=at_us,
            quanta=zero,
            known=zero > 0,
            stretch=zero - 1,
            gap_us=zero,
            step=zero - 1,
        )
    after = track.at_us.searchsorted(at_us)
    within = after < size
    after = np.minimum(after, size - 1)
    exactly = track.at_us[after] == at_us
    if exactly.all():
        zero = np.zeros(at_us.shape, dtype=np.int64)
        return Boundaries(
            at_us=at_us,
            quanta=track.quanta[after],
            known=exactly,
            stretch=track.stretch[after],
            gap_us=zero,
            step=zero - 1,
        )
    between = within & ~exactly & (after > 0)
    if between.any():
        last = after[between]
        between[between] = track.stretch[last] == track.stretch[last - 1]
    quanta = track.quanta[after]
    gap_us = np.zeros(at_us.shape, dtype=np.int64)
    step = np.full(at_us.shape, -1, dtype=np.int64)
    rows = np.flatnonzero(between)
    if rows.size:
        last = after[rows]
        gap_us[rows] = track.gap_us[last - 1]
        step[rows] = last - 1
        quanta[rows] = track.quanta[last - 1] + portions(
            track.quanta[last] - track.quanta[last - 1],
            at_us[rows] - track.at_us[last - 1],
            track.at_us[last] - track.at_us[last - 1],
        )
    return Boundaries(
        at_us=at_us,
        quanta=quanta,
        known=exactly | (between & (gap_us <= max_gap_us)),
        stretch=np.where(exactly | between, track.stretch[after], -1),
        gap_us=gap_us,
        step=step,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Hole:
    """Time between two readings too far apart, whose energy the registers know."""

    step: int
    """Of the track."""
    first: int
    """Interval in which it begins."""
    last: int
    """Interval in which it ends."""
    start_us: int
    stop_us: int
    quanta: int
    """Energy between both readings."""


def holes(bounds: Boundaries, track: EnergyTrack) -> list[Hole]:
    """Return the holes that have a boundary in them, by time.

    One that reaches beyond the first or the last boundary is none: a part of it cannot
    be shared out.
    """
    if bounds.known.all():
        return []
    inside = np.flatnonzero(~bounds.known & (bounds.step >= 0))
    found = []
    for step in np.unique(bounds.step[inside]).tolist():
        rows = inside[bounds.step[inside] == step]
        if rows[0] == 0 or rows[-1] == bounds.at_us.size - 1:
            continue
        found.append(
            Hole(
                step=step,
                first=int(rows[0]) - 1,
                last=int(rows[-1]),
                start_us=int(track.at_us[step]),
                stop_us=int(track.at_us[step + 1]),
                quanta=int(track.quanta[step + 1] - track.quanta[step]),
            )
        )
    return found


def chains(found: Iterable[Hole]) -> list[tuple[int, int]]:
    """Return first interval and end (exclusive) of holes, as one where they share one.

    Parameters
    ----------
    found
        By time.

    """
    chained: list[tuple[int, int]] = []
    for hole in found:
        first, stop = hole.first, hole.last + 1
        if chained and chained[-1][1] > first:
            first = chained.pop()[0]
        chained.append((first, stop))
    return chained


def cuts_of(hole: Hole, bounds: Boundaries) -> IntArray:
    """Return where a hole's parts begin, and its end. [microseconds since 1970]."""
    within = bounds.at_us[hole.first + 1 : hole.last + 1]
    return np.concatenate([[hole.start_us], within, [hole.stop_us]]).astype(np.int64)


def widened(
    steps: Iterable[tuple[IntArray, IntArray]], start_us: IntArray, length_us: int
) -> IntArray:
    """Widen a span so that what is known as a whole is shared out as a whole.

    Parameters
    ----------
    steps
        Where the long steps of each register, and the long intervals of each profile,
        begin and end. [microseconds since 1970 UTC]
    start_us : array, shape (n,)
        [microseconds since 1970 UTC]
    length_us : int

    Returns
    -------
    array, shape (>= n,)
        At most `FURTHEST_DAYS` more on either side.

    """
    first, stop = int(start_us[0]), int(start_us[-1]) + length_us
    wide_first, wide_stop = first, stop
    for begins, ends in steps:
        over = (begins < first) & (ends > first)
        wide_first = int(begins[over].min(initial=wide_first))
        over = (begins < stop) & (ends > stop)
        wide_stop = int(ends[over].max(initial=wide_stop))
    far_us = FURTHEST_DAYS * _DAY_US
    before = -(-min(first - wide_first, far_us) // length_us)
    after = -(-min(wide_stop - stop, far_us) // length_us)
    place = np.arange(-before, start_us.size + after, dtype=np.int64)
    widened_us: IntArray = first + length_us * place
    return widened_us


def fill(
    bounds: Boundaries, track: EnergyTrack, hole: Hole, weights: FloatArray
) -> None:
    """Share a hole's energy out over its parts, in place.

    Parameters
    ----------
    bounds : Boundaries
    track : EnergyTrack
    hole : Hole
    weights : array, shape (hole.last - hole.first + 1,)
        Energy that each part of the hole is taken to have: what lies between its
        boundaries, the first from the reading before it, the last to that after it.
        Not negative; all 0 or any NaN = by their lengths in time.

    """
    rows = slice(hole.first + 1, hole.last + 1)
    shares = shared_out(hole.quanta, weights, np.diff(cuts_of(hole, bounds)))
    bounds.quanta[rows] = track.quanta[hole.step] + np.cumsum(shares)[:-1]
    bounds.known[rows] = True
