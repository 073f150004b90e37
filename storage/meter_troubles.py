"""Polled meters that are not read now, or not whole, as their collector tells."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection, Connection
from psycopg.rows import TupleRow, class_row

# A meter that was deleted meanwhile is nobody's trouble.
UPSERT_TROUBLE = """
    INSERT INTO meter_trouble (meter_id, since_at, "text", holes)
    SELECT meter_id, %(since_at)s, %(text)s, %(holes)s
      FROM meter WHERE meter_id = %(meter_id)s
    ON CONFLICT (meter_id) DO UPDATE
       SET since_at = excluded.since_at, "text" = excluded."text",
           holes = excluded.holes
"""
DELETE_TROUBLES = "DELETE FROM meter_trouble WHERE meter_id = ANY(%(meter_ids)s)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """Why a meter is not read, or what of it."""

    since_at: datetime
    """By the site's clock."""
    text: str = ""
    """One sentence; empty while it is read."""
    holes: tuple[str, ...] = ()
    """Quantities that it does not have, though its type does."""


async def store_troubles(
    conn: AsyncConnection[TupleRow],
    troubles: Sequence[tuple[int, Trouble]],
    mended: Collection[int],
) -> None:
    """Store what ails meters, and forget those that are well; the caller commits."""
    rows = [
        {
            "meter_id": meter_id,
            "since_at": one.since_at,
            "text": one.text,
            "holes": list(one.holes),
        }
        for meter_id, one in sorted(troubles, key=lambda told: told[0])
    ]
    async with conn.cursor() as cur:
        if rows:
            await cur.executemany(UPSERT_TROUBLE, rows)
        if mended:
            await cur.execute(DELETE_TROUBLES, {"meter_ids": sorted(mended)})


@dataclass(frozen=True, kw_only=True, slots=True)
class TroubledMeter:
    """A meter and its trouble."""

    serial: str
    bus: str | None
    since_at: datetime
    text: str
    holes: list[str]


SELECT_TROUBLES = """
    SELECT serial, coalesce(device, host || ':' || port) AS bus, since_at, "text", holes
      FROM meter_trouble
      JOIN meter USING (meter_id)
     ORDER BY "text" = '', since_at, serial
"""


def load_troubles(conn: Connection[TupleRow]) -> list[TroubledMeter]:
    """Return all of them, those that are not read first."""
    with conn.cursor(row_factory=class_row(TroubledMeter)) as cur:
        return cur.execute(SELECT_TROUBLES).fetchall()
