"""The journal's files: frames appended, synced, read in order, and dropped.

A folder holds segments, named by the number of their first frame; only the last grows.
A segment all of whose frames are dropped is deleted, so a full disk never hinders
dropping. `dropped` says up to where frames are done with: after a power cut it may be
a little old, then the database sees some readings twice. `lock` keeps a second
collector out. Everything here blocks; collector/journal/journal.py gives it a thread.
"""

import logging
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from collector.journal.frame import (
    HEAD_BYTES,
    Frame,
    Mark,
    claimed,
    frame_of,
    mark_bytes,
    mark_from,
    scan,
)
from collector.journal.lock import take, unusable

log = logging.getLogger(__name__)

_ENDING = ".journal"
_SEGMENTS = 16
"""So many make up a full journal: room comes back in such portions."""
_LARGEST_SEGMENT, _SMALLEST_SEGMENT = 16 * 1024 * 1024, 64 * 1024
_MARK_BYTES = len(mark_bytes(Mark()))


class JournalFiles:
    """One journal on disk, held by this process alone."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        """Take the folder and find out where the journal ends.

        Raises
        ------
        JournalError
            It is not there, not writable, or another collector's.

        """
        self.folder, self.most_bytes = folder, most_bytes
        self._segment_bytes = min(
            _LARGEST_SEGMENT, max(_SMALLEST_SEGMENT, most_bytes // _SEGMENTS)
        )
        self._sizes: dict[int, int] = {}
        """Bytes of each segment that are on disk for certain, by first number."""
        self._file: int | None = None
        self._lock = take(folder)
        try:
            self._open()
        except OSError as exc:
            os.close(self._lock)
            raise unusable(folder, exc) from exc

    def _open(self) -> None:
        self._mark_file = os.open(
            self.folder / "dropped", os.O_RDWR | os.O_CREAT, 0o640
        )
        for path in sorted(self.folder.glob(f"*{_ENDING}")):
            if path.stem.isdecimal():
                self._sizes[int(path.stem)] = path.stat().st_size
        mark = mark_from(os.pread(self._mark_file, _MARK_BYTES, 0))
        self.dropped = mark if mark is not None else self._begin()
        os.pwrite(self._mark_file, mark_bytes(self.dropped), 0)
        self.end = self._end_of(sorted(self._sizes))
        if self.dropped.number > self.end.number:  # segments were taken away by hand
            self.end = self.dropped

    def _begin(self) -> Mark:
        """Return the place before the first frame there is."""
        for first in sorted(self._sizes):
            for piece in scan(self._path(first).read_bytes(), is_end=True).pieces:
                if isinstance(piece, Frame):
                    return piece.before
        return Mark()

    def _end_of(self, firsts: Sequence[int]) -> Mark:
        """Read the last of these segments; cut off a frame that was not written whole.

        Where that does not even begin with a frame, the one before it is read too.
        """
        if not firsts:
            return self.dropped
        data = self._path(firsts[-1]).read_bytes()
        pieces = scan(data, is_end=True).pieces
        head = pieces[0] if pieces else None
        end = head.before if isinstance(head, Frame) else self._end_of(firsts[:-1])
        whole = 0
        for piece in pieces:
            if isinstance(piece, Frame):
                end, whole = piece.mark, whole + HEAD_BYTES + len(piece.record)
                continue
            harmed = claimed(piece.raw, end)
            if harmed is None and piece is pieces[-1]:
                self._cut(firsts[-1], whole, len(piece.raw))
                break
            end, whole = harmed or end, whole + len(piece.raw)
        return end

    def _cut(self, first: int, whole: int, torn: int) -> None:
        log.warning(
            "The journal in %s ended in %d bytes that are no whole record, as a stop "
            "in the middle of a write leaves them: they are cut off.",
            self.folder,
            torn,
        )
        os.truncate(self._path(first), whole)
        self._sizes[first] = whole

    @property
    def used_bytes(self) -> int:
        """What the segments take on the disk."""
        return sum(self._sizes.values())

    @property
    def waiting(self) -> int:
        """Readings in frames that are not dropped."""
        return self.end.total - self.dropped.total

    def append(self, records: Sequence[tuple[int, bytes]]) -> int:
        """Write records and sync once; return how many of them, from the first, fit.

        Parameters
        ----------
        records
            How many readings each holds, and the record.

        Raises
        ------
        OSError
            The disk takes nothing; what was on it before is untouched.

        """
        frames: list[bytes] = []
        end, room = self.end, self.most_bytes - self.used_bytes
        for readings, record in records:
            frame = frame_of(end, readings, record)
            room -= len(frame)
            if room < 0:
                break
            frames.append(frame)
            end = Mark(end.number + 1, end.total + readings)
        if frames:
            self._write(b"".join(frames))
            self.end = end
        return len(frames)

    def _write(self, data: bytes) -> None:
        """Have bytes at the end of the last segment, on the disk."""
        try:
            file, first = self._growing()
            size = self._sizes[first]
            written = 0
            while written < len(data):
                written += os.pwrite(file, memoryview(data)[written:], size + written)
            os.fdatasync(file)
        except OSError:
            self._abandon()
            raise
        self._sizes[first] = size + len(data)

    def _growing(self) -> tuple[int, int]:
        """Return the segment to write to, open; begin one where it is time."""
        if self._file is not None:
            last = max(self._sizes)
            if self._sizes[last] < self._segment_bytes:
                return self._file, last
            self._shut()
        first = self.end.number + 1
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
        self._file = os.open(self._path(first), flags, 0o640)
        self._sizes[first] = 0
        _sync_folder(self.folder)
        return self._file, first

    def _abandon(self) -> None:
        """Leave the last segment as it was before a failed write, and begin another.

        After a failed sync nobody knows what of a file is on the disk.
        """
        if self._file is None:
            return
        first = max(self._sizes)
        try:
            os.ftruncate(self._file, self._sizes[first])
        except OSError as exc:
            log.warning("%s cannot be cut back: %s.", self._path(first), exc.strerror)
        self._shut()
        if self._sizes[first] == 0:
            del self._sizes[first]
            self._path(first).unlink(missing_ok=True)

    def _shut(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = None

    def drop(self, mark: Mark) -> None:
        """Forget the frames up to a place; delete segments that hold no others."""
        if mark.number <= self.dropped.number:
            return
        self.dropped = mark
        os.pwrite(self._mark_file, mark_bytes(mark), 0)
        if gone := self._done_with():
            # A mark older than the files would make those that are gone look lost.
            os.fdatasync(self._mark_file)
        for first in gone:
            self._path(first).unlink(missing_ok=True)
            del self._sizes[first]

    def _done_with(self) -> list[int]:
        """Return the segments before the last whose frames are all dropped."""
        firsts = sorted(self._sizes)
        following = self.dropped.number + 1
        gone = [first for first, after in pairwise(firsts) if after <= following]
        is_empty = self.dropped.number >= self.end.number
        if is_empty and firsts and self._sizes[firsts[-1]] >= self._segment_bytes // 4:
            self._shut()
            gone.append(firsts[-1])
        return gone

    def has(self, first: int) -> bool:
        """Whether the segment is there still."""
        return first in self._sizes

    def stretch(self, first: int, begin: int, length: int) -> tuple[bytes, bool]:
        """Return synced bytes of a segment, and whether there are no more."""
        size = self._sizes[first]
        try:
            with self._path(first).open("rb") as file:
                file.seek(begin)
                data = file.read(min(length, size - begin))
        except FileNotFoundError:  # taken away by hand: what was in it is lost
            data = b""
        return data, begin + len(data) >= size or not data

    def segment_of(self, number: int) -> int | None:
        """Return the segment in which a frame is, or the next one where it is not."""
        firsts = sorted(self._sizes)
        before = [first for first in firsts if first <= number]
        return before[-1] if before else min(firsts, default=None)

    def segment_after(self, first: int) -> int | None:
        """Return the segment that follows one."""
        return min((other for other in self._sizes if other > first), default=None)

    def close(self) -> None:
        """Let others have the journal."""
        self._shut()
        os.close(self._mark_file)
        os.close(self._lock)

    def _path(self, first: int) -> Path:
        return self.folder / f"{first:020d}{_ENDING}"


def _sync_folder(folder: Path) -> None:
    """Have a new file's name on the disk too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
