"""Taking an import back: just what its file gave counts no longer.

Its rows stay, and so does every version that was settled from them. What an earlier
file or a meter had said before it counts again, and so does what came since.

UndoError       the import cannot be taken back: one sentence
"""

from datetime import date, datetime, timedelta

from psycopg import Connection
from psycopg.rows import TupleRow

from storage.bills import after_bills
from storage.binary import time_column, times_of
from storage.dirty import mark_days, wait_for_point
from storage.import_records import ImportRecord, list_imports
from storage.imports import lock_imports
from storage.interval_store import delete_intervals
from storage.judging import judge_no_past
from storage.marking import REACH, mark_time


class UndoError(ValueError):
    """The import cannot be taken back; the text is one sentence for people."""


UNDO_IMPORT = """
    UPDATE imported_file
       SET undone_by = %(by)s, undone_at = %(at)s, undone_why = %(why)s
     WHERE import_id = %(import_id)s
"""


def undo_import(
    conn: Connection[TupleRow], import_id: int, *, why: str, by: str, at: datetime
) -> tuple[ImportRecord, tuple[date, date]]:
    """Let what a file gave count no longer, and mark its days for settling again.

    Parameters
    ----------
    conn : Connection
        The caller owns the transaction.
    import_id : int
    why, by : str
        Required.
    at : datetime
        The site's time.

    Returns
    -------
    undone : ImportRecord
    days : (date, date)
        First and last local day of the file.

    Raises
    ------
    UndoError
        There is no such import, it was undone before, it is too old, or who and why
        are not said.

    """
    for what, said in (("reason", why), ("name of who", by)):
        if not said.strip():
            raise UndoError(f"Undoing import {import_id} needs a {what}; give one.")
    lock_imports(conn)
    point_id, start, stop, reach = _undoable(conn, import_id)
    wait_for_point(conn, point_id)
    who = {"import_id": import_id, "by": by.strip(), "at": at, "why": why.strip()}
    conn.execute(UNDO_IMPORT, who)
    _restore_readings(conn, import_id, start, stop)
    _take_away(conn, import_id, point_id, start, at)
    days = _days(conn, point_id, start - reach, stop + reach)
    mark_days(conn, point_id, *days)
    mark_time(conn, point_id, start, stop, at)
    judge_no_past(conn, point_id, start)
    (undone,) = list_imports(conn, import_id=import_id)
    return undone, days


def _undoable(
    conn: Connection[TupleRow], import_id: int
) -> tuple[int, datetime, datetime, timedelta]:
    """Return whose and of when an import is, and how far beyond that it may tell."""
    found = list_imports(conn, import_id=import_id)
    if not found:
        raise UndoError(
            f"There is no import {import_id}; “keywatt import list” shows them."
        )
    (one,) = found
    if one.undone_at is not None:
        raise UndoError(
            f"Import {import_id} is undone already, by {one.undone_by} on"
            f" {one.undone_at:%Y-%m-%d %H:%M %Z}."
        )
    start, stop = one.starts_at, one.stops_at
    if one.point_id is None or start is None or stop is None:
        raise UndoError(
            f"Import {import_id} is from before Keywatt kept what registers were"
            " before it; import the right figures with --replace."
        )
    reach = REACH if one.content == "registers" else timedelta(0)
    return one.point_id, start, stop, reach


# What there was besides files, and over it what those that count gave, one by one.
RESTORE_READINGS = """
    WITH given AS MATERIALIZED (
        SELECT meter_id, measured_at, was
          FROM imported_reading
         WHERE import_id = %(import_id)s),
    layer AS (
        SELECT meter_id, measured_at, 0 AS place, was AS columns FROM given
         UNION ALL
        SELECT meter_id, measured_at, import_id, gave
          FROM given JOIN imported_reading AS its USING (meter_id, measured_at)
          JOIN imported_file USING (import_id)
         WHERE undone_at IS NULL),
    folded AS MATERIALIZED (
        SELECT meter_id, measured_at,
               jsonb_object_agg(key, value ORDER BY place) AS columns
          FROM layer CROSS JOIN LATERAL jsonb_each(columns)
         GROUP BY meter_id, measured_at),
    gone AS (
        DELETE FROM reading
         USING given
         WHERE reading.meter_id = given.meter_id
           AND reading.measured_at = given.measured_at
           AND reading.measured_at BETWEEN %(start)s AND %(stop)s
           AND (given.meter_id, given.measured_at) NOT IN (
                   SELECT meter_id, measured_at FROM folded))
    UPDATE reading
       SET received_at = its.received_at, source = its.source,
           energy_import_kwh = its.energy_import_kwh,
           energy_export_kwh = its.energy_export_kwh,
           energy_lagging_kvarh = its.energy_lagging_kvarh,
           energy_leading_kvarh = its.energy_leading_kvarh,
           active_power_kw = its.active_power_kw,
           active_power_l1_kw = its.active_power_l1_kw,
           active_power_l2_kw = its.active_power_l2_kw,
           active_power_l3_kw = its.active_power_l3_kw,
           reactive_power_kvar = its.reactive_power_kvar,
           power_factor = its.power_factor, frequency_hz = its.frequency_hz,
           voltage_l1_v = its.voltage_l1_v, voltage_l2_v = its.voltage_l2_v,
           voltage_l3_v = its.voltage_l3_v, current_l1_a = its.current_l1_a,
           current_l2_a = its.current_l2_a, current_l3_a = its.current_l3_a
      FROM folded
     CROSS JOIN LATERAL jsonb_populate_record(NULL::reading, columns) AS its
     WHERE reading.meter_id = folded.meter_id
       AND reading.measured_at = folded.measured_at
       AND reading.measured_at BETWEEN %(start)s AND %(stop)s
"""


def _restore_readings(
    conn: Connection[TupleRow], import_id: int, start: datetime, stop: datetime
) -> None:
    """Let readings be what they are without a file; what it gave stays on record."""
    asked = {"import_id": import_id, "start": start, "stop": stop}
    conn.execute(RESTORE_READINGS, asked)


# Of what nothing had been known before the file; settling finds what else is known.
# Where the point's time began with the file, what was guessed after it goes too.
SELECT_CAME_BY_IT = """
    WITH began AS (
        SELECT NOT EXISTS (SELECT FROM energy_interval AS before
                            WHERE before.point_id = file.point_id
                              AND before.start < starts_at) AS with_it
          FROM imported_file AS file WHERE import_id = %(import_id)s)
    SELECT string_agg(timestamptz_send(start), '' ORDER BY start)
      FROM energy_interval AS its
      JOIN imported_file AS file USING (point_id)
      CROSS JOIN began
     WHERE import_id = %(import_id)s AND start >= %(start)s AND quality <> 'edited'
       AND CASE WHEN start < stops_at
                THEN settled_of_undone(point_id, start, settled_at)
                ELSE with_it AND quality <> 'measured' AND settled_at >= imported_at END
       AND NOT EXISTS (SELECT FROM energy_interval_past AS was
                        WHERE was.point_id = its.point_id AND was.start = its.start
                          AND was.start >= %(start)s AND was.quality <> 'missing'
                          AND (was.start < stops_at OR was.quality <> 'estimated'
                               OR was.settled_at < imported_at)
                          AND NOT settled_of_undone(was.point_id, was.start,
                                                    was.settled_at))
"""
# What was estimated since may lean on what the file gave.
MARK_ESTIMATED = """
    INSERT INTO dirty_point_day (point_id, local_day)
    SELECT DISTINCT point_id, (start AT TIME ZONE time_zone)::date
      FROM energy_interval
      JOIN imported_file USING (point_id)
      JOIN point USING (point_id)
      JOIN account USING (account_id)
     WHERE import_id = %(import_id)s AND quality = 'estimated'
       AND settled_at >= imported_at AND start >= %(since)s
"""
LEANS_BACK = timedelta(days=45)
"""On so many days after it an estimate may lean: `keywatt.settling.known`."""
MARK_STARTS = """
    INSERT INTO dirty_point_day (point_id, local_day)
    SELECT DISTINCT point_id, (start AT TIME ZONE time_zone)::date
      FROM unnest(%(starts)s) AS start
      JOIN point ON point_id = %(point_id)s
      JOIN account USING (account_id)
"""


def _take_away(
    conn: Connection[TupleRow],
    import_id: int,
    point_id: int,
    start: datetime,
    at: datetime,
) -> None:
    asked = {"import_id": import_id, "start": start, "since": start - LEANS_BACK}
    conn.execute(MARK_ESTIMATED, asked)
    row = conn.cursor(binary=True).execute(SELECT_CAME_BY_IT, asked).fetchone()
    starts_us = times_of(row[0] if row else None)
    if not starts_us.size:
        return
    delete_intervals(conn, point_id, starts_us, at=after_bills(conn, point_id, at))
    marked = {"point_id": point_id, "starts": time_column(starts_us)}
    conn.execute(MARK_STARTS, marked)


SELECT_DAYS = """
    SELECT (%(start)s AT TIME ZONE time_zone)::date,
           ((%(stop)s - interval '1 microsecond') AT TIME ZONE time_zone)::date
      FROM point JOIN account USING (account_id)
     WHERE point_id = %(point_id)s
"""


def _days(
    conn: Connection[TupleRow], point_id: int, start: datetime, stop: datetime
) -> tuple[date, date]:
    """Return the first and the last local day of [start, stop)."""
    asked = {"point_id": point_id, "start": start, "stop": stop}
    row = conn.execute(SELECT_DAYS, asked).fetchone()
    if row is None:
        raise AssertionError("a point that was locked is there")
    return row[0], row[1]
