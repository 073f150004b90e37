"""Which days of a point something that people enter bears on; they are settled again.

What holds from one moment to another bears on the days between, and in a hole between
two readings on all days of the hole: energy between two readings is shared out as a
whole. Days of which nothing is known, and those whose
readings may be dropped by now, are left alone.
"""

from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.rows import TupleRow

from storage.dirty import REACH_MIN

REACH = timedelta(minutes=REACH_MIN)

# As long as readings are kept; those up to a day before an interval may count.
MARK_TIME = """
    WITH here AS (
        SELECT time_zone,
               %(start)s::timestamptz AS start, %(stop)s::timestamptz AS stop,
               kept_since('readings', coalesce(%(now)s, now()))
                                        + interval '1 day' AS kept
          FROM point JOIN account USING (account_id)
         WHERE point_id = %(point_id)s),
    sat AS (
        SELECT meter_id, role, installed_at, coalesce(removed_at, 'infinity') AS gone_at
          FROM installation
         WHERE point_id = %(point_id)s),
    heard AS (
        SELECT role,
               (SELECT min(measured_at) FROM reading
                 WHERE reading.meter_id = sat.meter_id
                   AND measured_at >= installed_at AND measured_at <= gone_at) AS first,
               (SELECT max(measured_at) FROM reading
                 WHERE reading.meter_id = sat.meter_id
                   AND measured_at >= installed_at AND measured_at <= gone_at) AS last,
               (SELECT max(measured_at) FROM reading
                 WHERE reading.meter_id = sat.meter_id
                   AND measured_at >= installed_at
                   AND measured_at <= least(gone_at, %(start)s::timestamptz)) AS before,
               (SELECT min(measured_at) FROM reading
                 WHERE reading.meter_id = sat.meter_id
                   AND measured_at >= greatest(installed_at, %(stop)s::timestamptz)
                   AND measured_at <= gone_at) AS after
          FROM sat),
    known AS (
        SELECT min(first) AS first, max(last) AS last
          FROM (SELECT first, last FROM heard
                 UNION ALL
                SELECT (SELECT min(start) FROM meter_interval AS its
                         WHERE its.meter_id = sat.meter_id AND start >= installed_at),
                       (SELECT max(start) FROM meter_interval AS its
                         WHERE its.meter_id = sat.meter_id AND start < gone_at)
                  FROM sat
                 UNION ALL
                SELECT (SELECT min(start) FROM energy_interval
                         WHERE point_id = %(point_id)s),
                       (SELECT max(start) FROM energy_interval
                         WHERE point_id = %(point_id)s)) AS each),
    hole AS (
        SELECT max(before) AS before, min(after) AS after
          FROM heard
         WHERE role = 'main'
        HAVING count(before) > 0 AND count(after) > 0),
    span AS (
        SELECT (greatest(CASE WHEN before < start - %(reach)s THEN before
                              ELSE start END,
                         known.first, kept)
                AT TIME ZONE time_zone)::date AS first_day,
               (least(CASE WHEN after > stop + %(reach)s THEN after
                           ELSE stop - interval '1 microsecond' END,
                      known.last)
                AT TIME ZONE time_zone)::date AS last_day
          FROM here CROSS JOIN known LEFT JOIN hole ON true
         WHERE known.first IS NOT NULL),
    day AS (
        SELECT first_day + number AS local_day,
               day_begins(first_day + number, time_zone) AS start,
               day_begins(first_day + number + 1, time_zone) AS stop
          FROM here, span, generate_series(0, last_day - first_day) AS number)
    INSERT INTO dirty_point_day (point_id, local_day)
    SELECT %(point_id)s, local_day
      FROM day
     WHERE EXISTS (SELECT FROM energy_interval AS its
                    WHERE its.point_id = %(point_id)s
                      AND its.start >= day.start AND its.start < day.stop)
        OR EXISTS (SELECT FROM sat JOIN reading USING (meter_id)
                    WHERE measured_at >= greatest(day.start, installed_at)
                      AND measured_at < least(day.stop, gone_at))
        OR EXISTS (SELECT FROM sat JOIN meter_interval AS its USING (meter_id)
                    WHERE its.start >= greatest(day.start, installed_at)
                      AND its.start < least(day.stop, gone_at))
    RETURNING local_day
"""


def mark_time(
    conn: Connection[TupleRow],
    point_id: int,
    start: datetime | None,
    stop: datetime | None,
    now: datetime | None,
) -> int:
    """Mark the days of a point on which something from `start` to `stop` bears.

    Parameters
    ----------
    conn
        In the transaction that stores what was entered.
    point_id : int
    start, stop : datetime or None
        [start, stop); None = for ever.
    now : datetime or None
        None: the server's.

    Returns
    -------
    int
        How many days.

    """
    asked = {
        "point_id": point_id,
        "start": "-infinity" if start is None else start,
        "stop": "infinity" if stop is None else stop,
        "now": now,
        "reach": REACH,
    }
    return len(conn.execute(MARK_TIME, asked).fetchall())


# A note tells of the time between it and the meter's own nearest reading.
SELECT_NEXT = """
    SELECT min(measured_at) FROM reading
     WHERE meter_id = %(meter_id)s AND measured_at >= %(installed_at)s
       AND coalesce(measured_at <= %(removed_at)s, true)
"""
SELECT_LAST = """
    SELECT max(measured_at) FROM reading
     WHERE meter_id = %(meter_id)s AND measured_at >= %(installed_at)s
       AND measured_at <= %(removed_at)s
"""


def mark_noted(
    conn: Connection[TupleRow],
    point_id: int,
    meter_id: int,
    installed_at: datetime,
    removed_at: datetime | None,
    *,
    opening: bool,
    closing: bool,
    now: datetime | None,
) -> None:
    """Mark the days between a changed register note and the nearest reading.

    Parameters
    ----------
    conn : Connection
    point_id, meter_id : int
    installed_at, removed_at : datetime, datetime or None
        When the meter came and left.
    opening, closing : bool
        Whether what it showed then is another.
    now : datetime or None
        None: the server's.

    """
    sat = {
        "meter_id": meter_id,
        "installed_at": installed_at,
        "removed_at": removed_at,
    }
    if opening:
        (first,) = conn.execute(SELECT_NEXT, sat).fetchone() or (None,)
        until = (first or installed_at) + REACH
        mark_time(conn, point_id, installed_at - REACH, until, now)
    if closing and removed_at is not None:
        (last,) = conn.execute(SELECT_LAST, sat).fetchone() or (None,)
        since = (last or removed_at) - REACH
        mark_time(conn, point_id, since, removed_at + REACH, now)
