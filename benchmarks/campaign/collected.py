"""What a collector took from meters, kept until it is written."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from collector.parcel import Origin, Parcel
from meters.reading import ReadingBatch, joined, utc_us
from meters.refusal import Refusal

_JOINED_AT = 1000
"""Parcels of one reading take ten times the memory of a row."""


@dataclass(slots=True)
class Collected:
    """Parcels by their origin, in the order in which they came."""

    refusals: dict[Origin, list[Refusal]] = field(
        default_factory=lambda: defaultdict(list)
    )
    readings: int = 0
    failed: dict[int, int] = field(default_factory=dict)
    """Polls without an answer, by meter id."""
    _batches: dict[Origin, list[ReadingBatch]] = field(
        default_factory=lambda: defaultdict(list)
    )

    async def put(self, parcel: Parcel) -> None:
        """Take a parcel, as the journal does."""
        self.take(parcel)

    def take(self, parcel: Parcel) -> None:
        """Take a parcel."""
        self.refusals[parcel.origin] += parcel.refusals
        self.readings += len(parcel.batch)
        batches = self._batches[parcel.origin]
        batches.append(parcel.batch)
        if len(batches) >= _JOINED_AT:
            batches[:] = [joined(batches)]

    def received(
        self, since_us: int, until_us: int
    ) -> Iterator[tuple[Origin, ReadingBatch, list[Refusal]]]:
        """Yield what came in [since_us, until_us), by origin."""
        for origin, batches in self._batches.items():
            batch = joined(batches)
            rows = (batch.received_us >= since_us) & (batch.received_us < until_us)
            refusals = [
                refusal
                for refusal in self.refusals[origin]
                if since_us <= utc_us(refusal.received_at) < until_us
            ]
            yield origin, batch[np.flatnonzero(rows)], refusals
