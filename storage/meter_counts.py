"""What became of every reading, by meter and hour."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
from psycopg import AsyncConnection, Connection
from psycopg.rows import TupleRow, class_row

from meters.reading import IntArray, ReadingBatch, from_utc_us, utc_us
from meters.refusal import Refusal
from storage.binary import int_column, time_column
from storage.quarantine import ADD_TO_COUNT

_HOUR_US = 3_600_000_000
OUTCOMES = ("stored", "repeated", "refused", "undecoded", "failed")
STORED, REPEATED, REFUSED, UNDECODED, FAILED = range(len(OUTCOMES))


@dataclass(frozen=True, kw_only=True, slots=True)
class MeterCounts:
    """Readings by meter and hour, each pair once and in order."""

    meter_id: npt.NDArray[np.int32]
    """shape (n,)"""
    hour_us: IntArray
    """shape (n,), start of the hour in which they were received. [µs since 1970 UTC]"""
    readings: IntArray
    """shape (n, len(OUTCOMES))"""


def meter_counts_of(
    batch: ReadingBatch,
    is_new: npt.NDArray[np.bool_],
    refusals: Iterable[Refusal] = (),
) -> MeterCounts:
    """Count what became of a batch, and of what was refused beside it.

    Parameters
    ----------
    batch
        What was written.
    is_new : array, shape (n,)
        Whether it was stored; what was not had been there already.
    refusals
        Those of no known meter are left out.

    """
    known = [r for r in refusals if r.meter_id is not None and _fits(r.meter_id)]
    meter_id = np.array([r.meter_id for r in known], np.int32)
    received_us = np.array([utc_us(r.received_at) for r in known], np.int64)
    readings = np.zeros((len(batch) + len(known), len(OUTCOMES)), np.int64)
    readings[: len(batch), STORED] = is_new
    readings[: len(batch), REPEATED] = ~is_new
    readings[len(batch) :, REFUSED] = [r.readings for r in known]
    readings[len(batch) :, UNDECODED] = [
        0 if r.reason.is_of_decoded else r.readings for r in known
    ]
    return summed(
        np.append(batch.meter_id, meter_id),
        np.append(batch.received_us, received_us),
        readings,
    )


def summed(
    meter_id: npt.NDArray[np.signedinteger],
    received_us: IntArray,
    readings: IntArray,
) -> MeterCounts:
    """Sum readings by meter and hour.

    Parameters
    ----------
    meter_id : array, shape (n,)
    received_us : array, shape (n,)
        [microseconds since 1970 UTC]
    readings : array, shape (n, len(OUTCOMES))

    Examples
    --------
    >>> of = np.array([[1, 0, 0, 0, 0]] * 3)
    >>> counts = summed(np.array([7, 5, 7]), np.array([1, 2, 3]), of)
    >>> counts.meter_id.tolist(), counts.readings[:, STORED].tolist()
    ([5, 7], [1, 2])

    """
    hour = received_us // _HOUR_US
    order = np.lexsort((hour, meter_id))
    meter_id, hour = meter_id[order], hour[order]
    turns = np.diff(meter_id, prepend=-1) != 0
    turns |= np.diff(hour, prepend=-1) != 0
    first = np.flatnonzero(turns)
    sums = np.add.reduceat(readings[order], first) if first.size else readings
    return MeterCounts(
        meter_id=meter_id[first].astype(np.int32),
        hour_us=hour[first] * _HOUR_US,
        readings=sums,
    )


def no_counts() -> MeterCounts:
    """Count nothing."""
    none = np.zeros(0, np.int64)
    return summed(none, none, np.zeros((0, len(OUTCOMES)), np.int64))


def _fits(meter_id: int) -> bool:
    return 0 < meter_id < 2**31


ADD_TO_METERS = """
    INSERT INTO meter_count_new
           (meter_id, hour, stored, repeated, refused, undecoded, failed)
    VALUES (%(meter_id)s, %(hour)s, %(stored)s, %(repeated)s, %(refused)s,
            %(undecoded)s, %(failed)s)
"""


async def add_to_meters(conn: AsyncConnection[TupleRow], counts: MeterCounts) -> None:
    """Count, in the transaction of what is counted."""
    if counts.meter_id.size:
        await conn.execute(ADD_TO_METERS, _row(counts))


def add_failed(conn: Connection[TupleRow], counts: MeterCounts, transport: str) -> None:
    """Count polls without an answer, by meter and for their transport."""
    if not counts.meter_id.size:
        return
    conn.execute(ADD_TO_METERS, _row(counts))
    for hour_us in np.unique(counts.hour_us):
        failed = counts.readings[counts.hour_us == hour_us, FAILED].sum()
        row = {
            "received_at": from_utc_us(hour_us),
            "transport": transport,
            "outcome": "failed",
            "readings": int(failed),
        }
        conn.execute(ADD_TO_COUNT, row)


def _row(counts: MeterCounts) -> dict[str, object]:
    """Lay counts out for `ADD_TO_METERS`."""
    row: dict[str, object] = {
        "meter_id": int_column(counts.meter_id),
        "hour": time_column(counts.hour_us),
    }
    for outcome, numbers in zip(OUTCOMES, counts.readings.T, strict=True):
        column = numbers.astype(np.int32)
        row[outcome] = int_column(column) if column.any() else None
    return row


FOLD = """
    WITH folded AS (
        DELETE FROM meter_count_new
         WHERE meter_count_new_id IN (
                   SELECT meter_count_new_id FROM meter_count_new
                    ORDER BY meter_count_new_id LIMIT 1000 FOR UPDATE SKIP LOCKED)
        RETURNING *)
    INSERT INTO meter_count AS old
           (meter_id, hour, stored, repeated, refused, undecoded, failed)
    SELECT each.meter_id, each.hour, coalesce(sum(each.stored), 0),
           coalesce(sum(each.repeated), 0), coalesce(sum(each.refused), 0),
           coalesce(sum(each.undecoded), 0), coalesce(sum(each.failed), 0)
      FROM folded,
           unnest(folded.meter_id, folded.hour, folded.stored, folded.repeated,
                  folded.refused, folded.undecoded, folded.failed)
           AS each (meter_id, hour, stored, repeated, refused, undecoded, failed)
     GROUP BY each.meter_id, each.hour
     ORDER BY each.meter_id, each.hour
    ON CONFLICT (meter_id, hour) DO UPDATE
       SET stored = old.stored + excluded.stored,
           repeated = old.repeated + excluded.repeated,
           refused = old.refused + excluded.refused,
           undecoded = old.undecoded + excluded.undecoded,
           failed = old.failed + excluded.failed
"""


def fold_meter_counts(conn: Connection[TupleRow]) -> None:
    """Add up what was counted, to one row a meter and hour; `meter_hour` is the same.

    Several may fold at once.
    """
    conn.execute(FOLD)


@dataclass(frozen=True, kw_only=True, slots=True)
class MeterTally:
    """What became of a meter's readings since a time."""

    meter_id: int
    serial: str
    transport: str
    bus: str | None
    """host:port or serial line of a polled meter."""
    stored: int
    repeated: int
    refused: int
    undecoded: int
    failed: int


SELECT_TALLIES = """
    SELECT meter_id, serial, transport,
           coalesce(device, host || ':' || port) AS bus,
           sum(stored)::bigint AS stored, sum(repeated)::bigint AS repeated,
           sum(refused)::bigint AS refused, sum(undecoded)::bigint AS undecoded,
           sum(failed)::bigint AS failed
      FROM meter_hour
      JOIN meter USING (meter_id)
     WHERE hour >= date_trunc('hour', %(since)s::timestamptz, 'UTC')
     GROUP BY meter_id, serial, transport, device, host, port
     ORDER BY serial
"""


def load_tallies(conn: Connection[TupleRow], since: datetime) -> list[MeterTally]:
    """Return what became of each meter's readings since the hour of a time."""
    with conn.cursor(row_factory=class_row(MeterTally)) as cur:
        return cur.execute(SELECT_TALLIES, {"since": since}).fetchall()
