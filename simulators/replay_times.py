"""Times of a measured file: into UTC, into order, and what was done for it. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from meters.reading import FloatArray, IntArray, from_utc_us
from simulators.replay_form import ReplayError

_HOUR_US = 3_600_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something about the file that its reader must know."""

    code: str
    text: str


def to_utc_us(
    wall_us: IntArray, zone: ZoneInfo, source: str
) -> tuple[IntArray, list[Finding]]:
    """Turn times on the wall into UTC.

    In the hour that autumn repeats, the first of two equal times is summer time and
    the second is not; which is first follows from the file's direction. A single one
    is taken as summer time.

    Parameters
    ----------
    wall_us : array, shape (n,)
        Local time as microseconds since 1970-01-01 00:00 on the wall, in file order.
    zone : ZoneInfo
        Where the wall stands.
    source : str
        Name of the file, for messages.

    Returns
    -------
    moments : array, shape (n,)
        Microseconds since 1970 UTC, in file order.
    findings : list of Finding

    Raises
    ------
    ReplayError
        For a time that spring leaves out.

    """
    distinct, place = np.unique(wall_us, return_inverse=True)
    early, late = _both_readings(distinct, zone)
    if (early > late).any():
        gone = from_utc_us(distinct[int((early > late).argmax())])
        raise ReplayError(
            f"{source}: {gone:%Y-%m-%d %H:%M} does not exist in {zone}, where clocks "
            "were put forward; give the file's true zone, or stamp."
        )
    moments = early[place]
    repeated = np.flatnonzero((early != late)[place])
    if repeated.size == 0:
        return moments, []
    descending = _is_descending(wall_us)
    rows = repeated[::-1] if descending else repeated
    seen: set[int] = set()
    turned = 0
    for row in rows:
        if wall_us[row] in seen:
            moments[row] = late[place[row]]
            turned += 1
        seen.add(int(wall_us[row]))
    if not turned:
        return moments, []
    text = (
        f"{turned} times stand twice in the hour that autumn repeats; "
        "the first of two was taken as summer time."
    )
    return moments, [Finding(code="repeated-hour", text=text)]


def _both_readings(wall_us: IntArray, zone: ZoneInfo) -> tuple[IntArray, IntArray]:
    """Read times on the wall with fold 0 and 1; only those near a change differ.

    For a time that spring leaves out the first is later than the second.
    """
    early = np.empty_like(wall_us)
    late = np.empty_like(wall_us)
    hour_offsets: dict[int, tuple[int, int]] = {}
    for at, wall in enumerate(wall_us):
        # Clocks change on quarter-hours at the finest anywhere.
        key = int(wall) // (_HOUR_US // 4)
        if key not in hour_offsets:
            local = from_utc_us(int(wall)).replace(tzinfo=zone)
            offsets = (_offset_us(local), _offset_us(local.replace(fold=1)))
            hour_offsets[key] = offsets
        first, second = hour_offsets[key]
        early[at], late[at] = wall - first, wall - second
    return early, late


def _offset_us(local: datetime) -> int:
    offset = local.utcoffset() or timedelta(0)
    return offset // timedelta(microseconds=1)


def _is_descending(times: IntArray) -> bool:
    """Whether a file runs from new to old, the autumn hour aside."""
    return times.size > 1 and bool(times[0] > times[-1])


def in_order(
    times_us: IntArray, columns: FloatArray, source: str
) -> tuple[IntArray, list[Finding]]:
    """Find the rows in order of time, none twice.

    Parameters
    ----------
    times_us : array, shape (n,)
        Microseconds since 1970 UTC, in file order.
    columns : array, shape (m, n)
        What the rows say.
    source : str
        Name of the file, for messages.

    Returns
    -------
    rows : array, shape (k,)
        Indices into the file's rows.
    findings : list of Finding

    Raises
    ------
    ReplayError
        If the times jump to and fro, or a time stands twice with different values.

    """
    findings = []
    rows = np.arange(times_us.size)
    if _is_descending(times_us):
        rows = rows[::-1]
        text = "The file runs from new to old; it was turned round."
        findings.append(Finding(code="descending", text=text))
    steps = np.diff(times_us[rows])
    if (steps < 0).any():
        row = int(rows[int((steps < 0).argmax()) + 1])
        raise ReplayError(
            f"{source}: the times are not in order: row {row + 1}, "
            f"{from_utc_us(times_us[row]):%Y-%m-%d %H:%M} UTC, goes back."
        )
    again = np.flatnonzero(steps == 0) + 1
    if again.size:
        here, before = columns[:, rows[again]], columns[:, rows[again - 1]]
        same = ((here == before) | (np.isnan(here) & np.isnan(before))).all(axis=0)
        if not same.all():
            row = int(rows[again[int((~same).argmax())]])
            raise ReplayError(
                f"{source}: {from_utc_us(times_us[row]):%Y-%m-%d %H:%M} UTC stands "
                f"twice with different values, the second time in row {row + 1}."
            )
        text = f"{again.size} rows stand twice, word for word; one of each was taken."
        findings.append(Finding(code="repeated-rows", text=text))
        rows = np.delete(rows, again)
    return rows, findings
