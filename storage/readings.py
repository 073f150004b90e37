"""Reading the reading table: as columns."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from meters.quantity import COLUMN, QUANTITIES, Quantity
from meters.reading import ReadingBatch, Source
from storage.binary import floats_of, times_of
from storage.reading_store import SOURCE_CODE

# One value a column, its numbers end to end: no row objects for years of readings.
SELECT_READINGS = """
    SELECT string_agg(timestamptz_send(measured_at), ''),
           string_agg(timestamptz_send(received_at), ''),
           {columns}
      FROM (SELECT *
              FROM reading
             WHERE meter_id = %(meter_id)s
               AND measured_at >= coalesce(
                       (SELECT min(measured_at)
                          FROM (SELECT measured_at FROM reading
                                 WHERE meter_id = %(meter_id)s
                                   AND measured_at < %(start)s
                                 ORDER BY measured_at DESC LIMIT %(beyond)s) AS own),
                       %(start)s)
               AND measured_at <= coalesce(
                       (SELECT max(measured_at)
                          FROM (SELECT measured_at FROM reading
                                 WHERE meter_id = %(meter_id)s
                                   AND measured_at >= %(stop)s
                                 ORDER BY measured_at LIMIT %(beyond)s) AS own),
                       %(stop)s)
             ORDER BY measured_at) AS wanted
"""


@lru_cache(maxsize=8)
def _select(only: tuple[Quantity, ...]) -> bytes:
    """Return the statement for some quantities: the columns are named as they are."""
    columns = ",\n           ".join(
        f"string_agg(float8send(coalesce({each.value}, 'NaN')), '')" for each in only
    )
    return SELECT_READINGS.replace("{columns}", columns).encode()


def load_readings(
    conn: Connection[TupleRow],
    meter_id: int,
    start: datetime,
    stop: datetime,
    *,
    beyond: int = 1,
    only: tuple[Quantity, ...] = QUANTITIES,
) -> ReadingBatch:
    """Return a meter's readings in [start, stop), and the nearest on either side.

    The neighbours, `beyond` on each side, are there to interpolate registers at the
    window's edges and to tell which readings there are believed; the arrays are sorted
    by time. Quantities besides `only` are as if they were not given.
    """
    window = {"meter_id": meter_id, "start": start, "stop": stop, "beyond": beyond}
    row = conn.cursor(binary=True).execute(_select(only), window).fetchone()
    measured, received, *columns = row if row is not None else ()
    measured_us = times_of(measured)
    values = np.full((measured_us.size, len(QUANTITIES)), np.nan)
    for quantity, column in zip(only, columns, strict=True):
        values[:, COLUMN[quantity]] = floats_of(column)
    return ReadingBatch(
        meter_id=np.full(measured_us.size, meter_id, dtype=np.int32),
        measured_us=measured_us,
        received_us=times_of(received),
        values=values,
    )


SELECT_NEWEST = """
    SELECT given.meter_id, newest.measured_at
      FROM unnest(%(meter_ids)s::int[]) AS given (meter_id)
     CROSS JOIN LATERAL (
               SELECT measured_at FROM reading
                WHERE reading.meter_id = given.meter_id
                ORDER BY measured_at DESC LIMIT 1) AS newest
     ORDER BY given.meter_id
"""


def load_newest(
    conn: Connection[TupleRow], meter_ids: Sequence[int]
) -> dict[int, datetime]:
    """Return when the newest reading of each meter was measured, of those with any."""
    rows = conn.execute(SELECT_NEWEST, {"meter_ids": list(meter_ids)}).fetchall()
    return dict(rows)


SELECT_GAPS = """
    SELECT before, measured_at
      FROM (SELECT measured_at, lag(measured_at) OVER (ORDER BY measured_at) AS before
              FROM reading
             WHERE meter_id = %(meter_id)s AND measured_at >= %(since)s) AS pairs
     WHERE measured_at - before > %(longest)s
     ORDER BY before
"""


def load_gaps(
    conn: Connection[TupleRow], meter_id: int, since: datetime, longest: timedelta
) -> list[tuple[datetime, datetime]]:
    """Return between which readings of a meter, since a time, more than this passed."""
    asked = {"meter_id": meter_id, "since": since, "longest": longest}
    return conn.execute(SELECT_GAPS, asked).fetchall()


SELECT_SOURCES = """
    SELECT source, count(*)
      FROM reading
     WHERE meter_id = %(meter_id)s
       AND measured_at >= %(start)s AND measured_at < %(stop)s
     GROUP BY source
     ORDER BY source
"""


def load_sources(
    conn: Connection[TupleRow], meter_id: int, start: datetime, stop: datetime
) -> dict[Source, int]:
    """Return how many of a meter's readings in [start, stop) came in which way."""
    window = {"meter_id": meter_id, "start": start, "stop": stop}
    source_of = {code: source for source, code in SOURCE_CODE.items()}
    rows = conn.execute(SELECT_SOURCES, window).fetchall()
    return {source_of[code]: readings for code, readings in rows}
