"""What a person sets for some intervals, and what cannot be set. Pure.

EditError       an edit cannot be; one sentence with the interval and the remedy
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal

import numpy as np

from analytics.settlement.edits import DECIMALS
from analytics.settlement.intervals import FloatArray, IntArray
from meters.quantity import REGISTERS, Quantity
from meters.reading import from_utc_us, utc_us

LENGTH_MIN = 15
_LENGTH_US = LENGTH_MIN * 60_000_000
MOST = 1e9
"""No quarter-hour has so much. [kWh or kvarh]"""


class EditError(ValueError):
    """An edit cannot be; the sentence names the interval and the remedy."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EditedValues:
    """What to set in k quarter-hours; NaN = as settled, but of the import."""

    start_us: IntArray
    """shape (k,) [microseconds since 1970 UTC]"""
    import_kwh: FloatArray
    """shape (k,)"""
    export_kwh: FloatArray
    lagging_kvarh: FloatArray
    leading_kvarh: FloatArray

    @classmethod
    def of_import(cls, start_us: IntArray, import_kwh: FloatArray) -> "EditedValues":
        """Set the import alone."""
        none = np.full(start_us.shape, np.nan)
        return cls(
            start_us=start_us,
            import_kwh=import_kwh,
            export_kwh=none,
            lagging_kvarh=none,
            leading_kvarh=none,
        )

    @classmethod
    def of_columns(
        cls, start_us: IntArray, columns: Mapping[Quantity, FloatArray]
    ) -> "EditedValues":
        """Set what is given of every register."""
        return cls(
            start_us=start_us,
            import_kwh=columns[Quantity.ENERGY_IMPORT_KWH],
            export_kwh=columns[Quantity.ENERGY_EXPORT_KWH],
            lagging_kvarh=columns[Quantity.ENERGY_LAGGING_KVARH],
            leading_kvarh=columns[Quantity.ENERGY_LEADING_KVARH],
        )

    @property
    def columns(self) -> tuple[FloatArray, ...]:
        """The energies in the order of `REGISTERS`."""
        return (
            self.import_kwh,
            self.export_kwh,
            self.lagging_kvarh,
            self.leading_kvarh,
        )


def refuse_values(
    values: EditedValues, *, reason: str, by: str, at: datetime, zone: tzinfo = UTC
) -> None:
    """Refuse an edit that says too little, or what cannot be; times are told in a zone.

    Raises
    ------
    EditError

    """
    starts = values.start_us
    if not starts.size:
        raise EditError("The edit names no interval; give at least one.")
    for what, said in (("reason", reason), ("name", by)):
        if not said.strip():
            raise EditError(f"The edit has no {what}; give one.")
    off = starts[starts % _LENGTH_US != 0]
    if off.size:
        raise EditError(
            f"{at_text(off[0], zone)} begins no quarter-hour; give its start."
        )
    once, times = np.unique(starts, return_counts=True)
    if (times > 1).any():
        raise EditError(
            f"The edit names {at_text(once[times > 1][0], zone)} twice; give it once."
        )
    late = starts[starts + _LENGTH_US > utc_us(at)]
    if late.size:
        raise EditError(
            f"{at_text(late[0], zone)} is not over yet; edit it when it is."
        )
    if np.isnan(values.import_kwh).any():
        row = int(np.isnan(values.import_kwh).argmax())
        raise EditError(f"{at_text(starts[row], zone)} has no import; give its kWh.")
    for quantity, column in zip(REGISTERS, values.columns, strict=True):
        _refuse_figures(quantity, column, starts, zone)


def _refuse_figures(
    quantity: Quantity, column: FloatArray, starts: IntArray, zone: tzinfo
) -> None:
    for row in np.flatnonzero(~np.isnan(column)).tolist():
        figure, when = float(column[row]), at_text(starts[row], zone)
        if not 0 <= figure < np.inf:
            raise EditError(f"{quantity.value} of {when} is {figure}; give 0 or more.")
        if figure >= MOST:
            raise EditError(
                f"{quantity.value} of {when} is {figure}; give less than {MOST:,.0f}."
            )
        exponent = Decimal(repr(figure)).as_tuple().exponent
        if isinstance(exponent, int) and exponent < -DECIMALS:
            raise EditError(
                f"{quantity.value} of {when} is {figure}; "
                f"give at most {DECIMALS} decimals."
            )


def at_text(start_us: int, zone: tzinfo = UTC) -> str:
    """Name an interval by its start, as people do."""
    return f"{from_utc_us(int(start_us)).astimezone(zone):%Y-%m-%d %H:%M %Z}"
