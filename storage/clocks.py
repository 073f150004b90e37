"""The meters' own clocks against ours: how each stands, and how it stood before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import AsyncConnection, Connection
from psycopg.rows import TupleRow, class_row

KEPT = timedelta(days=35)
"""Enough to say since when a clock is wrong, a whole billing month back."""

# A meter that was deleted meanwhile has no clock any more.
UPSERT_DRIFTS = """
    INSERT INTO meter_clock AS known (meter_id, hour, compared_at, drift_s, least_s,
                                      most_s, compared)
    SELECT meter_id, date_trunc('hour', told.compared_at, 'UTC') AS hour,
           max(told.compared_at),
           (array_agg(told.drift_s ORDER BY told.compared_at DESC))[1],
           min(told.drift_s), max(told.drift_s), count(*)
      FROM unnest(%(meter_ids)s::int[], %(compared_at)s::timestamptz[],
                  %(drift_s)s::double precision[])
           AS told (meter_id, compared_at, drift_s)
      JOIN meter USING (meter_id)
     GROUP BY 1, 2
     ORDER BY 1, 2
    ON CONFLICT (meter_id, hour) DO UPDATE
       SET compared_at = greatest(known.compared_at, excluded.compared_at),
           drift_s = CASE WHEN excluded.compared_at >= known.compared_at
                          THEN excluded.drift_s ELSE known.drift_s END,
           least_s = least(known.least_s, excluded.least_s),
           most_s = greatest(known.most_s, excluded.most_s),
           compared = known.compared + excluded.compared
"""


async def store_drifts(
    conn: AsyncConnection[TupleRow],
    meter_ids: Sequence[int],
    compared_at: Sequence[datetime],
    drift_s: Sequence[float],
) -> None:
    """Store comparisons of clocks, in one statement; the caller commits.

    Parameters
    ----------
    conn : AsyncConnection
    meter_ids : sequence of int
        One an answer; a meter may be there often.
    compared_at : sequence of datetime
        When the answer came, by our clock.
    drift_s : sequence of float
        How far the meter's clock was ahead of ours; negative = behind. [s]

    """
    if meter_ids:
        told = {
            "meter_ids": list(meter_ids),
            "compared_at": list(compared_at),
            "drift_s": list(drift_s),
        }
        await conn.execute(UPSERT_DRIFTS, told)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockHour:
    """What a meter's clock showed in one hour."""

    hour: datetime
    compared_at: datetime
    """The newest time of the hour at which it was compared."""
    drift_s: float
    """At that time; positive = the meter is ahead."""
    least_s: float
    most_s: float


SELECT_CLOCK_HOURS = """
    SELECT hour, compared_at, drift_s, least_s, most_s
      FROM meter_clock
     WHERE meter_id = %(meter_id)s
     ORDER BY hour DESC
"""


def load_clock_hours(conn: Connection[TupleRow], meter_id: int) -> list[ClockHour]:
    """Return how a meter's clock stood, the newest hour first."""
    with conn.cursor(row_factory=class_row(ClockHour)) as cur:
        return cur.execute(SELECT_CLOCK_HOURS, {"meter_id": meter_id}).fetchall()


FORGET_DRIFTS = "DELETE FROM meter_clock WHERE hour < %(before)s"


def forget_drifts(conn: Connection[TupleRow], now: datetime) -> None:
    """Drop hours that ended longer ago than they are `KEPT`."""
    conn.execute(FORGET_DRIFTS, {"before": now - KEPT})
