"""What no honest reading can say: checked on each before it is stored. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import isfinite
from typing import NamedTuple

from meters.meter import Meter
from meters.quantity import REGISTERS, Quantity
from meters.refusal import Reason

FURTHEST_AHEAD = timedelta(hours=1)
"""A meter's clock may run ahead of ours by this much."""


class Objection(NamedTuple):
    """Why a reading is not believed: the fields of a `Refusal` that follow from it."""

    reason: Reason
    text: str
    """One sentence for people, naming the field and the value."""


def check(
    meter: Meter,
    measured_at: datetime,
    values: Mapping[Quantity, float],
    now: datetime,
) -> Objection | None:
    """Return what speaks against a reading; None if it is to be believed.

    Parameters
    ----------
    meter : Meter
        Who says it.
    measured_at, now : datetime
        With a time zone.
    values : mapping of Quantity to float
        In the quantity's unit.

    Notes
    -----
    A counter that jumps or runs backwards is not judged here: that needs the reading
    before, which late data would make wrong.

    """
    for value in values.values():
        if not isfinite(value):
            return _not_a_number(values)
    for quantity in REGISTERS:
        if quantity in values and values[quantity] < 0.0:
            return Objection(
                Reason.NEGATIVE_ENERGY,
                f"{quantity} is {values[quantity]}, but a register counts up from 0.",
            )
    if measured_at - now > FURTHEST_AHEAD:
        return Objection(
            Reason.FAR_FUTURE,
            f"The measured time {measured_at.isoformat()} is more than an hour ahead "
            f"of {now.isoformat()}.",
        )
    if meter.installed_at is not None and measured_at < meter.installed_at:
        return Objection(
            Reason.BEFORE_INSTALLATION,
            f"The measured time {measured_at.isoformat()} is before meter "
            f"{meter.serial} was installed, {meter.installed_at.isoformat()}.",
        )
    return None


def _not_a_number(values: Mapping[Quantity, float]) -> Objection:
    """Name the value that is no number."""
    quantity = next(q for q, value in values.items() if not isfinite(value))
    return Objection(
        Reason.NOT_A_NUMBER, f"{quantity} is {values[quantity]}, not a finite number."
    )
