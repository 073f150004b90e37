"""What travels from the transports to the writer, and the queue it travels in.

A parcel's `done` is called once its readings and refusals are committed, not before.
For MQTT it sends the acknowledgement; polled readings it drops from the journal.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from meters.meter import Transport
from meters.reading import Reading, ReadingBatch, Source, batch_of
from meters.refusal import Refusal

_QUIET_S = 0.004
"""Nothing new for so long: the senders wait for us, so write what there is."""


def _nothing() -> None:
    """Nobody waits for this parcel."""


class Origin(NamedTuple):
    """Over what, and how, readings came to us: what is alike is written together."""

    transport: Transport
    source: Source


@dataclass(kw_only=True, slots=True)
class Parcel:
    """Readings and refusals that came together and are committed together."""

    transport: Transport
    batch: ReadingBatch = field(default_factory=lambda: batch_of([]))
    refusals: Sequence[Refusal] = ()
    done: Callable[[], None] = _nothing
    source: Source = Source.PUSHED
    """How its readings came to us."""

    @classmethod
    def of(
        cls,
        transport: Transport,
        readings: Sequence[Reading] = (),
        refusals: Sequence[Refusal] = (),
        done: Callable[[], None] = _nothing,
        source: Source = Source.PUSHED,
    ) -> "Parcel":
        """Pack single readings."""
        return cls(
            transport=transport,
            batch=batch_of(readings),
            refusals=refusals,
            done=done,
            source=source,
        )

    @property
    def origin(self) -> Origin:
        """Over what, and how, it came."""
        return Origin(self.transport, self.source)

    @property
    def readings(self) -> int:
        """How many readings it speaks of, refused ones too."""
        return len(self.batch) + sum(refusal.readings for refusal in self.refusals)

    @property
    def size(self) -> int:
        """Rows it will become, at least 1."""
        return len(self.batch) + len(self.refusals) or 1


class ParcelQueue:
    """Parcels in their order; `put` waits while `limit` rows are in it."""

    def __init__(self, limit: int = 20_000) -> None:
        self._limit = limit
        self._parcels: deque[Parcel] = deque()
        self._rows = 0
        self._filled, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()

    def __len__(self) -> int:
        """Count the waiting rows."""
        return self._rows

    @property
    def is_full(self) -> bool:
        """Whether `put` would wait."""
        return not self._room.is_set()

    async def put(self, parcel: Parcel) -> None:
        """Add a parcel when there is room: a full queue slows the poller."""
        while not self._room.is_set():
            await self._room.wait()
        self.put_nowait(parcel)

    def put_nowait(self, parcel: Parcel) -> None:
        """Add a parcel of a sender that has a window of its own, as MQTT has."""
        self._parcels.append(parcel)
        self._count(parcel.size)

    def put_back(self, parcels: Sequence[Parcel]) -> None:
        """Return taken parcels to the front, in their order."""
        self._parcels.extendleft(reversed(parcels))
        self._count(sum(parcel.size for parcel in parcels))

    async def take(
        self, *, enough_rows: int, most_rows: int, linger_s: float
    ) -> list[Parcel]:
        """Wait for parcels and take them, up to about `most_rows` rows.

        More than the first are waited for, up to `linger_s`, until there are
        `enough_rows` or the senders fall quiet: theirs may be a small window that only
        our acknowledgement moves on. Of many, half are taken: while those are written
        and acknowledged, the senders' window is open for the next. Of several takers,
        another may have been faster: this one waits again.
        """
        loop = asyncio.get_running_loop()
        while True:
            await self._filled.wait()
            latest, before = loop.time() + linger_s, 0
            while before < self._rows < enough_rows and loop.time() < latest:
                before = self._rows
                await asyncio.sleep(_QUIET_S)
            many = min(max(enough_rows, self._rows // 2), most_rows)
            if taken := self.take_nowait(many):
                return taken

    def take_nowait(self, most_rows: int) -> list[Parcel]:
        """Take what is there, up to the parcel that reaches `most_rows`."""
        taken: list[Parcel] = []
        rows = 0
        while self._parcels and rows < most_rows:
            parcel = self._parcels.popleft()
            taken.append(parcel)
            rows += parcel.size
        self._count(-rows)
        return taken

    def _count(self, rows: int) -> None:
        self._rows += rows
        if self._rows > 0:
            self._filled.set()
        else:
            self._filled.clear()
        if self._rows < self._limit:
            self._room.set()
        else:
            self._room.clear()
