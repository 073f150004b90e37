"""Parcels to the database: many in one transaction, `done` only after its commit.

Where the database is away, the same parcels are tried again until it is back. Where it
says that the data itself is at fault, they are halved until the culprit stands alone;
that goes to quarantine and the rest is stored.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from collector.counting.counts import Counters
from collector.parcel import Origin, Parcel, ParcelQueue
from meters.meter import Transport
from meters.reading import ReadingBatch, from_utc_us, joined
from meters.refusal import Reason, Refusal
from storage.database import DatabaseError, connect_async
from storage.meter_counts import meter_counts_of
from storage.reading_store import Written, write_batch

log = logging.getLogger(__name__)

ENOUGH_ROWS, MOST_ROWS = 500, 5000
LINGER_S = 0.05
_LINES = 2
_WRITE_TIMEOUT_S = 60.0
_NONE = np.zeros(0, dtype=np.bool_)
_FASTEST_RETRY_S, _SLOWEST_RETRY_S = 0.1, 5.0

DATA_FAULTS = (psycopg.DataError, psycopg.IntegrityError, ValueError, OverflowError)
"""What trying again cannot mend. UnicodeEncodeError, a ValueError, is the commonest."""
AWAY = (psycopg.Error, DatabaseError, OSError)
"""All else that a database can say, a time-out too: it may pass."""


class Writer:
    """Writes readings over a few connections.

    While one waits for its commit, another copies. What they take from the queue is
    committed in about its order; `done` is called in whatever order it comes to be.
    """

    def __init__(self, queue: ParcelQueue, database_url: str, counts: Counters) -> None:
        notice = _Notice(queue)
        self._lines = [
            _Line(queue, database_url, counts, notice) for _ in range(_LINES)
        ]

    async def run(self) -> None:
        """Write until cancelled; what was not committed then is in the queue again."""
        async with asyncio.TaskGroup() as group:
            for number, line in enumerate(self._lines):
                group.create_task(line.run(), name=f"writer {number}")

    async def drain(self, feeding: asyncio.Task[None] | None = None) -> None:
        """Write what is in the queue, and what is still fed, and hang up."""
        await asyncio.gather(*(line.drain(feeding) for line in self._lines))


class _Notice:
    """Says once that the database is away, and once that it is back."""

    def __init__(self, queue: ParcelQueue) -> None:
        self._queue = queue
        self._is_away = False

    def say_away(self, exc: Exception) -> None:
        if not self._is_away:
            text = str(exc).strip().partition("\n")[0] or "no answer in time"
            log.warning("Readings wait, the database takes none: %s", text)
        self._is_away = True

    def say_back(self) -> None:
        if self._is_away:
            log.info("The database takes readings again; %d wait.", len(self._queue))
        self._is_away = False


class _Line:
    """One connection, and what is written over it."""

    def __init__(
        self,
        queue: ParcelQueue,
        database_url: str,
        counts: Counters,
        notice: _Notice,
    ) -> None:
        self._queue = queue
        self._url = database_url
        self._counts = counts
        self._notice = notice
        self._conn: AsyncConnection[TupleRow] | None = None

    async def run(self) -> None:
        while True:
            parcels = await self._queue.take(
                enough_rows=ENOUGH_ROWS, most_rows=MOST_ROWS, linger_s=LINGER_S
            )
            await self._write_all(parcels)

    async def drain(self, feeding: asyncio.Task[None] | None) -> None:
        try:
            is_last = False
            while not is_last:
                is_last = feeding is None or feeding.done()
                while parcels := self._queue.take_nowait(MOST_ROWS):
                    await self._write_all(parcels)
                if feeding is not None and not is_last:
                    await asyncio.wait([feeding], timeout=LINGER_S)
        finally:
            await self._hang_up()

    async def _write_all(self, parcels: list[Parcel]) -> None:
        """Write parcels of all origins, each kind in a transaction."""
        waiting = sorted(parcels, key=_origin)  # stable: acknowledged in order
        try:
            for origin, group in groupby(tuple(waiting), key=_origin):
                same = list(group)
                await self._write(origin, same)
                del waiting[: len(same)]
        except asyncio.CancelledError:
            self._queue.put_back(waiting)
            raise

    async def _write(self, origin: Origin, parcels: Sequence[Parcel]) -> None:
        """Write parcels until they are committed, then say so to each."""
        batch = joined(parcel.batch for parcel in parcels)
        refusals = [refusal for parcel in parcels for refusal in parcel.refusals]
        await self._store(origin, batch, refusals)
        for parcel in parcels:
            parcel.done()

    async def _store(
        self,
        origin: Origin,
        batch: ReadingBatch,
        refusals: Sequence[Refusal],
    ) -> None:
        """Commit these rows, apart from one another where some cannot be stored."""
        try:
            written = await self._until_committed(origin, batch, refusals)
        except DATA_FAULTS as exc:
            if len(batch) + len(refusals) == 1:
                await self._set_aside(origin, batch, refusals, exc)
                return
            half, rest = len(batch) // 2, len(refusals) // 2
            if len(batch) and refusals:
                half, rest = len(batch), 0
            await self._store(origin, batch[:half], refusals[:rest])
            await self._store(origin, batch[half:], refusals[rest:])
            return
        self._counts[origin.transport].commit(written.by_meter, refusals)

    async def _set_aside(
        self,
        origin: Origin,
        batch: ReadingBatch,
        refusals: Sequence[Refusal],
        exc: Exception,
    ) -> None:
        """Put the one row that the database does not take into quarantine."""
        if len(batch):
            refusal = _refused_by_database(batch, origin.transport, exc)
        else:
            refusal = _made_plain(refusals[0])
        try:
            written = await self._until_committed(origin, batch[:0], [refusal])
            by_meter = written.by_meter
        except DATA_FAULTS:
            by_meter = meter_counts_of(batch[:0], _NONE, [refusal])
            log.exception("Not even quarantine takes this: %r", refusal)
        self._counts[origin.transport].commit(by_meter, [refusal])

    async def _until_committed(
        self,
        origin: Origin,
        batch: ReadingBatch,
        refusals: Sequence[Refusal],
    ) -> Written:
        """Write in one transaction, as often as it takes to find the database."""
        pause_s = _FASTEST_RETRY_S
        while True:
            try:
                async with asyncio.timeout(_WRITE_TIMEOUT_S):
                    written = await write_batch(
                        await self._connection(),
                        batch,
                        transport=origin.transport,
                        source=origin.source,
                        refusals=refusals,
                    )
            except DATA_FAULTS:
                await self._hang_up()
                raise
            except AWAY as exc:
                await self._hang_up()
                # A cancelled transaction may end in the driver's error instead.
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise asyncio.CancelledError from exc
                self._notice.say_away(exc)
            except asyncio.CancelledError:
                await self._hang_up()
                raise
            else:
                self._notice.say_back()
                return written
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            pause_s = min(2 * pause_s, _SLOWEST_RETRY_S)

    async def _connection(self) -> AsyncConnection[TupleRow]:
        if self._conn is None:
            self._conn = await connect_async(self._url)
        return self._conn

    async def _hang_up(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            await conn.close()


def _origin(parcel: Parcel) -> Origin:
    return parcel.origin


def _refused_by_database(
    batch: ReadingBatch, transport: Transport, exc: Exception
) -> Refusal:
    """Make the refusal of the one reading that the database does not take."""
    said = str(exc).strip().partition("\n")[0]
    return Refusal(
        reason=Reason.UNDECODABLE,
        text=_plain(f"The database does not take this reading: {said}"),
        source=f"meter {batch.meter_id[0]}",
        transport=transport,
        received_at=from_utc_us(batch.received_us[0]),
        meter_id=int(batch.meter_id[0]),
        raw=repr(batch).encode(errors="backslashreplace"),
    )


def _made_plain(refusal: Refusal) -> Refusal:
    """Take from a refusal what no text column holds: it quotes what a meter sent."""
    return replace(
        refusal, text=_plain(refusal.text), source=_plain(refusal.source), meter_id=None
    )


def _plain(text: str) -> str:
    """Show NUL and half surrogates as escapes."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")
