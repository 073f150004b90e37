"""What is settled of points over a time, for counting it: one query for all of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from analytics.completeness.ledger import SettledRun
from storage.binary import floats_of, times_of

# A row a point, quality and method, its intervals end to end: no object a row.
SELECT_SETTLED = """
    SELECT point_id, quality, coalesce(method, ''),
           string_agg(timestamptz_send(start), ''),
           string_agg(float8send(coalesce(import_kwh, 'NaN')), '')
      FROM energy_interval
     WHERE point_id = ANY(%(point_ids)s) AND start >= %(start)s AND start < %(stop)s
     GROUP BY point_id, quality, method
     ORDER BY point_id, quality, method
"""


def load_settled_runs(
    conn: Connection[TupleRow],
    point_ids: Sequence[int],
    start: datetime,
    stop: datetime,
) -> Mapping[int, tuple[SettledRun, ...]]:
    """Return what is settled of points in [start, stop); of what is not, nothing.

    Energy is given to the millionth of a kWh: finer none is settled.
    """
    asked = {"point_ids": list(point_ids), "start": start, "stop": stop}
    found: dict[int, list[SettledRun]] = defaultdict(list)
    with conn.cursor(binary=True) as cur:
        for point_id, quality, method, starts, kwh in cur.execute(
            SELECT_SETTLED, asked
        ):
            start_us, import_kwh = times_of(starts), floats_of(kwh)
            order = start_us.argsort()
            found[point_id].append(
                SettledRun(
                    quality=quality,
                    method=method,
                    start_us=start_us[order],
                    import_kwh=np.rint(import_kwh[order] * 1e6) / 1e6,
                )
            )
    return {point_id: tuple(runs) for point_id, runs in found.items()}


SELECT_BEGINNINGS = """
    SELECT asked.point_id, oldest.start
      FROM unnest(%(point_ids)s::int[]) AS asked (point_id)
     CROSS JOIN LATERAL (
               SELECT start FROM energy_interval
                WHERE energy_interval.point_id = asked.point_id
                ORDER BY start LIMIT 1) AS oldest
"""


def load_beginnings(
    conn: Connection[TupleRow], point_ids: Sequence[int]
) -> dict[int, datetime]:
    """Return the start of each point's oldest interval; a point without is absent."""
    asked = {"point_ids": list(point_ids)}
    return dict(conn.execute(SELECT_BEGINNINGS, asked).fetchall())


SELECT_DIRTY = """
    SELECT EXISTS (SELECT FROM dirty_point_day
                    WHERE point_id = %(point_id)s AND local_day = %(local_day)s)
"""


def is_dirty(conn: Connection[TupleRow], point_id: int, local_day: date) -> bool:
    """Tell whether a point's local day is still to be settled again."""
    asked = {"point_id": point_id, "local_day": local_day}
    return conn.execute(SELECT_DIRTY, asked).fetchone() == (True,)
