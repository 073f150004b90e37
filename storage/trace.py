"""What one interval came from, as far as tables say: versions, meters, refusals."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from storage.imports import ImportedFile


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """One interval as it was believed for some time."""

    version: int
    length_min: int
    import_kwh: float | None
    export_kwh: float | None
    lagging_kvarh: float | None
    leading_kvarh: float | None
    quality: str
    method: str
    """Of what is estimated or edited; the cause of what is missing."""
    confidence: float
    status: int
    """Worst rule: `Status`."""
    firm: bool
    settled_at: datetime
    replaced_at: datetime | None
    """None = it is what is believed now."""


SELECT_VERSIONS = """
    SELECT version, length_min, round(import_kwh * 1e6) / 1e6 AS import_kwh,
           round(export_kwh * 1e6) / 1e6 AS export_kwh,
           round(lagging_kvarh * 1e6) / 1e6 AS lagging_kvarh,
           round(leading_kvarh * 1e6) / 1e6 AS leading_kvarh,
           quality, coalesce(method, '') AS method, confidence, status, firm,
           settled_at, NULL::timestamptz AS replaced_at
      FROM energy_interval
     WHERE point_id = %(point_id)s AND start = %(start)s
     UNION ALL
    SELECT version, length_min, round(import_kwh * 1e6) / 1e6,
           round(export_kwh * 1e6) / 1e6, round(lagging_kvarh * 1e6) / 1e6,
           round(leading_kvarh * 1e6) / 1e6,
           quality, coalesce(method, ''), confidence, status, firm, settled_at,
           replaced_at
      FROM energy_interval_past
     WHERE point_id = %(point_id)s AND start = %(start)s
     ORDER BY version DESC
"""


def load_versions(
    conn: Connection[TupleRow], point_id: int, start: datetime
) -> list[Version]:
    """Return every version of an interval, the newest first."""
    asked = {"point_id": point_id, "start": start}
    with conn.cursor(row_factory=class_row(Version)) as cur:
        return cur.execute(SELECT_VERSIONS, asked).fetchall()


@dataclass(frozen=True, kw_only=True, slots=True)
class MeterThere:
    """A meter that sat at a point, with the multiplier that held."""

    installation_id: int
    meter_id: int
    serial: str
    role: str
    installed_at: datetime
    removed_at: datetime | None
    multiplier: Decimal
    """In force when the interval began; CT x PT x constant."""
    changes_at: datetime | None
    """When another came into force within the interval."""
    changes_to: Decimal | None
    register_digits: int
    register_resolution: float


SELECT_METERS_THERE = """
    SELECT installation_id, meter_id, serial, role, installed_at, removed_at,
           coalesce((SELECT multiplier FROM multiplier_change AS its
                      WHERE its.installation_id = installation.installation_id
                        AND since <= %(start)s
                      ORDER BY since DESC LIMIT 1), ratio) AS multiplier,
           inside.since AS changes_at, inside.multiplier AS changes_to,
           register_digits, register_resolution
      FROM installation
      JOIN meter USING (meter_id)
      LEFT JOIN LATERAL (
               SELECT since, multiplier FROM multiplier_change AS its
                WHERE its.installation_id = installation.installation_id
                  AND since > %(start)s AND since < %(stop)s
                ORDER BY since LIMIT 1) AS inside ON true
     WHERE point_id = %(point_id)s AND installed_at < %(stop)s
       AND coalesce(removed_at > %(start)s, true)
     ORDER BY role DESC, installed_at
"""


def load_meters_there(
    conn: Connection[TupleRow], point_id: int, start: datetime, stop: datetime
) -> list[MeterThere]:
    """Return the meters that sat at a point in [start, stop), main ones first."""
    asked = {"point_id": point_id, "start": start, "stop": stop}
    with conn.cursor(row_factory=class_row(MeterThere)) as cur:
        return cur.execute(SELECT_METERS_THERE, asked).fetchall()


# Of one start the interval received last counts; it is the meter's own unless a file
# is named.
SELECT_FILE_OF = """
    SELECT import_id, name, imported_by, imported_at
      FROM (SELECT import_id FROM meter_interval AS its
             WHERE meter_id = %(meter_id)s AND start = %(start)s
               AND NOT EXISTS (SELECT FROM imported_file AS file
                                WHERE file.import_id = its.import_id
                                  AND undone_at IS NOT NULL)
             ORDER BY received_at DESC LIMIT 1) AS newest
      JOIN imported_file USING (import_id)
"""


def load_file_of(
    conn: Connection[TupleRow], meter_id: int, start: datetime
) -> ImportedFile | None:
    """Return the file that gave a meter's interval; None = the meter did, or nobody."""
    asked = {"meter_id": meter_id, "start": start}
    with conn.cursor(row_factory=class_row(ImportedFile)) as cur:
        return cur.execute(SELECT_FILE_OF, asked).fetchone()


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedThen:
    """Something that a meter sent and that is kept in quarantine."""

    quarantine_id: int
    meter_id: int
    received_at: datetime
    source: str
    reason: str
    text: str
    readings: int


SELECT_REFUSED = """
    SELECT quarantine_id, meter_id, received_at, source, reason, "text", readings
      FROM quarantine
     WHERE meter_id = ANY(%(meter_ids)s)
       AND received_at >= %(start)s AND received_at < %(stop)s
     ORDER BY received_at
     LIMIT %(most)s
"""


def load_refused_then(
    conn: Connection[TupleRow],
    meter_ids: list[int],
    start: datetime,
    stop: datetime,
    *,
    most: int = 100,
) -> list[RefusedThen]:
    """Return what was refused of meters and came in [start, stop), the oldest first."""
    asked = {"meter_ids": meter_ids, "start": start, "stop": stop, "most": most}
    with conn.cursor(row_factory=class_row(RefusedThen)) as cur:
        return cur.execute(SELECT_REFUSED, asked).fetchall()
