"""Entering the days on which a site alone does not work, and taking them back.

Errors: `storage.settlement_master.EntryError`, one sentence.
"""

from collections.abc import Iterable
from datetime import date, datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from storage.judging import judge_again
from storage.marking import mark_time
from storage.settlement_master import EntryError, list_closures

UPSERT_CLOSURE = """
    INSERT INTO closure AS old (account_id, local_day, reason, entered_by, entered_at)
    VALUES (%(account_id)s, %(local_day)s, %(reason)s, %(entered_by)s,
            coalesce(%(now)s, now()))
    ON CONFLICT (account_id, local_day) DO UPDATE
       SET reason = excluded.reason, entered_by = excluded.entered_by,
           entered_at = excluded.entered_at
     WHERE old.reason <> excluded.reason
    RETURNING xmax = 0
"""
DELETE_CLOSURE = """
    DELETE FROM closure
     WHERE account_id = %(account_id)s AND local_day = %(local_day)s
"""

SELECT_BOUNDS = """
    SELECT point_id, day_begins(%(day)s::date, time_zone),
           day_begins(%(day)s::date + 1, time_zone)
      FROM point JOIN account USING (account_id)
     WHERE account_id = %(account_id)s
"""


def close(
    conn: Connection[TupleRow],
    account_id: int,
    days: Iterable[date],
    *,
    reason: str,
    by: str,
    now: datetime | None = None,
) -> int:
    """Enter local days on which a site does not work.

    A day that is entered already gets another reason; with the same one, nothing is
    written. Returns how many point-days are settled again: a reason alone is no cause.
    """
    marked = 0
    with conn.transaction():
        for day in days:
            row = {
                "account_id": account_id,
                "local_day": day,
                "reason": reason,
                "entered_by": by,
                "now": now,
            }
            made = conn.execute(UPSERT_CLOSURE, row).fetchone()
            if made is not None and made[0]:
                marked += _mark(conn, account_id, day, now)
    return marked


def reopen(
    conn: Connection[TupleRow],
    account_id: int,
    days: Iterable[date],
    now: datetime | None = None,
) -> int:
    """Take back closures; return how many point-days are settled again.

    Raises
    ------
    EntryError
        On one of the days, the site is not closed; nothing is taken back then.

    """
    marked = 0
    with conn.transaction():
        closed = {one.day for one in list_closures(conn, account_id)}
        for day in days:
            if day not in closed:
                raise EntryError(
                    f"There is no closure on {day} to remove; “keywatt closure list”"
                    " shows those that are entered."
                )
            row = {"account_id": account_id, "local_day": day}
            conn.execute(DELETE_CLOSURE, row)
            marked += _mark(conn, account_id, day, now)
    return marked


def _mark(
    conn: Connection[TupleRow], account_id: int, day: date, now: datetime | None
) -> int:
    """Have a day of all points of an account settled, and judged, again."""
    asked = {"account_id": account_id, "day": day}
    marked = 0
    for point_id, start, stop in conn.execute(SELECT_BOUNDS, asked).fetchall():
        marked += mark_time(conn, point_id, start, stop, now)
        judge_again(conn, point_id, start)
    return marked
