"""Readings of many meters at once, for whoever must account for each of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from psycopg import Connection
from psycopg.rows import TupleRow

from meters.reading import FloatArray, IntArray
from storage.binary import floats_of, times_of

# One value a column, its numbers end to end, all of one pass over the same rows.
SELECT_STORED = """
    SELECT string_agg(int4send(number::int), ''),
           string_agg(timestamptz_send(measured_at), ''),
           string_agg(float8send(coalesce(energy_import_kwh, 'NaN')), ''),
           string_agg(float8send(coalesce(energy_export_kwh, 'NaN')), ''),
           string_agg(float8send(coalesce(energy_lagging_kvarh, 'NaN')), ''),
           string_agg(float8send(coalesce(energy_leading_kvarh, 'NaN')), '')
      FROM (SELECT number, reading.*
              FROM unnest(%(serials)s::text[])
                   WITH ORDINALITY AS wanted (serial, number)
              JOIN meter ON meter.serial = wanted.serial
              JOIN reading USING (meter_id)
             ORDER BY number, measured_at) AS readings
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredTable:
    """All readings of some meters, by meter and time; arrays have its length n."""

    meter: npt.NDArray[np.int32]
    """shape (n,), index into the serials that were asked for"""
    measured_us: IntArray
    """shape (n,), microseconds since 1970 UTC"""
    registers: FloatArray
    """shape (n, 4), in the order of `REGISTERS`; NaN = not given"""

    def __len__(self) -> int:
        """Count the readings."""
        return int(self.meter.size)


def load_stored(conn: Connection[TupleRow], serials: Sequence[str]) -> StoredTable:
    """Return every reading of these meters, registers only."""
    cursor = conn.cursor(binary=True)
    row = cursor.execute(SELECT_STORED, {"serials": list(serials)}).fetchone()
    number, measured, *columns = row if row is not None else ()
    ordinals = np.frombuffer(number or b"", dtype=">i4").astype(np.int32)
    return StoredTable(
        meter=ordinals - 1,
        measured_us=times_of(measured),
        registers=np.column_stack([floats_of(column) for column in columns]),
    )
