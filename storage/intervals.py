"""Settled intervals and what they add up to by hour and by local day."""

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from analytics.settle import Intervals, Quality, TextArray
from meters.reading import IntArray, from_utc_us
from storage.binary import float_column, floats_of, time_column, times_of
from storage.migrate import is_timescale

ENSURE_PARTITIONS = "SELECT ensure_time_partitions(%(first)s, %(last)s)"

# What a person edited stands; settling does not touch it. What was settled from
# readings that may be dropped by now (0003: 13 months; those up to a day before it may
# count) is only replaced by what is known as well or better.
UPSERT_INTERVALS = """
    INSERT INTO energy_interval AS old (
        point_id, start, length_min, import_kwh, export_kwh, lagging_kvarh,
        leading_kvarh, quality, method, settled_at)
    SELECT %(point_id)s, start, %(length_min)s, import_kwh, export_kwh, lagging_kvarh,
           leading_kvarh, quality, nullif(method, ''), %(settled_at)s
      FROM unnest(%(start)s, %(import_kwh)s, %(export_kwh)s, %(lagging_kvarh)s,
                  %(leading_kvarh)s, %(quality)s::text[], %(method)s::text[])
           AS settled (start, import_kwh, export_kwh, lagging_kvarh, leading_kvarh,
                       quality, method)
    ON CONFLICT (point_id, start) DO UPDATE
       SET length_min = excluded.length_min, import_kwh = excluded.import_kwh,
           export_kwh = excluded.export_kwh, lagging_kvarh = excluded.lagging_kvarh,
           leading_kvarh = excluded.leading_kvarh, quality = excluded.quality,
           method = excluded.method, version = old.version + 1,
           settled_at = excluded.settled_at
     WHERE (old.length_min, old.import_kwh, old.export_kwh, old.lagging_kvarh,
            old.leading_kvarh, old.quality, old.method)
           IS DISTINCT FROM
           (excluded.length_min, excluded.import_kwh, excluded.export_kwh,
            excluded.lagging_kvarh, excluded.leading_kvarh, excluded.quality,
            excluded.method)
       AND (old.quality <> 'edited' OR excluded.quality = 'edited')
       AND (excluded.start >= excluded.settled_at - interval '13 months'
                                                  + interval '1 day'
            OR array_position('{edited,measured,estimated,missing}', excluded.quality)
            <= array_position('{edited,measured,estimated,missing}', old.quality))
    RETURNING start
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """What storing settled intervals changed."""

    changed: int
    """New intervals, old ones with another figure (a new version), deleted ones."""
    first_start: datetime | None
    """Start of the oldest of them."""


def store_intervals(
    conn: Connection[TupleRow],
    point_id: int,
    intervals: Intervals,
    *,
    settled_at: datetime,
) -> Stored:
    """Store settled intervals of a point where they say something new.

    The caller owns the transaction: the one in which it took the dirty days.

    Readings are dropped after 13 months and intervals are not. A late reading of such
    a time has its day settled again from what little is there: it may fill a gap or
    turn an estimate into a measurement, but nothing known becomes missing and nothing
    measured an estimate. Within the 13 months the newest settlement holds, also where
    it knows less, as after a meter turned out not to have been there.
    """
    if len(intervals) == 0:
        return Stored(0, None)
    window = {
        "first": from_utc_us(int(intervals.start_us.min())),
        "last": from_utc_us(int(intervals.start_us.max())),
    }
    conn.execute(ENSURE_PARTITIONS, window)
    settled = {
        "point_id": point_id,
        "start": time_column(intervals.start_us),
        "length_min": intervals.length_min,
        "import_kwh": float_column(intervals.import_kwh),
        "export_kwh": float_column(intervals.export_kwh),
        "lagging_kvarh": float_column(intervals.lagging_kvarh),
        "leading_kvarh": float_column(intervals.leading_kvarh),
        "quality": intervals.quality.tolist(),
        "method": intervals.method.tolist(),
        "settled_at": settled_at,
    }
    changed = conn.execute(UPSERT_INTERVALS, settled).fetchall()
    return Stored(len(changed), min((row[0] for row in changed), default=None))


DELETE_INTERVALS = """
    DELETE FROM energy_interval
     WHERE point_id = %(point_id)s AND start BETWEEN %(first)s AND %(last)s
       AND start = ANY(%(starts)s) AND quality <> 'edited'
    RETURNING start
"""


def delete_intervals(
    conn: Connection[TupleRow], point_id: int, starts_us: IntArray
) -> Stored:
    """Delete what was settled of a point at times at which none was metered there.

    What a person edited stands. The caller owns the transaction.
    """
    if starts_us.size == 0:
        return Stored(0, None)
    wrong = {
        "point_id": point_id,
        "first": from_utc_us(int(starts_us.min())),
        "last": from_utc_us(int(starts_us.max())),
        "starts": time_column(starts_us),
    }
    deleted = conn.execute(DELETE_INTERVALS, wrong).fetchall()
    return Stored(len(deleted), min((row[0] for row in deleted), default=None))


_QUALITIES = np.array([quality.value for quality in Quality])

# One value a column, its numbers end to end: no row objects for years of intervals.
SELECT_INTERVALS = """
    SELECT coalesce(min(length_min), 15)::int,
           string_agg(timestamptz_send(start), ''),
           string_agg(float8send(coalesce(import_kwh, 'NaN')), ''),
           string_agg(float8send(coalesce(export_kwh, 'NaN')), ''),
           string_agg(float8send(coalesce(lagging_kvarh, 'NaN')), ''),
           string_agg(float8send(coalesce(leading_kvarh, 'NaN')), ''),
           string_agg(CASE quality WHEN 'measured' THEN '0' WHEN 'estimated' THEN '1'
                                   WHEN 'edited' THEN '2' ELSE '3' END, ''),
           string_agg(coalesce(method, ''), chr(31))
               FILTER (WHERE quality IN ('estimated', 'edited'))
      FROM (SELECT *
              FROM energy_interval
             WHERE point_id = %(point_id)s
               AND start >= %(start)s AND start < %(stop)s
             ORDER BY start) AS wanted
"""


def load_intervals(
    conn: Connection[TupleRow], point_id: int, start: datetime, stop: datetime
) -> Intervals:
    """Return the settled intervals of a point that start in [start, stop), by time.

    What was never settled is absent; a settled gap is there as missing. Its cause is
    not read: methods are of what is estimated or edited.
    """
    window = {"point_id": point_id, "start": start, "stop": stop}
    row = conn.cursor(binary=True).execute(SELECT_INTERVALS, window).fetchone()
    length_min, starts, *energies, quality, method = row if row is not None else ()
    start_us = times_of(starts)
    codes = np.frombuffer((quality or "").encode(), dtype=np.uint8) - ord("0")
    qualities = _QUALITIES[codes]
    columns = [floats_of(energy) for energy in energies]
    return Intervals(
        start_us=start_us,
        length_min=length_min,
        import_kwh=columns[0],
        export_kwh=columns[1],
        lagging_kvarh=columns[2],
        leading_kvarh=columns[3],
        quality=qualities,
        method=_methods(qualities, method),
    )


def _methods(quality: TextArray, methods: str | None) -> TextArray:
    """Lay the methods of what is not measured, in their order, beside all intervals."""
    if methods is None:
        return np.full(quality.size, "")
    given = np.array(methods.split("\x1f"))
    column = np.full(quality.size, "", dtype=given.dtype)
    column[np.isin(quality, [Quality.ESTIMATED.value, Quality.EDITED.value])] = given
    return column


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
