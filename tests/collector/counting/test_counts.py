"""The sums close: of every meter, of every transport, at every moment."""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.counting.counts import Counts, TransportCounts
from meters.reading import batch_of
from meters.refusal import Reason, Refusal
from storage.meter_counts import meter_counts_of
from tests.collector.made import AT, many

METERS = st.integers(1, 3)
BATCH = st.lists(
    st.tuples(METERS, st.sampled_from(["stored", "repeated", *Reason])), max_size=6
)
STEPS = st.lists(
    st.tuples(st.just("ask"), METERS)
    | st.tuples(st.just("answer"), METERS)
    | st.tuples(st.just("fail"), METERS)
    | st.tuples(st.just("message"), BATCH)
    | st.tuples(st.just("left"), BATCH)
    | st.tuples(st.just("commit"), st.integers(1, 6))
    | st.tuples(st.just("give up"), METERS),
    max_size=60,
)
"""What may happen: polls begin and end, a message comes, a run before left readings in
the journal, some of what waits is committed, a poll is cancelled."""


@dataclass
class World:
    """What happened, kept one by one."""

    counts: TransportCounts = field(default_factory=TransportCounts)
    asked: list[int] = field(default_factory=list)
    """Meters whose poll is under way."""
    waiting: list[tuple[int, str]] = field(default_factory=list)
    committed: list[tuple[int, str]] = field(default_factory=list)
    failed: int = 0
    arrived: int = 0

    def step(self, what: str, given) -> None:
        if what == "ask":
            self.counts.of(given).asked += 1
            self.asked.append(given)
        elif what in {"answer", "fail"} and given in self.asked:
            self.asked.remove(given)
            if what == "fail":
                self.counts.of(given).failed += 1
                self.failed += 1
            else:
                self.counts.of(given).answered += 1
                self.arrived += 1
                self.waiting.append((given, "stored"))
        elif what == "message":
            self.counts.unassigned.asked += len(given)
            self.counts.unassigned.answered += len(given)
            self.arrived += len(given)
            self.waiting += given
        elif what == "left":
            self.counts.carry_over(len(given))
            self.arrived += len(given)
            self.waiting = given + self.waiting
        elif what == "commit":
            self.commit(self.waiting[:given])
            self.waiting = self.waiting[given:]
        elif what == "give up":
            self.counts.give_up([given])
            self.failed += self.asked.count(given)
            self.asked = [meter for meter in self.asked if meter != given]

    def commit(self, pieces: list[tuple[int, str]]) -> None:
        written = [(m, o) for m, o in pieces if not isinstance(o, Reason)]
        refusals = [refusal(m, o) for m, o in pieces if isinstance(o, Reason)]
        batch = many(len(written)).batch
        batch.meter_id[:] = [meter_id for meter_id, _ in written]
        is_new = np.array([outcome == "stored" for _, outcome in written], np.bool_)
        self.counts.commit(meter_counts_of(batch, is_new, refusals), refusals)
        self.committed += pieces


def refusal(meter_id: int, reason: Reason) -> Refusal:
    nobodys = reason is Reason.UNKNOWN_METER
    return Refusal(
        reason=reason,
        text="No.",
        source="somewhere",
        transport="mqtt",
        received_at=AT,
        raw=b"",
        meter_id=None if nobodys else meter_id,
    )


def closes(counts: Counts) -> bool:
    outcomes = counts.stored + counts.repeated + counts.refused + counts.failed
    return counts.asked == outcomes + counts.waiting + counts.under_way


@given(STEPS)
def test_the_sums_close_after_every_step(steps) -> None:
    world = World()
    for what, given_ in steps:
        world.step(what, given_)
        counts, total = world.counts, world.counts.total
        assert all(map(closes, (total, counts.unassigned, *counts.meters.values())))
        # Waiting is what waits, and under way what is: not just what is left over.
        assert total.waiting == len(world.waiting)
        assert total.under_way == len(world.asked)
        assert total.failed == world.failed
        assert total.answered == world.arrived
        for meter_id, of_meter in counts.meters.items():
            assert min(of_meter.waiting, of_meter.under_way) >= 0
            done = [o for m, o in world.committed if m == meter_id]
            known = [o for o in done if o is not Reason.UNKNOWN_METER]
            assert of_meter.stored == known.count("stored")
            assert of_meter.repeated == known.count("repeated")
            assert of_meter.refused == sum(isinstance(o, Reason) for o in known)
        refused = [o for _, o in world.committed if isinstance(o, Reason)]
        assert total.refused == len(refused) == counts.reasons.total()
        assert total.undecoded == sum(not reason.is_of_decoded for reason in refused)


def test_an_empty_commit_counts_nothing() -> None:
    counts = TransportCounts()
    none = np.zeros(0, np.bool_)
    counts.commit(meter_counts_of(batch_of([]), none), [])
    assert counts.total == Counts()
    assert counts.meters == {}
