"""Which days of a point something that people enter bears on; they are settled again.

What holds from one moment to another bears on the days between, and in a hole between
two readings on all days of the hole: energy between two readings is shared out as a
whole. Days of which nothing is known, and those whose
readings may be dropped by now, are left alone.
"""

from datetime import date, datetime, timedelta

from psycopg import Connection
from psycopg.rows import TupleRow

from storage.dirty import REACH_MIN, mark_days

_REACH = timedelta(minutes=REACH_MIN)

# As 0003 keeps readings; those up to a day before an interval may count.
SELECT_DAYS = """
    WITH sat AS (
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
                   AND measured_at <= least(gone_at, %(start)s)) AS before,
               (SELECT min(measured_at) FROM reading
                 WHERE reading.meter_id = sat.meter_id
                   AND measured_at >= greatest(installed_at, %(stop)s)
                   AND measured_at <= gone_at) AS after
          FROM sat),
    counted AS (
        SELECT (SELECT min(start) FROM meter_interval
                 WHERE meter_interval.meter_id = sat.meter_id
                   AND start >= installed_at AND start < gone_at) AS first,
               (SELECT max(start) FROM meter_interval
                 WHERE meter_interval.meter_id = sat.meter_id
                   AND start >= installed_at AND start < gone_at) AS last
          FROM sat),
    settled AS (
        SELECT (SELECT min(start) FROM energy_interval
                 WHERE point_id = %(point_id)s) AS first,
               (SELECT max(start) FROM energy_interval
                 WHERE point_id = %(point_id)s) AS last),
    known AS (
        SELECT min(first) AS first, max(last) AS last
          FROM (SELECT first, last FROM heard
                 UNION ALL SELECT first, last FROM counted
                 UNION ALL SELECT first, last FROM settled) AS each),
    around AS (
        SELECT max(before) AS before, min(after) AS after
          FROM heard
         WHERE role = 'main'
        HAVING count(before) > 0 AND count(after) > 0)
    SELECT (greatest(CASE WHEN before < %(start)s - %(reach)s THEN before
                          ELSE %(start)s END,
                     known.first,
                     coalesce(%(now)s, now()) - interval '13 months' + interval '1 day')
            AT TIME ZONE time_zone)::date,
           (least(CASE WHEN after > %(stop)s + %(reach)s THEN after
                       ELSE %(stop)s - interval '1 microsecond' END,
                  known.last)
            AT TIME ZONE time_zone)::date
      FROM point
      JOIN account USING (account_id)
     CROSS JOIN known
      LEFT JOIN around ON true
     WHERE point_id = %(point_id)s AND known.first IS NOT NULL
"""


def mark_time(
    conn: Connection[TupleRow],
    point_id: int,
    start: datetime,
    stop: datetime,
    now: datetime | None,
    *,
    reach: timedelta = _REACH,
) -> int:
    """Mark the days of a point on which something from `start` to `stop` bears.

    Parameters
    ----------
    conn
        In the transaction that stores what was entered.
    point_id : int
    start, stop : datetime
        [start, stop).
    now : datetime or None
        None: the server's.
    reach : timedelta
        The nearest readings count where they are further away than this.

    Returns
    -------
    int
        How many days.

    """
    asked = {
        "point_id": point_id,
        "start": start,
        "stop": stop,
        "now": now,
        "reach": reach,
    }
    row = conn.execute(SELECT_DAYS, asked).fetchone()
    first, last = (None, None) if row is None else row
    if first is None or last is None or last < first:
        return 0
    mark_days(conn, point_id, first, last)
    return _days(first, last)


def _days(first: date, last: date) -> int:
    return (last - first).days + 1
