"""CT x PT as meters state it: a row whenever one states another."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg import AsyncConnection, Connection
from psycopg.rows import TupleRow, class_row


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldMultiplier:
    """What one meter states of its transformers at a time."""

    meter_id: int
    at: datetime
    """By the site's clock."""
    multiplier: float


# What is read later touches its day itself; what was stored and settled before this was
# told, as after the database was away, is judged again.
INSERT_TOLD = """
    WITH stated AS (
        INSERT INTO stated_multiplier (meter_id, since_at, multiplier)
        SELECT meter_id, %(at)s, %(multiplier)s::double precision
          FROM meter
         WHERE meter_id = %(meter_id)s
           AND %(multiplier)s::double precision IS DISTINCT FROM
               (SELECT multiplier FROM stated_multiplier AS before
                 WHERE before.meter_id = meter.meter_id AND since_at <= %(at)s
                 ORDER BY since_at DESC LIMIT 1)
        ON CONFLICT (meter_id, since_at) DO UPDATE SET multiplier = excluded.multiplier
        RETURNING meter_id, since_at)
    INSERT INTO touched (meter_id, first, last)
    SELECT ARRAY[meter_id], ARRAY[since_at], ARRAY[newest]
      FROM stated
     CROSS JOIN LATERAL (SELECT max(measured_at) AS newest FROM reading
                          WHERE reading.meter_id = stated.meter_id
                            AND measured_at >= since_at) AS heard
     WHERE newest IS NOT NULL
"""


async def store_multipliers(
    conn: AsyncConnection[TupleRow], told: Sequence[ToldMultiplier]
) -> None:
    """Store what meters state, oldest first; the same again changes nothing.

    The days since are settled again. The caller commits.
    """
    if told:
        await conn.cursor().executemany(INSERT_TOLD, [asdict(one) for one in told])


@dataclass(frozen=True, kw_only=True, slots=True)
class Disagreement:
    """An installed meter that states another multiplier than was entered."""

    account: str
    """Code."""
    point: str
    serial: str
    stated: float
    entered: float


# 1 is what a meter states that was given no ratio.
SELECT_DISAGREEMENTS = """
    SELECT code AS account, point.name AS point, serial, stated, entered
      FROM installation
      JOIN meter USING (meter_id)
      JOIN point USING (point_id)
      JOIN account USING (account_id)
     CROSS JOIN LATERAL (
               SELECT multiplier AS stated FROM stated_multiplier
                WHERE stated_multiplier.meter_id = installation.meter_id
                  AND since_at <= %(now)s
                ORDER BY since_at DESC LIMIT 1) AS states
     CROSS JOIN LATERAL (
               SELECT coalesce((SELECT multiplier FROM multiplier_change AS changed
                                 WHERE changed.installation_id
                                     = installation.installation_id
                                   AND since <= %(now)s
                                 ORDER BY since DESC LIMIT 1),
                               ratio)::double precision AS entered) AS enters
     WHERE installed_at <= %(now)s AND coalesce(removed_at > %(now)s, true)
       AND stated <> 1 AND abs(stated - entered) > 1e-6 * entered
     ORDER BY account, point, serial
"""


def load_disagreements(conn: Connection[TupleRow], now: datetime) -> list[Disagreement]:
    """Return the installed meters that state another multiplier than was entered."""
    with conn.cursor(row_factory=class_row(Disagreement)) as cur:
        return cur.execute(SELECT_DISAGREEMENTS, {"now": now}).fetchall()
