"""Alerts of what stands behind many points: of a collector, of a gateway."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow, class_row
from psycopg.types.json import Jsonb

from storage.alerts import add_event


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteAlert:
    """The one state for a subject and a kind."""

    alert_id: int
    subject: str
    """Name of a collector, or host:port or line of a gateway."""
    kind: str
    state: str
    opened_at: datetime
    resolved_at: datetime | None
    code: str
    figures: dict[str, object]


INSERT_SITE_ALERT = """
    INSERT INTO alert (subject, kind, state, opened_at, code, figures)
    VALUES (%(subject)s, %(kind)s, 'open', %(at)s, %(code)s, %(figures)s)
    ON CONFLICT (subject, kind) WHERE state <> 'resolved' AND subject IS NOT NULL
       DO NOTHING
    RETURNING alert_id
"""


def open_site_alert(
    conn: Connection[TupleRow],
    subject: str,
    *,
    kind: str,
    code: str,
    figures: Mapping[str, object],
    who: str,
    why: str,
    at: datetime,
) -> int | None:
    """Open an alert and return the id of its first event; None where one stands."""
    row = {
        "subject": subject,
        "kind": kind,
        "code": code,
        "figures": Jsonb(figures),
        "at": at,
    }
    found = conn.execute(INSERT_SITE_ALERT, row).fetchone()
    if found is None:
        return None
    return add_event(conn, found[0], action="opened", who=who, why=why, at=at)


SELECT_SITE_ALERTS = """
    SELECT alert_id, subject, kind, state, opened_at, resolved_at, code, figures
      FROM alert
     WHERE subject IS NOT NULL
       AND (state <> 'resolved' OR resolved_at >= %(since)s)
     ORDER BY opened_at DESC, alert_id DESC
"""
SELECT_SITE_ALERT = """
    SELECT alert_id, subject, kind, state, opened_at, resolved_at, code, figures
      FROM alert
     WHERE alert_id = %(alert_id)s AND subject IS NOT NULL
       FOR UPDATE
"""


def load_site_alerts(
    conn: Connection[TupleRow], resolved_since: datetime | None = None
) -> list[SiteAlert]:
    """Return those that stand, and those that were resolved since; newest first."""
    with conn.cursor(row_factory=class_row(SiteAlert)) as cur:
        return cur.execute(SELECT_SITE_ALERTS, {"since": resolved_since}).fetchall()


def lock_site_alert(conn: Connection[TupleRow], alert_id: int) -> SiteAlert | None:
    """Return an alert and hold it until the transaction ends; None if unknown."""
    with conn.cursor(row_factory=class_row(SiteAlert)) as cur:
        return cur.execute(SELECT_SITE_ALERT, {"alert_id": alert_id}).fetchone()
