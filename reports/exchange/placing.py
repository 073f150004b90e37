"""Which meter the rows of a file are of, and what they are on it. Pure.

Energy in a file is that of the point, multipliers in it; a meter counts before them.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from meters.quantity import Quantity
from reports.exchange.content import MINUTE_US, Content
from reports.exchange.form import Kind
from storage.imports import Sitting

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


def placed(content: Content, sittings: Sequence[Sitting], point: str) -> Content:
    """Refuse the rows at whose time no meter was there, or that it cannot have said."""
    length_us = (content.length_min or 0) * MINUTE_US
    last_us = content.at_us + max(length_us - 1, 0)
    row = meter_rows(content.at_us, sittings)
    until = meter_rows(last_us, sittings)
    wrong: dict[int, str] = {}
    for at in np.flatnonzero((row < 0) | (row != until)).tolist():
        when = content.when(at)
        if row[at] < 0 and until[at] < 0:
            wrong[at] = f"At {when} no meter is installed at {point}."
        else:
            wrong[at] = f"In the interval from {when} a meter comes or goes at {point}."
    if content.kind is Kind.INTERVALS:
        wrong |= _split(content, sittings, row)
    else:
        wrong |= _beyond_the_digits(content, sittings, row)
    return content.refuse(wrong)


def meter_rows(at_us: IntArray, sittings: Sequence[Sitting]) -> IntArray:
    """Return which sitting each moment falls into, shape (n,); -1 = none."""
    row = np.full(at_us.shape, -1, dtype=np.int64)
    for number, one in enumerate(sittings):
        row[(at_us >= one.from_us) & (at_us < one.to_us)] = number
    return row


def multipliers_of(content: Content, sittings: Sequence[Sitting]) -> FloatArray:
    """Return what energy at the point is divided by to be the meter's, shape (n,)."""
    factor = np.ones(len(content))
    row = meter_rows(content.at_us, sittings)
    for number, one in enumerate(sittings):
        for since_us, multiplier in one.multipliers:
            factor[(row == number) & (content.at_us >= since_us)] = float(multiplier)
    return factor


def _split(
    content: Content, sittings: Sequence[Sitting], row: IntArray
) -> dict[int, str]:
    """Refuse intervals in the middle of which the multiplier changes."""
    length_us = (content.length_min or 0) * MINUTE_US
    wrong: dict[int, str] = {}
    for number, one in enumerate(sittings):
        for since_us, _ in one.multipliers[1:]:
            inside = (content.at_us < since_us) & (since_us < content.at_us + length_us)
            for at in np.flatnonzero(inside & (row == number)).tolist():
                wrong[at] = f"The multiplier of meter {one.serial} changes within it."
    return wrong


def _beyond_the_digits(
    content: Content, sittings: Sequence[Sitting], row: IntArray
) -> dict[int, str]:
    """Refuse registers that show more than their digits can."""
    wrong: dict[int, str] = {}
    registers = [
        at for at, name in enumerate(content.names) if Quantity(name).is_register
    ]
    for number, one in enumerate(sittings):
        most = 10**one.digits * one.resolution
        over = (content.values[:, registers] >= most).any(axis=1) & (row == number)
        for at in np.flatnonzero(over).tolist():
            shown = f"{np.nanmax(content.values[at, registers]):.15g}"
            wrong[at] = (
                f"Meter {one.serial} cannot show {shown}: its register has "
                f"{one.digits} digits at {one.resolution:g}."
            )
    return wrong
