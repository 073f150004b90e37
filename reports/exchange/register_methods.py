"""How each register's energy is known where the import was measured. Pure.

What is stored says of an interval how its import is known. Another register may not
have been read then: its energy was shared out over the hole as the import flowed.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from analytics.settlement.draft import MAX_GAP, MEASURED_GAP
from analytics.settlement.intervals import Quality
from analytics.settlement.method import Method
from meters.quantity import COLUMN, Quantity
from meters.reading import IntArray, ReadingBatch
from reports.exchange.form import ENERGIES
from storage.exports import SettledRows
from storage.meter_intervals import MeterIntervals

MethodArray = npt.NDArray[np.uint8]

REGISTERS = tuple(Quantity(f"energy_{name}") for name in ENERGIES)
"""In the order of the values that are handed out."""
_MINUTE_US = 60_000_000
_FAR_US = int(np.iinfo(np.int64).max)


def register_methods(
    rows: SettledRows,
    readings: Sequence[ReadingBatch],
    own: Sequence[MeterIntervals],
) -> MethodArray:
    """Return by which method each energy of a measured interval is known.

    Parameters
    ----------
    rows : SettledRows
        n intervals.
    readings
        Of the main meters, each by time, from before the first interval to after the
        last. Those that are kept no more tell nothing.
    own
        Intervals that main meters counted themselves.

    Returns
    -------
    array, shape (n, 4)
        `Method.NONE` where it is known as the interval is.

    """
    found = np.zeros(rows.values.shape, dtype=np.uint8)
    if not len(rows):
        return found
    methods = np.column_stack(
        [_methods(rows, name, readings, own) for name in ENERGIES]
    )
    told = (rows.quality == Quality.MEASURED) & (methods[:, 0] == Method.NONE)
    told = told[:, np.newaxis] & ~np.isnan(rows.values)
    found[told] = methods[told]
    return found


def _methods(
    rows: SettledRows,
    name: str,
    readings: Sequence[ReadingBatch],
    own: Sequence[MeterIntervals],
) -> MethodArray:
    """Return how intervals are known by what was read of one register."""
    column = COLUMN[Quantity(f"energy_{name}")]
    read = [each.measured_us[~np.isnan(each.values[:, column])] for each in readings]
    read_us = np.unique(np.concatenate([*read, np.zeros(0, dtype=np.int64)]))
    length_us = rows.length_min * _MINUTE_US
    stop_us = rows.start_us + length_us
    gap_us = np.maximum(_gaps(rows.start_us, read_us), _gaps(stop_us, read_us))
    methods = np.select(
        [gap_us <= MEASURED_GAP * length_us, gap_us <= MAX_GAP * length_us],
        [Method.NONE, Method.INTERPOLATED],
        Method.SCALED,
    )
    methods[_counted(rows, name, own)] = Method.NONE
    return methods.astype(np.uint8)


def _gaps(at_us: IntArray, read_us: IntArray) -> IntArray:
    """Return how far apart the readings around moments are; 0 = read just then."""
    bounded = np.concatenate([[-_FAR_US], read_us, [_FAR_US]]).astype(np.float64)
    after = np.searchsorted(read_us, at_us, side="left") + 1
    gaps = bounded[after] - bounded[after - 1]
    gaps[np.isin(at_us, read_us)] = 0
    return np.minimum(gaps, float(1 << 62)).astype(np.int64)


def _counted(
    rows: SettledRows, name: str, own: Sequence[MeterIntervals]
) -> npt.NDArray[np.bool_]:
    """Tell in which intervals a meter counted by itself, whole or a part of it."""
    counted = np.zeros(len(rows), dtype=np.bool_)
    for each in own:
        at_us = each.start_us[~np.isnan(getattr(each, name))]
        first = np.searchsorted(at_us, rows.start_us)
        stop = np.searchsorted(at_us, rows.start_us + rows.length_min * _MINUTE_US)
        counted |= stop > first
    return counted
