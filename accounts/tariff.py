"""What energy costs when: three periods of the local day, and a price for demand.

Errors: a wrong entry is pydantic's ValidationError; `TariffError` for figures that no
tariff can price.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, Field, model_validator

from accounts.calendar import SLOTS
from accounts.form import Code, Currency, Text
from meters.form import Form

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_CENT = Decimal("0.01")


class TariffError(ValueError):
    """Figures that cannot be priced; the message says which."""


class Period(StrEnum):
    """Time-of-use period."""

    VALLEY = "valley"
    FLAT = "flat"
    PEAK = "peak"


PERIODS: tuple[Period, ...] = tuple(Period)
"""Their order is that of the codes in `Tariff.period_of_slot`."""


def slots_of(span: str) -> list[int]:
    """Return the quarter-hours of a span of the day; one may run over midnight.

    Examples
    --------
    >>> slots_of("08:00-09:00")
    [32, 33, 34, 35]
    >>> slots_of("23:30-00:30")
    [94, 95, 0, 1]

    """
    start, dash, end = span.partition("-")
    first, stop = _half_hour(start, span), _half_hour(end, span)
    if not dash or first == stop or (first, stop) == (SLOTS, 0):
        raise ValueError(f"{span!r} is not a span of hours like 08:00-12:00")
    if stop < first:
        stop += SLOTS
    return [slot % SLOTS for slot in range(first, stop)]


def _half_hour(clock: str, span: str) -> int:
    hour, colon, minute = clock.strip().partition(":")
    known = colon and hour.isdecimal() and minute in {"00", "30"}
    slot = int(hour) * 4 + int(minute) // 15 if known else -1
    if not 0 <= slot <= SLOTS:
        raise ValueError(
            f"{span!r} is not a span of hours like 08:00-12:00, on half-hours"
        )
    return slot


def _span(entered: str) -> str:
    slots_of(entered)
    return entered


Span = Annotated[str, AfterValidator(_span)]
Price = Annotated[Decimal, Field(ge=0)]


class Prices(Form):
    """Price of energy by period, in currency per kWh."""

    valley: Price
    flat: Price
    peak: Price


class Tariff(Form):
    """A three-period tariff as people enter it.

    Examples
    --------
    >>> tariff = Tariff(
    ...     code="two-part", name="Two-part, 10 kV", currency="CNY",
    ...     price_per_kwh=Prices(valley="0.30", flat="0.60", peak="0.90"),
    ...     valley_hours=("00:00-08:00",), peak_hours=("08:00-12:00", "17:00-21:00"),
    ... )
    >>> float(tariff.price_of_slot()[32])
    0.9

    """

    code: Code
    name: Text
    currency: Currency
    price_per_kwh: Prices
    valley_hours: tuple[Span, ...]
    """Local spans such as 00:00-08:00; what is neither valley nor peak is flat."""
    peak_hours: tuple[Span, ...]
    demand_price_per_kw_month: Price | None = None
    """Of the highest quarter-hour of a month."""

    @model_validator(mode="after")
    def _each_hour_once(self) -> Self:
        spans = [(slot, span) for span in self.valley_hours for slot in slots_of(span)]
        spans += [(slot, span) for span in self.peak_hours for slot in slots_of(span)]
        taken: dict[int, str] = {}
        for slot, span in spans:
            if slot in taken:
                raise ValueError(
                    f"the spans {taken[slot]} and {span} of tariff {self.code} overlap"
                )
            taken[slot] = span
        return self

    def price(self, period: Period) -> Decimal:
        """Return the price of a period, in currency per kWh."""
        by_period = {
            Period.VALLEY: self.price_per_kwh.valley,
            Period.FLAT: self.price_per_kwh.flat,
            Period.PEAK: self.price_per_kwh.peak,
        }
        return by_period[period]

    def period_of_slot(self) -> IntArray:
        """Return which period each local quarter-hour is in.

        Returns
        -------
        array, shape (96,)
            Index into `PERIODS`.

        """
        codes = np.full(SLOTS, PERIODS.index(Period.FLAT), dtype=np.int64)
        for spans, period in (
            (self.valley_hours, Period.VALLEY),
            (self.peak_hours, Period.PEAK),
        ):
            for span in spans:
                codes[slots_of(span)] = PERIODS.index(period)
        return codes

    def price_of_slot(self) -> FloatArray:
        """Return the price of each local quarter-hour, for advice and not for bills.

        Returns
        -------
        array, shape (96,)
            [currency per kWh]

        """
        prices = np.array([float(self.price(period)) for period in PERIODS])
        return prices[self.period_of_slot()]

    def energy_lines(self, kwh: Mapping[Period, float]) -> dict[Period, Decimal]:
        """Return the bill's line of each period, rounded half-up to 0.01.

        Parameters
        ----------
        kwh
            Energy by period; a period may be absent. [kWh]

        Raises
        ------
        TariffError
            If an energy is not a finite number of at least 0.

        """
        return {period: self._line(period, energy) for period, energy in kwh.items()}

    def energy_charge(self, kwh: Mapping[Period, float]) -> Decimal:
        """Return the sum of `energy_lines`, in the tariff's currency.

        Examples
        --------
        >>> tariff = Tariff(
        ...     code="a", name="A", currency="CNY", valley_hours=(), peak_hours=(),
        ...     price_per_kwh=Prices(valley="0.30", flat="0.60", peak="0.90"),
        ... )
        >>> tariff.energy_charge({Period.VALLEY: 100.0, Period.PEAK: 10.05})
        Decimal('39.05')

        """
        return sum(self.energy_lines(kwh).values(), start=Decimal("0.00"))

    def demand_charge(self, peak_kw: float) -> Decimal | None:
        """Return what the highest quarter-hour of a month costs; None = no price.

        Raises
        ------
        TariffError
            If the peak is not a finite number of at least 0.

        """
        if self.demand_price_per_kw_month is None:
            return None
        if not np.isfinite(peak_kw) or peak_kw < 0:
            raise TariffError(f"A peak of {peak_kw} kW cannot be priced")
        # As for energy: through six decimals.
        charge = Decimal(f"{peak_kw:.6f}") * self.demand_price_per_kw_month
        return charge.quantize(_CENT, ROUND_HALF_UP)

    def _line(self, period: Period, kwh: float) -> Decimal:
        if not np.isfinite(kwh) or kwh < 0:
            raise TariffError(f"{kwh} kWh in the {period} period cannot be priced")
        # Through six decimals: a sum of floats must not push a half cent down.
        energy = Decimal(f"{kwh:.6f}")
        return (energy * self.price(period)).quantize(_CENT, ROUND_HALF_UP)
