"""What a person noted off a meter's display, as whole counts of its register. Pure."""

from collections.abc import Mapping
from decimal import Decimal, localcontext
from fractions import Fraction
from math import isfinite
from typing import Annotated, cast

from pydantic import BeforeValidator

from meters.form import Form
from meters.quantity import REGISTERS, Quantity
from meters.registers import exact, modulus

_DIGITS = 60


def _as_typed(entered: object) -> object:
    """Take the decimals that were typed, not the double nearest to them."""
    is_number = isinstance(entered, (int, float)) and not isinstance(entered, bool)
    if is_number and isfinite(cast("float", entered)):
        entered = Fraction(repr(entered))
    if not isinstance(entered, Fraction):
        told = f"is {entered!r}, should be what the display showed: a number"
        raise ValueError(told)  # noqa: TRY004  what pydantic wants
    if entered < 0:
        raise ValueError(f"is {_told(entered)}, but a register never shows less than 0")
    return entered


Shown = Annotated[Fraction, BeforeValidator(_as_typed)]


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
        noted = {quantity: getattr(self, quantity) for quantity in REGISTERS}
        return {
            quantity: _counts(quantity, shown, digits, resolution)
            for quantity, shown in noted.items()
            if shown is not None
        }


def _counts(quantity: Quantity, shown: Fraction, digits: int, resolution: float) -> int:
    per_count = Fraction(*exact(resolution))
    counts = shown / per_count
    unit = quantity.rpartition("_")[2].replace("kwh", "kWh")
    said = f"{quantity} is {_told(shown)} {unit}"
    if counts.denominator != 1:
        raise ValueError(
            f"{said}, between two counts of a register that shows steps of"
            f" {_told(per_count)} {unit}; write it as the display shows it, or correct"
            " register_resolution"
        )
    if counts >= modulus(digits):
        most = (modulus(digits) - 1) * per_count
        raise ValueError(
            f"{said}, but a register of {digits} digits shows {_told(most)} {unit} at"
            " most; correct one of them"
        )
    return int(counts)


def _told(number: Fraction) -> str:
    with localcontext(prec=_DIGITS):
        return f"{Decimal(number.numerator) / Decimal(number.denominator):f}"
