"""What people enter of time in which a point has no supply or a site does not work."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Annotated, Literal, Self

from pydantic import Strict, model_validator

from accounts.form import Moment, Text
from meters.form import Form

MOST_DAYS = 366
"""Of one closure: more is a mistyped year."""
_DAY = timedelta(days=1)


class Outage(Form):
    """Time without supply, [start, stop): its intervals are zero by right."""

    start: Moment
    stop: Moment
    kind: Literal["planned", "reported"]
    reason: Text

    @model_validator(mode="after")
    def _ends_later(self) -> Self:
        if self.stop <= self.start:
            raise ValueError("stop must be later than start")
        return self


class Closure(Form):
    """Local days on which a site alone does not work."""

    day: Annotated[date, Strict()]
    last_day: Annotated[date, Strict()] | None = None
    """Where it is more than one day."""
    reason: Text

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.last_day is not None and self.last_day < self.day:
            raise ValueError("last_day must not be earlier than day")
        if self.count > MOST_DAYS:
            raise ValueError(
                f"{self.count} days from {self.day} to {self.last_day} are more than a"
                " closure can have; enter each year by itself"
            )
        return self

    @property
    def count(self) -> int:
        """How many days it is."""
        return ((self.last_day or self.day) - self.day).days + 1

    def days(self) -> Iterator[date]:
        """Return its days."""
        return (self.day + number * _DAY for number in range(self.count))
