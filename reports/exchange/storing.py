"""Rows of a file as what a meter counted or showed, stored."""

from datetime import datetime

import numpy as np
from psycopg import Connection
from psycopg.rows import TupleRow

from meters.quantity import COLUMN, QUANTITIES, Quantity
from meters.reading import ReadingBatch, from_utc_us, utc_us
from reports.exchange.content import MINUTE_US, Content
from reports.exchange.form import ENERGIES, Kind
from reports.exchange.placing import multipliers_of
from storage.imports import Sitting, store_readings
from storage.meter_intervals import MeterIntervals, insert_meter_intervals


def store_rows(
    conn: Connection[TupleRow],
    content: Content,
    sitting: Sitting,
    now: datetime,
    *,
    import_id: int,
) -> None:
    """Store rows of one meter; the caller commits."""
    if content.kind is Kind.REGISTERS:
        batch = _readings(content, sitting, now)
        store_readings(conn, batch, import_id=import_id)
    else:
        counted = _counted(content, sitting)
        insert_meter_intervals(conn, counted, received_at=now, import_id=import_id)


def _counted(content: Content, sitting: Sitting) -> MeterIntervals:
    """Return rows as the meter counted them, before its multipliers."""
    values = content.values / multipliers_of(content, [sitting])[:, np.newaxis]
    return MeterIntervals(
        meter_id=sitting.meter_id,
        start_us=content.at_us,
        length_min=np.full(len(content), content.length_min or 0, dtype=np.int64),
        power_failure=np.zeros(len(content), dtype=np.bool_),
        **dict(zip(ENERGIES, values.T, strict=True)),
    )


def _readings(content: Content, sitting: Sitting, now: datetime) -> ReadingBatch:
    values = np.full((len(content), len(QUANTITIES)), np.nan)
    for at, name in enumerate(content.names):
        values[:, COLUMN[Quantity(name)]] = content.values[:, at]
    return ReadingBatch(
        meter_id=np.full(len(content), sitting.meter_id, dtype=np.int32),
        measured_us=content.at_us,
        received_us=np.full(len(content), utc_us(now), dtype=np.int64),
        values=values,
    )


def span_of(content: Content) -> tuple[datetime | None, datetime | None]:
    """Return when the rows begin and end; None where there are none."""
    if not len(content):
        return None, None
    length_us = MINUTE_US * (content.length_min or 0)
    first, last = int(content.at_us[0]), int(content.at_us[-1])
    return from_utc_us(first), from_utc_us(last + length_us)


def import_kwh(written: Content) -> float | None:
    """Return the energy drawn that rows give; of registers nobody knows it."""
    if written.kind is Kind.REGISTERS:
        return None
    return float(np.nansum(written.values[:, ENERGIES.index("import_kwh")]))
