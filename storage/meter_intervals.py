"""The table of intervals that meters counted themselves, or that came in a file."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
from psycopg import Connection
from psycopg.rows import TupleRow

from meters.reading import IntArray, from_utc_us
from storage.binary import float_column, floats_of, int_column, time_column, times_of

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
LONGEST_OWN = timedelta(days=1)
"""An interval that begins so long before a moment may hold it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MeterIntervals:
    """m intervals of one meter before its multipliers; NaN = not given."""

    meter_id: int
    start_us: IntArray
    """shape (m,) [microseconds since 1970 UTC]"""
    length_min: IntArray
    """shape (m,)"""
    import_kwh: FloatArray
    export_kwh: FloatArray
    lagging_kvarh: FloatArray
    leading_kvarh: FloatArray
    power_failure: BoolArray
    """shape (m,): marked by the meter"""

    def __len__(self) -> int:
        """Count them."""
        return int(self.start_us.size)


# Of one start the interval received last counts, unless its file was taken back.
SELECT_METER_INTERVALS = """
    SELECT string_agg(timestamptz_send(start), ''),
           string_agg(int2send(length_min), ''),
           string_agg(float8send(coalesce(import_kwh, 'NaN')), ''),
           string_agg(float8send(coalesce(export_kwh, 'NaN')), ''),
           string_agg(float8send(coalesce(lagging_kvarh, 'NaN')), ''),
           string_agg(float8send(coalesce(leading_kvarh, 'NaN')), ''),
           string_agg(CASE WHEN power_failure THEN '1' ELSE '0' END, '')
      FROM (SELECT DISTINCT ON (start) *
              FROM meter_interval AS its
             WHERE meter_id = %(meter_id)s
               AND start >= %(start)s AND start < %(stop)s
               AND NOT EXISTS (SELECT FROM imported_file AS file
                                WHERE file.import_id = its.import_id
                                  AND undone_at IS NOT NULL)
             ORDER BY start, received_at DESC) AS wanted
"""


def load_meter_intervals(
    conn: Connection[TupleRow], meter_id: int, start: datetime, stop: datetime
) -> MeterIntervals:
    """Return what a meter counted in intervals that start in [start, stop), by time."""
    window = {"meter_id": meter_id, "start": start, "stop": stop}
    row = conn.cursor(binary=True).execute(SELECT_METER_INTERVALS, window).fetchone()
    starts, lengths, *energies, failed = row or ()
    columns = [floats_of(energy) for energy in energies]
    return MeterIntervals(
        meter_id=meter_id,
        start_us=times_of(starts),
        length_min=np.frombuffer(lengths or b"", dtype=">i2").astype(np.int64),
        import_kwh=columns[0],
        export_kwh=columns[1],
        lagging_kvarh=columns[2],
        leading_kvarh=columns[3],
        power_failure=np.frombuffer((failed or "").encode(), np.uint8) == ord("1"),
    )


ENSURE_PARTITIONS = "SELECT ensure_time_partitions(%(first)s, %(last)s)"
# What says again what counts already is not stored again.
INSERT_METER_INTERVALS = """
    INSERT INTO meter_interval (
        meter_id, start, received_at, length_min, import_kwh, export_kwh,
        lagging_kvarh, leading_kvarh, power_failure, import_id)
    SELECT %(meter_id)s, given.start, %(received_at)s, given.length_min,
           given.import_kwh, given.export_kwh, given.lagging_kvarh,
           given.leading_kvarh, given.failed = 1, %(import_id)s
      FROM unnest(%(start)s, %(length_min)s, %(import_kwh)s, %(export_kwh)s,
                  %(lagging_kvarh)s, %(leading_kvarh)s, %(failed)s)
           AS given (start, length_min, import_kwh, export_kwh, lagging_kvarh,
                     leading_kvarh, failed)
      LEFT JOIN LATERAL (
               SELECT * FROM meter_interval AS its
                WHERE its.meter_id = %(meter_id)s AND its.start = given.start
                  AND NOT EXISTS (SELECT FROM imported_file AS file
                                   WHERE file.import_id = its.import_id
                                     AND undone_at IS NOT NULL)
                ORDER BY its.received_at DESC LIMIT 1) AS newest ON true
     WHERE newest.start IS NULL
        OR (newest.length_min, newest.import_kwh, newest.export_kwh,
            newest.lagging_kvarh, newest.leading_kvarh, newest.power_failure)
           IS DISTINCT FROM
           (given.length_min, given.import_kwh, given.export_kwh,
            given.lagging_kvarh, given.leading_kvarh, given.failed = 1)
    ON CONFLICT DO NOTHING
    RETURNING start
"""


def insert_meter_intervals(
    conn: Connection[TupleRow],
    intervals: MeterIntervals,
    *,
    received_at: datetime,
    import_id: int | None = None,
) -> int:
    """Store what a meter counted itself; return how many say something new.

    The caller marks the days as dirty, in the same transaction.
    """
    if len(intervals) == 0:
        return 0
    window = {
        "first": from_utc_us(int(intervals.start_us.min())),
        "last": from_utc_us(int(intervals.start_us.max())),
    }
    conn.execute(ENSURE_PARTITIONS, window)
    given = {
        "meter_id": intervals.meter_id,
        "received_at": received_at,
        "import_id": import_id,
        "start": time_column(intervals.start_us),
        "length_min": int_column(intervals.length_min.astype(np.int32)),
        "import_kwh": float_column(intervals.import_kwh),
        "export_kwh": float_column(intervals.export_kwh),
        "lagging_kvarh": float_column(intervals.lagging_kvarh),
        "leading_kvarh": float_column(intervals.leading_kvarh),
        "failed": int_column(intervals.power_failure.astype(np.int32)),
    }
    return len(conn.execute(INSERT_METER_INTERVALS, given).fetchall())
