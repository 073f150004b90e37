"""What became of every reading, counted while the collector runs, by meter.

asked = stored + repeated + refused + failed + waiting + under way, of every meter and
of every transport, at every moment. A message that the broker sends again counts
again, as a repeat; so does a reading that is found in the journal after a kill.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter

from meters.meter import Transport
from meters.refusal import Reason, Refusal
from storage.meter_counts import REFUSED, REPEATED, STORED, UNDECODED, MeterCounts


@dataclass(kw_only=True, slots=True)
class Counts:
    """Readings of one meter, or of many."""

    asked: int = 0
    """Polls begun, or readings that a message brought."""
    answered: int = 0
    """Of these, what came to be judged."""
    stored: int = 0
    repeated: int = 0
    refused: int = 0
    undecoded: int = 0
    """Of the refused, what could not even be read."""
    failed: int = 0
    """Polls without an answer."""

    @property
    def decoded(self) -> int:
        """Answered, and read; what waits is taken for it."""
        return self.answered - self.undecoded

    @property
    def done(self) -> int:
        """Answered, and committed one way or the other."""
        return self.stored + self.repeated + self.refused

    @property
    def waiting(self) -> int:
        """Answered, and not yet committed."""
        return self.answered - self.done

    @property
    def under_way(self) -> int:
        """Asked, and neither answered nor failed yet."""
        return self.asked - self.answered - self.failed

    @classmethod
    def sum_of(cls, every: Sequence["Counts"]) -> "Counts":
        """Sum the numbers of many, all as they are in one moment.

        Metrics are asked for by another thread, whom one call of `list` keeps out.
        """
        rows = list(map(_numbers, every))
        return cls(**dict(zip(_NAMES, map(sum, zip(*rows, strict=True)), strict=False)))


_NAMES = tuple(field.name for field in fields(Counts))
_numbers = attrgetter(*_NAMES)


class TransportCounts:
    """Readings of one transport, by meter and as a whole."""

    def __init__(self) -> None:
        self.unassigned = Counts()
        """What waits and is not assigned to its meter yet (messages, and what an
        earlier run left in the journal), and what is refused for want of a meter."""
        self.meters: dict[int, Counts] = {}
        self.reasons: Counter[tuple[int | None, Reason]] = Counter()
        """Refused readings by meter and reason."""

    def of(self, meter_id: int) -> Counts:
        """Return the counts of one meter, to be added to."""
        return self.meters.setdefault(meter_id, Counts())

    def carry_over(self, readings: int) -> None:
        """Count what an earlier run had asked for and not written."""
        self.unassigned.asked += readings
        self.unassigned.answered += readings

    def commit(self, by_meter: MeterCounts, refusals: Iterable[Refusal]) -> None:
        """Count what has just been committed.

        Parameters
        ----------
        by_meter
            Of the meters that are known.
        refusals
            All that were committed with it.

        """
        refused = 0
        for refusal in refusals:
            self.reasons[refusal.meter_id, refusal.reason] += refusal.readings
            refused += refusal.readings
            if not refusal.reason.is_of_decoded:
                self.unassigned.undecoded += refusal.readings
        rows = by_meter.readings.tolist()
        for meter_id, row in zip(by_meter.meter_id.tolist(), rows, strict=True):
            counts = self.of(meter_id)
            counts.stored += row[STORED]
            counts.repeated += row[REPEATED]
            counts.refused += row[REFUSED]
            counts.undecoded += row[UNDECODED]
            self._assign(counts)
            self.unassigned.undecoded -= row[UNDECODED]
            refused -= row[REFUSED]
        self.unassigned.refused += refused

    def _assign(self, counts: Counts) -> None:
        """Move what a meter has more of done than answered from the unassigned."""
        missing = counts.done - counts.answered
        if missing > 0:
            for side, sign in ((counts, 1), (self.unassigned, -1)):
                side.asked += sign * missing
                side.answered += sign * missing

    def give_up(self, meter_ids: Iterable[int] | None = None) -> None:
        """Count polls that were cancelled, all or those of some meters, as failed."""
        for meter_id in list(self.meters) if meter_ids is None else meter_ids:
            counts = self.of(meter_id)
            counts.failed += counts.under_way

    @property
    def total(self) -> Counts:
        """All of them together."""
        return Counts.sum_of((self.unassigned, *self.meters.values()))

    @property
    def asked(self) -> int:
        """As in `Counts`, of all."""
        return self.total.asked

    @property
    def answered(self) -> int:
        """As in `Counts`, of all."""
        return self.total.answered

    @property
    def stored(self) -> int:
        """As in `Counts`, of all."""
        return self.total.stored

    @property
    def repeated(self) -> int:
        """As in `Counts`, of all."""
        return self.total.repeated

    @property
    def refused(self) -> int:
        """As in `Counts`, of all."""
        return self.total.refused

    @property
    def failed(self) -> int:
        """As in `Counts`, of all."""
        return self.total.failed

    @property
    def waiting(self) -> int:
        """As in `Counts`, of all."""
        return self.total.waiting


Counters = Mapping[Transport, TransportCounts]


def new_counters() -> Counters:
    """Start from zero for every transport."""
    return {transport: TransportCounts() for transport in Transport}
