"""Faults of the campaign: put into what a meter counted and into what it said."""

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from analytics.settlement.fitting import FOREVER_US, Fitting, Multiplier
from benchmarks.campaign_plant import MINUTE_US, Plant
from meters.quantity import COLUMN, QUANTITIES, Quantity
from meters.reading import ReadingBatch, joined

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

DAY_MIN = 1440
_LATE_US = 2_000_000
_TAN_PHI = 0.4
"""kvarh for each kWh; that register goes on whatever happens to that of import."""
_LAGGING = Quantity.ENERGY_LAGGING_KVARH
_IMPORT, _EXPORT = Quantity.ENERGY_IMPORT_KWH, Quantity.ENERGY_EXPORT_KWH


class Fault(StrEnum):
    """What goes wrong."""

    GLITCH = "glitch"
    SPIKE = "spike"  # the register leaps and stays there
    ROLLOVER = "rollover"
    SWAP = "swap"
    RATIO = "ratio change"
    GAP = "gap"
    STALE = "stuck"  # an old register under fresh time stamps
    STALLED = "stalled"  # the register stops counting
    REVERSED = "reversed"
    DUPLICATE = "duplicate"
    ORDER = "out of order"
    DRIFT = "clock drift"


@dataclass(frozen=True, slots=True)
class Injected:
    """One fault at one point, [first_min, stop_min) after the start."""

    fault: Fault
    first_min: int
    stop_min: int


@dataclass(kw_only=True, slots=True)
class Meters:
    """The meters of a point: their true counting, and what was done to it."""

    plant: Plant
    resolution: Fraction
    digits: int
    first_count: int
    ratio: Fraction
    seen: FloatArray
    """shape (m,): what the import register is given to count, by minute [kWh]"""
    fed: FloatArray
    """shape (m,): what the export register is"""
    gives_power: bool
    """Whether momentary power is among what they say."""
    changes: list[tuple[int, Fraction]] = field(default_factory=list)
    """Later multipliers, by minute."""
    swap: tuple[int, int, bool] | None = None
    """Minute, first count of the new meter, whether both were read at that minute."""


def place(
    faults: list[Fault], minutes: int, rng: np.random.Generator
) -> list[Injected]:
    """Give each fault a window of its own, at least a day from the next."""
    room = minutes // (len(faults) + 1)
    lengths = {
        Fault.GLITCH: (15, 46),
        Fault.SPIKE: (15, 16),
        Fault.GAP: (60, 2 * DAY_MIN),
        Fault.STALE: (90, 12 * 60),
        Fault.STALLED: (120, 12 * 60),
        Fault.REVERSED: (DAY_MIN, 3 * DAY_MIN),
        Fault.DUPLICATE: (60, DAY_MIN),
        Fault.ORDER: (120, DAY_MIN),
        Fault.DRIFT: (3 * DAY_MIN, 5 * DAY_MIN),
    }
    found = []
    for number, fault in enumerate(faults):
        shortest, longest = lengths.get(fault, (15, 16))
        length = int(rng.integers(shortest, min(longest, room - DAY_MIN)))
        first = (number + 1) * room - room // 2
        first += int(rng.integers(0, max(room - length - DAY_MIN, 1)))
        first -= first % 15
        found.append(Injected(fault, first, first + -(-length // 15) * 15))
    return found


def make_meters(
    plant: Plant, injected: list[Injected], rng: np.random.Generator
) -> Meters:
    """Put in what changes how energy is counted."""
    ratio = Fraction(int(rng.choice([1, 40, 60, 600])))
    per_count = float(plant.kwh.mean()) / 200  # some 200 counts a quarter of an hour
    resolution = Fraction(max(round(per_count / float(ratio) * 10_000), 1), 10_000)
    meters = Meters(
        plant=plant,
        resolution=resolution,
        digits=8,
        first_count=int(rng.integers(0, 10**7)),
        ratio=ratio,
        seen=plant.kwh_by_minute.copy(),
        fed=np.zeros(plant.kwh_by_minute.size),
        gives_power=bool(rng.integers(2)),
    )
    for one in injected:
        window = slice(one.first_min, one.stop_min)
        if one.fault is Fault.STALLED:
            meters.seen[window] = 0.0
        elif one.fault is Fault.REVERSED:
            meters.fed[window], meters.seen[window] = meters.seen[window], 0.0
        elif one.fault is Fault.SPIKE:
            leap_kw = plant.contract_kw * rng.uniform(20, 200)
            meters.seen[one.first_min] += leap_kw / 4
        elif one.fault is Fault.RATIO:
            moment = one.first_min + int(rng.integers(1, 15))
            meters.changes.append((moment, ratio * Fraction(3, 2)))
        elif one.fault is Fault.SWAP:
            moment = one.first_min + int(rng.integers(1, 15))
            meters.swap = (moment, int(rng.integers(0, 10**6)), bool(rng.integers(2)))
        elif one.fault is Fault.ROLLOVER:
            ran = plant.kwh_by_minute[: one.first_min].sum()
            counted = int(ran / float(resolution * ratio))
            meters.first_count = (10**8 - counted - 100) % 10**8
    return meters


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Told:
    """What came of a point: readings as they arrived, and its master data."""

    readings: ReadingBatch
    fittings: dict[Quantity, tuple[Fitting, ...]]


def tell(
    meters: Meters,
    injected: list[Injected],
    offset_min: int,
    rng: np.random.Generator,
) -> Told:
    """Read the meters every quarter of an hour, and put in what goes wrong in that."""
    end = meters.seen.size
    swap_min = end if meters.swap is None else meters.swap[0]
    parts = [_read(meters, 1, 0, swap_min, offset_min)]
    if meters.swap is not None:
        parts.append(_read(meters, 2, swap_min, end, offset_min))
    batch = joined(parts)
    for one in injected:
        batch = _disturbed(batch, one, meters, rng)
    return Told(readings=batch, fittings=_fittings(meters, swap_min))


def _multipliers(meters: Meters, from_min: int) -> list[tuple[int, Fraction]]:
    held = [(0, meters.ratio), *meters.changes]
    before = [value for since, value in held if since <= from_min][-1]
    return [(from_min, before), *((m, v) for m, v in held if m > from_min)]


def _counts(meters: Meters, energy: FloatArray, from_min: int, first: int) -> IntArray:
    """Return the register after each minute from `from_min` on, turned over."""
    factor = np.empty(energy.size - from_min)
    for since, value in _multipliers(meters, from_min):
        factor[since - from_min :] = 1 / float(meters.resolution * value)
    ran = np.concatenate([[0.0], np.cumsum(energy[from_min:] * factor)])
    counts: IntArray = first + np.floor(ran + 1e-9).astype(np.int64)
    return counts % int(10**meters.digits)


def _read(
    meters: Meters, number: int, from_min: int, to_min: int, offset_min: int
) -> ReadingBatch:
    first = meters.first_count
    if number > 1 and meters.swap is not None:
        first = meters.swap[1]
    shown = _counts(meters, meters.seen, from_min, first)
    exported = _counts(meters, meters.fed, from_min, 0)
    minute = np.arange(offset_min, meters.seen.size + 1, 15)
    minute = minute[(minute >= from_min) & (minute <= to_min)]
    # Whoever puts a meter in reads it; so does whoever closes the books.
    read_by_hand = [m for m in (0, meters.seen.size) if from_min <= m <= to_min]
    if meters.swap is not None and meters.swap[2]:
        read_by_hand.append(meters.swap[0])
    minute = np.union1d(minute, read_by_hand)
    values = np.full((minute.size, len(QUANTITIES)), np.nan)
    row = minute - from_min
    values[:, COLUMN[_IMPORT]] = shown[row] * float(meters.resolution)
    values[:, COLUMN[_EXPORT]] = exported[row] * float(meters.resolution)
    turned = _counts(meters, meters.plant.kwh_by_minute * _TAN_PHI, from_min, 0)
    values[:, COLUMN[_LAGGING]] = turned[row] * float(meters.resolution)
    if meters.gives_power:
        now = np.minimum(minute, meters.seen.size - 1)
        power_kw = meters.plant.kwh_by_minute[now] * 60
        values[:, COLUMN[Quantity.ACTIVE_POWER_KW]] = power_kw
    measured_us = meters.plant.start_us[0] + minute * MINUTE_US
    return ReadingBatch(
        meter_id=np.full(minute.size, number, dtype=np.int32),
        measured_us=measured_us,
        received_us=measured_us + _LATE_US,
        values=values,
    )


def _fittings(meters: Meters, swap_min: int) -> dict[Quantity, tuple[Fitting, ...]]:
    start_us = int(meters.plant.start_us[0])
    swapped, written = meters.swap is not None, meters.swap and not meters.swap[2]
    fittings: dict[Quantity, tuple[Fitting, ...]] = {}
    turned = meters.plant.kwh_by_minute * _TAN_PHI
    for quantity, energy in (
        (_IMPORT, meters.seen),
        (_EXPORT, meters.fed),
        (_LAGGING, turned),
    ):
        first = meters.first_count if quantity is _IMPORT else 0
        closing = int(_counts(meters, energy, 0, first)[swap_min]) if written else None
        spans: list[tuple[int, int, int | None, int | None, int | None]] = [
            (1, 0, swap_min if swapped else None, None, closing)
        ]
        if meters.swap is not None:
            opening = meters.swap[1] if quantity is _IMPORT else 0
            spans.append((2, swap_min, None, opening if written else None, None))
        fittings[quantity] = tuple(
            Fitting(
                meter_id=number,
                from_us=start_us + begin * MINUTE_US,
                to_us=FOREVER_US if stop is None else start_us + stop * MINUTE_US,
                digits=meters.digits,
                resolution=meters.resolution,
                multipliers=tuple(
                    Multiplier(start_us + since * MINUTE_US, value)
                    for since, value in _multipliers(meters, begin)
                ),
                opening=opening_count,
                closing=closing_count,
                most_kw=3 * meters.plant.contract_kw if quantity is _IMPORT else None,
            )
            for number, begin, stop, opening_count, closing_count in spans
        )
    return fittings


def _disturbed(
    batch: ReadingBatch, one: Injected, meters: Meters, rng: np.random.Generator
) -> ReadingBatch:
    """Do to the readings of a window what a fault does."""
    minute = (batch.measured_us - meters.plant.start_us[0]) // MINUTE_US
    rows = np.flatnonzero((minute >= one.first_min) & (minute < one.stop_min))
    if one.fault is Fault.GAP:
        return batch[np.delete(np.arange(minute.size), rows)]
    if one.fault is Fault.GLITCH:
        true, an_hour = batch.values[rows, 0], float(meters.plant.kwh.mean()) * 4
        an_hour /= float(meters.ratio)
        wild = [true * 0, true / 2, true * 3 + 99, true * 1000, true - an_hour]
        batch.values[rows, 0] = np.maximum(wild[int(rng.integers(len(wild)))], 0)
    elif one.fault is Fault.STALE:
        batch.values[rows] = batch.values[rows[0]]
    elif one.fault is Fault.DUPLICATE:
        again = np.sort(np.concatenate([np.arange(minute.size), rows, rows]))
        return batch[again]
    elif one.fault is Fault.ORDER:
        order = np.arange(minute.size)
        order[rows] = rng.permutation(rows)
        return batch[order]
    elif one.fault is Fault.DRIFT:
        # Ever faster, then set right; received as ever.
        most_us = int(rng.choice([-1, 1]) * rng.uniform(4, 10) * MINUTE_US)
        ahead = np.linspace(0, 1, rows.size) * most_us
        batch.measured_us[rows] += ahead.astype(np.int64)
    return batch
