"""What was imported: which file, of what, by whom, and whether it was taken back."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow, class_row


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportRecord:
    """One import of one file for one point."""

    import_id: int
    account: str | None
    """Its code; None = it is not known, of an import of long ago."""
    point_id: int | None
    point: str | None
    """Its name."""
    name: str
    """Of the file."""
    content: str
    """`intervals` or `registers`."""
    starts_at: datetime | None
    stops_at: datetime | None
    """End of its last interval; of registers their last moment."""
    import_kwh: float | None
    """Of the rows it gave; None = they are registers."""
    rows_new: int
    rows_changed: int
    """What it gave anew, and instead of something else."""
    rows_same: int
    """What was there already: not given by it."""
    imported_by: str
    imported_at: datetime
    undone_by: str | None
    undone_at: datetime | None
    undone_why: str | None


SELECT_IMPORTS = """
    SELECT import_id, account.code AS account, point_id, point.name AS point,
           file.name AS name, content, starts_at, stops_at, import_kwh, rows_new,
           rows_changed, rows_same, imported_by, imported_at, undone_by, undone_at,
           undone_why
      FROM imported_file AS file
      LEFT JOIN point USING (point_id)
      LEFT JOIN account USING (account_id)
     WHERE (%(account_id)s::int IS NULL OR account_id = %(account_id)s)
       AND (%(import_id)s::int IS NULL OR import_id = %(import_id)s)
     ORDER BY import_id
"""


def list_imports(
    conn: Connection[TupleRow],
    account_id: int | None = None,
    *,
    import_id: int | None = None,
) -> list[ImportRecord]:
    """Return the imports of an account, one, or all; the oldest first."""
    asked = {"account_id": account_id, "import_id": import_id}
    with conn.cursor(row_factory=class_row(ImportRecord)) as cur:
        return cur.execute(SELECT_IMPORTS, asked).fetchall()


# Of registers those in the interval, and at its ends.
SELECT_UNDONE = """
    SELECT import_id, account.code AS account, point_id, point.name AS point,
           file.name AS name, content, starts_at, stops_at, import_kwh, rows_new,
           rows_changed, rows_same, imported_by, imported_at, undone_by, undone_at,
           undone_why
      FROM imported_file AS file
      JOIN point USING (point_id)
      JOIN account USING (account_id)
     WHERE point_id = %(point_id)s AND undone_at IS NOT NULL
       AND starts_at <= %(stop)s AND stops_at >= %(start)s
       AND (EXISTS (SELECT FROM meter_interval AS its
                     WHERE its.import_id = file.import_id
                       AND its.meter_id IN (SELECT meter_id FROM installation
                                             WHERE point_id = %(point_id)s)
                       AND its.start >= %(start)s AND its.start < %(stop)s)
            OR EXISTS (SELECT FROM imported_reading AS its
                        WHERE its.import_id = file.import_id
                          AND measured_at BETWEEN %(start)s AND %(stop)s))
     ORDER BY import_id
"""


def list_undone(
    conn: Connection[TupleRow], point_id: int, start: datetime, stop: datetime
) -> list[ImportRecord]:
    """Return the imports that were taken back and had given something of a time."""
    asked = {"point_id": point_id, "start": start, "stop": stop}
    with conn.cursor(row_factory=class_row(ImportRecord)) as cur:
        return cur.execute(SELECT_UNDONE, asked).fetchall()
