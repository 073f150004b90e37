"""What was told to whom: one row for each event and channel, until it is delivered."""

from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow

ADD_DELIVERIES = """
    INSERT INTO delivery (event_id, channel)
    SELECT %(event_id)s, unnest(%(channels)s::text[])
    ON CONFLICT (event_id, channel) DO NOTHING
"""
NEXT_DELIVERY = """
    SELECT event_id
      FROM delivery
     WHERE channel = %(channel)s AND delivered_at IS NULL
     ORDER BY event_id LIMIT 1
       FOR UPDATE SKIP LOCKED
"""
MARK_DELIVERED = """
    UPDATE delivery SET delivered_at = %(at)s, attempts = attempts + 1, error = NULL
     WHERE event_id = %(event_id)s AND channel = %(channel)s
"""
MARK_FAILED = """
    UPDATE delivery SET attempts = attempts + 1, error = %(error)s
     WHERE event_id = %(event_id)s AND channel = %(channel)s
"""
SELECT_UNDELIVERED = """
    SELECT channel, count(*) FROM delivery
     WHERE delivered_at IS NULL GROUP BY channel ORDER BY channel
"""


def add_deliveries(
    conn: Connection[TupleRow], event_id: int, channels: list[str]
) -> None:
    """Note that an event is to be told on some channels; once each."""
    conn.execute(ADD_DELIVERIES, {"event_id": event_id, "channels": channels})


def next_delivery(conn: Connection[TupleRow], channel: str) -> int | None:
    """Take the oldest event that a channel was not told, held until the commit."""
    row = conn.execute(NEXT_DELIVERY, {"channel": channel}).fetchone()
    return None if row is None else int(row[0])


def mark_delivered(
    conn: Connection[TupleRow], event_id: int, channel: str, at: datetime
) -> None:
    """Note that a channel was told."""
    row = {"event_id": event_id, "channel": channel, "at": at}
    conn.execute(MARK_DELIVERED, row)


def mark_failed(
    conn: Connection[TupleRow], event_id: int, channel: str, error: str
) -> None:
    """Note a failed attempt with its reason; the event stays to be told."""
    row = {"event_id": event_id, "channel": channel, "error": error}
    conn.execute(MARK_FAILED, row)


def undelivered(conn: Connection[TupleRow]) -> dict[str, int]:
    """Count by channel what is still to be told."""
    return dict(conn.execute(SELECT_UNDELIVERED).fetchall())
