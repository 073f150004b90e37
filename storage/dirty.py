"""Dirty point-days: what settlement must look at again, and how none is missed.

Whoever changes what a day is settled from marks the day in the same transaction; where
the row is there already, the upsert locks it without writing. Whoever settles takes
rows by deleting them, in the transaction in which it stores the intervals, and passes
over locked ones. So a day is never taken before the readings that made it dirty can be
seen.
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

MARK_TOUCHED_DAYS = """
    INSERT INTO dirty_point_day (point_id, local_day)
    SELECT DISTINCT point_id, first_day + generate_series(0, last_day - first_day)
      FROM (SELECT point_id, (first AT TIME ZONE time_zone)::date AS first_day,
                   (last AT TIME ZONE time_zone)::date AS last_day
              FROM unnest(%(meter_id)s, %(first)s, %(last)s)
                   AS touched (meter_id, first, last)
              JOIN installation USING (meter_id)
              JOIN point USING (point_id)
              JOIN account USING (account_id)
             WHERE installed_at <= last AND coalesce(first <= removed_at, true)
           ) AS here
     ORDER BY 1, 2
    ON CONFLICT (point_id, local_day)
          DO UPDATE SET marked_at = excluded.marked_at WHERE false
"""


def touched_days(batch: ReadingBatch) -> dict[str, object]:
    """Return what to say to `mark_touched_days`, for a batch."""
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


async def mark_touched_days(
    conn: AsyncConnection[TupleRow], touched: Mapping[str, object]
) -> None:
    """Mark the local days of the points where a batch's meters sat at the time.

    A meter that sits nowhere marks nothing.

    Parameters
    ----------
    conn
        In the transaction that stores the readings.
    touched
        From `touched_days`.

    """
    await conn.execute(MARK_TOUCHED_DAYS, touched)


MARK_DAYS = """
    INSERT INTO dirty_point_day (point_id, local_day)
    SELECT %(point_id)s, day::date
      FROM generate_series(%(first)s::date, %(last)s::date, interval '1 day') AS day
     ORDER BY 2
    ON CONFLICT (point_id, local_day)
          DO UPDATE SET marked_at = excluded.marked_at WHERE false
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


TAKE_DIRTY = """
    WITH taken AS (
        DELETE FROM dirty_point_day
         WHERE (point_id, local_day) IN (
                   SELECT point_id, local_day
                     FROM dirty_point_day
                    WHERE (%(point_id)s::int IS NULL OR point_id = %(point_id)s)
                      AND (%(before)s::date IS NULL OR local_day < %(before)s)
                    ORDER BY point_id, local_day
                    LIMIT %(limit)s
                      FOR UPDATE SKIP LOCKED)
        RETURNING point_id, local_day)
    SELECT point_id, local_day FROM taken ORDER BY point_id, local_day
"""


def take_dirty(
    conn: Connection[TupleRow],
    *,
    limit: int = 100,
    point_id: int | None = None,
    before: date | None = None,
) -> list[DirtyDay]:
    """Take days that no one else has in hand; they are clean once the caller commits.

    Settle them and store their intervals in the same transaction: a rollback makes them
    dirty again. Who wants to mark one of them waits until then.
    """
    asked = {"limit": limit, "point_id": point_id, "before": before}
    with conn.cursor(row_factory=class_row(DirtyDay)) as cur:
        return cur.execute(TAKE_DIRTY, asked).fetchall()
