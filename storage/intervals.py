"""Settled intervals and what they add up to by hour and by local day."""

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from analytics.settlement.intervals import (
    BoolArray,
    FloatArray,
    Intervals,
    Quality,
    TextArray,
)
from storage.binary import energies_of, times_of
from storage.migrate import is_timescale

_QUALITIES = np.array([quality.value for quality in Quality])

# How each is known, in one character: 16 firm + 4 worst rule + quality, from "0" on.
# One value a column, its numbers end to end: no row objects for years of intervals.
SELECT_INTERVALS = """
    SELECT coalesce(min(length_min), 15)::int,
           string_agg(timestamptz_send(start), ''),
           string_agg(float8send(coalesce(import_kwh, 'NaN')), ''),
           string_agg(float8send(coalesce(export_kwh, 'NaN')), ''),
           string_agg(float8send(coalesce(lagging_kvarh, 'NaN')), ''),
           string_agg(float8send(coalesce(leading_kvarh, 'NaN')), ''),
           string_agg(chr(ascii('0') + status * 4 + CASE WHEN firm THEN 16 ELSE 0 END
                          + CASE quality WHEN 'measured' THEN 0 WHEN 'estimated' THEN 1
                                         WHEN 'edited' THEN 2 ELSE 3 END), ''),
           string_agg(float4send(confidence), '')
               FILTER (WHERE quality <> 'measured'),
           string_agg(coalesce(method, ''), chr(31))
               FILTER (WHERE quality <> 'measured')
      FROM (SELECT start, length_min, import_kwh, export_kwh, lagging_kvarh,
                   leading_kvarh, quality, method, confidence, status, firm
              FROM energy_interval
             WHERE point_id = %(point_id)s
               AND start >= %(start)s AND start < %(stop)s
             ORDER BY start) AS wanted
"""
# As of a moment: settled by then, and not replaced by then.
SELECT_INTERVALS_THEN = SELECT_INTERVALS.replace(
    "             ORDER BY start) AS wanted",
    """               AND settled_at <= %(as_of)s
             UNION ALL
            SELECT start, length_min, import_kwh, export_kwh, lagging_kvarh,
                   leading_kvarh, quality, method, confidence, status, firm
              FROM energy_interval_past
             WHERE point_id = %(point_id)s
               AND start >= %(start)s AND start < %(stop)s
               AND settled_at <= %(as_of)s AND replaced_at > %(as_of)s
             ORDER BY start) AS wanted""",
)


def load_intervals(
    conn: Connection[TupleRow],
    point_id: int,
    start: datetime,
    stop: datetime,
    *,
    as_of: datetime | None = None,
) -> Intervals:
    """Return the settled intervals of a point that start in [start, stop), by time.

    What was never settled is absent; a settled gap is there as missing, with its cause
    as its method.

    Parameters
    ----------
    conn : Connection
    point_id : int
    start, stop : datetime
    as_of : datetime, optional
        What was believed then, instead of now.

    """
    window = {"point_id": point_id, "start": start, "stop": stop, "as_of": as_of}
    query = SELECT_INTERVALS if as_of is None else SELECT_INTERVALS_THEN
    row = conn.cursor(binary=True).execute(query, window).fetchone()
    length_min, starts, *energies, known, confidence, method = row or ()
    code = np.frombuffer((known or "").encode(), dtype=np.uint8) - ord("0")
    quality = _QUALITIES[code % 4]
    columns = [energies_of(energy) for energy in energies]
    return Intervals(
        start_us=times_of(starts),
        length_min=length_min,
        import_kwh=columns[0],
        export_kwh=columns[1],
        lagging_kvarh=columns[2],
        leading_kvarh=columns[3],
        quality=quality,
        method=_methods(code % 4 > 0, method),
        confidence=_confidences(code % 4 > 0, confidence),
        status=code // 4 % 4,
        firm=code >= 16,  # noqa: PLR2004 - as SELECT_INTERVALS says
    )


def _methods(rows: BoolArray, methods: str | None) -> TextArray:
    """Lay the methods of what is not measured, in their order, beside all intervals."""
    if methods is None:
        return np.full(rows.size, "")
    given = np.array(methods.split("\x1f"))
    column = np.full(rows.size, "", dtype=given.dtype)
    column[rows] = given
    return column


def _confidences(rows: BoolArray, given: bytes | None) -> FloatArray:
    """Lay the confidences of what is not measured beside those of what is: 1."""
    column = np.ones(rows.size)
    column[rows] = np.frombuffer(given or b"", dtype=">f4")
    return column


SELECT_BEGINNING = """
    SELECT start FROM energy_interval
     WHERE point_id = %(point_id)s ORDER BY start LIMIT 1
"""


def settled_from(conn: Connection[TupleRow], point_id: int) -> datetime | None:
    """Return the start of a point's oldest interval; None = there is none."""
    row = conn.execute(SELECT_BEGINNING, {"point_id": point_id}).fetchone()
    return None if row is None else row[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadSum:
    """Energy of several intervals; None where nothing is known."""

    import_kwh: float | None
    export_kwh: float | None
    lagging_kvarh: float | None
    leading_kvarh: float | None
    max_import_kw: float | None
    """Highest mean power of one interval."""
    measured: int
    """Intervals of each quality."""
    estimated: int
    edited: int
    missing: int


@dataclass(frozen=True, kw_only=True, slots=True)
class HourLoad(LoadSum):
    """Energy of a point in one UTC hour."""

    hour: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class DayLoad(LoadSum):
    """Energy of a point in one local day of its account."""

    local_day: date
    hours: float
    """Length of the day: 23, 24 or 25 where clocks change by an hour."""


SELECT_HOURLY = """
    SELECT hour, import_kwh, export_kwh, lagging_kvarh, leading_kvarh, max_import_kw,
           measured, estimated, edited, missing
      FROM load_hourly
     WHERE point_id = %(point_id)s AND hour >= %(start)s AND hour < %(stop)s
     ORDER BY hour
"""
SELECT_DAILY = """
    SELECT local_day, hours, import_kwh, export_kwh, lagging_kvarh, leading_kvarh,
           max_import_kw, measured, estimated, edited, missing
      FROM load_daily
     WHERE point_id = %(point_id)s AND local_day BETWEEN %(first)s AND %(last)s
     ORDER BY local_day
"""


def load_hourly(
    conn: Connection[TupleRow], point_id: int, start: datetime, stop: datetime
) -> list[HourLoad]:
    """Return a point's energy by the UTC hours that start in [start, stop)."""
    window = {"point_id": point_id, "start": start, "stop": stop}
    with conn.cursor(row_factory=class_row(HourLoad)) as cur:
        return cur.execute(SELECT_HOURLY, window).fetchall()


def load_daily(
    conn: Connection[TupleRow], point_id: int, first: date, last: date
) -> list[DayLoad]:
    """Return a point's energy by local day, from first to last."""
    window = {"point_id": point_id, "first": first, "last": last}
    with conn.cursor(row_factory=class_row(DayLoad)) as cur:
        return cur.execute(SELECT_DAILY, window).fetchall()


REFRESH_HOURLY = """
    CALL refresh_continuous_aggregate(
        'load_hourly', %(start)s::timestamptz, %(stop)s::timestamptz)
"""


def refresh_hourly(
    conn: Connection[TupleRow], start: datetime | None, stop: datetime | None
) -> None:
    """Bring the hourly sums up to date now instead of at the policy's next turn.

    For late intervals: newer ones are added when they are asked for. Nothing to do
    without TimescaleDB. The connection must be in autocommit.
    """
    if is_timescale(conn):
        conn.execute(REFRESH_HOURLY, {"start": start, "stop": stop})
