"""The durable journal of what was polled: nobody would send it a second time.

Pollers append parcels; all that come while one group is being synced make up the next,
so that there is one sync a group however many pollers there are. Parcels come out again
in their order (`feeder` feeds the writer) and are dropped once they are
committed. The disk is worked by one thread of its own, never by the event loop.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from collector.journal.files import JournalFiles
from collector.journal.frame import MOST_RECORD_BYTES, Frame, Mark
from collector.journal.reader import JournalReader, Lost
from collector.journal.record import encode
from collector.parcel import Parcel

log = logging.getLogger(__name__)

T = TypeVar("T")
ALARM_AT, _CLEAR_AT = 0.8, 0.7
"""Of its room: used so far the alarm is raised, and down to there it is cleared."""
_TRY_AGAIN_S = 1.0
"""After a failed write, nothing is written for so long."""


class NotKeptError(RuntimeError):
    """The journal cannot keep a parcel: it is full, or its disk is; one sentence."""


class _Pending(NamedTuple):
    readings: int
    record: bytes
    kept: asyncio.Future[None]


class Journal:
    """The journal of one collector."""

    def __init__(self, files: JournalFiles, on_alarm: Callable[[bool], None]) -> None:
        self._files, self._on_alarm = files, on_alarm
        self._reader = JournalReader(files)
        self._thread = ThreadPoolExecutor(1, "journal")
        self._pending: list[_Pending] = []
        self._dropping: Mark | None = None
        self._committing: asyncio.Task[None] | None = None
        self._reading: asyncio.Future[list[Frame | Lost]] | None = None
        self._try_again_at, self._trouble = 0.0, ""
        self.has_more = asyncio.Event()
        """Set while `read` may find more."""
        self.has_more.set()
        self.is_alarmed = False
        self._watch()

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        most_bytes: int,
        on_alarm: Callable[[bool], None] = lambda _is_raised: None,
    ) -> "Journal":
        """Open or make the journal in a folder; blocks.

        Parameters
        ----------
        folder : Path
            Its own; made where its parent is there.
        most_bytes : int
            What it may take of the disk.
        on_alarm : callable
            Told True when four fifths of that are used, False when there is room again.

        Raises
        ------
        JournalError
            It cannot be used; one sentence with the remedy.

        """
        return cls(JournalFiles(folder, most_bytes), on_alarm)

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self._files.folder

    @property
    def used_bytes(self) -> int:
        """What it takes of the disk."""
        return self._files.used_bytes

    @property
    def most_bytes(self) -> int:
        """What it may take of the disk."""
        return self._files.most_bytes

    @property
    def waiting(self) -> int:
        """Readings in it that are not dropped."""
        return self._files.waiting

    async def append(self, parcel: Parcel) -> None:
        """Keep a parcel's readings and refusals: on the disk when this returns.

        Raises
        ------
        NotKeptError
            It cannot be kept, and nothing of it is.

        """
        record = encode(parcel)
        if len(record) > MOST_RECORD_BYTES:
            raise NotKeptError(
                f"{len(record)} bytes are too many for one record of the journal."
            )
        working = self._set_to_work()
        kept: asyncio.Future[None] = working.get_loop().create_future()
        self._pending.append(_Pending(parcel.readings, record, kept))
        await kept

    def drop(self, mark: Mark) -> None:
        """Forget everything up to a place, soon: it is committed."""
        self._dropping = mark
        self._set_to_work()

    async def read(self) -> list[Frame | Lost]:
        """Return the next frames, and what cannot be read; none at the end.

        Raises
        ------
        OSError
            The disk cannot be read.

        """
        self.has_more.clear()
        if self._reading is None:
            self._reading = asyncio.ensure_future(self.in_thread(self._reader.read))
        try:
            pieces = await asyncio.shield(self._reading)
        except asyncio.CancelledError:
            self.has_more.set()  # the reader has moved on: the next call finds it
            raise
        except OSError:
            self._reading = None
            self.has_more.set()
            raise
        self._reading = None
        if pieces:
            self.has_more.set()
        return pieces

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do blocking work where the journal's files are worked on."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def settle(self) -> None:
        """Wait until all that was appended is on the disk, or refused.

        While pollers go on appending, that may be never.
        """
        while self._committing is not None:
            await asyncio.wait([self._committing])

    async def close(self) -> None:
        """Finish what is under way and let go of the folder."""
        await self.settle()
        if self._reading is not None:
            await asyncio.wait([self._reading])
        await self.in_thread(self._files.close)
        self._thread.shutdown()

    def _set_to_work(self) -> asyncio.Task[None]:
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit(), name="journal")
        return self._committing

    async def _commit(self) -> None:
        """Write group after group, until nobody waits."""
        try:
            while self._pending or self._dropping is not None:
                group, self._pending = self._pending, []
                mark, self._dropping = self._dropping, None
                try:
                    refused = await self.in_thread(partial(self._work, group, mark))
                except Exception as exc:
                    self._fail(group, exc)
                    raise
                for pending, why in zip(group, refused, strict=True):
                    if pending.kept.done():  # who asked was cancelled
                        continue
                    if why is None:
                        pending.kept.set_result(None)
                    else:
                        pending.kept.set_exception(NotKeptError(why))
                self.has_more.set()
                self._watch()
        finally:
            self._committing = None

    def _fail(self, group: Sequence[_Pending], exc: Exception) -> None:
        """Let nobody wait for what will never be kept."""
        for pending in (*group, *self._pending):
            if not pending.kept.done():
                pending.kept.set_exception(NotKeptError(f"a fault of our own: {exc}"))
        self._pending = []

    def _work(self, group: Sequence[_Pending], mark: Mark | None) -> list[str | None]:
        """Drop, then write; for each of the group return why it is not kept, or None.

        In the journal's thread.
        """
        try:
            if mark is not None:
                self._files.drop(mark)
        except OSError as exc:
            log.warning("The journal in %s cannot drop: %s.", self.folder, exc.strerror)
        if time.monotonic() < self._try_again_at:
            return [self._trouble] * len(group)
        try:
            kept = self._files.append([(p.readings, p.record) for p in group])
        except OSError as exc:
            self._try_again_at = time.monotonic() + _TRY_AGAIN_S
            self._trouble = (
                f"The journal in {self.folder} cannot be written ({exc.strerror}): "
                "make room on its disk or mend it."
            )
            return [self._trouble] * len(group)
        refused: list[str | None] = [None] * kept
        if kept < len(group):
            refused += [self._full()] * (len(group) - kept)
        return refused

    def _full(self) -> str:
        return (
            f"The journal in {self.folder} is full ({self.most_bytes / 1e6:.0f} MB): "
            "bring the database back, or allow more in KEYWATT_JOURNAL_MOST_MB."
        )

    def _watch(self) -> None:
        """Raise the alarm before it is full, and clear it."""
        used = self.used_bytes / self.most_bytes
        if used >= ALARM_AT and not self.is_alarmed:
            self.is_alarmed = True
            log.error(
                "The journal in %s is %.0f %% full, %d readings wait in it: once it is "
                "full, what meters say is refused. Bring the database back.",
                self.folder,
                100 * used,
                self.waiting,
            )
            self._on_alarm(True)
        elif used < _CLEAR_AT and self.is_alarmed:
            self.is_alarmed = False
            log.info("The journal in %s has room again.", self.folder)
            self._on_alarm(False)
