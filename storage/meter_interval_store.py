"""Storing what was read out of a meter's own memory, and what of it is there."""

from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.rows import TupleRow

from meters.reading import from_utc_us
from storage.dirty import TOUCH
from storage.meter_intervals import MeterIntervals, insert_meter_intervals


def store_recorded(
    conn: Connection[TupleRow], intervals: MeterIntervals, received_at: datetime
) -> int:
    """Store intervals and say which days they touch; return how many were news.

    In one transaction, that of the caller. What is there already changes nothing and
    touches nothing.
    """
    stored = insert_meter_intervals(conn, intervals, received_at=received_at)
    if stored:
        first = from_utc_us(int(intervals.start_us.min()))
        last = from_utc_us(int(intervals.start_us.max()))
        length = timedelta(minutes=int(intervals.length_min.max()))
        touched = {
            "meter_id": [intervals.meter_id],
            "first": [first],
            "last": [last + length],
        }
        conn.execute(TOUCH, touched)
    return stored


SELECT_STARTS = """
    SELECT DISTINCT start FROM meter_interval AS its
     WHERE meter_id = %(meter_id)s AND start >= %(start)s AND start < %(stop)s
       AND NOT EXISTS (SELECT FROM imported_file AS file
                        WHERE file.import_id = its.import_id AND undone_at IS NOT NULL)
"""


def load_starts(
    conn: Connection[TupleRow], meter_id: int, start: datetime, stop: datetime
) -> set[datetime]:
    """Return the starts in [start, stop) of the intervals that are there."""
    window = {"meter_id": meter_id, "start": start, "stop": stop}
    return {at for (at,) in conn.execute(SELECT_STARTS, window)}
