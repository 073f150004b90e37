"""Writing the reading table: in batches that repeat without harm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC

import numpy as np
import numpy.typing as npt
from psycopg import AsyncConnection
from psycopg.errors import (
    CheckViolation,
    DeadlockDetected,
    SerializationFailure,
    UniqueViolation,
)
from psycopg.rows import TupleRow

from meters.quantity import QUANTITIES
from meters.reading import IntArray, ReadingBatch, Source, from_utc_us
from meters.refusal import Refusal
from storage.binary import (
    copy_chunks,
    float_column,
    int_column,
    time_column,
)
from storage.dirty import touch, touched_days
from storage.meter_counts import (
    STORED,
    MeterCounts,
    add_to_meters,
    meter_counts_of,
    no_counts,
)
from storage.quarantine import count, keep

_ATTEMPTS = 5

BoolArray = npt.NDArray[np.bool_]
PlaceArray = npt.NDArray[np.intp]

SOURCE_CODE = {
    Source.PUSHED: 1,
    Source.POLLED: 2,
    Source.LOAD_PROFILE: 3,
    Source.IMPORTED: 4,
}
"""As the table has it."""

COPY_READINGS = """
    COPY reading (
        meter_id, measured_at, received_at, energy_import_kwh, energy_export_kwh,
        energy_lagging_kvarh, energy_leading_kvarh, active_power_kw, active_power_l1_kw,
        active_power_l2_kw, active_power_l3_kw, reactive_power_kvar, power_factor,
        frequency_hz, voltage_l1_v, voltage_l2_v, voltage_l3_v, current_l1_a,
        current_l2_a, current_l3_a, source)
    FROM STDIN (FORMAT BINARY)
"""
INSERT_READINGS = """
    INSERT INTO reading (
        meter_id, measured_at, received_at, energy_import_kwh, energy_export_kwh,
        energy_lagging_kvarh, energy_leading_kvarh, active_power_kw, active_power_l1_kw,
        active_power_l2_kw, active_power_l3_kw, reactive_power_kvar, power_factor,
        frequency_hz, voltage_l1_v, voltage_l2_v, voltage_l3_v, current_l1_a,
        current_l2_a, current_l3_a, source)
    SELECT *, %(source)s FROM unnest(
        %(meter_id)s, %(measured_at)s, %(received_at)s, %(energy_import_kwh)s,
        %(energy_export_kwh)s, %(energy_lagging_kvarh)s, %(energy_leading_kvarh)s,
        %(active_power_kw)s, %(active_power_l1_kw)s, %(active_power_l2_kw)s,
        %(active_power_l3_kw)s, %(reactive_power_kvar)s, %(power_factor)s,
        %(frequency_hz)s, %(voltage_l1_v)s, %(voltage_l2_v)s, %(voltage_l3_v)s,
        %(current_l1_a)s, %(current_l2_a)s, %(current_l3_a)s)
    ON CONFLICT (meter_id, measured_at) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch, in readings."""

    stored: int
    repeated: int
    """Already there, or twice in the batch: nothing changed."""
    refused: int
    by_meter: MeterCounts = field(default_factory=no_counts, compare=False)
    """The same by meter and hour, apart from what no meter is known for."""


class _OvertakenError(Exception):
    """Another writer has just stored readings of ours: look again."""


async def write_batch(
    conn: AsyncConnection[TupleRow],
    batch: ReadingBatch,
    *,
    transport: str,
    source: Source = Source.PUSHED,
    refusals: Sequence[Refusal] = (),
    copy: bool = True,
) -> Written:
    """Store a batch and all that follows from it in one transaction.

    Readings that are there already are left as they are. Every reading is counted once,
    refusals go to quarantine, and the days that the readings touch become dirty. The
    connection must not be in a transaction; the return means it is committed.

    Parameters
    ----------
    conn
        From `connect_async`.
    batch
        Readings in any order; a meter and time may repeat.
    transport
        "modbus" or "mqtt", for the count.
    source
        How all of them came to us.
    refusals
        What was refused of the same delivery.
    copy
        False on a server without COPY FROM STDIN.

    """
    months_made = False
    for attempt in range(_ATTEMPTS):
        try:
            async with conn.transaction():
                return await _write(conn, batch, transport, source, refusals, copy=copy)
        except UniqueViolation:  # a repeat: COPY cannot leave it out
            if not copy:
                raise
            copy = False
        except CheckViolation:  # a month without its partition
            if months_made:
                raise
            await _ensure_months(conn, batch.measured_us)
            months_made = True
        except DeadlockDetected:  # with another writer of the same readings
            if attempt == _ATTEMPTS - 1:
                raise
        except _OvertakenError:
            continue
    raise SerializationFailure("others wrote the same readings at the same time")


async def _write(
    conn: AsyncConnection[TupleRow],
    batch: ReadingBatch,
    transport: str,
    source: Source,
    refusals: Sequence[Refusal],
    *,
    copy: bool,
) -> Written:
    store = _copy if copy else _insert
    by_meter, touched = await store(conn, batch, SOURCE_CODE[source], refusals)
    if touched:
        await touch(conn, touched)
    await add_to_meters(conn, by_meter)
    stored = int(by_meter.readings[:, STORED].sum())
    repeated = len(batch) - stored
    if len(batch):
        received_at = from_utc_us(int(batch.received_us.max()))
        await count(conn, received_at, transport, stored=stored, repeated=repeated)
    await keep(conn, refusals)
    refused = sum(refusal.readings for refusal in refusals)
    return Written(stored, repeated, refused, by_meter)


async def _copy(
    conn: AsyncConnection[TupleRow],
    batch: ReadingBatch,
    source: int,
    refusals: Sequence[Refusal],
) -> tuple[MeterCounts, Mapping[str, object]]:
    """Return what became of the readings, all are new, and what they touch."""
    is_new = np.ones(len(batch), dtype=np.bool_)
    if not len(batch):
        return meter_counts_of(batch, is_new, refusals), {}
    times_us = (batch.measured_us, batch.received_us)
    async with conn.cursor() as cur, cur.copy(COPY_READINGS) as copy:
        for chunk in copy_chunks(batch.meter_id, times_us, batch.values, source):
            await copy.write(chunk)
        # While the server reads the last chunks:
        touched = touched_days(batch)
        by_meter = meter_counts_of(batch, is_new, refusals)
    return by_meter, touched


async def _insert(
    conn: AsyncConnection[TupleRow],
    batch: ReadingBatch,
    source: int,
    refusals: Sequence[Refusal],
) -> tuple[MeterCounts, Mapping[str, object]]:
    """Return what became of the readings, and what the new ones touch."""
    is_new = np.zeros(len(batch), dtype=np.bool_)
    new = await _new(conn, batch)
    is_new[new] = True
    by_meter = meter_counts_of(batch, is_new, refusals)
    if not new.size:
        return by_meter, {}
    rows = batch[new]
    cursor = await conn.execute(INSERT_READINGS, _parameters(rows) | {"source": source})
    if cursor.rowcount < new.size:
        raise _OvertakenError
    return by_meter, touched_days(rows)


# Looking keys up is much quicker than letting rows conflict. LATERAL with LIMIT has the
# server look each up in the index: given many, it would read the whole table instead.
SELECT_NEW = """
    SELECT coalesce(string_agg(int4send(place::int), ''), '')
      FROM unnest(%(meter_id)s, %(measured_at)s)
           WITH ORDINALITY AS given (meter_id, measured_at, place)
      LEFT JOIN LATERAL (
               SELECT true AS is_there
                 FROM reading
                WHERE reading.meter_id = given.meter_id
                  AND reading.measured_at = given.measured_at
                  AND reading.measured_at BETWEEN %(first)s AND %(last)s
                LIMIT 1) AS stored ON true
     WHERE is_there IS NULL
"""


async def _new(conn: AsyncConnection[TupleRow], batch: ReadingBatch) -> PlaceArray:
    """Return where the readings are that are not there yet, by meter and time.

    Of those that are in the batch twice it is the first. Another writer may store some
    of them in the next moment.
    """
    if not len(batch):
        return np.array([], np.intp)
    order = np.lexsort((batch.measured_us, batch.meter_id))  # as in `copy_chunks`
    same_meter = np.diff(batch.meter_id[order]) == 0
    same_time = np.diff(batch.measured_us[order]) == 0
    order = order[np.append(True, ~(same_meter & same_time))]
    keys = {
        "meter_id": int_column(batch.meter_id[order]),
        "measured_at": time_column(batch.measured_us[order]),
        "first": from_utc_us(batch.measured_us.min()),
        "last": from_utc_us(batch.measured_us.max()),
    }
    cursor = await conn.execute(SELECT_NEW, keys, binary=True)
    row = await cursor.fetchone()
    places = np.frombuffer(row[0] if row is not None else b"", dtype=">i4")
    new: PlaceArray = order[places.astype(np.intp) - 1]
    return new


def _parameters(batch: ReadingBatch) -> dict[str, object]:
    columns: dict[str, object] = {
        "meter_id": int_column(batch.meter_id),
        "measured_at": time_column(batch.measured_us),
        "received_at": time_column(batch.received_us),
    }
    for i, quantity in enumerate(QUANTITIES):
        columns[quantity] = float_column(batch.values[:, i])
    return columns


async def _ensure_months(
    conn: AsyncConnection[TupleRow], measured_us: IntArray
) -> None:
    """Make the partitions of just the months that occur, in a transaction of its own.

    Its lock is not held longer than that takes.
    """
    for month in np.unique(measured_us.astype("M8[us]").astype("M8[M]")):
        first = month.astype("M8[s]").item().replace(tzinfo=UTC)
        async with conn.transaction():
            await conn.execute(ENSURE_MONTH, {"month": first})


ENSURE_MONTH = "SELECT ensure_time_partitions(%(month)s, %(month)s)"
