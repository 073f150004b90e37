"""How many readings a full journal refused, of which meter and when.

It stays small however long that lasts: one refusal a meter. It is kept in a file beside
the journal, and told to the database once that takes readings again; until then these
readings count as waiting.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from collector.journal.frame import Frame, Mark, frame_of, scan
from collector.journal.record import decode, encode
from collector.parcel import Parcel
from meters.meter import Transport
from meters.reading import from_utc_us, utc_us
from meters.refusal import Reason, Refusal

log = logging.getLogger(__name__)

_AT_ONCE = 500
"""Refusals told in one transaction."""


@dataclass(slots=True)
class _Sum:
    readings: int = 0
    first_us: int = 0
    last_us: int = 0

    def add(self, received_us: int, readings: int) -> None:
        if not self.readings:
            self.first_us = received_us
        self.last_us = received_us
        self.readings += readings


@dataclass(frozen=True, slots=True)
class Left:
    """What was refused and is not told, as it stood at a moment."""

    telling: Sequence[Refusal]
    """Told already, and not committed yet."""
    sums: Sequence[tuple[int | None, _Sum]]


class Toll:
    """What was refused and is not in the database yet."""

    def __init__(self, folder: Path) -> None:
        """Find what an earlier run left."""
        self._folder, self._file = folder, folder / "refused"
        self._sums: dict[int | None, _Sum] = {}
        self._telling: Sequence[Refusal] = self._left()
        self._parcels_out = 0
        self._is_saved = True

    @property
    def readings(self) -> int:
        """How many were refused and are not told yet."""
        told = sum(refusal.readings for refusal in self._telling)
        return told + sum(one.readings for one in self._sums.values())

    def add(self, parcel: Parcel) -> None:
        """Enter all that is in a parcel."""
        batch = parcel.batch
        for meter_id in np.unique(batch.meter_id):
            own = batch.received_us[batch.meter_id == meter_id]
            self._sum(int(meter_id)).add(int(own[-1]), own.size)
        for refusal in parcel.refusals:
            received_us = utc_us(refusal.received_at)
            self._sum(refusal.meter_id).add(received_us, refusal.readings)
        self._is_saved = False

    @property
    def unsaved(self) -> Left | None:
        """What `save` has to keep now; None where all of it is kept."""
        if self._is_saved:
            return None
        self._is_saved = True
        # Copied, for `save` runs in a thread while more is added.
        sums = [(key, replace(one)) for key, one in self._sums.items()]
        return Left(self._telling, sums)

    def told(self) -> Iterator[Parcel]:
        """Return parcels that tell it; nothing while earlier ones are not committed."""
        if self._parcels_out:
            return
        if not self._telling:
            self._telling = [self._refusal(*one) for one in self._sums.items()]
            self._sums = {}
        for first in range(0, len(self._telling), _AT_ONCE):
            self._parcels_out += 1
            yield Parcel(
                transport=Transport.MODBUS,
                refusals=self._telling[first : first + _AT_ONCE],
                done=self._is_told,
            )

    def save(self, left: Left | None) -> None:
        """Keep what is left for the next start; blocks."""
        if left is None:
            return
        refusals = [*left.telling, *(self._refusal(*one) for one in left.sums)]
        try:
            self._replace(refusals)
        except OSError as exc:
            self._is_saved = False
            log.debug("%s cannot be written: %s", self._file, exc)

    def _replace(self, refusals: Sequence[Refusal]) -> None:
        if not refusals:
            self._file.unlink(missing_ok=True)
            return
        parcel = Parcel(transport=Transport.MODBUS, refusals=refusals)
        new = self._file.with_suffix(".new")
        with new.open("wb") as file:
            file.write(frame_of(Mark(), 0, encode(parcel)))
            file.flush()
            os.fsync(file.fileno())
        new.rename(self._file)

    def _left(self) -> Sequence[Refusal]:
        if not self._file.exists():
            return []
        for piece in scan(self._file.read_bytes(), is_end=True).pieces:
            if isinstance(piece, Frame):
                return decode(piece.record).refusals
        log.error("%s is damaged: how much was refused is not known.", self._file)
        return []

    def _is_told(self) -> None:
        self._parcels_out -= 1
        if not self._parcels_out:
            self._telling, self._is_saved = [], False

    def _sum(self, meter_id: int | None) -> _Sum:
        return self._sums.setdefault(meter_id, _Sum())

    def _refusal(self, meter_id: int | None, one: _Sum) -> Refusal:
        first, last = from_utc_us(one.first_us), from_utc_us(one.last_us)
        return Refusal(
            reason=Reason.JOURNAL_FULL,
            text=f"The journal in {self._folder} had no room for {one.readings} "
            f"readings of this meter, received from {first:%Y-%m-%d %H:%M:%S} to "
            f"{last:%Y-%m-%d %H:%M:%S} UTC.",
            source="journal",
            transport=Transport.MODBUS,
            received_at=last,
            raw=b"",
            meter_id=meter_id,
            readings=one.readings,
        )
