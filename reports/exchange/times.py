"""Times on the wall become moments: both clock changes, 0:00 that closes a day. Pure.

The hour that autumn repeats is told apart by the order of the rows; what spring leaves
out is refused. A row is never moved without a finding that says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from meters.reading import from_utc_us
from reports.exchange.form import Found
from reports.exchange.stamps import DAY_US

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_QUARTER_US = 900_000_000
"""Clocks change on quarter-hours at the finest anywhere."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Moments:
    """Moments of a file's rows, shape (n,), in file order."""

    us: IntArray
    """[microseconds since 1970 UTC]; 0 where wrong"""
    wrong: dict[int, str] = field(default_factory=dict)
    """What is wrong, by index."""
    found: list[Found] = field(default_factory=list)


def moments_of(wall_us: IntArray, zone: ZoneInfo, *, ends: bool) -> Moments:
    """Turn times on the wall into moments.

    Parameters
    ----------
    wall_us : array, shape (n,)
        In file order. [microseconds since 1970 on the wall]
    zone : ZoneInfo
    ends : bool
        Whether a time names the end of its interval: then 0:00 after the other times
        of its date closes that day.

    """
    if wall_us.size == 0:
        return Moments(us=wall_us)
    descending = is_descending(wall_us)
    order = np.arange(wall_us.size)[:: -1 if descending else 1]
    wall = wall_us[order]
    found = []
    if descending:
        found.append(Found("descending", "It runs from new to old."))
    closing = _closing(wall)
    wrong: dict[int, str] = {}
    if closing.any():
        if ends:
            wall = wall + np.where(closing, DAY_US, 0)
            text = f"0:00 closes the day in {int(closing.sum())} rows."
            found.append(Found("closing-midnight", text))
        else:
            text = (
                "0:00 comes after the other times of its date; if times name the end "
                "of an interval, give --interval-ends."
            )
            wrong |= dict.fromkeys(np.flatnonzero(closing).tolist(), text)
    resolved = _resolved(wall, zone, ends=ends)
    us = np.empty_like(wall)
    us[order] = resolved.us
    places = order.tolist()
    told = {places[at]: text for at, text in (resolved.wrong | wrong).items()}
    return Moments(us=us, wrong=told, found=found + resolved.found)


def is_descending(times: IntArray) -> bool:
    """Tell whether a file runs from new to old, single steps aside."""
    steps = np.diff(times)
    return int((steps < 0).sum()) > int((steps > 0).sum())


def _closing(wall: IntArray) -> BoolArray:
    """Tell which times are the only 0:00 of a date, right after its other times."""
    closing = np.zeros(wall.size, dtype=np.bool_)
    day = wall // DAY_US
    midnight = wall % DAY_US == 0
    back = wall[1:] < wall[:-1]
    closing[1:] = midnight[1:] & (day[1:] == day[:-1]) & back
    dates, times = np.unique(day[midnight], return_counts=True)
    closing &= ~np.isin(day, dates[times > 1])
    in_order = 2 * closing.sum() >= back.sum()  # otherwise it is chance
    return closing if in_order else np.zeros_like(closing)


def _resolved(wall: IntArray, zone: ZoneInfo, *, ends: bool) -> Moments:
    """Turn times that ascend, as far as they are in order, into moments."""
    early, late = both_readings(wall, zone)
    us = early.copy()
    wrong: dict[int, str] = {}
    for at in np.flatnonzero(early > late).tolist():
        if ends and not _is_within_gap(int(wall[at]), zone):
            continue
        text = f"{from_utc_us(int(wall[at])):%Y-%m-%d %H:%M} does not exist in {zone}"
        wrong[at] = f"{text}, where clocks were put forward; give the file's true zone."
    twice = early < late
    if not twice.any():
        return Moments(us=us, wrong=wrong)
    found = _tell_apart(wall, us, late, twice, wrong)
    return Moments(us=us, wrong=wrong, found=found)


def _is_within_gap(wall: int, zone: ZoneInfo) -> bool:
    """Tell whether a time lies in the hour left out, its first instant aside.

    That instant ends an interval: it is the moment at which clocks are put forward.
    """
    before = np.array([wall - 1])
    early, late = both_readings(before, zone)
    return bool(early[0] > late[0])


def _tell_apart(
    wall: IntArray,
    us: IntArray,
    late: IntArray,
    twice: BoolArray,
    wrong: dict[int, str],
) -> list[Found]:
    """Settle in place which pass of the repeated hour each row is of."""
    turned = single = 0
    rows = np.flatnonzero(twice)
    # One repeated hour a run: they are half a year apart.
    for run in np.split(rows, np.flatnonzero(_far(wall[rows])) + 1):
        is_late = _second_pass(wall[run])
        if is_late is None:
            text = (
                "It stands in the hour that autumn repeats, and the rows there are in "
                "no order that tells which pass is meant."
            )
            wrong |= dict.fromkeys(run.tolist(), text)
            continue
        us[run[is_late]] = late[run[is_late]]
        turned += int(is_late.sum())
        single += 0 if is_late.any() else run.size
    found = []
    if turned:
        text = f"{turned} rows are of the second pass of the hour that autumn repeats."
        found.append(Found("repeated-hour", text))
    if single:
        text = (
            f"{single} rows stand once in the hour that autumn repeats; they were "
            "taken as summer time, and the hour after them is missing."
        )
        found.append(Found("single-hour", text))
    return found


def _far(wall: IntArray) -> BoolArray:
    apart: BoolArray = np.abs(np.diff(wall)) > DAY_US
    return apart


def _second_pass(wall: IntArray) -> BoolArray | None:
    """Tell which rows of one repeated hour are of its second pass; None = unknown.

    Rows come in order of time: where the clock goes back once, the second pass begins.
    Where it never does, of two equal times the later row is of the second pass.
    """
    back = np.flatnonzero(np.diff(wall) < 0)
    is_late = np.zeros(wall.size, dtype=np.bool_)
    if back.size == 1:
        is_late[back[0] + 1 :] = True
        return is_late
    if back.size > 1:
        return None
    is_late[1:] = np.diff(wall) == 0
    return is_late


def both_readings(wall_us: IntArray, zone: ZoneInfo) -> tuple[IntArray, IntArray]:
    """Read times on the wall with fold 0 and 1; only those near a change differ.

    For a time that spring leaves out the first is later than the second.
    """

    def looked_up(moments_us: IntArray) -> IntArray:
        both = [_on_the_wall(one, zone) for one in moments_us.tolist()]
        return np.array(both, dtype=np.int64).reshape(-1, 2)

    offsets = _offsets(wall_us, looked_up)
    return wall_us - offsets[:, 0], wall_us - offsets[:, 1]


def wall_of(moments_us: IntArray, zone: ZoneInfo) -> IntArray:
    """Return what the wall shows at moments. [microseconds since 1970 on the wall]."""

    def looked_up(these_us: IntArray) -> IntArray:
        shown = (from_utc_us(one).astimezone(zone) for one in these_us.tolist())
        return np.array([_offset_us(one) for one in shown], dtype=np.int64)[:, None]

    return moments_us + _offsets(moments_us, looked_up)[:, 0]


def _offsets(times_us: IntArray, looked_up: Callable[[IntArray], IntArray]) -> IntArray:
    """Return the offsets of many times, looking up a day by its ends where it can.

    Where they differ between them, each quarter-hour is looked up: no zone changes its
    clocks twice in a day. Shape (n, k), k as `looked_up` returns.
    """
    day, place = np.unique(times_us // DAY_US, return_inverse=True)
    starts, ends = looked_up(day * DAY_US), looked_up((day + 1) * DAY_US)
    offsets = starts[place]
    differs = ((starts != starts[:, :1]) | (ends != starts[:, :1])).any(axis=1)
    rows = np.flatnonzero(differs[place])
    if rows.size:
        quarter, place = np.unique(times_us[rows] // _QUARTER_US, return_inverse=True)
        offsets[rows] = looked_up(quarter * _QUARTER_US)[place]
    return offsets


def _on_the_wall(wall_us: int, zone: ZoneInfo) -> tuple[int, int]:
    local = from_utc_us(wall_us).replace(tzinfo=zone)
    return _offset_us(local), _offset_us(local.replace(fold=1))


def _offset_us(local: datetime) -> int:
    return (local.utcoffset() or timedelta(0)) // timedelta(microseconds=1)
