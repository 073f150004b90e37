"""How far the background work of each point has come, and which point needs some."""

from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.rows import TupleRow

GRACE = timedelta(minutes=15)
"""How long after its end an interval may still come before it counts as missing."""

LOCK_JUDGED = """
    INSERT INTO judged (point_id) VALUES (%(point_id)s)
    ON CONFLICT (point_id) DO UPDATE SET point_id = excluded.point_id
    RETURNING judged_to
"""


def lock_judged_to(conn: Connection[TupleRow], point_id: int) -> datetime | None:
    """Return up to when a point's load is judged; None = never.

    Until the transaction ends, nobody else judges the point.
    """
    row = conn.execute(LOCK_JUDGED, {"point_id": point_id}).fetchone()
    return row[0] if row else None


STORE_JUDGED = "UPDATE judged SET judged_to = %(to)s WHERE point_id = %(point_id)s"


def store_judged_to(conn: Connection[TupleRow], point_id: int, to: datetime) -> None:
    """Remember up to when a point's load is judged."""
    conn.execute(STORE_JUDGED, {"point_id": point_id, "to": to})


JUDGE_AGAIN = """
    UPDATE judged SET judged_to = greatest(%(start)s, not_before)
     WHERE point_id = %(point_id)s AND judged_to > greatest(%(start)s, not_before)
"""


def judge_again(conn: Connection[TupleRow], point_id: int, start: datetime) -> None:
    """Have a point's load judged again from the interval that starts at `start`."""
    conn.execute(JUDGE_AGAIN, {"point_id": point_id, "start": start})


JUDGE_NO_PAST = """
    UPDATE judged SET not_before = greatest(judged_to, not_before)
     WHERE point_id = %(point_id)s AND judged_to > %(start)s
"""


def judge_no_past(conn: Connection[TupleRow], point_id: int, start: datetime) -> None:
    """Let what is judged of a point by now stay so, if `start` lies within it.

    For what a person enters about the past: it settles days again, and opens no alert
    about a time of which that person knows already.
    """
    conn.execute(JUDGE_NO_PAST, {"point_id": point_id, "start": start})


# The next interval of a point is [next_start, next_stop). A point without a settled
# interval yet is due as soon as it is dirty.
SELECT_DUE = """
    SELECT point.point_id
      FROM point
      JOIN account USING (account_id)
      LEFT JOIN judged USING (point_id)
      LEFT JOIN LATERAL (
               SELECT start + make_interval(mins => length_min) AS next_start,
                      start + make_interval(mins => 2 * length_min) AS next_stop
                 FROM energy_interval
                WHERE energy_interval.point_id = point.point_id
                ORDER BY start DESC LIMIT 1) AS newest ON true
     WHERE coalesce(judged_to, '-infinity') < next_start
        OR (next_stop + %(grace)s <= %(now)s
            AND EXISTS (SELECT FROM installation
                         WHERE installation.point_id = point.point_id
                           AND installed_at < next_stop
                           AND coalesce(removed_at > next_start, true)))
        OR EXISTS (SELECT FROM dirty_point_day AS dirty
                    WHERE dirty.point_id = point.point_id
                      AND (coalesce(next_stop <= %(now)s, true)
                           OR local_day < (%(now)s AT TIME ZONE time_zone)::date))
     ORDER BY point.point_id
"""


def points_due(conn: Connection[TupleRow], now: datetime) -> list[int]:
    """Return the points whose load can be settled or judged further by now.

    A day that is still running makes its point due once a further interval can be
    complete, however often it was marked dirty in between.
    """
    rows = conn.execute(SELECT_DUE, {"now": now, "grace": GRACE}).fetchall()
    return [point_id for (point_id,) in rows]


SELECT_SETTLED_TO = """
    SELECT start + make_interval(mins => length_min)
      FROM energy_interval
     WHERE point_id = %(point_id)s
     ORDER BY start DESC LIMIT 1
"""


def settled_to(conn: Connection[TupleRow], point_id: int) -> datetime | None:
    """Return the end of a point's newest interval, known or missing; None = none."""
    row = conn.execute(SELECT_SETTLED_TO, {"point_id": point_id}).fetchone()
    return row[0] if row else None
