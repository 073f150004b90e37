"""What a person noted off a meter's display, as whole counts of its register. Pure."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated

from pydantic import Field

from accounts.form import Amount
from meters.form import Form
from meters.quantity import REGISTERS, Quantity
from meters.registers import exact, modulus

Shown = Annotated[Amount, Field(ge=0)]


class RegisterNote(Form):
    """What registers showed at one moment, before any multiplier; None = not noted."""

    energy_import_kwh: Shown | None = None
    energy_export_kwh: Shown | None = None
    energy_lagging_kvarh: Shown | None = None
    energy_leading_kvarh: Shown | None = None

    def counts(self, digits: int, resolution: float) -> Mapping[Quantity, int]:
        """Return what was noted, by register, as counts.

        Raises
        ------
        ValueError
            A register of that form cannot have shown it: a sentence without its full
            stop that begins with the register's name.

        """
        noted = {q: getattr(self, q) for q in REGISTERS}
        return {
            quantity: _counts(quantity, shown, digits, resolution)
            for quantity, shown in noted.items()
            if shown is not None
        }


def _counts(quantity: Quantity, shown: float, digits: int, resolution: float) -> int:
    """Convert one register's note; the decimals as they were typed are meant."""
    per, count = exact(resolution)
    counts = Fraction(repr(shown)) * count / per
    unit = quantity.rpartition("_")[2].replace("kwh", "kWh")
    if counts.denominator != 1:
        raise ValueError(
            f"{quantity} is {shown!r} {unit}, between two counts of a register that"
            f" shows steps of {resolution!r} {unit}; write it as the display shows it,"
            " or correct register_resolution"
        )
    if counts >= modulus(digits):
        most = (modulus(digits) - 1) * Fraction(per, count)
        raise ValueError(
            f"{quantity} is {shown!r} {unit}, but a register of {digits} digits shows"
            f" {float(most)!r} {unit} at most; correct one of them"
        )
    return int(counts)
