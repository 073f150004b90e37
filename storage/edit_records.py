"""Reading edits: what counts, for settlement, and what was done, for people."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from analytics.settlement.edits import Edits, IntArray
from meters.quantity import REGISTERS
from storage.binary import floats_of, times_of

SELECT_ACTIVE = """
    SELECT string_agg(timestamptz_send(start), ''),
           string_agg(float8send(import_kwh), ''),
           string_agg(float8send(coalesce(export_kwh, 'NaN')), ''),
           string_agg(float8send(coalesce(lagging_kvarh, 'NaN')), ''),
           string_agg(float8send(coalesce(leading_kvarh, 'NaN')), '')
      FROM (SELECT DISTINCT ON (start) edited_value.*
              FROM interval_edit JOIN edited_value USING (edit_id)
             WHERE point_id = %(point_id)s AND undone_at IS NULL
               AND start >= %(start)s AND start < %(stop)s
             ORDER BY start, edit_id DESC) AS wanted
"""


def load_active_edits(
    conn: Connection[TupleRow], point_id: int, start: datetime, stop: datetime
) -> Edits | None:
    """Return what counts of the edits of intervals in [start, stop); None = nothing."""
    window = {"point_id": point_id, "start": start, "stop": stop}
    row = conn.cursor(binary=True).execute(SELECT_ACTIVE, window).fetchone()
    starts, *energies = row or (None,)
    if starts is None:
        return None
    columns = (floats_of(energy) for energy in energies)
    return Edits(
        start_us=times_of(starts),
        energies=dict(zip(REGISTERS, columns, strict=True)),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class EditRecord:
    """One interval of one edit: what was set, and what was there."""

    edit_id: int
    start: datetime
    reason: str
    edited_by: str
    edited_at: datetime
    undone_by: str | None
    undone_at: datetime | None
    undone_why: str | None
    import_kwh: float
    export_kwh: float | None
    """None = as settled."""
    lagging_kvarh: float | None
    leading_kvarh: float | None
    was_version: int
    """0 = there was none."""
    was_quality: str
    was_import_kwh: float | None
    was_export_kwh: float | None
    was_lagging_kvarh: float | None
    was_leading_kvarh: float | None


SELECT_EDITS = """
    SELECT edit_id, start, reason, edited_by, edited_at, undone_by, undone_at,
           undone_why, import_kwh, export_kwh, lagging_kvarh, leading_kvarh,
           was_version, was_quality, was_import_kwh, was_export_kwh,
           was_lagging_kvarh, was_leading_kvarh
      FROM interval_edit JOIN edited_value USING (edit_id)
     WHERE point_id = %(point_id)s AND start >= %(start)s AND start < %(stop)s
     ORDER BY edit_id, start
"""


def load_edits(
    conn: Connection[TupleRow], point_id: int, start: datetime, stop: datetime
) -> list[EditRecord]:
    """Return every edit of intervals in [start, stop), also what was undone."""
    window = {"point_id": point_id, "start": start, "stop": stop}
    with conn.cursor(row_factory=class_row(EditRecord)) as cur:
        return cur.execute(SELECT_EDITS, window).fetchall()


@dataclass(frozen=True, kw_only=True, slots=True)
class EditSummary:
    """One edit: who set what, where and why, and whether it still counts."""

    edit_id: int
    point_id: int
    account: str
    """Its code."""
    point: str
    """Its name."""
    start: datetime
    """Of its first interval."""
    stop: datetime
    """End of its last one."""
    intervals: int
    import_kwh: float
    """What was set, in all."""
    was_import_kwh: float | None
    """What was known before, in all; None = nothing was."""
    was_missing: int
    """Of how many intervals nothing was known."""
    reason: str
    edited_by: str
    edited_at: datetime
    undone_by: str | None
    undone_at: datetime | None
    undone_why: str | None


# Through numeric: figures have four decimals, and so have their sums.
LIST_EDITS = """
    SELECT edit_id, point_id, account.code AS account, point.name AS point,
           min(start) AS start,
           max(start + length_min * interval '1 minute') AS stop,
           count(*) AS intervals,
           sum(import_kwh::numeric)::float8 AS import_kwh,
           sum(was_import_kwh::numeric)::float8 AS was_import_kwh,
           count(*) FILTER (WHERE was_import_kwh IS NULL) AS was_missing,
           reason, edited_by, edited_at, undone_by, undone_at, undone_why
      FROM interval_edit
      JOIN edited_value USING (edit_id)
      JOIN point USING (point_id)
      JOIN account USING (account_id)
     WHERE (%(account_id)s::int IS NULL OR account_id = %(account_id)s)
       AND (%(point_id)s::int IS NULL OR point_id = %(point_id)s)
       AND (%(edit_id)s::int IS NULL OR edit_id = %(edit_id)s)
     GROUP BY edit_id, account.code, point.name
     ORDER BY edit_id
"""


def list_edits(
    conn: Connection[TupleRow],
    account_id: int | None = None,
    *,
    point_id: int | None = None,
    edit_id: int | None = None,
) -> list[EditSummary]:
    """Return the edits of an account, of a point, or one; what was undone too."""
    asked = {"account_id": account_id, "point_id": point_id, "edit_id": edit_id}
    with conn.cursor(row_factory=class_row(EditSummary)) as cur:
        return cur.execute(LIST_EDITS, asked).fetchall()


SELECT_STARTS = """
    SELECT string_agg(timestamptz_send(start), '' ORDER BY start)
      FROM edited_value WHERE edit_id = %(edit_id)s
"""


def edited_starts(conn: Connection[TupleRow], edit_id: int) -> IntArray:
    """Return the starts of an edit's intervals. [microseconds since 1970 UTC]."""
    asked = {"edit_id": edit_id}
    row = conn.cursor(binary=True).execute(SELECT_STARTS, asked).fetchone()
    return times_of(row[0] if row else None)
