"""A plant is a sum of named equipment. Pure: any time can be asked, in any order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from accounts.calendar import SiteCalendar
from meters.quantity import REGISTERS, Quantity
from meters.reading import FloatArray, IntArray, utc_us
from simulators.electrical import Supply, phases
from simulators.faults import Fault, FaultKind
from simulators.noise import seed_of
from simulators.shapes import Day, Shape
from simulators.weather import Climate, temperature_c

_MINUTE_US = 60_000_000
_KEPT_DAYS = 8
"""More than history asks for at once, or each day would be computed twice."""
_OVERLOAD = 1.45
_STUCK_SHARE = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Equipment:
    """One named load of a plant."""

    name: str
    rated_kw: float
    power_factor: float
    """Lagging, while it runs."""
    shape: Shape
    """Share of the rated power, minute by minute."""
    rests_at_night: bool = False
    """Whether `stuck-on` is about it."""
    needs_all_phases: bool = True
    """Whether it trips when a phase is lost; what does not loses a third."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlantDay:
    """One local day of a plant: what it took in each of n minutes, and before them."""

    first_minute: int
    power_kw: FloatArray
    """shape (n,)"""
    reactive_kvar: FloatArray
    """shape (n,), lagging positive"""
    phase_lost: npt.NDArray[np.bool_]
    """shape (n,)"""
    energy: FloatArray
    """shape (4, n + 1): since the day's start, at each minute's start, rows in the
    order of `REGISTERS`; kWh, kvarh"""


@dataclass(frozen=True, kw_only=True)
class PlantPlan:
    """What a plant is made of."""

    code: str
    """Of its account."""
    equipment: tuple[Equipment, ...]
    supply: Supply
    capacitor_kvar: float = 0.0
    """Always switched on: it over-compensates when little runs."""
    climate: Climate = Climate()  # noqa: RUF009 (frozen)


class Plant:
    """The electricity a plant takes, from its epoch on.

    Days are computed when asked for and a few are kept, so it is quick in order of
    time and right in any order.
    """

    def __init__(
        self,
        plan: PlantPlan,
        calendar: SiteCalendar,
        *,
        epoch: date,
        seed: int = 0,
        faults: Sequence[Fault] = (),
    ) -> None:
        self.plan = plan
        self.calendar = calendar
        self.epoch = epoch
        self.faults = tuple(f for f in faults if f.account == plan.code)
        self._seeds = [seed_of(seed, plan.code, e.name) for e in plan.equipment]
        self._days: dict[int, PlantDay] = {}
        self._starts_us = [utc_us(calendar.day_bounds(epoch)[0])]
        self._before = [np.zeros(len(REGISTERS))]

    def day(self, day: date) -> Day:
        """Cut a local day into minutes, with its weather."""
        start, stop = (utc_us(m) // _MINUTE_US for m in self.calendar.day_bounds(day))
        minute = np.arange(start, stop, dtype=np.int64)
        # Without the shift of the clocks on two days of the year: good enough for
        # habits, and energy goes by `minute`.
        wall_min = np.minimum(minute - start, 1439)
        return Day(
            date=day,
            day_type=self.calendar.day_type(day),
            minute=minute,
            wall_min=wall_min,
            temperature_c=temperature_c(self.plan.climate, minute, wall_min),
        )

    def equipment_kw(self, day: Day) -> FloatArray:
        """Power of each equipment.

        Returns
        -------
        array, shape (m, n)
            m pieces of equipment in the plan's order, n minutes; faults included. [kW]

        """
        power_kw = np.array(
            [
                e.rated_kw * np.maximum(e.shape(day, seed), 0.0)
                for e, seed in zip(self.plan.equipment, self._seeds, strict=True)
            ]
        )
        for fault in self.faults:
            self._spoil(power_kw, fault, fault.active(day.minute))
        return power_kw

    def power_kw(self, moments_us: IntArray) -> FloatArray:
        """Return active power at moments in microseconds since 1970 UTC, in kW."""
        return self.momentary(moments_us)[Quantity.ACTIVE_POWER_KW]

    def momentary(self, moments_us: IntArray) -> dict[Quantity, FloatArray]:
        """Every momentary quantity at moments of any order.

        Parameters
        ----------
        moments_us : array, shape (n,)
            Microseconds since 1970 UTC, none before the epoch.

        Returns
        -------
        dict
            Each of shape (n,), in the quantity's unit.

        """
        minute = moments_us // _MINUTE_US
        power_kw, kvar = np.empty(minute.size), np.empty(minute.size)
        lost = np.empty(minute.size, dtype=np.bool_)
        for number, place in self._by_day(moments_us):
            day = self._plant_day(number)
            row = minute[place] - day.first_minute
            power_kw[place] = day.power_kw[row]
            kvar[place] = day.reactive_kvar[row]
            lost[place] = day.phase_lost[row]
        return phases(self.plan.supply, minute, power_kw, kvar, lost)

    def energy(self, moments_us: IntArray) -> FloatArray:
        """Energy taken since the epoch, never falling.

        Parameters
        ----------
        moments_us : array, shape (n,)
            Microseconds since 1970 UTC, none before the epoch.

        Returns
        -------
        array, shape (4, n)
            Rows in the order of `REGISTERS`. [kWh, kvarh]

        """
        result = np.empty((len(REGISTERS), moments_us.size))
        for number, place in self._by_day(moments_us):
            day = self._plant_day(number)
            minute, part_us = np.divmod(moments_us[place], _MINUTE_US)
            row = minute - day.first_minute
            here, there = day.energy[:, row], day.energy[:, row + 1]
            inside = here + (there - here) * (part_us / _MINUTE_US)
            result[:, place] = self._before[number][:, np.newaxis] + inside
        return result

    def _by_day(self, moments_us: IntArray) -> list[tuple[int, IntArray]]:
        """Sort moments into local days counted from the epoch."""
        if moments_us.size == 0:
            return []
        if moments_us.min() < self._starts_us[0]:
            raise ValueError(f"plant {self.plan.code} has no past before {self.epoch}")
        while self._starts_us[-1] <= moments_us.max():
            day = self.epoch + timedelta(days=len(self._starts_us) - 1)
            self._starts_us.append(utc_us(self.calendar.day_bounds(day)[1]))
        number = np.searchsorted(self._starts_us, moments_us, side="right") - 1
        order = np.argsort(number, kind="stable")
        distinct, first = np.unique(number[order], return_index=True)
        groups = np.split(order, first[1:])
        return [(int(n), g) for n, g in zip(distinct, groups, strict=True)]

    def _plant_day(self, number: int) -> PlantDay:
        """Compute a day, and every day before it whose total is not yet known."""
        while len(self._before) <= number:
            total = self._computed(len(self._before) - 1).energy[:, -1]
            self._before.append(self._before[-1] + total)
        return self._computed(number)

    def _computed(self, number: int) -> PlantDay:
        if number not in self._days:
            day = self._compute(self.day(self.epoch + timedelta(days=number)))
            while len(self._days) >= _KEPT_DAYS:
                del self._days[next(iter(self._days))]
            self._days[number] = day
        return self._days[number]

    def _compute(self, day: Day) -> PlantDay:
        by_equipment = self.equipment_kw(day)
        tangent = np.tan(np.arccos([e.power_factor for e in self.plan.equipment]))
        kvar = tangent @ by_equipment - self.plan.capacitor_kvar
        power_kw = by_equipment.sum(axis=0)
        flows = np.zeros((len(REGISTERS), day.minute.size + 1))
        flows[REGISTERS.index(Quantity.ENERGY_IMPORT_KWH), 1:] = power_kw
        flows[REGISTERS.index(Quantity.ENERGY_LAGGING_KVARH), 1:] = np.maximum(kvar, 0)
        flows[REGISTERS.index(Quantity.ENERGY_LEADING_KVARH), 1:] = np.maximum(-kvar, 0)
        lost = np.zeros(day.minute.size, dtype=np.bool_)
        for fault in self.faults:
            if fault.kind is FaultKind.PHASE_LOSS:
                lost |= fault.active(day.minute)
        return PlantDay(
            first_minute=int(day.minute[0]),
            power_kw=power_kw,
            reactive_kvar=kvar,
            phase_lost=lost,
            energy=flows.cumsum(axis=1) / 60.0,
        )

    def _spoil(
        self, power_kw: FloatArray, fault: Fault, on: npt.NDArray[np.bool_]
    ) -> None:
        """Change the power of each equipment where a fault is on."""
        if not on.any():
            return
        rated_kw = np.array([e.rated_kw for e in self.plan.equipment])
        if fault.kind is FaultKind.OVERLOAD:
            power_kw[:, on] *= _OVERLOAD
        elif fault.kind is FaultKind.OUTAGE:
            power_kw[int(rated_kw.argmax()), on] = 0.0
        elif fault.kind is FaultKind.PHASE_LOSS:
            left = [0.0 if e.needs_all_phases else 2 / 3 for e in self.plan.equipment]
            power_kw[:, on] *= np.array(left)[:, np.newaxis]
        elif fault.kind is FaultKind.STUCK_ON:
            for row, equipment in enumerate(self.plan.equipment):
                if equipment.rests_at_night:
                    stuck_kw = _STUCK_SHARE * equipment.rated_kw
                    power_kw[row, on] = np.maximum(power_kw[row, on], stuck_kw)
