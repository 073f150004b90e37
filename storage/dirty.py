"""Dirty point-days: what settlement must look at again, and how none is missed.

Whoever changes what a day is settled from says so in the same transaction: a writer of
readings by one row of `touched` a batch, all others by a mark on the day. Rows are only
ever added, so nobody waits for anybody; what is said can be seen exactly when what it
is about can be seen.

Whoever settles first turns `touched` into marks, in a transaction of its own, then
takes days by deleting their marks, in the transaction in which it stores the intervals.
A mark that comes meanwhile stays, and the day is settled again. A lock on the day sees
to it that no two settle it at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from psycopg import AsyncConnection, Connection
from psycopg.rows import TupleRow, class_row

from meters.reading import ReadingBatch
from storage.binary import int_column, time_column

REACH_MIN = 22.5
"""How far a reading can tell of energy: one and a half quarter-hours."""

_DAY_US = 86_400_000_000
_REACH_US = int(REACH_MIN * 60_000_000)

TOUCH = """
    INSERT INTO touched (meter_id, first, last)
    VALUES (%(meter_id)s, %(first)s, %(last)s)
"""


def touched_days(batch: ReadingBatch) -> dict[str, object]:
    """Return what to say to `touch`, for a batch."""
    order = np.lexsort((batch.measured_us, batch.meter_id))
    meter_id, measured_us = batch.meter_id[order], batch.measured_us[order]
    is_first = np.ones(order.size, dtype=np.bool_)
    is_first[1:] = (np.diff(meter_id) != 0) | (np.diff(measured_us // _DAY_US) != 0)
    is_last = np.roll(is_first, -1)
    return {
        "meter_id": int_column(meter_id[is_first]),
        "first": time_column(measured_us[is_first] - _REACH_US),
        "last": time_column(measured_us[is_last] + _REACH_US),
    }


async def touch(conn: AsyncConnection[TupleRow], touched: Mapping[str, object]) -> None:
    """Say what a batch touched.

    Parameters
    ----------
    conn
        In the transaction that stores the readings.
    touched
        From `touched_days`.

    """
    await conn.execute(TOUCH, touched)


MARK_TOUCHED = """
    WITH taken AS (
        DELETE FROM touched
         WHERE ctid IN (SELECT ctid FROM touched FOR UPDATE SKIP LOCKED)
        RETURNING meter_id, first, last)
    INSERT INTO dirty_point_day (point_id, local_day)
    SELECT DISTINCT point_id, first_day + generate_series(0, last_day - first_day)
      FROM (SELECT point_id, (one.first AT TIME ZONE time_zone)::date AS first_day,
                   (one.last AT TIME ZONE time_zone)::date AS last_day
              FROM taken
             CROSS JOIN unnest(taken.meter_id, taken.first, taken.last)
                   AS one (meter_id, first, last)
              JOIN installation ON installation.meter_id = one.meter_id
              JOIN point USING (point_id)
              JOIN account USING (account_id)
             WHERE installed_at <= one.last AND coalesce(one.first <= removed_at, true)
           ) AS here
"""


def mark_touched(conn: Connection[TupleRow]) -> None:
    """Mark the local days of the points where touched meters sat at the time.

    A meter that sits nowhere marks nothing. Commit soon: until then, others do not see
    what was touched.
    """
    conn.execute(MARK_TOUCHED)


MARK_DAYS = """
    INSERT INTO dirty_point_day (point_id, local_day)
    SELECT %(point_id)s, day::date
      FROM generate_series(%(first)s::date, %(last)s::date, interval '1 day') AS day
"""


def mark_days(
    conn: Connection[TupleRow], point_id: int, first: date, last: date
) -> None:
    """Mark the days of a point from first to last, for settling them again."""
    conn.execute(MARK_DAYS, {"point_id": point_id, "first": first, "last": last})


@dataclass(frozen=True, order=True, slots=True)
class DirtyDay:
    """One local day of a point that must be settled again."""

    point_id: int
    local_day: date


# Each step must see what the one before left: hence MATERIALIZED.
TAKE_DIRTY = """
    WITH oldest AS MATERIALIZED (
        SELECT DISTINCT point_id, local_day
          FROM dirty_point_day
         WHERE point_id = %(point_id)s
         ORDER BY point_id, local_day
         LIMIT %(limit)s),
    locked AS MATERIALIZED (
        SELECT point_id, local_day
          FROM oldest
         WHERE pg_try_advisory_xact_lock(point_id, local_day - date '2000-01-01')),
    taken AS (
        DELETE FROM dirty_point_day AS mark
         USING locked
         WHERE mark.point_id = locked.point_id AND mark.local_day = locked.local_day
        RETURNING mark.point_id, mark.local_day)
    SELECT DISTINCT point_id, local_day FROM taken ORDER BY point_id, local_day
"""
TAKE_ANY_DIRTY = TAKE_DIRTY.replace("WHERE point_id = %(point_id)s", "")


def take_dirty(
    conn: Connection[TupleRow], *, limit: int = 100, point_id: int | None = None
) -> list[DirtyDay]:
    """Take days that no one else has in hand; they are clean once the caller commits.

    Settle them and store their intervals in the same transaction: a rollback makes them
    dirty again.
    """
    asked = {"limit": limit, "point_id": point_id}
    with conn.cursor(row_factory=class_row(DirtyDay)) as cur:
        take = TAKE_ANY_DIRTY if point_id is None else TAKE_DIRTY
        return cur.execute(take, asked).fetchall()


# The second number is that of no day: TAKE_DIRTY counts from 2000. Settling looks up
# all by keys. A plan is kept while a connection lives: one that was made for a table
# with little in it would read all of it, again for each point, once there is much.
LOCK_POINT = """
    SELECT pg_try_advisory_xact_lock(%(point_id)s, -2147483648),
           set_config('enable_seqscan', 'off', true)
"""


def lock_point(conn: Connection[TupleRow], point_id: int) -> bool:
    """Have a point to oneself until the transaction ends; False if another has it.

    Settling a day may settle those beside it, which are not dirty. In the transaction
    the server prefers indexes to reading whole tables.
    """
    row = conn.execute(LOCK_POINT, {"point_id": point_id}).fetchone()
    return bool(row and row[0])


WAIT_FOR_POINT = "SELECT pg_advisory_xact_lock(%(point_id)s, -2147483648)"


def wait_for_point(conn: Connection[TupleRow], point_id: int) -> None:
    """Have a point to oneself until the transaction ends, once whoever has it is done.

    For what a person asks: a pass takes a second at most.
    """
    conn.execute(WAIT_FOR_POINT, {"point_id": point_id})


COUNT_DIRTY = """
    SELECT count(DISTINCT (point_id, local_day))
      FROM dirty_point_day JOIN point USING (point_id)
     WHERE account_id = %(account_id)s AND local_day BETWEEN %(first)s AND %(last)s
"""


def count_dirty(
    conn: Connection[TupleRow], account_id: int, first: date, last: date
) -> int:
    """Count an account's point-days from first to last that wait to be settled."""
    asked = {"account_id": account_id, "first": first, "last": last}
    row = conn.execute(COUNT_DIRTY, asked).fetchone()
    return int(row[0]) if row else 0
