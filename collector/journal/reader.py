"""Frames of the journal in their order, and what cannot be read between them."""

from collections.abc import Iterator
from dataclasses import dataclass

from collector.journal.files import JournalFiles
from collector.journal.frame import Damage, Frame, Mark, scan
from meters.refusal import MOST_RAW_BYTES

_STRETCH_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Lost:
    """A stretch of the journal that cannot be read any more."""

    mark: Mark
    """The place after it."""
    readings: int
    raw: bytes
    """What is there instead, empty where it is gone."""


class JournalReader:
    """Reads what is not dropped, a stretch at a time."""

    def __init__(self, files: JournalFiles) -> None:
        self._files = files
        self._mark = files.dropped
        self._segment: int | None = None
        self._begin = 0
        self._damaged = b""

    def read(self) -> list[Frame | Lost]:
        """Return the next pieces; none where the reader has come to the end."""
        files, length = self._files, _STRETCH_BYTES
        pieces: list[Frame | Lost] = []
        while not pieces and self._mark.number < files.end.number:
            if self._segment is None or not files.has(self._segment):
                self._segment = files.segment_of(self._mark.number + 1)
                self._begin = 0
            if self._segment is None:
                return [self._lost_up_to(files.end)]
            data, is_end = files.stretch(self._segment, self._begin, length)
            found = scan(data, is_end=is_end)
            self._begin += found.end
            for piece in found.pieces:
                pieces += self._in_order(piece)
            length = _STRETCH_BYTES if found.end else 2 * length
            if is_end and not pieces:
                pieces += self._at_the_end(self._segment)
        return pieces

    def _in_order(self, piece: Frame | Damage) -> Iterator[Frame | Lost]:
        """Pass on a frame, and before it what is missing."""
        if isinstance(piece, Damage):
            self._damaged = (self._damaged + piece.raw)[:MOST_RAW_BYTES]
            return
        if piece.number > self._mark.number:
            if piece.number > self._mark.number + 1:
                yield self._lost_up_to(piece.before)
            self._mark = piece.mark
            yield piece
        self._damaged = b""

    def _at_the_end(self, segment: int) -> Iterator[Frame | Lost]:
        """Go on to the next segment; after the last, what should be there is lost."""
        following = self._files.segment_after(segment)
        if following is not None:
            self._segment, self._begin = following, 0
        else:
            yield self._lost_up_to(self._files.end)

    def _lost_up_to(self, mark: Mark) -> Lost:
        lost = Lost(mark, max(0, mark.total - self._mark.total), self._damaged)
        self._mark, self._damaged = mark, b""
        return lost
