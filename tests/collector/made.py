"""Parcels for tests of the journal."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np

from collector.parcel import Parcel
from meters.meter import Transport
from meters.quantity import QUANTITIES, Quantity
from meters.reading import Reading, ReadingBatch
from meters.refusal import Reason, Refusal

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
MODBUS = Transport.MODBUS


def parcel(number: int, meter_id: int = 1) -> Parcel:
    """Return one reading whose energy is its number."""
    at = AT + timedelta(seconds=number)
    values = {Quantity.ENERGY_IMPORT_KWH: float(number)}
    reading = Reading(meter_id=meter_id, measured_at=at, received_at=at, values=values)
    return Parcel.of(MODBUS, [reading])


def refused(text: str = "No.", readings: int = 1) -> Parcel:
    """Return one refusal."""
    refusal = Refusal(
        reason=Reason.UNDECODABLE,
        text=text,
        source="127.0.0.1:502/1",
        transport=MODBUS,
        received_at=AT,
        raw=b"\0\1",
        meter_id=1,
        readings=readings,
    )
    return Parcel.of(MODBUS, [], [refusal])


def many(rows: int, meter_id: int = 1) -> Parcel:
    """Return one parcel of many readings, whose energies are 0, 1, 2 and so on."""
    values = np.full((rows, len(QUANTITIES)), math.nan)
    values[:, 0] = np.arange(rows)
    times = np.arange(rows, dtype=np.int64)
    batch = ReadingBatch(
        meter_id=np.full(rows, meter_id, np.int32),
        measured_us=times,
        received_us=times,
        values=values,
    )
    return Parcel(transport=MODBUS, batch=batch)


def energies(parcels: list[Parcel]) -> list[float]:
    """Return the energies in parcels, in their order."""
    return [e for each in parcels for e in each.batch.values[:, 0].tolist()]
