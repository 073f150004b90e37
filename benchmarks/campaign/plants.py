"""Plants of the fault campaign: what they truly draw, minute by minute."""

from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from accounts.calendar import SiteCalendar
from simulators.meter_fleet.loads import ByMinute

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FIRST_DAY = date(2026, 2, 2)
ZONE = ZoneInfo("Europe/Berlin")
COUNTRY = "DE"
CALENDAR = SiteCalendar(ZONE, COUNTRY)
"""Its clocks go forward on 29 March 2026, within the ninety days."""
_SLOT_MIN = 15
_MJ_PER_KWH = 3.6e9
_QUARTER_MS = 900_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Plant:
    """One point's true load."""

    start_us: IntArray
    """shape (n,): starts of the quarter-hours of the campaign"""
    load: ByMinute
    """A day longer, so that meters are read beyond the end."""
    contract_kw: float

    @property
    def kwh(self) -> FloatArray:
        """True energy of each quarter-hour, shape (n,)."""
        start_ms = self.start_us // 1000
        edges_ms = np.append(start_ms, start_ms[-1] + _QUARTER_MS)
        before_mj = self.load.energies_mj(int(edges_ms[0]), edges_ms)
        return np.diff(before_mj) / _MJ_PER_KWH


def make_plant(number: int, days: int, rng: np.random.Generator) -> Plant:
    """Make one of five kinds of plant, each with noise and drift of its own.

    Parameters
    ----------
    number : int
        Decides the kind.
    days : int
    rng : numpy.random.Generator

    """
    start_us = CALENDAR.quarter_hours_us(FIRST_DAY, FIRST_DAY + timedelta(days=days))
    local_day, slot = CALENDAR.days_and_slots(start_us)
    worked = CALENDAR.day_types(local_day) == "workday"
    shape_kw = _shape(number % 5, slot / 4, worked) * rng.uniform(0.5, 2.0)
    drift = 1 + _walk(start_us.size, 0.03, 0.999, rng)
    noise = 1 + _walk(start_us.size, 0.05, 0.8, rng)
    load_kw = np.maximum(shape_kw * drift * noise, 0.02 * shape_kw.max())
    within = rng.uniform(0.9, 1.1, (start_us.size, _SLOT_MIN))
    minute_w = np.rint(load_kw[:, None] * within * 1000).astype(np.int64).ravel()
    last_us = start_us[local_day < np.datetime64(FIRST_DAY + timedelta(days=days))]
    return Plant(
        start_us=last_us,
        load=ByMinute(first_ms=int(start_us[0]) // 1000, minute_w=minute_w),
        contract_kw=float(load_kw.max()) * rng.uniform(1.0, 1.5),
    )


def _shape(kind: int, hour: FloatArray, worked: npt.NDArray[np.bool_]) -> FloatArray:
    """Load of an office, two shifts, a cold store, a hospital, a shop. [kW]."""
    day = np.exp(-(((hour - 13) / 4.5) ** 4))
    kinds = (
        30 + 170 * day * worked,
        60 + 440.0 * ((hour >= 6) & (hour < 22) & worked),
        220 + 60 * np.sin((hour - 9) / 24 * 2 * np.pi),
        150 + 130 * day + 20 * worked,
        25 + 110.0 * ((hour >= 8) & (hour < 20)) * np.where(worked, 1.0, 0.8),
    )
    return np.asarray(kinds[kind], dtype=np.float64)


def _walk(
    size: int, sigma: float, memory: float, rng: np.random.Generator
) -> FloatArray:
    """Return noise that remembers, of a given standard deviation, within 3 of it."""
    step = rng.normal(0, sigma * np.sqrt(1 - memory**2), size)
    walk = np.empty(size)
    level = 0.0
    for i, one in enumerate(step.tolist()):
        level = memory * level + one
        walk[i] = level
    return np.clip(walk, -3 * sigma, 3 * sigma)
