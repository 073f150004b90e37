"""Figures that persons set for intervals: kept beside what was there, never deleted.

An edit is evidence like a reading: settlement lays it over what it found, so storing
or undoing one marks its days as dirty, in the same transaction.

EditError       an edit cannot be; nothing is stored
BilledError     one of these: it would change what was billed
"""

from datetime import UTC, datetime, timedelta, tzinfo

from psycopg import Connection
from psycopg.rows import TupleRow

from analytics.settlement.edited_values import (
    LENGTH_MIN,
    EditedValues,
    EditError,
    at_text,
    refuse_values,
)
from analytics.settlement.intervals import IntArray
from meters.reading import from_utc_us, utc_us
from storage.binary import float_column, time_column, times_of
from storage.judging import judge_no_past

_LENGTH = timedelta(minutes=LENGTH_MIN)


class BilledError(EditError):
    """An edit would change what was billed; the sentence names the bill."""


INSERT_EDIT = """
    INSERT INTO interval_edit (edit_id, point_id, reason, edited_by, edited_at)
    OVERRIDING SYSTEM VALUE
    SELECT coalesce(%(edit_id)s,
                    nextval(pg_get_serial_sequence('interval_edit', 'edit_id'))),
           %(point_id)s, %(reason)s, %(by)s, %(at)s
    RETURNING edit_id
"""
TRIAL_ID = 2**31 - 1
"""Number of an edit that is only tried: it counts over all others, and uses up none."""
INSERT_VALUES = """
    INSERT INTO edited_value (
        edit_id, start, length_min, import_kwh, export_kwh, lagging_kvarh,
        leading_kvarh, was_version, was_quality, was_import_kwh, was_export_kwh,
        was_lagging_kvarh, was_leading_kvarh)
    SELECT %(edit_id)s, given.start, %(length_min)s, given.import_kwh,
           given.export_kwh, given.lagging_kvarh, given.leading_kvarh,
           coalesce(was.version, 0), coalesce(was.quality, 'missing'),
           round(was.import_kwh * 1e6) / 1e6, round(was.export_kwh * 1e6) / 1e6,
           round(was.lagging_kvarh * 1e6) / 1e6, round(was.leading_kvarh * 1e6) / 1e6
      FROM unnest(%(start)s, %(import_kwh)s, %(export_kwh)s, %(lagging_kvarh)s,
                  %(leading_kvarh)s)
           AS given (start, import_kwh, export_kwh, lagging_kvarh, leading_kvarh)
      LEFT JOIN energy_interval AS was
        ON was.point_id = %(point_id)s AND was.start = given.start
       AND was.start BETWEEN %(first)s AND %(last)s
"""
# The days of an edit, for settling them again.
MARK_EDITED = """
    INSERT INTO dirty_point_day (point_id, local_day)
    SELECT DISTINCT point_id, (start AT TIME ZONE time_zone)::date
      FROM edited_value
      JOIN interval_edit USING (edit_id)
      JOIN point USING (point_id)
      JOIN account USING (account_id)
     WHERE edit_id = %(edit_id)s
"""


def store_edit(
    conn: Connection[TupleRow],
    point_id: int,
    values: EditedValues,
    *,
    reason: str,
    by: str,
    at: datetime,
    billed_too: bool = False,
    zone: tzinfo = UTC,
    on_trial: bool = False,
) -> int:
    """Keep what a person set, with what was there before, and mark the days dirty.

    The caller owns the transaction. What the figures become is seen once the point is
    settled; of an interval that is edited twice the last edit counts.

    Parameters
    ----------
    conn : Connection
    point_id : int
    values : EditedValues
    reason, by
        Required: why, and who.
    at : datetime
        The site's time.
    billed_too
        Also where a bill pins an interval.
    zone : tzinfo
        In which a refusal tells times.
    on_trial
        The caller rolls back.

    Returns
    -------
    int
        Number of the edit.

    Raises
    ------
    EditError
        The values cannot be, or no meter sat there then.
    BilledError
        A bill pins one of the intervals.

    """
    refuse_values(values, reason=reason, by=by, at=at, zone=zone)
    start = time_column(values.start_us)
    _refuse_unmetered(conn, point_id, values, zone)
    if not billed_too:
        refuse_billed(conn, point_id, values.start_us, zone)
    who = {
        "edit_id": TRIAL_ID if on_trial else None,
        "point_id": point_id,
        "reason": reason,
        "by": by,
        "at": at,
    }
    row = conn.execute(INSERT_EDIT, who).fetchone()
    edit_id = int(row[0]) if row else 0
    given = {
        "edit_id": edit_id,
        "point_id": point_id,
        "start": start,
        "first": from_utc_us(int(values.start_us.min())),
        "last": from_utc_us(int(values.start_us.max())),
        "length_min": LENGTH_MIN,
        "import_kwh": float_column(values.import_kwh),
        "export_kwh": float_column(values.export_kwh),
        "lagging_kvarh": float_column(values.lagging_kvarh),
        "leading_kvarh": float_column(values.leading_kvarh),
    }
    conn.execute(INSERT_VALUES, given)
    conn.execute(MARK_EDITED, {"edit_id": edit_id})
    judge_no_past(conn, point_id, from_utc_us(int(values.start_us.min())))
    return edit_id


SELECT_UNMETERED = """
    SELECT given.start
      FROM unnest(%(start)s) AS given (start)
     WHERE NOT EXISTS (
               SELECT FROM installation
                WHERE point_id = %(point_id)s AND role = 'main'
                  AND installed_at < given.start + %(length)s
                  AND coalesce(removed_at > given.start, true))
     ORDER BY given.start LIMIT 1
"""


def _refuse_unmetered(
    conn: Connection[TupleRow], point_id: int, values: EditedValues, zone: tzinfo
) -> None:
    asked = {
        "point_id": point_id,
        "start": time_column(values.start_us),
        "length": _LENGTH,
    }
    row = conn.execute(SELECT_UNMETERED, asked).fetchone()
    if row is not None:
        when = at_text(utc_us(row[0]), zone)
        raise EditError(
            f"No meter sat at point {point_id} at {when}; enter its installation."
        )


# Who pins a bill has the account to itself: either sees what the other did.
HOLD_BILLS = """
    SELECT FROM account JOIN point USING (account_id) WHERE point_id = %(point_id)s
       FOR SHARE OF account
"""
SELECT_BILLED = """
    SELECT bill_id, first_day, last_day, given.start
      FROM unnest(%(start)s) AS given (start)
      JOIN point ON point_id = %(point_id)s
      JOIN account USING (account_id)
      JOIN billed_period USING (account_id)
     WHERE withdrawn_at IS NULL
       AND (given.start AT TIME ZONE time_zone)::date BETWEEN first_day AND last_day
     ORDER BY bill_id, given.start LIMIT 1
"""


def refuse_billed(
    conn: Connection[TupleRow], point_id: int, start_us: IntArray, zone: tzinfo = UTC
) -> None:
    """Refuse to change what a bill pins; times are told in a zone.

    None is pinned from here on until the transaction ends.

    Raises
    ------
    BilledError
        Naming the bill and the first interval.

    """
    asked = {"point_id": point_id, "start": time_column(start_us)}
    # By itself: the next statement sees the bill that was waited for.
    conn.execute(HOLD_BILLS, asked)
    row = conn.execute(SELECT_BILLED, asked).fetchone()
    if row is not None:
        bill_id, first_day, last_day, start = row
        when = at_text(utc_us(start), zone)
        raise BilledError(
            f"Bill {bill_id} of {first_day} to {last_day} pins {when}; "
            "withdraw it first, or ask to edit what is billed too."
        )


LOCK_EDIT = """
    SELECT point_id, undone_at,
           (SELECT string_agg(timestamptz_send(start), '')
              FROM edited_value WHERE edited_value.edit_id = interval_edit.edit_id)
      FROM interval_edit WHERE edit_id = %(edit_id)s
       FOR UPDATE
"""
UNDO_EDIT = """
    UPDATE interval_edit
       SET undone_by = %(by)s, undone_at = %(at)s, undone_why = %(why)s
     WHERE edit_id = %(edit_id)s
"""


def undo_edit(
    conn: Connection[TupleRow],
    edit_id: int,
    *,
    why: str,
    by: str,
    at: datetime,
    billed_too: bool = False,
    zone: tzinfo = UTC,
) -> None:
    """Let an edit count no longer, and mark its days dirty: readings decide again.

    Raises
    ------
    EditError
        There is no such edit, it is undone already, or who and why are not said.
    BilledError
        A bill pins one of its intervals.

    """
    for what, said in (("reason", why), ("name", by)):
        if not said.strip():
            raise EditError(f"Undoing edit {edit_id} needs a {what}; give one.")
    row = conn.cursor(binary=True).execute(LOCK_EDIT, {"edit_id": edit_id}).fetchone()
    if row is None:
        raise EditError(f"There is no edit {edit_id}.")
    point_id, undone_at, starts = row
    if undone_at is not None:
        when = undone_at.astimezone(zone)
        raise EditError(f"Edit {edit_id} was undone at {when:%Y-%m-%d %H:%M %Z}.")
    if not billed_too:
        refuse_billed(conn, point_id, times_of(starts), zone)
    conn.execute(UNDO_EDIT, {"edit_id": edit_id, "by": by, "at": at, "why": why})
    conn.execute(MARK_EDITED, {"edit_id": edit_id})
    judge_no_past(conn, point_id, from_utc_us(int(times_of(starts).min())))
