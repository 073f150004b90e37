"""How the installed meters fare: when each was heard, and how its clock stands."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow, class_row


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchedMeter:
    """One meter that is installed now."""

    meter_id: int
    serial: str
    profile: str
    point_id: int
    point_name: str
    every_s: float
    """How often a reading is due."""
    installed_at: datetime
    heard_at: datetime | None
    """When its newest reading came, by our clock; None = never."""
    measured_at: datetime | None
    """Of what time that reading is."""
    compared_at: datetime | None
    """When its clock was compared with ours; None = it gives none."""
    drift_s: float | None
    """How far its clock was ahead then."""
    offline_at: datetime | None = None
    """When its last will said that it is offline; None = it did not, or not since."""
    online_at: datetime | None = None
    """When the meter said that it is online again; None = it did not, or not since."""
    transport: str = "mqtt"
    bus: str | None = None
    """host:port or serial line of a polled meter."""

    @property
    def offline_now_at(self) -> datetime | None:
        """Since when it is offline; a reading that came later says otherwise."""
        if self.offline_at is None or self.heard_at is None:
            return self.offline_at
        return self.offline_at if self.heard_at <= self.offline_at else None


# By the newest measured time, which the index finds at once; when that came says
# whether the meter still speaks, however wrong its clock is.
SELECT_WATCHED = """
    SELECT meter.meter_id, serial, profile, point_id, point.name AS point_name,
           poll_every_s AS every_s, installed_at, newest.received_at AS heard_at,
           newest.measured_at, clock.compared_at, clock.drift_s,
           CASE WHEN NOT is_online THEN changed_at END AS offline_at,
           CASE WHEN is_online THEN changed_at END AS online_at, transport,
           coalesce(device, host || ':' || port) AS bus
      FROM meter
      JOIN installation USING (meter_id)
      JOIN point USING (point_id)
      LEFT JOIN meter_presence USING (meter_id)
      LEFT JOIN LATERAL (
               SELECT measured_at, received_at FROM reading
                WHERE reading.meter_id = meter.meter_id
                ORDER BY measured_at DESC LIMIT 1) AS newest ON true
      LEFT JOIN LATERAL (
               SELECT compared_at, drift_s FROM meter_clock
                WHERE meter_clock.meter_id = meter.meter_id
                ORDER BY hour DESC LIMIT 1) AS clock ON true
     WHERE installed_at <= %(now)s AND coalesce(removed_at > %(now)s, true)
       AND (%(account_id)s::int IS NULL OR account_id = %(account_id)s)
     ORDER BY point.name, serial
"""


def load_watched(
    conn: Connection[TupleRow], now: datetime, account_id: int | None = None
) -> list[WatchedMeter]:
    """Return the meters that are installed at a time, of one account or of all."""
    with conn.cursor(row_factory=class_row(WatchedMeter)) as cur:
        asked = {"now": now, "account_id": account_id}
        return cur.execute(SELECT_WATCHED, asked).fetchall()


# Where a gateway, collector or broker was away, its alert stands for all its meters.
SELECT_SILENCES = """
    SELECT coalesce((figures ->> 'since_at')::timestamptz, opened_at), resolved_at
      FROM alert
     WHERE coalesce(resolved_at > %(start)s, true)
       AND (point_id = %(point_id)s AND kind = 'meter-silent'
            OR kind IN ('gateway-silent', 'collector-silent', 'broker-silent')
               AND EXISTS (
                   SELECT FROM meter JOIN installation USING (meter_id)
                    WHERE installation.point_id = %(point_id)s
                      AND (subject = coalesce(device, host || ':' || port)
                           OR figures ->> 'transports' LIKE '%%' || transport || '%%')))
     ORDER BY 1
"""


def load_silences(
    conn: Connection[TupleRow], point_id: int, start: datetime
) -> list[tuple[datetime, datetime | None]]:
    """Return when a point's meter was silent, as far as that reaches beyond `start`.

    From its last reading to the next; None = it still is.
    """
    asked = {"point_id": point_id, "start": start}
    return conn.execute(SELECT_SILENCES, asked).fetchall()
