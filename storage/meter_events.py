"""What meters say of themselves: states that began, and when they ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import AsyncConnection, Connection
from psycopg.rows import TupleRow, class_row

KEPT = timedelta(days=400)
"""As long as readings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldEvents:
    """All that one meter says of itself at a time."""

    meter_id: int
    at: datetime
    """By the site's clock."""
    events: Sequence[tuple[str, str]]
    """Codes, and where the meter says so."""
    raw: bytes
    """Its status registers."""


END_OTHERS = """
    UPDATE meter_event SET ended_at = greatest(at, %(at)s)
     WHERE meter_id = %(meter_id)s AND ended_at IS NULL AND code <> ALL(%(codes)s)
"""
# Of one that ended at this moment a new one would bear the same time: it goes on.
BEGIN_NEW = """
    INSERT INTO meter_event (meter_id, code, at, "text", raw)
    SELECT meter_id, told.code, %(at)s, told."text", %(raw)s
      FROM meter, unnest(%(codes)s::text[], %(texts)s::text[]) AS told (code, "text")
     WHERE meter_id = %(meter_id)s
       AND NOT EXISTS (SELECT FROM meter_event AS lasting
                        WHERE lasting.meter_id = meter.meter_id
                          AND lasting.code = told.code AND lasting.ended_at IS NULL)
    ON CONFLICT (meter_id, code, at) DO UPDATE SET ended_at = NULL
"""


async def store_events(
    conn: AsyncConnection[TupleRow], told: Sequence[ToldEvents]
) -> None:
    """Store what meters said, oldest first: what is new begins, what is gone ended.

    Told again, it changes nothing. The caller commits.
    """
    for one in told:
        row = {
            "meter_id": one.meter_id,
            "at": one.at,
            "codes": [code for code, _ in one.events],
            "texts": [text for _, text in one.events],
            "raw": one.raw,
        }
        await conn.execute(END_OTHERS, row)
        if one.events:
            await conn.execute(BEGIN_NEW, row)


@dataclass(frozen=True, kw_only=True, slots=True)
class LastingEvent:
    """What an installed meter says of itself now."""

    meter_id: int
    serial: str
    code: str
    at: datetime
    text: str


SELECT_LASTING = """
    SELECT meter_id, serial, code, at, "text"
      FROM meter_event
      JOIN meter USING (meter_id)
      JOIN installation USING (meter_id)
      JOIN point USING (point_id)
     WHERE ended_at IS NULL
       AND installed_at <= %(now)s AND coalesce(removed_at > %(now)s, true)
       AND (%(account_id)s::int IS NULL OR account_id = %(account_id)s)
     ORDER BY at, serial, code
"""


def load_lasting(
    conn: Connection[TupleRow], now: datetime, account_id: int | None = None
) -> list[LastingEvent]:
    """Return what installed meters say of themselves, of one account or of all."""
    with conn.cursor(row_factory=class_row(LastingEvent)) as cur:
        asked = {"now": now, "account_id": account_id}
        return cur.execute(SELECT_LASTING, asked).fetchall()


FORGET_EVENTS = "DELETE FROM meter_event WHERE ended_at < %(before)s"


def forget_events(conn: Connection[TupleRow], now: datetime) -> None:
    """Drop what ended longer ago than it is `KEPT`."""
    conn.execute(FORGET_EVENTS, {"before": now - KEPT})
