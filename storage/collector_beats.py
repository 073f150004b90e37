"""Which collectors there are, and since when somebody looks whether they are."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import AsyncConnection, Connection
from psycopg.rows import TupleRow, class_row

KEPT = timedelta(days=35)
"""A collector that was taken away is not missed for ever."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectorBeat:
    """The newest word of one collector; times by the site's clock."""

    collector: str
    """Its name."""
    polls: bool
    """Whether it asks Modbus meters."""
    hears: bool
    """Whether it listens to the broker."""
    since_at: datetime
    """There without a break since then."""
    beat_at: datetime


UPSERT_BEAT = """
    INSERT INTO collector_beat (collector, polls, hears, since_at, beat_at)
    VALUES (%(collector)s, %(polls)s, %(hears)s, %(since_at)s, %(beat_at)s)
    ON CONFLICT (collector) DO UPDATE
       SET polls = excluded.polls, hears = excluded.hears,
           since_at = excluded.since_at, beat_at = excluded.beat_at
"""


async def store_beat(conn: AsyncConnection[TupleRow], beat: CollectorBeat) -> None:
    """Say that a collector is there; the caller commits."""
    row = {
        "collector": beat.collector,
        "polls": beat.polls,
        "hears": beat.hears,
        "since_at": beat.since_at,
        "beat_at": beat.beat_at,
    }
    await conn.execute(UPSERT_BEAT, row)


SELECT_BEATS = """
    SELECT collector, polls, hears, since_at, beat_at
      FROM collector_beat
     WHERE beat_at > %(after)s
     ORDER BY collector
"""


def load_beats(conn: Connection[TupleRow], now: datetime) -> list[CollectorBeat]:
    """Return the collectors that were there some time in the last weeks."""
    with conn.cursor(row_factory=class_row(CollectorBeat)) as cur:
        return cur.execute(SELECT_BEATS, {"after": now - KEPT}).fetchall()


# A clock that was set back looks as if nobody had looked: watching begins anew.
NOTE_LOOK = """
    INSERT INTO silence_watch AS known (since_at, looked_at)
    VALUES (%(now)s, %(now)s)
    ON CONFLICT (only_row) DO UPDATE
       SET since_at = CASE WHEN excluded.looked_at - known.looked_at
                                BETWEEN interval '0' AND %(pause)s
                           THEN known.since_at ELSE excluded.since_at END,
           looked_at = excluded.looked_at
    RETURNING since_at
"""


def note_look(conn: Connection[TupleRow], now: datetime, pause: timedelta) -> datetime:
    """Note that silences are looked for now; return since when, without a pause."""
    row = conn.execute(NOTE_LOOK, {"now": now, "pause": pause}).fetchone()
    if row is None:
        raise AssertionError("an upsert returns its row")
    since_at: datetime = row[0]
    return since_at
