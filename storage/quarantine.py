"""The ledger of collection: what was refused and why, and how many came to what."""

from collections.abc import Sequence
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from meters.refusal import MOST_RAW_BYTES, Refusal

LONGEST_TEXT = 2000

INSERT_QUARANTINE = """
    INSERT INTO quarantine (received_at, transport, source, meter_id, reason, "text",
                            readings, raw)
    VALUES (%(received_at)s, %(transport)s, %(source)s, %(meter_id)s, %(reason)s,
            %(text)s, %(readings)s, %(raw)s)
"""
ADD_TO_COUNT = """
    INSERT INTO collection_count AS old (hour, transport, outcome, readings)
    VALUES (date_trunc('hour', %(received_at)s::timestamptz, 'UTC'), %(transport)s,
            %(outcome)s, %(readings)s)
    ON CONFLICT (hour, transport, outcome) DO UPDATE
       SET readings = old.readings + excluded.readings
"""


async def count(
    conn: AsyncConnection[TupleRow],
    received_at: datetime,
    transport: str,
    **readings: int,
) -> None:
    """Add readings by outcome to the hour in which they were received."""
    for outcome, number in sorted(readings.items()):
        if number:
            row = {
                "received_at": received_at,
                "transport": transport,
                "outcome": outcome,
                "readings": number,
            }
            await conn.execute(ADD_TO_COUNT, row)


async def keep(conn: AsyncConnection[TupleRow], refusals: Sequence[Refusal]) -> None:
    """Put what was refused into quarantine, and count it by its reason."""
    for refusal in sorted(refusals, key=lambda r: (r.received_at, r.reason)):
        row = {
            "received_at": refusal.received_at,
            "transport": refusal.transport,
            "source": _storable(refusal.source),
            "meter_id": refusal.meter_id,
            "reason": refusal.reason,
            "text": _storable(refusal.text),
            "readings": refusal.readings,
            "raw": refusal.raw[:MOST_RAW_BYTES],
        }
        await conn.execute(INSERT_QUARANTINE, row)
        await count(
            conn,
            refusal.received_at,
            refusal.transport,
            **{refusal.reason: refusal.readings},
        )


def _storable(text: str) -> str:
    """Replace what PostgreSQL's text cannot hold: what is refused may hold anything."""
    clean = (
        text.encode("utf-8", "replace")
        .decode("utf-8")
        .replace("\0", "\N{REPLACEMENT CHARACTER}")
    )
    return clean[:LONGEST_TEXT]
