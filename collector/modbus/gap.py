"""A time without readings, and which records of a meter's memory lie in it. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from meters.load_profile_form import LoadProfile
from meters.reading import from_utc_us, utc_us

_RECORDED = timedelta(minutes=2)
"""After the end of an interval a meter whose clock is a little behind has it, too."""
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without readings, by the clock that the meter's readings go by."""

    since: datetime
    """Of the last reading before it."""
    until: datetime
    """Of the first reading after it."""

    wanted_to: datetime
    """Time of the last record that is wanted."""

    def holds(self, moment: datetime) -> bool:
        """Whether a record of this time is wanted."""
        return self.since < moment <= self.wanted_to

    def is_recorded(self, now: datetime) -> bool:
        """Whether all that is wanted can have been recorded by now."""
        return self.wanted_to <= self.until or self.wanted_to + _RECORDED <= now

    def __str__(self) -> str:
        """Say it to people."""
        return f"from {self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC"


def gap_of(memory: LoadProfile, since: datetime, until: datetime) -> Gap | None:
    """Return the gap between two readings, where a memory can have any of it.

    Of what registers showed, the records between the readings are wanted. Of intervals
    those that lie in the gap with any part: what flowed in that one is not known from
    the readings either.
    """
    interval_us = memory.interval_s * 1_000_000
    first_us = (utc_us(since) // interval_us + 1) * interval_us
    if first_us >= utc_us(until):
        return None
    if memory.holds == "registers":
        return Gap(since, until, until - _MICROSECOND)
    if memory.interval_s % 60:  # stored by the minute
        return None
    end_us = -(-utc_us(until) // interval_us) * interval_us
    return Gap(since, until, from_utc_us(end_us))
