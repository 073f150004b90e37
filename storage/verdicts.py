"""Which rules were broken at many points: one query for all of them.

The primary key of `settled_day` serves both: point, local day, when it was judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from psycopg import Connection
from psycopg.rows import TupleRow

from analytics.settlement.verdict import Status, Verdict
from storage.settled_days import verdict_of

# Of the newest word on each day, what is asked for; of a day on which nothing of the
# kind was said, no verdict is taken apart.
SELECT_BROKEN = """
    SELECT point_id, local_day, verdict
      FROM (SELECT DISTINCT ON (point_id, local_day)
                   point_id, local_day, worst, verdicts
              FROM settled_day
             WHERE point_id = ANY(%(point_ids)s)
               AND local_day BETWEEN %(first)s AND %(last)s
             ORDER BY point_id, local_day, settled_at DESC) AS newest
     CROSS JOIN LATERAL jsonb_array_elements(verdicts) AS each (verdict)
     WHERE worst >= %(least)s
       AND (%(status)s::int IS NULL OR (verdict ->> 'status')::int = %(status)s)
       AND (%(rule)s::text IS NULL OR verdict ->> 'rule' = %(rule)s)
     ORDER BY point_id, local_day, verdict ->> 'start'
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenThen:
    """One rule that warned or failed on a local day of a point."""

    point_id: int
    local_day: date
    verdict: Verdict


def load_broken(
    conn: Connection[TupleRow],
    point_ids: Sequence[int],
    first: date,
    last: date,
    *,
    rule: str | None = None,
    status: Status | None = None,
) -> list[BrokenThen]:
    """Return what warned or failed, by point, day and time.

    Parameters
    ----------
    conn : Connection
    point_ids
    first, last : date
        Local days, both included.
    rule : str or None
        Only this one.
    status : Status or None
        Only what warned, or only what failed.

    """
    asked = {
        "point_ids": list(point_ids),
        "first": first,
        "last": last,
        "least": int(Status.WARN if status is None else status),
        "status": None if status is None else int(status),
        "rule": rule,
    }
    return [
        BrokenThen(point_id=point_id, local_day=local_day, verdict=verdict_of(verdict))
        for point_id, local_day, verdict in conn.execute(SELECT_BROKEN, asked)
    ]


SELECT_WORST = """
    SELECT point_id, array_agg(local_day), array_agg(worst)
      FROM (SELECT DISTINCT ON (point_id, local_day) point_id, local_day, worst
              FROM settled_day
             WHERE point_id = ANY(%(point_ids)s)
               AND local_day BETWEEN %(first)s AND %(last)s
             ORDER BY point_id, local_day, settled_at DESC) AS newest
     GROUP BY point_id
"""


def load_worst(
    conn: Connection[TupleRow], point_ids: Sequence[int], first: date, last: date
) -> Mapping[int, Mapping[date, Status]]:
    """Return the worst that rules said of each local day; one not judged is absent."""
    asked = {"point_ids": list(point_ids), "first": first, "last": last}
    with conn.cursor(binary=True) as cur:
        return {
            point_id: dict(zip(days, map(Status, worst), strict=True))
            for point_id, days, worst in cur.execute(SELECT_WORST, asked)
        }
