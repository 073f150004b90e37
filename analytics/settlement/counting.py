"""From readings to the cumulative energy of each register of a point. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.settlement.evidence import Evidence
from analytics.settlement.given import Rows, rows_of, shown_by
from analytics.settlement.register import Doubtful, Register, read_register
from analytics.settlement.ruleset import Stalled
from analytics.settlement.standstill import (
    Standstill,
    stands_long,
    standstills,
    without_stale,
)
from analytics.settlement.track import EnergyTrack, energy_track
from meters.quantity import COLUMN, REGISTERS, Quantity
from meters.reading import ReadingBatch

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_POWER = COLUMN[Quantity.ACTIVE_POWER_KW]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Counted:
    """What one register of a point, of whatever meters, counted."""

    track: EnergyTrack
    doubtful: tuple[Doubtful, ...]
    disagrees: tuple[tuple[str, int, int, int], ...]
    """Written opening and closing counts that the meter itself contradicts."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CountedPoint:
    """All registers of a point."""

    registers: Mapping[Quantity, Counted]
    """Those that any meter gave."""
    rows: Rows
    """Of all meters together."""
    standstills: tuple[Standstill, ...]
    """Of the import register."""
    power_us: IntArray
    """shape (m,): moments of momentary power"""
    power_kw: FloatArray
    """shape (m,)"""


def count_point(evidence: Evidence, leap_us: int, stalled: Stalled) -> CountedPoint:
    """Follow every register of a point.

    Parameters
    ----------
    evidence : Evidence
    leap_us : int
        A register may move in leaps of what it can run in this time. [microseconds]
    stalled : Stalled

    """
    readings = evidence.readings
    sat = next(iter(evidence.fittings.values()), ())
    rows = [rows_of(readings, fitting) for fitting in sat]
    # Most meters give a register with every reading, or never.
    first = readings.values[:1]
    followed = {
        quantity: _followed_all(evidence, quantity, rows, leap_us)
        for quantity in REGISTERS
        if not np.isnan(first[:, COLUMN[quantity]]).all()
        or not np.isnan(readings.values[:, COLUMN[quantity]]).all()
    }
    registers = {
        quantity: Counted(
            track=energy_track(evidence.fittings[quantity], [r for r, _ in each]),
            doubtful=tuple(d for register, _ in each for d in register.doubtful),
            disagrees=tuple(d for _, disagrees in each for d in disagrees),
        )
        for quantity, each in followed.items()
    }
    stood = _stood(evidence, rows, followed, stalled)
    together = _together(rows)
    return CountedPoint(
        registers=registers,
        rows=together,
        standstills=stood,
        power_us=together.at_us,
        power_kw=readings.values[together.row, _POWER],
    )


_Disagrees = tuple[tuple[str, int, int, int], ...]
_Followed = list[tuple[Register, _Disagrees]]


def _followed_all(
    evidence: Evidence, quantity: Quantity, rows: Sequence[Rows], leap_us: int
) -> _Followed:
    """Follow one register of every meter of the point."""
    readings, found = evidence.readings, []
    column = readings.values[:, COLUMN[quantity]]
    for fitting, each in zip(evidence.fittings[quantity], rows, strict=True):
        shown = shown_by(each.at_us, column[each.row], fitting)
        register = read_register(shown.at_us, shown.counts, fitting, leap_us=leap_us)
        if quantity is Quantity.ENERGY_IMPORT_KWH and stands_long(register):
            power_kw = _power_at(register.at_us, readings, each)
            repeated = _repeated_at(register.at_us, readings, each)
            register = without_stale(register, repeated, power_kw)
        found.append((register, shown.disagrees))
    return found


def _repeated_at(at_us: IntArray, readings: ReadingBatch, rows: Rows) -> BoolArray:
    """Tell of readings whether they say what the one before said, in everything."""
    values = readings.values[rows.row]
    same = np.zeros(values.shape[0], dtype=np.bool_)
    same[1:] = ((values[1:] == values[:-1]) | np.isnan(values[1:])).all(axis=1)
    return np.isin(at_us, rows.at_us[same])


def _power_at(at_us: IntArray, readings: ReadingBatch, rows: Rows) -> FloatArray:
    """Return the momentary power at moments of reading; NaN = not given."""
    power_kw = np.full(at_us.shape, np.nan)
    if rows.at_us.size:
        place = np.searchsorted(rows.at_us, at_us).clip(max=rows.at_us.size - 1)
        same = rows.at_us[place] == at_us
        power_kw[same] = readings.values[rows.row[place[same]], _POWER]
    return power_kw


def _stood(
    evidence: Evidence,
    rows: Sequence[Rows],
    followed: Mapping[Quantity, _Followed],
    rule: Stalled,
) -> tuple[Standstill, ...]:
    """Find where the import register stood while power flowed."""
    found: list[Standstill] = []
    imported = Quantity.ENERGY_IMPORT_KWH
    beside = followed.get(Quantity.ENERGY_LAGGING_KVARH)
    for number, (register, _) in enumerate(followed.get(imported, ())):
        if stands_long(register):
            fitting = evidence.fittings[imported][number]
            found += standstills(
                register,
                _power_at(register.at_us, evidence.readings, rows[number]),
                None if beside is None else beside[number][0],
                float(fitting.energy_of_count(fitting.multipliers[-1].value)),
                rule,
            )
    return tuple(found)


def _together(rows: Sequence[Rows]) -> Rows:
    if len(rows) == 1:
        return rows[0]
    none = [np.zeros(0, dtype=np.int64)]
    return Rows(
        row=np.concatenate([one.row for one in rows] or none),
        at_us=np.concatenate([one.at_us for one in rows] or none),
        repeats=sum(one.repeats for one in rows),
        contradicted_us=np.concatenate([one.contradicted_us for one in rows] or none),
        late=sum(one.late for one in rows),
    )
