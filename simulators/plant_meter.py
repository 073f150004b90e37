"""The meter of a plant: shows what the plant takes, now or then."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from meters.meter import Meter
from meters.profile import Profile
from meters.quantity import COLUMN, QUANTITIES, REGISTERS, Quantity
from meters.reading import FloatArray, IntArray, ReadingBatch, utc_us
from simulators.display import Display, decoded_as, quantities_of
from simulators.faults import FaultKind
from simulators.plants import Plant


@dataclass(frozen=True, kw_only=True)
class PlantMeter:
    """One meter at one plant; live and history come from the same figures."""

    serial: str
    profile: Profile
    plant: Plant
    opening: Mapping[Quantity, float]
    """What the registers stood at when the plant's epoch began. [kWh or kvarh]"""
    now: Callable[[], datetime]
    on_read: Callable[[], None] = lambda: None
    """Called once for each display that was read or published whole."""

    def show(self) -> Display | None:
        """Return what it shows now; None while it is silent."""
        moment = self.now()
        if self._is_silent(moment):
            return None
        values = self.true_values(np.array([utc_us(moment)]))
        shown = {quantity: float(column[0]) for quantity, column in values.items()}
        return Display(measured_at=moment, values=shown)

    def was_read(self) -> None:
        """Count it."""
        self.on_read()

    def true_values(self, moments_us: IntArray) -> dict[Quantity, FloatArray]:
        """Return what there is to show, before digits and rounding.

        Parameters
        ----------
        moments_us : array, shape (n,)
            Microseconds since 1970 UTC.

        Returns
        -------
        dict
            What the profile gives, each of shape (n,), in the quantity's unit.

        """
        values = self.plant.momentary(moments_us)
        energy = self.plant.energy(moments_us)
        for row, register in enumerate(REGISTERS):
            values[register] = energy[row] + self.opening.get(register, 0.0)
        return {quantity: values[quantity] for quantity in quantities_of(self.profile)}

    def readings(self, meter: Meter, moments_us: IntArray) -> ReadingBatch:
        """Give the readings that a collector would have decoded at past moments.

        Parameters
        ----------
        meter : Meter
            With the id under which they are stored.
        moments_us : array, shape (n,)
            Microseconds since 1970 UTC. While the meter was silent there is none.

        """
        silent = np.zeros(moments_us.size, dtype=np.bool_)
        for fault in self.plant.faults:
            if fault.kind is FaultKind.SILENT:
                silent |= fault.active(moments_us // 60_000_000)
        moments_us = moments_us[~silent]
        values = np.full((moments_us.size, len(QUANTITIES)), math.nan)
        for quantity, column in self.true_values(moments_us).items():
            values[:, COLUMN[quantity]] = decoded_as(self.profile, quantity, column)
        return ReadingBatch(
            meter_id=np.full(moments_us.size, meter.meter_id, dtype=np.int32),
            measured_us=moments_us,
            received_us=moments_us,
            values=values,
        )

    def _is_silent(self, moment: datetime) -> bool:
        return any(
            fault.kind is FaultKind.SILENT and fault.active_at(moment)
            for fault in self.plant.faults
        )
