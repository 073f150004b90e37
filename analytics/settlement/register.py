"""What a register's readings say, and which of them no register can have shown. Pure.

The last good register is kept: a reading is believed if the register can have
gone there from the last believed one, in whole counts, turns included, not faster than
its bound. Among all ways to read a disturbed register the one is taken that believes
the most readings, where a break costs as much as `CONFIRM` readings. So a glitch is put
aside however far it leaps, and a reset is a reset only once the register stays there.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from analytics.settlement.fitting import Fitting

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

CONFIRM = 4
"""Readings in a row that a register must stay at a new level to be taken as reset."""
_ROLLOVER_SHARE = 0.01
"""Without a bound: a register that goes back turned over only if it has run less than
this share of its range."""
_NEAR = 8
"""Readings on either side of a doubtful step that are judged one by one."""
_BACK = 48
"""So many nodes back a reading may follow on."""
_REPEAT_WEIGHT = 0.01
"""A reading like the one before says little: a stale one says nothing."""
_STANDING_WEIGHT = 0.05
_STANDING_SHARE = 0.9
"""Where so many readings are like the one before, the register has nothing to count, as
one of fed energy where nothing is fed. At a new level it is believed after some fifteen
hours of quarter-hours: else it would be doubted for ever."""
_HOUR_US = 3_600_000_000


class Doubt(StrEnum):
    """Why a reading is put aside, or why the register's run is broken."""

    BEYOND = "beyond-register"
    """It shows more than its digits can."""
    GLITCH = "glitch"
    """It fits neither the readings before nor those after it."""
    STALE = "stale"
    """It repeats an old register that had long gone on."""
    RESET = "reset"
    """The register began again near zero."""
    BACK = "back"
    """It stands lower than before: reset, or run backwards."""
    JUMP = "jump"
    """It stands higher than it can have run."""


BREAKS = frozenset({Doubt.RESET, Doubt.BACK, Doubt.JUMP})
"""Doubts after which the energy in between is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Doubtful:
    """A reading that was put aside, or the first one after a break."""

    doubt: Doubt
    at_us: int
    shown: int
    """[counts]"""
    before_us: int
    """The believed reading before it; that at `at_us` if there is none."""
    before: int
    """[counts]"""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Register:
    """The believed readings of one register; arrays have shape (m,).

    Between two of different stretches nothing is known.
    """

    at_us: IntArray
    """Ascending. [microseconds since 1970 UTC]"""
    counts: IntArray
    """Since the first one, turns counted on. [counts]"""
    shown: IntArray
    """[counts]"""
    stretch: IntArray
    doubtful: tuple[Doubtful, ...] = ()


def read_register(
    at_us: IntArray, shown: IntArray, fitting: Fitting, *, leap_us: int = 0
) -> Register:
    """Follow a register from reading to reading.

    Parameters
    ----------
    at_us : array, shape (m,)
        Ascending, each once. [microseconds since 1970 UTC]
    shown : array, shape (m,)
        [counts]
    fitting : Fitting
        Whose register it is.
    leap_us : int
        A register may move in leaps: in less than this it may run what it can run in
        this time. [microseconds]

    """
    possible = (shown >= 0) & (shown < fitting.turn)
    fits = _Fits(fitting, leap_us)
    whole = bool(possible.all())
    at, seen = (at_us, shown) if whole else (at_us[possible], shown[possible])
    advance = _advance(seen, fitting.turn)
    follows = fits.each(at, seen, advance)
    if whole and follows.all():  # as of most meters
        return Register(
            at_us=at,
            counts=_summed(advance, at.size),
            shown=seen,
            stretch=np.zeros(at.size, dtype=np.int64),
        )
    believed, broken = _most_believed(at, seen, follows, fits)
    kept = np.zeros(at_us.size, dtype=np.bool_)
    kept[np.flatnonzero(possible)[believed]] = True
    doubtful = [
        *_put_aside(at_us, shown, kept, fitting.turn),
        *_breaks(at[believed], seen[believed], broken, fitting.turn),
    ]
    at, seen = at[believed], seen[believed]
    advance = _advance(seen, fitting.turn)
    return Register(
        at_us=at,
        counts=_summed(np.where(broken, 0, advance), at.size),
        shown=seen,
        stretch=_summed(broken, at.size),
        doubtful=tuple(sorted(doubtful, key=lambda one: one.at_us)),
    )


def _advance(shown: IntArray, turn: int) -> IntArray:
    """Return how far a register went from each reading to the next, turns included."""
    step: IntArray = shown[1:] - shown[:-1]
    back = step < 0
    if back.any():
        step[back] += turn
    return step


class _Fits:
    """Whether a register can have gone from one reading to a later one."""

    def __init__(self, fitting: Fitting, leap_us: int) -> None:
        self._turn = fitting.turn
        self._leap_us = leap_us
        most = fitting.most_counts_an_hour
        self._most_a_us = None if most is None else most / _HOUR_US

    def each(self, at_us: IntArray, shown: IntArray, advance: IntArray) -> BoolArray:
        """Judge the steps between neighbours, shape (m - 1,)."""
        if self._most_a_us is None:
            went_on: BoolArray = shown[1:] >= shown[:-1]
            return went_on | (advance <= self._turn * _ROLLOVER_SHARE)
        time_us = np.maximum(at_us[1:] - at_us[:-1], self._leap_us)
        # One count more: the register was cut to whole counts at both ends.
        believed: BoolArray = advance <= self._most_a_us * time_us + 1
        return believed

    def step(self, from_us: int, from_shown: int, to_us: int, to_shown: int) -> bool:
        """Judge one step, as `each` does."""
        step = to_shown - from_shown
        advance = step + self._turn if step < 0 else step
        if self._most_a_us is None:
            return step >= 0 or advance <= self._turn * _ROLLOVER_SHARE
        return advance <= self._most_a_us * max(to_us - from_us, self._leap_us) + 1


@dataclass(frozen=True, slots=True)
class _Node:
    """Readings first to last that are believed or put aside together."""

    first: int
    last: int
    weight: float


def _most_believed(
    at_us: IntArray, shown: IntArray, follows: BoolArray, fits: _Fits
) -> tuple[IntArray, BoolArray]:
    """Return the believed readings, and before which of them the run is broken."""
    nodes = _nodes(shown, follows)
    score: list[float] = []
    came_from: list[int | None] = []
    is_break: list[bool] = []
    best: int | None = None
    for j, node in enumerate(nodes):
        to = int(at_us[node.first]), int(shown[node.first])
        found, link, broke = 0.0, None, False
        for i in range(j - 1, max(j - _BACK, 0) - 1, -1):
            before = nodes[i].last
            if score[i] > found and fits.step(
                int(at_us[before]), int(shown[before]), *to
            ):
                found, link = score[i], i
        if best is not None and score[best] - CONFIRM > found:
            found, link, broke = score[best] - CONFIRM, best, True
        score.append(found + node.weight)
        came_from.append(link)
        is_break.append(broke)
        if best is None or score[j] > score[best]:
            best = j
    return _chain(nodes, came_from, is_break, best)


def _chain(
    nodes: list[_Node],
    came_from: list[int | None],
    is_break: list[bool],
    last: int | None,
) -> tuple[IntArray, BoolArray]:
    """Walk back from the last node of the best chain."""
    believed: list[IntArray] = []
    breaks_at: list[int] = []
    while last is not None:
        node = nodes[last]
        believed.append(np.arange(node.first, node.last + 1))
        if is_break[last]:
            breaks_at.append(node.first)
        last = came_from[last]
    rows = np.concatenate(believed[::-1])
    return rows, np.isin(rows[1:], breaks_at)


def _nodes(shown: IntArray, follows: BoolArray) -> list[_Node]:
    """Cut the readings: one by one near doubtful steps, whole runs elsewhere."""
    size = shown.size
    repeats = np.concatenate([[False], shown[1:] == shown[:-1]])
    alone = np.zeros(size, dtype=np.bool_)
    for step in np.flatnonzero(~follows).tolist():
        begin, end = step, step + 1
        while begin > 0 and repeats[begin]:
            begin -= 1
        # What it leapt to and stood at, such as 0, is left in a step of its own.
        while end + 1 < size and repeats[end + 1]:
            end += 1
        alone[max(begin - _NEAR, 0) : begin + 1] = True
        alone[begin : end + _NEAR + 1] = True
    # A run of repeats is one node: they are all stale or none is.
    joined = repeats & np.concatenate([[False], repeats[:-1]])
    starts = np.ones(size, dtype=np.bool_)
    starts[1:] = (alone[1:] | alone[:-1]) & ~(joined[1:] & alone[1:] & alone[:-1])
    first = np.flatnonzero(starts)
    last = np.append(first[1:], size) - 1
    stands = repeats.mean() >= _STANDING_SHARE
    weight = np.where(repeats, _STANDING_WEIGHT if stands else _REPEAT_WEIGHT, 1.0)
    total = np.add.reduceat(weight, first)
    return [
        _Node(*one)
        for one in zip(first.tolist(), last.tolist(), total.tolist(), strict=True)
    ]


def _put_aside(
    at_us: IntArray, shown: IntArray, kept: BoolArray, turn: int
) -> list[Doubtful]:
    """Name the readings that are not believed."""
    found = []
    for i in np.flatnonzero(~kept).tolist():
        doubt = Doubt.GLITCH
        if not 0 <= shown[i] < turn:
            doubt = Doubt.BEYOND
        elif i > 0 and shown[i] == shown[i - 1]:
            doubt = Doubt.STALE
        before = np.flatnonzero(kept[:i])
        last = int(before[-1]) if before.size else i
        found.append(
            Doubtful(
                doubt=doubt,
                at_us=int(at_us[i]),
                shown=int(shown[i]),
                before_us=int(at_us[last]),
                before=int(shown[last]),
            )
        )
    return found


def _breaks(
    at_us: IntArray, shown: IntArray, broken: BoolArray, turn: int
) -> list[Doubtful]:
    """Name the first reading after each break."""
    found = []
    for i in np.flatnonzero(broken).tolist():
        before, after = int(shown[i]), int(shown[i + 1])
        doubt = Doubt.JUMP
        if after < before:
            near_zero = after <= turn * _ROLLOVER_SHARE
            doubt = Doubt.RESET if near_zero else Doubt.BACK
        found.append(
            Doubtful(
                doubt=doubt,
                at_us=int(at_us[i + 1]),
                shown=after,
                before_us=int(at_us[i]),
                before=before,
            )
        )
    return found


def _summed(steps: IntArray | BoolArray, size: int) -> IntArray:
    """Sum up from 0 at the first of `size` readings."""
    total = np.zeros(size, dtype=np.int64)
    np.cumsum(steps, out=total[1:])
    return total
