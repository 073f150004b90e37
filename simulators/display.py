"""What a meter's display makes of true values: counts, digits, encodings. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np

from meters.encoding import Encoding
from meters.profile import ModbusProfile, Profile
from meters.quantity import Quantity
from meters.reading import FloatArray
from meters.registers import exact
from meters.scaling import finest_exponent, fraction_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Display:
    """What a meter shows at one instant."""

    measured_at: datetime
    values: Mapping[Quantity, float]
    """True values in the quantity's unit; the profile's rounding comes on top."""


class ShowingMeter(Protocol):
    """A simulated meter, whatever it is read over."""

    def show(self) -> Display | None:
        """Return what it shows now; None while it does not answer."""
        ...

    def was_read(self) -> None:
        """Take note that one display has been read whole."""
        ...


def quantities_of(profile: Profile) -> tuple[Quantity, ...]:
    """Name what a meter of this type gives."""
    if isinstance(profile, ModbusProfile):
        return tuple(part.quantity for part in profile.registers)
    fields = (field for kind in profile.messages for field in kind.fields)
    return tuple(dict.fromkeys(field.quantity for field in fields))


def register_shown(energy: FloatArray, profile: Profile) -> FloatArray:
    """Round energy to whole counts and let it turn over at the register's digits.

    The same figures as `meters.registers.wrapped`, for a whole column.

    Parameters
    ----------
    energy : array, shape (n,)
        Counted since the register stood at zero. [kWh or kvarh]
    profile : Profile
        With the digits and the resolution.

    Returns
    -------
    array, shape (n,)
        [kWh or kvarh]

    """
    numerator, denominator = exact(profile.register_resolution)
    counted = np.rint(energy * denominator / numerator).astype(np.int64)
    shown: FloatArray = counted % 10**profile.register_digits * numerator / denominator
    return shown


def decoded_as(profile: Profile, quantity: Quantity, values: FloatArray) -> FloatArray:
    """Values as they arrive once a meter has shown and a collector has decoded them.

    Parameters
    ----------
    profile : Profile
        Of the meter.
    quantity : Quantity
        One that the meter gives.
    values : array, shape (n,)
        True values, in the quantity's unit.

    Returns
    -------
    array, shape (n,)
        In the quantity's unit.

    """
    if quantity.is_register:
        values = register_shown(values, profile)
    if not isinstance(profile, ModbusProfile):
        return values
    register = next(r for r in profile.registers if r.quantity is quantity)
    numerator, denominator = exact(register.scale)
    if register.scale_register is not None:
        # As of a device whose power of ten suits its greatest value.
        greatest = float(np.nanmax(np.abs(values), initial=0.0))
        key = profile.scale_key(register)
        bound = profile.energy_exponent(key) if key else None
        finest = finest_exponent([(register, greatest)])
        exponent = finest if bound is None else bound
        numerator, denominator = fraction_of(register.scale, exponent)
    held = values * denominator / numerator
    if register.encoding is Encoding.FLOAT32:
        held = held.astype(np.float32).astype(np.float64)
    elif not register.encoding.is_float:
        held = np.rint(held)
    decoded: FloatArray = held * numerator / denominator
    return decoded
