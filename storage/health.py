"""What an operator asks of storage: what is missing, late, refused or waiting."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from storage.migrate import Flavour, flavour, pending


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """The database server and how far it is set up."""

    version: str
    """Such as 18.1."""
    flavour: Flavour
    timescale_version: str | None
    pending_migrations: tuple[str, ...]
    size_bytes: int


SELECT_SERVER = """
    SELECT current_setting('server_version') AS version,
           (SELECT extversion FROM pg_extension
             WHERE extname = 'timescaledb') AS timescale_version,
           pg_database_size(current_database()) AS size_bytes
"""


def load_server(conn: Connection[TupleRow]) -> Server:
    """Return what answers, and which migrations it still needs."""
    row = conn.execute(SELECT_SERVER).fetchone()
    version, timescale_version, size_bytes = row if row is not None else ()
    return Server(
        version=version,
        flavour=flavour(conn),
        timescale_version=timescale_version,
        pending_migrations=tuple(pending(conn)),
        size_bytes=size_bytes,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class MeterHealth:
    """How recent a meter's readings are."""

    meter_id: int
    serial: str
    transport: str
    account_name: str
    point_name: str
    newest_measured_at: datetime | None
    """By measured time, so that filling a gap is not taken for news; None = never."""
    late_s: float | None
    """Seconds from then to now."""


SELECT_METERS = """
    SELECT meter.meter_id, serial, transport, account.name AS account_name,
           point.name AS point_name, newest.measured_at AS newest_measured_at,
           extract(epoch FROM %(now)s - newest.measured_at)::double precision AS late_s
      FROM meter
      JOIN installation USING (meter_id)
      JOIN point USING (point_id)
      JOIN account USING (account_id)
      LEFT JOIN LATERAL (
               SELECT measured_at FROM reading
                WHERE reading.meter_id = meter.meter_id
                ORDER BY measured_at DESC LIMIT 1) AS newest ON true
     WHERE installed_at <= %(now)s AND coalesce(removed_at > %(now)s, true)
     ORDER BY newest.measured_at NULLS FIRST, serial
"""


def load_meter_health(conn: Connection[TupleRow], now: datetime) -> list[MeterHealth]:
    """Return the meters that are installed at a time, the latest first.

    One that is not there yet, or no longer, is not late.
    """
    with conn.cursor(row_factory=class_row(MeterHealth)) as cur:
        return cur.execute(SELECT_METERS, {"now": now}).fetchall()


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How many readings of one transport came to what."""

    transport: str
    outcome: str
    """stored, repeated, failed (a poll without an answer) or a reason of refusal"""
    readings: int


SELECT_OUTCOMES = """
    SELECT transport, outcome, sum(readings)::bigint AS readings
      FROM collection_count
     WHERE %(since)s::timestamptz IS NULL
        OR hour >= date_trunc('hour', %(since)s, 'UTC')
     GROUP BY transport, outcome
     ORDER BY transport, outcome
"""


def load_outcomes(
    conn: Connection[TupleRow], since: datetime | None = None
) -> list[Outcome]:
    """Return the counts of collection, of all time or since the hour of a time."""
    with conn.cursor(row_factory=class_row(Outcome)) as cur:
        return cur.execute(SELECT_OUTCOMES, {"since": since}).fetchall()


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """What lies in quarantine for one reason."""

    reason: str
    pieces: int
    readings: int
    newest_at: datetime
    newest_text: str
    newest_source: str


SELECT_REFUSED = """
    SELECT reason, count(*) AS pieces, sum(readings) AS readings,
           max(received_at) AS newest_at,
           (array_agg("text" ORDER BY received_at DESC))[1] AS newest_text,
           (array_agg(source ORDER BY received_at DESC))[1] AS newest_source
      FROM quarantine
     WHERE %(since)s::timestamptz IS NULL OR received_at >= %(since)s
     GROUP BY reason
     ORDER BY pieces DESC, reason
"""


def load_refused(
    conn: Connection[TupleRow], since: datetime | None = None
) -> list[Refused]:
    """Return the quarantine by reason, with the newest example of each."""
    with conn.cursor(row_factory=class_row(Refused)) as cur:
        return cur.execute(SELECT_REFUSED, {"since": since}).fetchall()


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """Days that wait to be settled."""

    days: int
    oldest_marked_at: datetime | None


SELECT_BACKLOG = """
    SELECT count(DISTINCT (point_id, local_day)) AS days,
           least(min(marked_at), (SELECT min(touched_at) FROM touched))
               AS oldest_marked_at
      FROM dirty_point_day
"""


def load_backlog(conn: Connection[TupleRow]) -> Backlog:
    """Return how much settling is behind."""
    with conn.cursor(row_factory=class_row(Backlog)) as cur:
        backlog = cur.execute(SELECT_BACKLOG).fetchone()
    return backlog or Backlog(days=0, oldest_marked_at=None)
