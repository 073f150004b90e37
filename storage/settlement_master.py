"""What people enter for settlement besides meters: closures, time without supply.

What is taken back stays, with who, when and why; it counts no longer.

EntryError      what was entered cannot be: one sentence with the remedy
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from accounts.account import Account
from accounts.calendar import SiteCalendar


class EntryError(ValueError):
    """What was entered cannot be; the text is one sentence for people."""


REASON_CHANGED = "reason-changed"
"""Why something was taken back that holds on for another reason."""
LEFT_FILE = "left-site-file"
"""Why something was taken back that a site file no longer says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClosedDay:
    """A local day on which a site alone does not work."""

    account: str
    """Its code."""
    day: date
    reason: str
    entered_by: str
    entered_at: datetime
    removed_by: str | None = None
    """None = it counts; else with the two below."""
    removed_at: datetime | None = None
    removed_why: str | None = None
    """A person's words, or one of the codes above."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SupplyOutage:
    """Time without supply at a point, [start, stop)."""

    outage_id: int
    account: str
    """Its code."""
    point_id: int
    point: str
    start: datetime
    stop: datetime
    kind: str
    """`planned` or `reported`."""
    reason: str
    entered_by: str
    entered_at: datetime
    removed_by: str | None = None
    """None = it counts; as for `ClosedDay`."""
    removed_at: datetime | None = None
    removed_why: str | None = None


SELECT_CLOSED = """
    SELECT code AS account, local_day AS day, reason, entered_by, entered_at,
           removed_by, removed_at, removed_why
      FROM closure JOIN account USING (account_id)
     WHERE (%(account_id)s::int IS NULL OR account_id = %(account_id)s)
       AND (%(removed_too)s OR removed_at IS NULL)
     ORDER BY code, local_day, closure_id
"""


def list_closures(
    conn: Connection[TupleRow],
    account_id: int | None = None,
    *,
    removed_too: bool = False,
) -> list[ClosedDay]:
    """Return the closures of an account, or of all, by account and day."""
    asked = {"account_id": account_id, "removed_too": removed_too}
    with conn.cursor(row_factory=class_row(ClosedDay)) as cur:
        return cur.execute(SELECT_CLOSED, asked).fetchall()


SELECT_CLOSURE = """
    SELECT code AS account, local_day AS day, reason, entered_by, entered_at
      FROM closure JOIN account USING (account_id)
     WHERE account_id = %(account_id)s AND local_day = %(day)s
       AND removed_at IS NULL
"""


def load_closure(
    conn: Connection[TupleRow], account_id: int, day: date
) -> ClosedDay | None:
    """Return why an account's site does not work on a local day; None = it does."""
    asked = {"account_id": account_id, "day": day}
    with conn.cursor(row_factory=class_row(ClosedDay)) as cur:
        return cur.execute(SELECT_CLOSURE, asked).fetchone()


SELECT_CLOSURES = """
    SELECT account_id, array_agg(local_day)
      FROM closure
     WHERE account_id = ANY(%(account_ids)s) AND removed_at IS NULL
     GROUP BY account_id
"""


def load_closures(conn: Connection[TupleRow], account_id: int) -> frozenset[date]:
    """Return the local days on which an account's site alone does not work."""
    return _closures(conn, [account_id]).get(account_id, frozenset())


def site_calendar(
    time_zone: ZoneInfo, country: str, closures: Iterable[date]
) -> SiteCalendar:
    """Return the calendar on the wall of a site, with its own closures."""
    return SiteCalendar(time_zone, country, frozenset(closures))


def calendars_of(
    conn: Connection[TupleRow], accounts: Iterable[Account]
) -> dict[int, SiteCalendar]:
    """Return the calendars on the walls of several accounts, by account id."""
    asked = list(accounts)
    closures = _closures(conn, [account.account_id for account in asked])
    return {
        account.account_id: site_calendar(
            account.time_zone, account.country, closures.get(account.account_id, ())
        )
        for account in asked
    }


def calendar_of(conn: Connection[TupleRow], account: Account) -> SiteCalendar:
    """Return the calendar on the wall of an account, with its own closures."""
    return calendars_of(conn, [account])[account.account_id]


def _closures(
    conn: Connection[TupleRow], account_ids: list[int]
) -> dict[int, frozenset[date]]:
    rows = conn.execute(SELECT_CLOSURES, {"account_ids": account_ids}).fetchall()
    return {account_id: frozenset(days) for account_id, days in rows}


SELECT_OUTAGES = """
    SELECT outage_id, account.code AS account, point_id, point.name AS point, start,
           stop, kind, reason, entered_by, entered_at, removed_by, removed_at,
           removed_why
      FROM supply_outage
      JOIN point USING (point_id)
      JOIN account USING (account_id)
     WHERE (%(account_id)s::int IS NULL OR account_id = %(account_id)s)
       AND (%(point_id)s::int IS NULL OR point_id = %(point_id)s)
       AND (%(outage_id)s::int IS NULL OR outage_id = %(outage_id)s)
       AND (%(start)s::timestamptz IS NULL OR stop > %(start)s)
       AND (%(stop)s::timestamptz IS NULL OR start < %(stop)s)
       AND (%(removed_too)s OR removed_at IS NULL)
     ORDER BY start, outage_id
"""


def load_outages(
    conn: Connection[TupleRow], point_id: int, start: datetime, stop: datetime
) -> list[SupplyOutage]:
    """Return the time without supply that falls into [start, stop), by its start."""
    return list_outages(conn, point_id=point_id, start=start, stop=stop)


def list_outages(
    conn: Connection[TupleRow],
    *,
    account_id: int | None = None,
    point_id: int | None = None,
    outage_id: int | None = None,
    start: datetime | None = None,
    stop: datetime | None = None,
    removed_too: bool = False,
) -> list[SupplyOutage]:
    """Return the time without supply that was entered, by its start.

    Parameters
    ----------
    conn : Connection
    account_id, point_id, outage_id : int or None
        Only of that account, of that point, or that one.
    start, stop : datetime or None
        Only what falls into [start, stop); None = no such bound.
    removed_too : bool
        Also what was taken back.

    """
    asked = {
        "account_id": account_id,
        "point_id": point_id,
        "outage_id": outage_id,
        "start": start,
        "stop": stop,
        "removed_too": removed_too,
    }
    with conn.cursor(row_factory=class_row(SupplyOutage)) as cur:
        return cur.execute(SELECT_OUTAGES, asked).fetchall()
