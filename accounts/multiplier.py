"""CT x PT x constant by which energy is its register's counts, exactly. Pure."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Self

from pydantic import BeforeValidator, model_validator

from accounts.form import Moment
from meters.form import Form

_NUMBER = r"\s*([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*"
_RATIO = re.compile(f"{_NUMBER}(?:/{_NUMBER})?")
_DIGITS = 200
"""More than any three factors have together."""
_FINITE = (2, 5)
"""A decimal ends where the denominator has no other prime factors."""


def _factor(entered: object) -> object:
    """Return the number that was typed, exactly; or refuse it."""
    number: Fraction | None = None
    if isinstance(entered, str) and (found := _RATIO.fullmatch(entered)):
        over, under = (Fraction(part or "1") for part in found.groups())
        number = over / under if under else Fraction(0)
    elif isinstance(entered, (int, float)) and not isinstance(entered, bool):
        number = Fraction(repr(entered)) if abs(entered) < 10**15 else None
    elif isinstance(entered, Fraction):
        number = entered
    if number is None:
        raise ValueError(
            f'is {entered!r}, should be a number such as 60, or a text such as "300/5"'
        )
    if number <= 0:
        raise ValueError(
            f"is {entered!r}, which would make nothing of all energy; give a ratio"
            " above 0, or leave it out where it is 1"
        )
    return number


Factor = Annotated[Fraction, BeforeValidator(_factor)]
"""Of a transformer or a constant: 60, 0.5, or "300/5"."""


class MultiplierChange(Form):
    """What holds from a moment on: other transformers, or another constant."""

    since: Moment
    ct: Factor = Fraction(1)
    """Current transformers, such as "300/5"."""
    pt: Factor = Fraction(1)
    """Voltage transformers, such as "10000/100"."""
    constant: Factor = Fraction(1)
    """Of the meter."""

    @model_validator(mode="after")
    def _is_a_decimal(self) -> Self:
        if not self.model_fields_set & {"ct", "pt", "constant"}:
            raise ValueError("says nothing: give at least one of ct, pt, constant")
        if not _ends(self.exact):
            raise ValueError(
                f"ct x pt x constant is {self.exact}, which no decimal number holds;"
                " check what is written on the transformers"
            )
        return self

    @property
    def exact(self) -> Fraction:
        """CT x PT x constant."""
        return self.ct * self.pt * self.constant

    @property
    def multiplier(self) -> Decimal:
        """The same as a decimal, exactly."""
        with localcontext(prec=_DIGITS):
            return Decimal(self.exact.numerator) / Decimal(self.exact.denominator)


def _ends(number: Fraction) -> bool:
    rest = number.denominator
    for prime in _FINITE:
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def differing_times(
    before: Mapping[datetime, Decimal], after: Mapping[datetime, Decimal]
) -> Iterator[tuple[datetime, datetime | None]]:
    """Return when one course of multipliers is not as another.

    Parameters
    ----------
    before, after
        Multiplier by the moment from which it holds. What holds before the first of
        them is the same in both.

    Yields
    ------
    start : datetime
    stop : datetime or None
        None = for ever.

    Examples
    --------
    >>> from datetime import UTC
    >>> may, june = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    >>> sixty, eighty = Decimal(60), Decimal(80)
    >>> [span] = differing_times({june: sixty}, {may: eighty, june: sixty})
    >>> span == (may, june)
    True

    """
    moments = [*sorted(before.keys() | after.keys()), None]
    was: Decimal | None = None
    is_: Decimal | None = None
    for start, stop in pairwise(moments):
        if start is None:
            return
        was, is_ = before.get(start, was), after.get(start, is_)
        if was != is_:
            yield start, stop
