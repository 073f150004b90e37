"""Which files were imported, which meters their rows are of, and their readings.

What a file gave and what there was besides are kept by moment, so that just that can be
taken back: `storage.import_undo`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from meters.quantity import QUANTITIES, REGISTERS
from meters.reading import (
    IntArray,
    ReadingBatch,
    Source,
    from_utc_us,
    utc_us,
)
from storage.binary import float_column, int_column, time_column
from storage.reading_store import ENSURE_MONTH, SOURCE_CODE

FOREVER_US = 2**62


@dataclass(frozen=True, kw_only=True, slots=True)
class Sitting:
    """A meter's time at a point, [from_us, to_us)."""

    meter_id: int
    serial: str
    from_us: int
    to_us: int
    digits: int
    resolution: float
    """One count of its registers. [kWh or kvarh]"""
    multipliers: tuple[tuple[int, Fraction], ...]
    """Since when (microseconds since 1970 UTC) which holds, by time."""


SELECT_SITTINGS = """
    SELECT meter_id, serial, installed_at, removed_at, ratio, register_digits,
           register_resolution,
           ARRAY(SELECT since FROM multiplier_change AS its
                  WHERE its.installation_id = installation.installation_id
                  ORDER BY since),
           ARRAY(SELECT multiplier FROM multiplier_change AS its
                  WHERE its.installation_id = installation.installation_id
                  ORDER BY since)
      FROM installation JOIN meter USING (meter_id)
     WHERE point_id = %(point_id)s
       AND CASE WHEN %(serial)s::text IS NULL THEN role = 'main'
                ELSE serial = %(serial)s END
     ORDER BY installed_at
"""


def load_sittings(
    conn: Connection[TupleRow], point_id: int, serial: str | None = None
) -> list[Sitting]:
    """Return when which main meter sat at a point, or when one meter did, by time."""
    asked = {"point_id": point_id, "serial": serial}
    rows = conn.execute(SELECT_SITTINGS, asked).fetchall()
    return [
        Sitting(
            meter_id=meter_id,
            serial=found,
            from_us=utc_us(installed_at),
            to_us=FOREVER_US if removed_at is None else utc_us(removed_at),
            digits=digits,
            resolution=resolution,
            multipliers=(
                (utc_us(installed_at), Fraction(ratio)),
                *zip(map(utc_us, since), map(Fraction, multipliers), strict=True),
            ),
        )
        for meter_id, found, installed_at, removed_at, ratio, digits, resolution, since, multipliers in rows  # noqa: E501
    ]


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file that was imported before, and counts."""

    import_id: int
    name: str
    imported_by: str
    imported_at: datetime


SELECT_FILE = """
    SELECT import_id, name, imported_by, imported_at
      FROM imported_file
     WHERE sha256 = %(sha256)s AND undone_at IS NULL
"""


def find_imported(conn: Connection[TupleRow], sha256: str) -> ImportedFile | None:
    """Return the import of a content, if it was imported and not taken back."""
    with conn.cursor(row_factory=class_row(ImportedFile)) as cur:
        return cur.execute(SELECT_FILE, {"sha256": sha256}).fetchone()


LOCK_IMPORTS = "LOCK TABLE imported_file IN SHARE ROW EXCLUSIVE MODE"


def lock_imports(conn: Connection[TupleRow]) -> None:
    """Let no other import store anything until the end of the transaction."""
    conn.execute(LOCK_IMPORTS)


INSERT_FILE = """
    INSERT INTO imported_file (point_id, name, sha256, content, starts_at, stops_at,
                               import_kwh, rows_new, rows_changed, rows_same,
                               imported_by, imported_at)
    VALUES (%(point_id)s, %(name)s, %(sha256)s, %(content)s, %(starts_at)s,
            %(stops_at)s, %(import_kwh)s, %(rows_new)s, %(rows_changed)s, %(rows_same)s,
            %(imported_by)s, %(imported_at)s)
    RETURNING import_id
"""


def store_file(conn: Connection[TupleRow], **row: str | float | datetime | None) -> int:
    """Name a file that is being imported, by the columns above; return its number."""
    stored = conn.execute(INSERT_FILE, row).fetchone()
    if stored is None:
        raise RuntimeError("an inserted row has no number")
    return int(stored[0])


def _ensure_months(conn: Connection[TupleRow], times_us: IntArray) -> None:
    """Make the partitions of just the months that occur."""
    for month in np.unique(times_us.astype("M8[us]").astype("M8[M]")):
        first = month.astype("M8[s]").item().replace(tzinfo=UTC)
        conn.execute(ENSURE_MONTH, {"month": first})


# What there was besides files stays the same from one file to the next.
KEEP_READINGS = """
    INSERT INTO imported_reading (import_id, meter_id, measured_at, gave, was)
    SELECT %(import_id)s, %(one_meter)s, given.measured_at,
           jsonb_strip_nulls(
               CASE WHEN old.meter_id IS NULL THEN to_jsonb(given)
                    ELSE to_jsonb(given) - %(momentary)s::text[] END)
           - 'measured_at'::text || jsonb_build_object('source', %(code)s::int),
           CASE WHEN earlier.import_id IS NULL THEN to_jsonb(old) ELSE earlier.was END
      FROM unnest(
               %(measured_at)s, %(received)s, %(energy_import_kwh)s,
               %(energy_export_kwh)s, %(energy_lagging_kvarh)s,
               %(energy_leading_kvarh)s, %(active_power_kw)s, %(active_power_l1_kw)s,
               %(active_power_l2_kw)s, %(active_power_l3_kw)s, %(reactive_power_kvar)s,
               %(power_factor)s, %(frequency_hz)s, %(voltage_l1_v)s, %(voltage_l2_v)s,
               %(voltage_l3_v)s, %(current_l1_a)s, %(current_l2_a)s, %(current_l3_a)s)
           AS given (measured_at, received_at, energy_import_kwh, energy_export_kwh,
                     energy_lagging_kvarh, energy_leading_kvarh, active_power_kw,
                     active_power_l1_kw, active_power_l2_kw, active_power_l3_kw,
                     reactive_power_kvar, power_factor, frequency_hz, voltage_l1_v,
                     voltage_l2_v, voltage_l3_v, current_l1_a, current_l2_a,
                     current_l3_a)
      LEFT JOIN reading AS old
        ON old.meter_id = %(one_meter)s AND old.measured_at = given.measured_at
       AND old.measured_at BETWEEN %(first)s AND %(last)s
      LEFT JOIN LATERAL (
               SELECT import_id, was
                 FROM imported_reading AS its JOIN imported_file USING (import_id)
                WHERE its.meter_id = %(one_meter)s
                  AND its.measured_at = given.measured_at AND undone_at IS NULL
                ORDER BY import_id DESC LIMIT 1) AS earlier ON true
"""
UPSERT_READINGS = """
    INSERT INTO reading AS old (
        meter_id, measured_at, received_at, energy_import_kwh, energy_export_kwh,
        energy_lagging_kvarh, energy_leading_kvarh, active_power_kw, active_power_l1_kw,
        active_power_l2_kw, active_power_l3_kw, reactive_power_kvar, power_factor,
        frequency_hz, voltage_l1_v, voltage_l2_v, voltage_l3_v, current_l1_a,
        current_l2_a, current_l3_a, source)
    SELECT *, %(code)s FROM unnest(
        %(meter_id)s, %(measured_at)s, %(received)s, %(energy_import_kwh)s,
        %(energy_export_kwh)s, %(energy_lagging_kvarh)s, %(energy_leading_kvarh)s,
        %(active_power_kw)s, %(active_power_l1_kw)s, %(active_power_l2_kw)s,
        %(active_power_l3_kw)s, %(reactive_power_kvar)s, %(power_factor)s,
        %(frequency_hz)s, %(voltage_l1_v)s, %(voltage_l2_v)s, %(voltage_l3_v)s,
        %(current_l1_a)s, %(current_l2_a)s, %(current_l3_a)s)
    ON CONFLICT (meter_id, measured_at) DO UPDATE
       SET energy_import_kwh = coalesce(
               excluded.energy_import_kwh, old.energy_import_kwh),
           energy_export_kwh = coalesce(
               excluded.energy_export_kwh, old.energy_export_kwh),
           energy_lagging_kvarh = coalesce(
               excluded.energy_lagging_kvarh, old.energy_lagging_kvarh),
           energy_leading_kvarh = coalesce(
               excluded.energy_leading_kvarh, old.energy_leading_kvarh),
           received_at = excluded.received_at, source = excluded.source
"""


def store_readings(
    conn: Connection[TupleRow], batch: ReadingBatch, *, import_id: int
) -> None:
    """Store readings of one meter out of a file; those that are there are replaced.

    What a replaced reading said is kept. A register that the file does not give stays.

    Parameters
    ----------
    conn : Connection
    batch : ReadingBatch
        Of one meter, each moment once, all received at the same time.
    import_id : int
        Number of the file.

    """
    if not len(batch):
        return
    _ensure_months(conn, batch.measured_us)
    columns: dict[str, object] = {
        "meter_id": int_column(batch.meter_id),
        "one_meter": int(batch.meter_id[0]),
        "measured_at": time_column(batch.measured_us),
        "received": time_column(batch.received_us),
        "first": from_utc_us(int(batch.measured_us.min())),
        "last": from_utc_us(int(batch.measured_us.max())),
        "import_id": import_id,
        "momentary": [each for each in QUANTITIES if each not in REGISTERS],
        "code": SOURCE_CODE[Source.IMPORTED],
    }
    columns |= {
        quantity: float_column(batch.values[:, at])
        for at, quantity in enumerate(QUANTITIES)
    }
    conn.execute(KEEP_READINGS, columns)
    conn.execute(UPSERT_READINGS, columns)
