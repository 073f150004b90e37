"""A light meter: what it shows at an instant, faults of its figures included. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from meters.meter import Transport
from meters.profile import ModbusProfile, Profile
from meters.quantity import REGISTERS, Quantity
from meters.registers import exact, modulus
from simulators.meter_fleet.counting import Counter, Load, counting_otherwise
from simulators.meter_fleet.energy import mj_per_count
from simulators.meter_fleet.faults import Fault, Spell

BRIEF = frozenset(
    {
        Quantity.ENERGY_IMPORT_KWH,
        Quantity.ENERGY_LAGGING_KVARH,
        Quantity.ACTIVE_POWER_KW,
        Quantity.FREQUENCY_HZ,
        Quantity.VOLTAGE_L1_V,
    }
)
"""What a meter that publishes gives: enough to be billed and judged by."""
MISLEADING = frozenset(
    {
        Fault.COUNTER_GLITCH,
        Fault.ZERO,
        Fault.SWAP,
        Fault.WORD_ORDER,
        Fault.CLOCK_DRIFT,
        Fault.SUMMER_CLOCK,
    }
)
"""What such a meter says, a collector may store or refuse, but must account for."""
_ONE_IN = 10
_HOUR_MS, _MINUTE_MS = 3_600_000, 60_000
_KW = 1000.0


class Shown(NamedTuple):
    """What a meter shows at one instant."""

    shown_ms: int
    """The instant itself, in milliseconds since 1970 UTC."""
    measured_ms: int
    """The same by the meter's clock."""
    values: dict[Quantity, float]
    """In the quantity's unit; registers in whole counts."""
    faults: tuple[Fault, ...]
    """All that were on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a Modbus meter is read."""

    host: str
    port: int
    unit: int


@dataclass(kw_only=True, slots=True, eq=False)
class LightMeter:
    """One meter of many: no state but its faults."""

    index: int
    """From 0 on, over the whole fleet."""
    serial: str
    profile: Profile
    load: Load
    installed_ms: int
    opening: int
    """Counts that its registers stood at when it was installed."""
    gives: tuple[Quantity, ...]
    """From `given_by`."""
    place: Place | None = None
    """Modbus only."""
    spells: tuple[Spell, ...] = ()
    ratio: int = 1
    """Of the transformers before it: so much more is drawn than it counts."""

    @property
    def transport(self) -> Transport:
        """How it is read."""
        return Transport(self.profile.transport)

    @property
    def has_clock(self) -> bool:
        """Whether it says itself when a reading was measured."""
        profile = self.profile
        return not isinstance(profile, ModbusProfile) or profile.clock is not None

    def spells_at(self, at_ms: int) -> Sequence[Spell]:
        """Return what is wrong with it at an instant."""
        if not self.spells:
            return ()
        return [spell for spell in self.spells if spell.is_on(at_ms)]

    def spell(self, fault: Fault, at_ms: int) -> Spell | None:
        """Return one fault if it is on."""
        return next((s for s in self.spells_at(at_ms) if s.fault is fault), None)

    def show(self, at_ms: int) -> Shown:
        """Return what it shows at an instant, in milliseconds since 1970 UTC."""
        on = self.spells_at(at_ms)
        if not on:
            return Shown(at_ms, at_ms, self._values(at_ms, at_ms), ())
        of_ms, clock_ms = at_ms, at_ms
        for spell in on:
            if spell.fault is Fault.STUCK:
                of_ms = min(of_ms, spell.from_ms)
            clock_ms += _clock_error_ms(spell, at_ms)
        values = self._values(of_ms, at_ms)
        for spell in on:
            self._distort(values, spell, at_ms)
        return Shown(at_ms, clock_ms, values, tuple(spell.fault for spell in on))

    def counts_at(self, quantity: Quantity, at_ms: int) -> int:
        """Return the whole counts a register shows, if nothing distorts it."""
        if counting_otherwise(self.spells):
            counts = self._counter.counts_at(quantity, at_ms)
        else:  # which is nearly all of them, nearly always
            counts = self.opening + self._counted(quantity, at_ms)
        return counts % modulus(self.profile.register_digits)

    @property
    def _counter(self) -> Counter:
        return Counter(
            load=self.load,
            installed_ms=self.installed_ms,
            opening=self.opening,
            mj_per_count=mj_per_count(self.profile.register_resolution),
            ratio=self.ratio,
            spells=self.spells,
        )

    def _counted(self, quantity: Quantity, until_ms: int) -> int:
        if quantity is Quantity.ENERGY_IMPORT_KWH:
            energy_mj = self.load.energy_mj(self.installed_ms, until_ms)
        elif quantity is Quantity.ENERGY_LAGGING_KVARH:
            energy_mj = self.load.energy_mj(self.installed_ms, until_ms) * 3 // 10
        else:
            energy_mj = 0
        per_count_mj = mj_per_count(self.profile.register_resolution)
        return energy_mj // (per_count_mj * self.ratio)

    def _power_w(self, at_ms: int) -> float:
        """Return what flows on the meter's side of its transformers."""
        drawn_w = self.load.power_w(at_ms)
        if any(spell.fault is Fault.RATIO_CHANGE for spell in self.spells):
            return float(drawn_w / self._counter.ratio_at(at_ms))
        return drawn_w / self.ratio

    def _values(self, of_ms: int, at_ms: int) -> dict[Quantity, float]:
        """Return undistorted values of an instant, registers in whole counts."""
        numerator, denominator = exact(self.profile.register_resolution)
        power_kw = self._power_w(of_ms) / _KW
        wobble = of_ms // 1000 % 21
        values: dict[Quantity, float] = {}
        for quantity in self.gives:
            if quantity in _REGISTERS:
                counts = self.counts_at(quantity, min(of_ms, at_ms))
                values[quantity] = counts * numerator / denominator
            else:
                share, base, step = _MOMENTARY[quantity]
                values[quantity] = power_kw * share + base + wobble * step
        return values

    def _distort(self, values: dict[Quantity, float], spell: Spell, at_ms: int) -> None:
        if spell.fault is Fault.ZERO:
            values.update(
                (register, 0.0) for register in REGISTERS if register in values
            )
        elif spell.fault is Fault.COUNTER_GLITCH and self._is_tenth(at_ms):
            shown = values[Quantity.ENERGY_IMPORT_KWH] + spell.size
            values[Quantity.ENERGY_IMPORT_KWH] = max(shown, 0.0)
        elif spell.fault is Fault.REVERSED:
            values.update((q, -values[q]) for q in _ACTIVE if q in values)

    def _is_tenth(self, at_ms: int) -> bool:
        """One instant of ten, scattered, and the same in every run."""
        return (at_ms * 2_654_435_761 + self.index * 40_503) >> 7 & 0xFFFF < (
            0x10000 // _ONE_IN
        )


_REGISTERS = frozenset(REGISTERS)
_ACTIVE = (
    Quantity.ACTIVE_POWER_KW,
    Quantity.ACTIVE_POWER_L1_KW,
    Quantity.ACTIVE_POWER_L2_KW,
    Quantity.ACTIVE_POWER_L3_KW,
)
_MOMENTARY: dict[Quantity, tuple[float, float, float]] = {
    Quantity.ACTIVE_POWER_KW: (1.0, 0.0, 0.0),
    Quantity.ACTIVE_POWER_L1_KW: (1 / 3, 0.0, 0.0),
    Quantity.ACTIVE_POWER_L2_KW: (1 / 3, 0.0, 0.0),
    Quantity.ACTIVE_POWER_L3_KW: (1 / 3, 0.0, 0.0),
    Quantity.REACTIVE_POWER_KVAR: (0.3, 0.0, 0.0),
    Quantity.POWER_FACTOR: (0.0, 0.958, 0.0),
    Quantity.FREQUENCY_HZ: (0.0, 49.9, 0.01),
    Quantity.VOLTAGE_L1_V: (0.0, 229.0, 0.1),
    Quantity.VOLTAGE_L2_V: (0.0, 229.0, 0.1),
    Quantity.VOLTAGE_L3_V: (0.0, 229.0, 0.1),
    Quantity.CURRENT_L1_A: (1000 / 3 / 230, 0.0, 0.0),
    Quantity.CURRENT_L2_A: (1000 / 3 / 230, 0.0, 0.0),
    Quantity.CURRENT_L3_A: (1000 / 3 / 230, 0.0, 0.0),
}
"""Share of the power, a constant, and what each of 21 steps of a wobble adds."""


def given_by(profile: Profile) -> tuple[Quantity, ...]:
    """Name what a light meter of this type gives."""
    known = _REGISTERS | _MOMENTARY.keys()
    if isinstance(profile, ModbusProfile):
        return tuple(r.quantity for r in profile.registers if r.quantity in known)
    return tuple(f.quantity for f in profile.fields if f.quantity in BRIEF)


def registers_of(values: Mapping[Quantity, float]) -> tuple[float, ...]:
    """Return the four registers in their order; NaN where one is not given."""
    return tuple(values.get(quantity, math.nan) for quantity in REGISTERS)


def is_misleading(faults: Iterable[Fault]) -> bool:
    """Say whether a collector may refuse what was said under these faults."""
    return any(fault in MISLEADING for fault in faults)


def _clock_error_ms(spell: Spell, at_ms: int) -> int:
    if spell.fault is Fault.CLOCK_DRIFT:
        gained_ms = (at_ms - spell.from_ms) // _MINUTE_MS * 1000
        return round(spell.size * 1000) + gained_ms
    return _HOUR_MS if spell.fault is Fault.SUMMER_CLOCK else 0
