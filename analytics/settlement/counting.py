"""From readings to the cumulative energy of each register of a point. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.settlement.evidence import Evidence
from analytics.settlement.fitting import Fitting
from analytics.settlement.given import Rows, rows_of, shown_by
from analytics.settlement.register import Doubtful, Register, read_register
from analytics.settlement.ruleset import Stalled
from analytics.settlement.standstill import (
    Standstill,
    standstills,
    without_stale,
)
from analytics.settlement.track import EnergyTrack, energy_track
from meters.quantity import COLUMN, REGISTERS, Quantity
from meters.reading import ReadingBatch

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

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
    registers: dict[Quantity, Counted] = {}
    stood: tuple[Standstill, ...] = ()
    for quantity in REGISTERS:
        column = readings.values[:, COLUMN[quantity]]
        fittings = evidence.fittings.get(quantity, ())
        if not fittings or np.isnan(column).all():
            continue
        is_import = quantity is Quantity.ENERGY_IMPORT_KWH
        followed = [
            _followed(readings, column, fitting, each, leap_us, stale=is_import)
            for fitting, each in zip(fittings, rows, strict=True)
        ]
        if is_import:
            stood = _stood(readings, fittings, rows, followed, stalled)
        registers[quantity] = Counted(
            track=energy_track(fittings, [register for register, _ in followed]),
            doubtful=tuple(d for register, _ in followed for d in register.doubtful),
            disagrees=tuple(d for _, disagrees in followed for d in disagrees),
        )
    together = _together(rows)
    return CountedPoint(
        registers=registers,
        rows=together,
        standstills=stood,
        power_us=together.at_us,
        power_kw=readings.values[together.row, _POWER],
    )


def _followed(
    readings: ReadingBatch,
    column: FloatArray,
    fitting: Fitting,
    rows: Rows,
    leap_us: int,
    *,
    stale: bool,
) -> tuple[Register, tuple[tuple[str, int, int, int], ...]]:
    shown = shown_by(rows.at_us, column[rows.row], fitting)
    register = read_register(shown.at_us, shown.counts, fitting, leap_us=leap_us)
    if stale:
        register = without_stale(register, _power_at(register.at_us, readings, rows))
    return register, shown.disagrees


def _power_at(at_us: IntArray, readings: ReadingBatch, rows: Rows) -> FloatArray:
    """Return the momentary power at moments of reading; NaN = not given."""
    power_kw = np.full(at_us.shape, np.nan)
    if rows.at_us.size:
        place = np.searchsorted(rows.at_us, at_us).clip(max=rows.at_us.size - 1)
        same = rows.at_us[place] == at_us
        power_kw[same] = readings.values[rows.row[place[same]], _POWER]
    return power_kw


def _stood(
    readings: ReadingBatch,
    fittings: Sequence[Fitting],
    rows: Sequence[Rows],
    followed: Sequence[tuple[Register, object]],
    rule: Stalled,
) -> tuple[Standstill, ...]:
    found: list[Standstill] = []
    for fitting, each, (register, _) in zip(fittings, rows, followed, strict=True):
        if (np.diff(register.counts) == 0).any():
            kwh = float(fitting.energy_of_count(fitting.multipliers[-1].value))
            power_kw = _power_at(register.at_us, readings, each)
            found += standstills(register, power_kw, kwh, rule)
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
