"""Which collectors there are, and since when somebody looks whether they are."""

from dataclasses import asdict, dataclass
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
    broker: str | None = None
    """The broker's address; None = it listens to none, or does not say to which."""
    heard_at: datetime | None = None
    """When its connection to the broker stood last; None = never yet."""
    hearing_since: datetime | None = None
    """It stood without a long break from then until `heard_at`."""


# One that starts while its broker is away has not reached it since, as before.
UPSERT_BEAT = """
    INSERT INTO collector_beat AS known (
        collector, polls, hears, since_at, beat_at, broker, heard_at, hearing_since)
    VALUES (%(collector)s, %(polls)s, %(hears)s, %(since_at)s, %(beat_at)s,
            %(broker)s, %(heard_at)s, %(hearing_since)s)
    ON CONFLICT (collector) DO UPDATE
       SET polls = excluded.polls, hears = excluded.hears,
           since_at = excluded.since_at, beat_at = excluded.beat_at,
           broker = excluded.broker,
           heard_at = CASE WHEN excluded.broker = known.broker
                           THEN coalesce(excluded.heard_at, known.heard_at)
                           ELSE excluded.heard_at END,
           hearing_since = CASE WHEN excluded.broker = known.broker
                                THEN coalesce(excluded.hearing_since,
                                              known.hearing_since)
                                ELSE excluded.hearing_since END
"""


async def store_beat(conn: AsyncConnection[TupleRow], beat: CollectorBeat) -> None:
    """Say that a collector is there; the caller commits."""
    await conn.execute(UPSERT_BEAT, asdict(beat))


SELECT_BEATS = """
    SELECT collector, polls, hears, since_at, beat_at, broker, heard_at,
           hearing_since
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
