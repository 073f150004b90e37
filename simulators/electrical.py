"""What a three-phase meter shows for a given load. Pure.

In each phase P = U I cos(phi) and S² = P² + Q²; the total is the sum of the phases.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meters.quantity import Quantity
from meters.reading import FloatArray, IntArray
from simulators.noise import smooth

Q = Quantity


@dataclass(frozen=True, kw_only=True, slots=True)
class Supply:
    """How a plant hangs on the grid."""

    nominal_v: float = 230.0
    """Between phase and neutral."""
    full_load_kw: float
    """At which the voltage has sagged by two per cent."""
    unbalance: float = 0.02
    """How far a phase strays from a third of the load, as a share of the load."""
    seed: int = 0


def phases(
    supply: Supply,
    minute: IntArray,
    power_kw: FloatArray,
    reactive_kvar: FloatArray,
    lost: npt.NDArray[np.bool_],
) -> dict[Quantity, FloatArray]:
    """Share a load among three phases.

    Parameters
    ----------
    supply : Supply
        Of the plant.
    minute : array, shape (n,)
        Minutes since 1970 UTC.
    power_kw, reactive_kvar : array, shape (n,)
        Of all phases together; lagging positive. [kW, kvar]
    lost : array, shape (n,)
        Whether the second phase is dead.

    Returns
    -------
    dict
        Every momentary quantity, each of shape (n,), in its own unit.

    """
    first = 1 / 3 + supply.unbalance * smooth(supply.seed, minute, 97)
    third = 1 / 3 + supply.unbalance * smooth(supply.seed + 1, minute, 131)
    shares = np.array([first, 1.0 - first - third, third])
    shares = np.where(lost, np.array([[0.5], [0.0], [0.5]]), shares)
    sag = 0.02 * power_kw / supply.full_load_kw
    volts = np.array(
        [
            1.01 - sag + 0.008 * smooth(supply.seed + 2 + phase, minute, 23)
            for phase in range(3)
        ]
    )
    volts *= supply.nominal_v
    volts[1] = np.where(lost, 0.0, volts[1])
    phase_kw, phase_kvar = shares * power_kw, shares * reactive_kvar
    amperes = np.zeros_like(volts)
    np.divide(
        np.hypot(phase_kw, phase_kvar) * 1000, volts, out=amperes, where=volts > 0
    )
    apparent_kva = np.hypot(power_kw, reactive_kvar)
    factor = np.ones_like(power_kw)
    np.divide(power_kw, apparent_kva, out=factor, where=apparent_kva > 0)
    by_phase = (
        ((Q.ACTIVE_POWER_L1_KW, Q.ACTIVE_POWER_L2_KW, Q.ACTIVE_POWER_L3_KW), phase_kw),
        ((Q.VOLTAGE_L1_V, Q.VOLTAGE_L2_V, Q.VOLTAGE_L3_V), volts),
        ((Q.CURRENT_L1_A, Q.CURRENT_L2_A, Q.CURRENT_L3_A), amperes),
    )
    shown = {
        Q.ACTIVE_POWER_KW: power_kw,
        Q.REACTIVE_POWER_KVAR: reactive_kvar,
        Q.POWER_FACTOR: factor,
        Q.FREQUENCY_HZ: 50.0 + 0.02 * smooth(5, minute, 3),  # one grid for all
    }
    for quantities, values in by_phase:
        shown.update(zip(quantities, values, strict=True))
    return shown
