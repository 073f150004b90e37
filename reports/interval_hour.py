"""How the meters of an interval fared in its hour: what its cause was judged by."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from analytics.completeness.circumstances import HOUR_US
from meters.reading import from_utc_us, utc_us
from reports.interval_trace import IntervalTrace
from storage.circumstances import load_meter_hours


@dataclass(frozen=True, kw_only=True, slots=True)
class MeterHour:
    """What became of one meter's readings in the UTC hour of an interval."""

    serial: str
    hour: datetime
    answered: int
    """Readings that came, whatever became of them."""
    failed: int
    """Polls without an answer."""
    on_line: int
    """Meters of its line that were asked then, this one too; 0 = it has no line."""
    least_failed_percent: float
    """Of all of them the smallest share of polls that failed."""


def meter_hours_of(
    conn: Connection[TupleRow], trace: IntervalTrace
) -> tuple[MeterHour, ...]:
    """Return how each meter that sat there fared; of whom nothing is counted, nothing.

    Counted is what came and what was asked within the hour, by the collector's clock.
    """
    serials = {one.meter.meter_id: one.meter.serial for one in trace.meters}
    if not serials:
        return ()
    hour_us = utc_us(trace.start) // HOUR_US * HOUR_US
    hours = load_meter_hours(conn, serials, np.array([hour_us]))
    return tuple(
        MeterHour(
            serial=serials[int(hours.meter_id[i])],
            hour=from_utc_us(hour_us),
            answered=int(hours.answered[i]),
            failed=int(hours.failed[i]),
            on_line=int(hours.on_line[i]),
            least_failed_percent=100 * float(hours.least_failed[i]),
        )
        for i in range(hours.meter_id.size)
    )
