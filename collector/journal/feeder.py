"""From the pollers into the journal, and from there, in its order, to the writer.

What the journal cannot keep goes straight to the writer where that has room: the
database takes readings then, and a reading in peril is better than none. Where it has
no room either, the reading is refused and entered in the toll.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from collector.journal.frame import Frame, Mark
from collector.journal.journal import Journal, NotKeptError
from collector.journal.reader import Lost
from collector.journal.record import NewerRecordError, RecordError, decode_all
from collector.journal.toll import Toll
from collector.parcel import Parcel, ParcelQueue
from meters.meter import Transport
from meters.reading import Source
from meters.refusal import MOST_RAW_BYTES, Reason, Refusal

log = logging.getLogger(__name__)

Now = Callable[[], datetime]
_MOST_READINGS, _MOST_REFUSALS = 4096, 64
"""Of one record: some megabytes at most."""
_TELL_TOLL_EVERY_S = 10.0
_TOLL_REST = 4.0
"""Between two times that the toll is saved, as a multiple of what the last one took:
however many readings are refused, that takes a fifth of one thread."""
_READ_AGAIN_S = 1.0


_GONE = "cannot be read, its disk has changed or lost what was written"


@dataclass(slots=True)
class _Stretch:
    """What was read from the journal together."""

    mark: Mark
    left: int
    """Parcels of it that are not committed."""


class Journaled:
    """Where pollers put their parcels: a queue that a kill does not empty."""

    def __init__(self, journal: Journal, queue: ParcelQueue, now: Now) -> None:
        self._journal, self._queue, self._now = journal, queue, now
        self._toll = Toll(journal.folder)
        self._read: deque[Parcel] = deque()
        """Out of the journal, and not in the queue yet."""
        self._under_way: deque[_Stretch] = deque()
        self._said = ""
        self._saving: asyncio.Task[None] | None = None
        self._toll_rests_until = 0.0

    @property
    def waiting(self) -> int:
        """Readings that are not accounted for in the database yet."""
        return self._journal.waiting + self.refused

    @property
    def refused(self) -> int:
        """Of these, what a full journal refused: the database will be told of it."""
        return self._toll.readings

    async def put(self, parcel: Parcel) -> None:
        """Keep a parcel: it is on the disk when this returns, or said to be refused."""
        for part in _parts(parcel):
            try:
                await self._journal.append(part)
            except NotKeptError as exc:
                await self._not_kept(part, str(exc))
            else:
                self._said = ""

    async def _not_kept(self, parcel: Parcel, why: str) -> None:
        is_refused = self._queue.is_full
        if why != self._said:
            what = "are refused" if is_refused else "go unkept to the database"
            log.error("Polled readings %s. %s", what, why)
        self._said = why
        if is_refused:
            self._toll.add(parcel)
            await self._saved()
        else:
            self._queue.put_nowait(parcel)

    async def _saved(self) -> None:
        """Wait until the toll as it is now is on the disk, or that takes nothing.

        A kill then forgets no more than what no poller was told of. Whoever comes while
        one waits is saved with it.
        """
        if self._saving is None:
            self._saving = asyncio.create_task(self._save_soon(), name="toll saved")
        # A poller that is stopped meanwhile must not stop it for the others.
        await asyncio.shield(self._saving)

    async def _save_soon(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._toll_rests_until - loop.time())
        self._saving = None  # what is added from now on waits for the next
        begun = loop.time()
        await self._save_toll()
        self._toll_rests_until = loop.time() + _TOLL_REST * (loop.time() - begun)

    async def _save_toll(self) -> None:
        await self._journal.in_thread(partial(self._toll.save, self._toll.unsaved))

    async def run(self) -> None:
        """Feed the writer, and tell of the toll, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._feed(), name="journal's feeder")
            group.create_task(self._tell_toll(), name="journal's toll")

    async def _feed(self) -> None:
        while True:
            await self._journal.has_more.wait()
            try:
                await self.feed_rest()
            except OSError as exc:
                log.error("The journal cannot be read: %s.", exc)  # noqa: TRY400
                await asyncio.sleep(_READ_AGAIN_S)

    async def feed_rest(self) -> None:
        """Put all there is into the queue, as it has room."""
        while self._read or self._journal.has_more.is_set():
            if not self._read and (pieces := await self._journal.read()):
                self._read.extend(self._parcels(pieces))
            while self._read:
                await self._queue.put(self._read[0])
                self._read.popleft()

    async def feed_last(self) -> None:
        """Put all there is into the queue, once no poller appends any more."""
        await self._journal.settle()
        await self.tell_toll()
        await self.feed_rest()

    async def close(self) -> None:
        """Keep what is left for the next start."""
        if self._saving is not None:
            await self._saving
        await self._save_toll()
        await self._journal.close()

    def _parcels(self, pieces: Sequence[Frame | Lost]) -> Sequence[Parcel]:
        """Open what was read together; it is dropped when all of it is committed."""
        records = [piece.record for piece in pieces if isinstance(piece, Frame)]
        try:
            parcels = decode_all(records)
        except NewerRecordError:
            raise
        except RecordError:
            parcels = [parcel for record in records for parcel in self._opened(record)]
        lost = [piece for piece in pieces if isinstance(piece, Lost)]
        parcels += [self._damaged(one.readings, one.raw, _GONE) for one in lost]
        stretch = _Stretch(pieces[-1].mark, len(parcels))
        self._under_way.append(stretch)
        for parcel in parcels:
            parcel.done = partial(self._is_committed, stretch)
        return parcels

    def _is_committed(self, stretch: _Stretch) -> None:
        """Drop from the front what is done; what comes before may take longer."""
        stretch.left -= 1
        last = None
        while self._under_way and not self._under_way[0].left:
            last = self._under_way.popleft()
        if last is not None:
            self._journal.drop(last.mark)

    def _opened(self, record: bytes) -> Sequence[Parcel]:
        """Decode one record; what cannot be read becomes a refusal."""
        try:
            return decode_all([record])
        except RecordError as exc:
            return [self._damaged(1, record, f"is none of ours: {exc}")]

    def _damaged(self, readings: int, raw: bytes, what: str) -> Parcel:
        text = (
            f"A stretch of the journal in {self._journal.folder} {what}; "
            f"{readings} readings were in it."
        )
        log.error("%s It is set aside, the rest goes on.", text)
        refusal = Refusal(
            reason=Reason.JOURNAL_DAMAGED,
            text=text,
            source="journal",
            transport=Transport.MODBUS,
            received_at=self._now(),
            raw=raw[:MOST_RAW_BYTES],
            readings=readings,
        )
        return Parcel(
            transport=Transport.MODBUS, source=Source.POLLED, refusals=[refusal]
        )

    async def _tell_toll(self) -> None:
        """Keep the toll on the disk, and tell the database when it takes readings."""
        while True:
            await asyncio.sleep(_TELL_TOLL_EVERY_S)
            await self.tell_toll()

    async def tell_toll(self) -> None:
        """Save the toll, and put it into the queue where that has room."""
        await self._save_toll()
        if not self._queue.is_full:
            for parcel in self._toll.told():
                self._queue.put_nowait(parcel)


def _parts(parcel: Parcel) -> Iterator[Parcel]:
    """Cut a parcel into such as make one record; nearly all are one already."""
    batch, refusals = parcel.batch, parcel.refusals
    if len(batch) <= _MOST_READINGS and len(refusals) <= _MOST_REFUSALS:
        yield parcel
        return
    for first in range(0, len(batch), _MOST_READINGS):
        rows = batch[first : first + _MOST_READINGS]
        yield replace(parcel, batch=rows, refusals=())
    for first in range(0, len(refusals), _MOST_REFUSALS):
        some = refusals[first : first + _MOST_REFUSALS]
        yield replace(parcel, batch=batch[:0], refusals=some)
