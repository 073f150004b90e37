"""Which events of alerts are news, and what each channel was told and is to be told."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.rows import TupleRow, class_row

NEWS_LASTS = timedelta(days=1)
"""What was resolved longer ago is told to nobody: history that arrives at once, or a
channel that was away for days, must not flood people."""

ADD_NEWS = """
    INSERT INTO delivery (event_id, channel)
    SELECT event_id, channel
      FROM alert
      JOIN alert_event USING (alert_id)
     CROSS JOIN unnest(%(channels)s::text[]) AS channel
     WHERE (resolved_at IS NULL OR resolved_at > %(since)s)
       AND NOT EXISTS (SELECT FROM delivery AS noted
                        WHERE noted.event_id = alert_event.event_id
                          AND noted.channel = channel.channel)
    ON CONFLICT (event_id, channel) DO NOTHING
"""
# An event that fails lets other alerts' events pass, but not later ones of its own.
SELECT_WAITING = """
    SELECT DISTINCT channel
      FROM delivery
      JOIN alert_event USING (event_id)
      JOIN alert USING (alert_id)
     WHERE channel = ANY(%(channels)s) AND delivered_at IS NULL
       AND coalesce(next_try_at <= clock_timestamp(), true)
       AND (resolved_at IS NULL OR resolved_at > %(since)s)
       AND NOT EXISTS (SELECT FROM delivery AS before
                         JOIN alert_event AS earlier USING (event_id)
                        WHERE before.channel = delivery.channel
                          AND before.delivered_at IS NULL
                          AND earlier.alert_id = alert_event.alert_id
                          AND earlier.event_id < alert_event.event_id)
     ORDER BY channel
"""


def note_news(conn: Connection[TupleRow], channels: list[str], now: datetime) -> None:
    """Note for each channel the events it is to be told: those of alerts that stand.

    And of those that were resolved less than `NEWS_LASTS` ago.
    """
    conn.execute(ADD_NEWS, {"channels": channels, "since": now - NEWS_LASTS})


def channels_waiting(
    conn: Connection[TupleRow], channels: list[str], now: datetime
) -> list[str]:
    """Return which of the channels have something to be told now."""
    asked = {"channels": channels, "since": now - NEWS_LASTS}
    return [name for (name,) in conn.execute(SELECT_WAITING, asked).fetchall()]


@dataclass(frozen=True, kw_only=True, slots=True)
class Untold:
    """One event that a channel was not told, with what a reader needs to know."""

    event_id: int
    attempts: int
    """How often it was tried in vain."""
    alert_id: int
    action: str
    at: datetime
    who: str
    why: str
    kind: str
    code: str
    figures: dict[str, str | int | float | None]
    opened_at: datetime
    account_code: str
    account_name: str
    time_zone: str
    point: str


# The same of one channel. What stands behind many points is of no account: its code is
# one that no account can have, its times are told as those of most accounts.
SELECT_UNTOLD = """
    SELECT event_id, attempts, alert_id, action, at, who, why, kind, alert.code,
           figures, opened_at, coalesce(account.code, '_site') AS account_code,
           coalesce(account.name, 'Keywatt') AS account_name,
           coalesce(account.time_zone,
                    (SELECT mode() WITHIN GROUP (ORDER BY every.time_zone)
                       FROM account AS every), 'UTC') AS time_zone,
           coalesce(point.name, subject) AS point
      FROM delivery
      JOIN alert_event USING (event_id)
      JOIN alert USING (alert_id)
      LEFT JOIN point USING (point_id)
      LEFT JOIN account ON account.account_id = alert.account_id
     WHERE channel = %(channel)s AND delivered_at IS NULL
       AND coalesce(next_try_at <= clock_timestamp(), true)
       AND (resolved_at IS NULL OR resolved_at > %(since)s)
       AND NOT EXISTS (SELECT FROM delivery AS before
                         JOIN alert_event AS earlier USING (event_id)
                        WHERE before.channel = %(channel)s
                          AND before.delivered_at IS NULL
                          AND earlier.alert_id = alert_event.alert_id
                          AND earlier.event_id < alert_event.event_id)
     ORDER BY attempts, event_id LIMIT 1
       FOR UPDATE OF delivery SKIP LOCKED
"""


def next_untold(
    conn: Connection[TupleRow], channel: str, now: datetime
) -> Untold | None:
    """Take what a channel is to be told next, held until the transaction ends."""
    asked = {"channel": channel, "since": now - NEWS_LASTS}
    with conn.cursor(row_factory=class_row(Untold)) as cur:
        return cur.execute(SELECT_UNTOLD, asked).fetchone()


MARK_DELIVERED = """
    UPDATE delivery SET delivered_at = %(at)s, attempts = attempts + 1, error = NULL
     WHERE event_id = %(event_id)s AND channel = %(channel)s
"""
MARK_FAILED = """
    UPDATE delivery
       SET attempts = attempts + 1, error = %(error)s,
           next_try_at = clock_timestamp() + make_interval(secs => %(wait_s)s)
     WHERE event_id = %(event_id)s AND channel = %(channel)s
"""


def mark_delivered(
    conn: Connection[TupleRow], event_id: int, channel: str, at: datetime
) -> None:
    """Note that a channel was told."""
    row = {"event_id": event_id, "channel": channel, "at": at}
    conn.execute(MARK_DELIVERED, row)


def mark_failed(
    conn: Connection[TupleRow],
    event_id: int,
    channel: str,
    error: str,
    *,
    wait_s: float = 0.0,
) -> None:
    """Note a failed attempt with its reason; the event is to be told after a wait.

    In seconds of the database server's clock.
    """
    row = {
        "event_id": event_id,
        "channel": channel,
        "error": error,
        "wait_s": wait_s,
    }
    conn.execute(MARK_FAILED, row)
