"""How equipment runs through a day: shares of rated power, minute by minute. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import TypeAlias

import numpy as np

from accounts.calendar import DayType
from meters.reading import FloatArray, IntArray
from simulators.noise import smooth, uniform


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """One local day at a plant, cut into its n minutes."""

    date: date
    day_type: DayType
    minute: IntArray
    """shape (n,), minutes since 1970 UTC"""
    wall_min: IntArray
    """shape (n,), minutes since midnight on the wall clock"""
    temperature_c: FloatArray
    """shape (n,)"""


Shape: TypeAlias = Callable[[Day, int], FloatArray]
"""A day and a seed in, the share of rated power of each minute out; shape (n,)."""
Levels: TypeAlias = Mapping[DayType, float]

EVERY_DAY: Levels = dict.fromkeys(DayType, 1.0)
WORKDAYS: Levels = {DayType.WORKDAY: 1.0, DayType.SATURDAY: 0.0, DayType.HOLIDAY: 0.0}
NOT_SUNDAYS: Levels = {**EVERY_DAY, DayType.HOLIDAY: 0.0}
_LUNCH_MIN = 12 * 60 + 20


def _minutes(moment: time) -> int:
    return moment.hour * 60 + moment.minute


def _wobble(day: Day, seed: int, size: float) -> FloatArray:
    """Noise of some minutes and of some hours around 1."""
    slow = smooth(seed + 1, day.minute, 180)
    fast = smooth(seed + 2, day.minute, 7)
    return 1.0 + size * (0.6 * slow + 0.4 * fast)


def steady(share: float = 1.0, wobble: float = 0.02) -> Shape:
    """Run on day and night."""
    return lambda day, seed: share * _wobble(day, seed, wobble)


def hours(
    opens: time,
    closes: time,
    *,
    resting: float = 0.0,
    ramp_min: int = 60,
    levels: Levels = WORKDAYS,
    lunch: float = 0.0,
    wobble: float = 0.04,
) -> Shape:
    """Rise at opening, fall at closing, rest outside.

    Parameters
    ----------
    opens, closes : time
        Local; the middle of each ramp.
    resting : float
        Share outside the hours. [unitless]
    ramp_min : int
        How long rising and falling take. [min]
    levels : mapping of DayType to float
        How far above resting it goes on such a day, as a share of a full day.
    lunch : float
        How far it falls around 12:20. [unitless]
    wobble : float
        Size of the noise. [unitless]

    """

    def shape(day: Day, seed: int) -> FloatArray:
        late = 8.0 * (uniform(seed, day.minute[:1] // 1440)[0] - 0.5)
        rise = (day.wall_min - _minutes(opens) - late) / ramp_min + 0.5
        fall = (_minutes(closes) + late - day.wall_min) / ramp_min + 0.5
        inside = np.clip(np.minimum(rise, fall), 0.0, 1.0)
        eased = inside * inside * (3.0 - 2.0 * inside)
        away = (day.wall_min - _LUNCH_MIN) / 30.0
        eased = eased * (1.0 - lunch * np.exp(-0.5 * away * away))
        level = resting + (1.0 - resting) * levels[day.day_type] * eased
        result: FloatArray = level * _wobble(day, seed, wobble)
        return result

    return shape


def batches(cycle_min: int, *, levels: Levels = EVERY_DAY) -> Shape:
    """Heats of a furnace: bore in, melt, refine, tap, charge again.

    Parameters
    ----------
    cycle_min : int
        From one charge to the next. [min]
    levels : mapping of DayType to float
        0 on days when no heat is run.

    """

    def shape(day: Day, seed: int) -> FloatArray:
        heat = day.minute // cycle_min
        chance = uniform(seed, heat)
        length = 0.72 + 0.12 * chance
        part = (day.minute - heat * cycle_min) / cycle_min
        melting = np.minimum(0.55 + 3.5 * part, 0.9 + 0.1 * chance)
        refining = np.where(part > 0.8 * length, 0.6, 1.0)
        arc = 1.0 + 0.10 * (uniform(seed + 5, day.minute) - 0.5)
        running = (part < length) * levels[day.day_type]
        result: FloatArray = melting * refining * arc * running
        return result

    return shape


def daily_run(
    start: time,
    duration_min: int,
    *,
    levels: Levels = WORKDAYS,
    wobble: float = 0.03,
) -> Shape:
    """One run a day at a fixed hour: what could as well be run at another."""

    def shape(day: Day, seed: int) -> FloatArray:
        begin = _minutes(start)
        running = (day.wall_min >= begin) & (day.wall_min < begin + duration_min)
        return running * levels[day.day_type] * _wobble(day, seed, wobble)

    return shape


def thermostat(period_min: int, *, idle_c: float, full_c: float) -> Shape:
    """Switch on and off; the warmer it is outside, the longer on.

    Parameters
    ----------
    period_min : int
        About one on and off. [min]
    idle_c, full_c : float
        Outdoor temperatures at which it would never and always run.
        [degrees Celsius]

    """

    def shape(day: Day, seed: int) -> FloatArray:
        duty = np.clip((day.temperature_c - idle_c) / (full_c - idle_c), 0.08, 0.96)
        turn = day.minute // period_min
        shift = 0.5 * period_min * uniform(seed, turn // 40)
        part = ((day.minute + shift) % period_min) / period_min
        slope_min = 2.0
        edge = np.clip((duty - part) * period_min / slope_min, 0.0, 1.0)
        result: FloatArray = edge * _wobble(day, seed, 0.03)
        return result

    return shape


def cooling(*, from_c: float, full_c: float, least: float = 0.0) -> Shape:
    """Follow the outdoor temperature without switching."""

    def shape(day: Day, seed: int) -> FloatArray:
        need = np.clip((day.temperature_c - from_c) / (full_c - from_c), 0.0, 1.0)
        result: FloatArray = np.maximum(least, need) * _wobble(day, seed, 0.04)
        return result

    return shape


def during(first: Shape, second: Shape) -> Shape:
    """Let one shape be held down by another, such as cooling by opening hours."""
    return lambda day, seed: first(day, seed) * second(day, seed + 11)


def two_peaks(
    morning: time, evening: time, *, pumps: int, least: float = 0.25
) -> Shape:
    """Follow people's use of water, in whole pumps.

    Parameters
    ----------
    morning, evening : time
        Local hours of the highest demand; an hour later on days off.
    pumps : int
        How many equal pumps share the work.
    least : float
        Share of the full flow wanted at night. [unitless]

    """

    def shape(day: Day, seed: int) -> FloatArray:
        later = 0 if day.day_type is DayType.WORKDAY else 60
        wanted = np.full(day.minute.size, least)
        for moment, height, width in ((morning, 0.62, 95.0), (evening, 0.55, 130.0)):
            away = (day.wall_min - _minutes(moment) - later) / width
            wanted += height * np.exp(-0.5 * away * away)
        awake = (day.wall_min > 6 * 60) & (day.wall_min < 22 * 60 + 30)
        wanted += 0.15 * awake + 0.03 * smooth(seed, day.minute, 40)
        running = np.clip(np.ceil(wanted * pumps), 1, pumps)
        # A pump that throttles a little takes a little less than its share.
        trim = 0.93 + 0.07 * np.clip(wanted * pumps - running + 1.0, 0.0, 1.0)
        result: FloatArray = running / pumps * trim
        return result

    return shape
