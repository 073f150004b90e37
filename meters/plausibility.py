"""How well a profile explains what a meter answered. Pure.

Each check gives points for or against, with a sentence that says why. The points are
weights, not probabilities: what only the right layout can give (a mains frequency, a
total that is the sum of its phases) weighs more than what many layouts give (a register
that is not negative). What a meter says of its own type decides.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from meters.modbus_profile import ModbusProfile
from meters.quantity import REGISTERS, Quantity

__all__ = ["DECIDES", "FITS_FROM", "Remark", "Verdict", "judge"]

Q = Quantity
Values = Mapping[Quantity, float]

DECIDES = 20.0
"""Points of what a meter says of its own type: more than all else together."""
FITS_FROM = 4.0
"""A voltage and one thing more, without anything that speaks clearly against."""
_STRONG, _FAIR, _WEAK = 3.0, 2.0, 1.0

_LOW_VOLTAGE = (57.7, 63.5, 69.3, 100, 110, 120, 127, 220, 230, 240, 277, 347, 400)
"""Usual between phase and neutral, or behind voltage transformers. [V]"""
_LINE_KV = (6, 6.6, 10, 11, 13.8, 15, 20, 22, 24.9, 30, 33, 35, 66, 110, 132, 220)
_HIGH_VOLTAGE = tuple(
    chain.from_iterable((kv * 1000, kv * 1000 / math.sqrt(3)) for kv in _LINE_KV)
)
_VOLTAGE_SLACK = 0.15
_SIMILAR = 1.1
"""Greatest phase voltage over the least."""
_NEAR_HZ, _LEAST_HZ, _MOST_HZ = 1.0, 45.0, 65.0
_SUM_SLACK, _APPARENT_SLACK, _FACTOR_SLACK = 0.02, 0.05, 0.05
_MOST_A, _MOST_KW, _MOST_KWH = 1e5, 1e6, 1e10
_LEAST = 1e-9
"""Nearer to 0 than what any meter resolves: whole numbers taken for floats."""
_LOADED = 0.1
"""Active over apparent power from which on both are of one size."""

_VOLTAGES = (Q.VOLTAGE_L1_V, Q.VOLTAGE_L2_V, Q.VOLTAGE_L3_V)
_CURRENTS = (Q.CURRENT_L1_A, Q.CURRENT_L2_A, Q.CURRENT_L3_A)
_POWERS = (Q.ACTIVE_POWER_L1_KW, Q.ACTIVE_POWER_L2_KW, Q.ACTIVE_POWER_L3_KW)


class Remark(NamedTuple):
    """What one check found."""

    points: float
    """Above 0 it speaks for the profile, below against."""
    text: str
    """For people, with the values."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """How well a profile explains an answer, and why."""

    remarks: tuple[Remark, ...]

    @property
    def score(self) -> float:
        """All points together."""
        return sum(remark.points for remark in self.remarks)

    @property
    def is_contradicted(self) -> bool:
        """Whether something speaks clearly against it.

        Where the meter says that this is its type, only what no meter shows does: of
        an odd sum or a refused request there are other causes.
        """
        is_named = any(remark.points >= DECIDES for remark in self.remarks)
        least = -2 * _STRONG if is_named else -_STRONG
        return any(remark.points <= least for remark in self.remarks)

    @property
    def fits(self) -> bool:
        """Whether the meter may well be of that type."""
        return self.score >= FITS_FROM and not self.is_contradicted


def judge(
    profile: ModbusProfile, values: Values, measured_at: datetime | None = None
) -> Verdict:
    """Say how well values fit together, as decoded with a profile.

    Parameters
    ----------
    profile : ModbusProfile
        Whose registers were read.
    values : mapping of Quantity to float
        In the quantity's unit; what is absent was not given.
    measured_at : datetime, optional
        By the meter's clock, where the profile has one.

    Returns
    -------
    Verdict
        Without what the meter says of its type and which requests it refused: that is
        the asker's to add.

    """
    odd = [*_numbers(values)]
    if odd:
        return Verdict(remarks=tuple(odd))
    step_kw = _step_kw(profile)
    checks: tuple[Callable[[], Iterable[Remark]], ...] = (
        lambda: _voltage(values),
        lambda: _phases(values),
        lambda: _frequency(values),
        lambda: _sum(values, step_kw),
        lambda: _apparent(values, step_kw),
        lambda: _factor(values),
        lambda: _current(values),
        lambda: _energy(values),
        lambda: _clock(profile, measured_at),
    )
    return Verdict(remarks=tuple(chain.from_iterable(check() for check in checks)))


def _numbers(values: Values) -> Iterable[Remark]:
    """Object to what is no number that a meter shows."""
    for quantity, value in values.items():
        if not math.isfinite(value):
            yield Remark(-2 * _STRONG, f"{quantity} is {value}")
        elif 0 < abs(value) < _LEAST:
            yield Remark(-2 * _STRONG, f"{quantity} is {value:.1g}, as good as nothing")
        elif abs(value) > _most(quantity):
            yield Remark(-2 * _STRONG, f"{quantity} is {value:.3g}, out of all bounds")


def _most(quantity: Quantity) -> float:
    """Return what no meter exceeds."""
    if quantity in REGISTERS:
        return _MOST_KWH
    return _MOST_A if quantity in _CURRENTS else _MOST_KW


def _voltage(values: Values) -> Iterable[Remark]:
    volts = _given(values, _VOLTAGES)
    live = [volt for volt in volts if volt > 0]
    if not volts:
        yield Remark(-_WEAK, "it gives no voltage")
    elif len(live) < len(volts) and (not live or min(volts) < 0):
        yield Remark(-_STRONG, f"voltages are {_shown(volts)} V")
    elif all(_is_near(volt, _LOW_VOLTAGE) for volt in live):
        yield Remark(_STRONG, f"{_shown(volts)} V is a usual voltage")
    elif all(_is_near(volt, _HIGH_VOLTAGE) for volt in live):
        yield Remark(_WEAK, f"{_shown(volts)} V may be a high voltage")
    else:
        yield Remark(-2 * _STRONG, f"{_shown(volts)} V is no usual voltage")


def _phases(values: Values) -> Iterable[Remark]:
    volts = _given(values, _VOLTAGES)
    if len(volts) < len(_VOLTAGES) or max(volts) <= 0:
        return
    if min(volts) > 0 and max(volts) / min(volts) <= _SIMILAR:
        yield Remark(_FAIR, "the phases have much the same voltage")
    else:
        yield Remark(-_FAIR, f"the phases differ: {_shown(volts)} V")


def _frequency(values: Values) -> Iterable[Remark]:
    hertz = values.get(Q.FREQUENCY_HZ)
    if hertz is None:
        return
    if min(abs(hertz - 50), abs(hertz - 60)) <= _NEAR_HZ:
        yield Remark(_STRONG, f"{hertz:.2f} Hz is a mains frequency")
    elif _LEAST_HZ <= hertz <= _MOST_HZ:
        yield Remark(_WEAK, f"{hertz:.2f} Hz is near a mains frequency")
    elif hertz == 0:
        yield Remark(-_FAIR, "the frequency is 0")
    else:
        yield Remark(-2 * _STRONG, f"{hertz:.4g} Hz is no mains frequency")


def _sum(values: Values, step_kw: float) -> Iterable[Remark]:
    phases, total = _given(values, _POWERS), values.get(Q.ACTIVE_POWER_KW)
    if total is None or len(phases) < len(_POWERS):
        return
    size = max(sum(abs(kw) for kw in phases), abs(total))
    rounding = (len(_POWERS) + 1) * step_kw
    text = f"{_shown(phases, ' + ')} kW"
    if abs(total - sum(phases)) > _SUM_SLACK * size + rounding:
        yield Remark(-_STRONG, f"{text} are not the total, {total:.4g} kW")
    elif size > 10 * rounding:
        yield Remark(_STRONG, f"{text} are the total, {total:.4g} kW")


def _apparent(values: Values, step_kw: float) -> Iterable[Remark]:
    """Compare active power with voltage times current, as far as there is load."""
    loads = [(kw, kva) for kw, kva in _loads(values) if kva > 10 * step_kw]
    over = [
        (kw, kva)
        for kw, kva in _loads(values)
        if abs(kw) > kva * (1 + _APPARENT_SLACK) + 2 * step_kw
    ]
    if over:
        kw, kva = over[0]
        yield Remark(-_STRONG, f"{kw:.4g} kW is more than U x I, {kva:.4g} kVA")
    elif any(abs(kw) >= _LOADED * kva for kw, kva in loads):
        kw, kva = max(loads, key=lambda load: abs(load[0]))
        yield Remark(_FAIR, f"{kw:.4g} kW of {kva:.4g} kVA (U x I)")
    elif loads:
        kw, kva = loads[0]
        yield Remark(-_WEAK, f"only {kw:.4g} kW of {kva:.4g} kVA (U x I)")


def _loads(values: Values) -> list[tuple[float, float]]:
    """Active and apparent power of each phase, or of all together."""
    kva = [
        abs(values[u] * values[i]) / 1000
        for u, i in zip(_VOLTAGES, _CURRENTS, strict=True)
        if u in values and i in values
    ]
    phases, total = _given(values, _POWERS), values.get(Q.ACTIVE_POWER_KW)
    if len(phases) == len(kva) and kva:
        return list(zip(phases, kva, strict=True))
    return [(total, sum(kva))] if kva and total is not None else []


def _factor(values: Values) -> Iterable[Remark]:
    factor, kw = values.get(Q.POWER_FACTOR), values.get(Q.ACTIVE_POWER_KW, 0.0)
    if factor is None or (factor == 0 and kw == 0):
        return
    kvar = values.get(Q.REACTIVE_POWER_KVAR)
    kva = math.hypot(kw, kvar or 0.0)
    if abs(factor) > 1 + _FACTOR_SLACK / 10:
        yield Remark(-_STRONG, f"a power factor of {factor:.4g} is beyond 1")
    elif kvar is None or kva == 0:
        return
    elif abs(abs(factor) - abs(kw) / kva) <= _FACTOR_SLACK:
        yield Remark(_FAIR, f"power factor {factor:.3f} is P / S")
    else:
        yield Remark(-_WEAK, f"power factor {factor:.3f} is not P / S, {kw / kva:.3f}")


def _current(values: Values) -> Iterable[Remark]:
    amperes = _given(values, _CURRENTS)
    if any(ampere < 0 for ampere in amperes):
        yield Remark(-_WEAK, f"a current is negative: {_shown(amperes)} A")
    elif any(ampere > 0 for ampere in amperes):
        yield Remark(_WEAK / 2, f"currents are {_shown(amperes)} A")


def _energy(values: Values) -> Iterable[Remark]:
    for quantity in REGISTERS:
        value = values.get(quantity, 0.0)
        if value < 0:
            yield Remark(-2 * _STRONG, f"{quantity} is negative, {value:.6g}")
        elif value > 0:
            yield Remark(_WEAK / 2, f"{quantity} is {value:.10g}")


def _clock(profile: ModbusProfile, measured_at: datetime | None) -> Iterable[Remark]:
    if measured_at is not None:
        yield Remark(_WEAK, f"its clock says {measured_at:%Y-%m-%d %H:%M}")
    elif profile.clock is not None:
        yield Remark(-_WEAK / 2, "its clock is not set")


def _given(values: Values, quantities: Sequence[Quantity]) -> list[float]:
    return [values[quantity] for quantity in quantities if quantity in values]


def _is_near(value: float, nominals: Iterable[float]) -> bool:
    return any(abs(value / nominal - 1) <= _VOLTAGE_SLACK for nominal in nominals)


def _step_kw(profile: ModbusProfile) -> float:
    """One count of the coarsest power register; 0 for floats."""
    powers = {Q.ACTIVE_POWER_KW, *_POWERS}
    steps = (
        register.scale
        for register in profile.registers
        if register.quantity in powers and not register.encoding.is_float
    )
    return max(steps, default=0.0)


def _shown(values: Iterable[float], joint: str = ", ") -> str:
    return joint.join(f"{value:.4g}" for value in values)
