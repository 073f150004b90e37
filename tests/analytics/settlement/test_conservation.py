"""Over any span, intervals sum to what the registers counted, exactly."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.settlement.evidence import Outage
from analytics.settlement.fitting import FOREVER_US, Multiplier
from analytics.settlement.settling import settle_span
from tests.analytics.settlement.making import (
    IMPORT,
    QUARTER_US,
    START_US,
    at,
    evidence,
    fitting,
    quarters,
    readings,
)

RATIOS = [Fraction(1), Fraction(6000), Fraction(40, 3), Fraction(1, 7)]
RESOLUTIONS = [Fraction(1), Fraction(1, 100), Fraction(1, 40), Fraction(3, 1000)]


@dataclass
class Meter:
    """What one meter counted while it sat there."""

    digits: int
    resolution: Fraction
    first: int
    minutes: list[int]
    counts: list[int]
    multipliers: list[tuple[int, Fraction]]
    """From a minute on."""

    def energy(self, from_min: int, to_min: int) -> Fraction:
        """Exact energy between two of its readings, by the definition."""
        total = Fraction(0)
        for i in range(len(self.minutes) - 1):
            begin, end = self.minutes[i], self.minutes[i + 1]
            if from_min <= begin and end <= to_min:
                total += self._step(begin, end, self.counts[i + 1] - self.counts[i])
        return total

    def _step(self, begin: int, end: int, counts: int) -> Fraction:
        """Cut a step where the multiplier changes, in whole counts, half to even."""
        total, left = Fraction(0), counts
        for change, after in self.multipliers[1:]:
            if begin < change < end:
                before = self.multiplier(begin)
                slow, fast = (change - begin) / before, (end - change) / after
                part = round(left * slow / (slow + fast))
                total += part * before
                begin, left = change, left - part
        total += left * self.multiplier(begin)
        return total * self.resolution

    def multiplier(self, minute: int) -> Fraction:
        return [m for since, m in self.multipliers if since <= minute][-1]


@st.composite
def points(draw) -> tuple[list[Meter], int]:
    """One to three meters, one after the other, over some hours; gaps and turns."""
    meters, minute = [], 0
    for _ in range(draw(st.integers(1, 3))):
        digits = draw(st.integers(5, 12))
        first = draw(st.integers(0, 10**digits - 1))
        minutes, counts = [minute], [first]
        for _ in range(draw(st.integers(1, 12))):
            # Now and then a gap of up to two days.
            wide = draw(st.booleans()) and draw(st.booleans())
            minute += draw(st.integers(1, 2880 if wide else 20))
            minutes.append(minute)
            counts.append(counts[-1] + draw(st.integers(0, 10**digits // 200)))
        multipliers = [(minutes[0], draw(st.sampled_from(RATIOS)))]
        if draw(st.booleans()) and minutes[-1] - minutes[0] > 1:
            change = draw(st.integers(minutes[0] + 1, minutes[-1] - 1))
            multipliers.append((change, draw(st.sampled_from(RATIOS))))
        resolution = draw(st.sampled_from(RESOLUTIONS))
        meters.append(Meter(digits, resolution, first, minutes, counts, multipliers))
    return meters, minute


OUTAGES = st.lists(
    st.tuples(st.integers(0, 6000), st.integers(1, 3000)).map(
        lambda each: Outage(
            start_us=int(at(each[0])), stop_us=int(at(each[0] + each[1]))
        )
    ),
    max_size=3,
)


def settled(meters: list[Meter], count: int, outages=()):
    fittings, batches = [], []
    for number, meter in enumerate(meters, 1):
        last = meter is meters[-1]
        fittings.append(
            fitting(
                meter_id=number,
                from_us=int(at(meter.minutes[0])),
                to_us=FOREVER_US if last else int(at(meter.minutes[-1])),
                digits=meter.digits,
                resolution=meter.resolution,
                multipliers=tuple(
                    Multiplier(int(at(since)), value)
                    for since, value in meter.multipliers
                ),
            )
        )
        shown = np.array([c % 10**meter.digits for c in meter.counts])
        register = shown * float(meter.resolution)
        batches.append(
            readings(meter.minutes, meter_id=number, energy_import_kwh=register)
        )
    known = evidence(*batches, fittings=fittings, outages=tuple(outages))
    return settle_span(known, quarters(count))


@settings(max_examples=60, deadline=None)
@given(points(), OUTAGES)
def test_intervals_sum_to_what_the_registers_counted(given_point, outages) -> None:
    meters, _ = given_point
    # Read once more on a boundary, so that the whole is known.
    last = meters[-1]
    end = -(-last.minutes[-1] // 15) * 15 + 15
    last.minutes.append(end)
    last.counts.append(last.counts[-1])
    settlement = settled(meters, end // 15, outages)
    found = settlement.energies[IMPORT]
    assert found.known.all()
    assert (found.quanta >= 0).all()
    total = sum(found.quanta.tolist()) * found.quantum
    assert total == sum(meter.energy(0, end) for meter in meters)


@settings(max_examples=40, deadline=None)
@given(points(), st.data())
def test_any_part_that_begins_and_ends_with_a_reading_sums_exactly(
    given_point, data
) -> None:
    """A swap, a turn or a gap inside makes no difference."""
    meters, end = given_point
    on_boundary = sorted(
        {m for meter in meters for m in meter.minutes if m % 15 == 0 and m <= end}
    )
    first = data.draw(st.sampled_from(on_boundary))
    last = data.draw(st.sampled_from(on_boundary))
    first, last = min(first, last), max(first, last)
    if last == first:
        return
    found = settled(meters, -(-end // 15)).energies[IMPORT]
    part = slice(first // 15, last // 15)
    assert found.known[part].all()
    total = sum(found.quanta[part].tolist()) * found.quantum
    assert total == sum(meter.energy(first, last) for meter in meters)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 95), st.integers(1, 95), st.integers(0, 10**6))
def test_settling_a_part_again_gives_the_same_energy(before, after, ran) -> None:
    """A hole at the edge of a span is shared out as a whole, whatever the span."""
    minutes = [0, 15, 15 + 15 * before + 7, 15 * (before + after) + 45]
    counts = np.array([0, 100, 100 + ran, 200 + ran]) / 100
    known = evidence(readings(minutes, energy_import_kwh=counts))
    count = before + after + 3
    whole = settle_span(known, quarters(count)).energies[IMPORT]
    cut = before // 2 + 1
    part = settle_span(known, START_US + QUARTER_US * np.arange(cut, count))
    assert (part.energies[IMPORT].quanta == whole.quanta[cut:]).all()
