"""Entering the days on which a site alone does not work, and taking them back.

What is taken back stays, with who, when and why, and counts no longer. Days that were
judged before are not judged again: what a person knows of the past is no news to tell.

Errors: `storage.settlement_master.EntryError`, one sentence.
"""

from collections.abc import Iterable
from datetime import date, datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from storage.judging import judge_no_past
from storage.marking import mark_time
from storage.settlement_master import REASON_CHANGED, EntryError

INSERT_CLOSURE = """
    INSERT INTO closure (account_id, local_day, reason, entered_by, entered_at)
    VALUES (%(account_id)s, %(local_day)s, %(reason)s, %(by)s, coalesce(%(now)s, now()))
    ON CONFLICT DO NOTHING
    RETURNING closure_id
"""
# Of another reason than the one that is given, where one is.
REMOVE_CLOSURE = """
    UPDATE closure
       SET removed_by = %(by)s, removed_at = coalesce(%(now)s, now()),
           removed_why = %(why)s
     WHERE account_id = %(account_id)s AND local_day = %(local_day)s
       AND removed_at IS NULL AND reason IS DISTINCT FROM %(reason)s
    RETURNING closure_id
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

    A day that is entered already gets another reason, and the earlier one is kept; with
    the same one, nothing is written. Returns how many point-days are settled again: a
    reason alone is no cause.
    """
    marked = 0
    with conn.transaction():
        for day in days:
            row = {
                "account_id": account_id,
                "local_day": day,
                "reason": reason,
                "by": by,
                "now": now,
                "why": REASON_CHANGED,
            }
            was = conn.execute(REMOVE_CLOSURE, row).fetchone()
            made = conn.execute(INSERT_CLOSURE, row).fetchone()
            if made is not None and was is None:
                marked += _mark(conn, account_id, day, now)
    return marked


def reopen(
    conn: Connection[TupleRow],
    account_id: int,
    days: Iterable[date],
    *,
    reason: str,
    by: str,
    now: datetime | None = None,
) -> int:
    """Take back closures; return how many point-days are settled again.

    Raises
    ------
    EntryError
        On one of the days, the site is not closed, or no reason is given; nothing is
        taken back then.

    """
    if not reason.strip():
        raise EntryError("Removing a closure needs a reason; give one.")
    row = {"account_id": account_id, "by": by, "now": now, "why": reason.strip()}
    marked = 0
    with conn.transaction():
        for day in days:
            asked = row | {"local_day": day, "reason": None}
            if conn.execute(REMOVE_CLOSURE, asked).fetchone() is None:
                raise EntryError(
                    f"There is no closure on {day} to remove; “keywatt closure list”"
                    " shows those that are entered."
                )
            marked += _mark(conn, account_id, day, now)
    return marked


def _mark(
    conn: Connection[TupleRow], account_id: int, day: date, now: datetime | None
) -> int:
    """Have a day of all points of an account settled again."""
    asked = {"account_id": account_id, "day": day}
    marked = 0
    for point_id, start, stop in conn.execute(SELECT_BOUNDS, asked).fetchall():
        marked += mark_time(conn, point_id, start, stop, now)
        judge_no_past(conn, point_id, start)
    return marked
