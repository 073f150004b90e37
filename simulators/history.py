"""What the meters of the demo would have said before it was started."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from meters.meter import Meter
from meters.reading import IntArray, ReadingBatch, joined, utc_us
from simulators.plant_meter import PlantMeter

STEP = timedelta(minutes=15)
_DAYS_A_BATCH = 5


def reading_times(start: datetime, stop: datetime, step: timedelta = STEP) -> IntArray:
    """Whole multiples of the step in [start, stop], microseconds since 1970 UTC."""
    step_us = step // timedelta(microseconds=1)
    first = -(-utc_us(start) // step_us)
    last = utc_us(stop) // step_us
    return np.arange(first, last + 1, dtype=np.int64) * step_us


def history(
    meters: Sequence[Meter],
    simulated: Mapping[str, PlantMeter],
    *,
    start: datetime,
    stop: datetime,
    step: timedelta = STEP,
) -> Iterator[ReadingBatch]:
    """Give past readings of many meters in order of time, some days a batch.

    They come from the figures that the meters show when they are read, so that reading
    a meter at `stop` or later goes on where this ends.

    Parameters
    ----------
    meters : sequence of Meter
        Under whose ids they are stored.
    simulated : mapping of str to PlantMeter
        The same meters, by serial number.
    start, stop : datetime
        Both included; not before the plants' epoch.
    step : timedelta
        From one reading to the next.

    Yields
    ------
    ReadingBatch
        Of all meters, for a few days.

    """
    times_us = reading_times(start, stop, step)
    a_batch = timedelta(days=_DAYS_A_BATCH) // step
    for first in range(0, times_us.size, a_batch):
        part_us = times_us[first : first + a_batch]
        yield joined(
            simulated[meter.serial].readings(meter, part_us) for meter in meters
        )
