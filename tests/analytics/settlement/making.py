"""Readings, fittings and evidence of a small point, made in one line each."""

import math
from datetime import UTC, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np

from accounts.calendar import SiteCalendar
from analytics.settlement.evidence import Evidence, Series
from analytics.settlement.fitting import FOREVER_US, Fitting, Multiplier
from meters.quantity import COLUMN, QUANTITIES, REGISTERS, Quantity
from meters.reading import ReadingBatch, joined, utc_us

SEOUL = SiteCalendar(ZoneInfo("Asia/Seoul"), "KR")
MINUTE_US = 60_000_000
QUARTER_US = 15 * MINUTE_US
DAY_US = 96 * QUARTER_US
# Monday, 2 March 2026, 15:00 UTC is midnight in Seoul: Tuesday the 3rd begins.
START = datetime(2026, 3, 2, 15, tzinfo=UTC)
START_US = utc_us(START)
IMPORT = Quantity.ENERGY_IMPORT_KWH
EXPORT = Quantity.ENERGY_EXPORT_KWH


def at(minutes) -> np.ndarray:
    """Minutes after START."""
    return START_US + np.asarray(minutes, dtype=np.int64) * MINUTE_US


def quarters(count: int) -> np.ndarray:
    """Starts of quarter-hours from START on."""
    return START_US + np.arange(count, dtype=np.int64) * QUARTER_US


def fitting(**changes) -> Fitting:
    """A meter of 8 digits of 0.01 kWh, there from the day before START on."""
    ratio = changes.pop("ratio", 1)
    since = changes.get("from_us", START_US - DAY_US)
    sat = {
        "meter_id": 7,
        "from_us": since,
        "to_us": FOREVER_US,
        "digits": 8,
        "resolution": Fraction(1, 100),
        "multipliers": (Multiplier(since, Fraction(ratio)),),
    }
    return Fitting(**(sat | changes))


def readings(minutes, meter_id=7, late_us=0, **columns) -> ReadingBatch:
    """Readings at minutes after START, by quantity's value."""
    measured_us = at(minutes)
    values = np.full((measured_us.size, len(QUANTITIES)), math.nan)
    for quantity, column in columns.items():
        values[:, COLUMN[Quantity(quantity)]] = column
    return ReadingBatch(
        meter_id=np.full(measured_us.size, meter_id, dtype=np.int32),
        measured_us=measured_us,
        received_us=measured_us + late_us,
        values=values,
    )


def evidence(*batches: ReadingBatch, fittings=None, **known) -> Evidence:
    """Evidence of a point in Seoul."""
    sat = (fitting(),) if fittings is None else tuple(fittings)
    return Evidence(
        calendar=known.pop("calendar", SEOUL),
        readings=joined(batches),
        fittings=dict.fromkeys(REGISTERS, sat),
        **known,
    )


def days_before(kwh_of_slot, days: int) -> Series:
    """History of equal days that ends at START."""
    kwh = np.tile(np.broadcast_to(kwh_of_slot, 96).astype(float), days)
    start = START_US - days * DAY_US + np.arange(kwh.size, dtype=np.int64) * QUARTER_US
    return Series(start_us=start, kwh=kwh, firm=np.ones(kwh.size, dtype=bool))
