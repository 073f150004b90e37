"""Settled intervals with all that is known of them, for files that are handed out."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
from psycopg import Connection
from psycopg.rows import TupleRow

from meters.reading import FloatArray, IntArray
from storage.binary import energies_of, floats_of, times_of

TextArray = npt.NDArray[np.str_]

_SEPARATOR = "\x1f"

# As of a moment: what was settled by then, and not replaced by then. Without one the
# past has nothing to say. One value a column, its numbers end to end.
SELECT_SETTLED = """
    SELECT string_agg(timestamptz_send(start), ''),
           string_agg(int4send(length_min::int), ''),
           string_agg(float8send(coalesce(import_kwh, 'NaN')), ''),
           string_agg(float8send(coalesce(export_kwh, 'NaN')), ''),
           string_agg(float8send(coalesce(lagging_kvarh, 'NaN')), ''),
           string_agg(float8send(coalesce(leading_kvarh, 'NaN')), ''),
           string_agg(float8send(confidence), ''),
           string_agg(int4send(version), ''),
           string_agg(int4send(status::int), ''),
           string_agg(timestamptz_send(settled_at), ''),
           string_agg(quality, chr(31)), string_agg(coalesce(method, ''), chr(31))
      FROM (SELECT start, length_min, import_kwh, export_kwh, lagging_kvarh,
                   leading_kvarh, confidence, version, status, settled_at, quality,
                   method
              FROM energy_interval
             WHERE point_id = %(point_id)s
               AND start >= %(start)s AND start < %(stop)s
               AND (%(as_of)s::timestamptz IS NULL OR settled_at <= %(as_of)s)
             UNION ALL
            SELECT start, length_min, import_kwh, export_kwh, lagging_kvarh,
                   leading_kvarh, confidence, version, status, settled_at, quality,
                   method
              FROM energy_interval_past
             WHERE point_id = %(point_id)s
               AND start >= %(start)s AND start < %(stop)s
               AND settled_at <= %(as_of)s AND replaced_at > %(as_of)s
             ORDER BY start) AS wanted
"""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SettledRows:
    """Settled intervals of one point by time; arrays have shape (n,)."""

    start_us: IntArray
    """[microseconds since 1970 UTC]"""
    length_min: IntArray
    values: FloatArray
    """shape (n, 4): import, export, lagging, leading; NaN = not known [kWh, kvarh]"""
    quality: TextArray
    method: TextArray
    """Of an estimate; of what is missing, its cause; else empty."""
    confidence: FloatArray
    """1 where measured, 0 where missing."""
    version: IntArray
    status: IntArray
    """What the rules said at worst: analytics/settlement/verdict.py, Status."""
    settled_us: IntArray
    """[microseconds since 1970 UTC]"""

    def __len__(self) -> int:
        """Count the intervals."""
        return int(self.start_us.size)


def load_settled(
    conn: Connection[TupleRow],
    point_id: int,
    start: datetime,
    stop: datetime,
    as_of: datetime | None = None,
) -> SettledRows:
    """Return the settled intervals of a point that start in [start, stop).

    Parameters
    ----------
    conn : Connection
    point_id : int
    start, stop : datetime
    as_of : datetime, optional
        What was believed at that moment; None = now.

    """
    asked = {"point_id": point_id, "start": start, "stop": stop, "as_of": as_of}
    row = conn.cursor(binary=True).execute(SELECT_SETTLED, asked).fetchone()
    starts, lengths, *rest = row if row is not None else ()
    energies, (confidence, version, status, settled, quality, method) = (
        rest[:4],
        rest[4:],
    )
    n = times_of(starts).size
    return SettledRows(
        start_us=times_of(starts),
        length_min=_ints(lengths),
        values=np.column_stack([energies_of(energy) for energy in energies]),
        quality=_texts(quality, n),
        method=_texts(method, n),
        confidence=floats_of(confidence),
        version=_ints(version),
        status=_ints(status),
        settled_us=times_of(settled),
    )


def _ints(data: bytes | None) -> IntArray:
    return np.frombuffer(data or b"", dtype=">i4").astype(np.int64)


def _texts(joined: str | None, n: int) -> TextArray:
    return np.array((joined or "").split(_SEPARATOR)[:n] if n else [], dtype=np.str_)
