"""What time it is at the site: the machine's clock, or one that runs ahead of it.

All programs of a demo share one clock through `KEYWATT_CLOCK`, so that a day passes
in 24 minutes at speed 60 for the meters, the collector and the worker alike.

    ValueError
        ClockError   a text that names no clock
"""

import math
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

_FORM = re.compile(r"(?P<site>[^@]+)@(?P<unix>[^*]+)\*(?P<speed>.+)")

_FAR_S = 1e11
"""Seconds since 1970 UTC that no machine's clock shows."""


class ClockError(ValueError):
    """A text that names no clock; the message is one sentence for people."""


@dataclass(frozen=True, slots=True)
class SiteClock:
    """Site time as a straight line over the machine's time; by default the same."""

    site_at_anchor: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    """Site time when the machine's clock showed `unix_anchor_s`."""
    unix_anchor_s: float = 0.0
    """Seconds since 1970 UTC on the machine's clock."""
    speed: float = 1.0
    """Site seconds in one machine second."""

    def now(self) -> datetime:
        """Return the site's time, aware and in UTC."""
        return self.at(time.time())

    def at(self, unix_s: float) -> datetime:
        """Return the site's time when the machine's clock shows `unix_s`.

        Examples
        --------
        >>> SiteClock.parse("2026-11-22T13:00:00Z@1000*60").at(1002).isoformat()
        '2026-11-22T13:02:00+00:00'

        """
        elapsed_s = (unix_s - self.unix_anchor_s) * self.speed
        return self.site_at_anchor + timedelta(seconds=elapsed_s)

    @classmethod
    def starting(cls, site: datetime, speed: float) -> Self:
        """Return a clock that shows `site` now and runs on from there."""
        return cls(site, time.time(), speed)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `SITE@UNIX*SPEED`, the inverse of `str`."""
        site, unix_anchor_s, speed = _parts(text)
        if site.tzinfo is None or not (0 < speed < math.inf and unix_anchor_s < _FAR_S):
            raise ClockError(
                f"{text!r}: the site's time needs a zone and the speed must be above 0."
            )
        return cls(site.astimezone(UTC), unix_anchor_s, speed)

    def __str__(self) -> str:
        """Write it as the setting `clock` takes it."""
        site = self.site_at_anchor.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return f"{site}@{self.unix_anchor_s!r}*{self.speed!r}"


def _parts(text: str) -> tuple[datetime, float, float]:
    found = _FORM.fullmatch(text)
    if found:
        try:
            site = datetime.fromisoformat(found["site"])
            return site, float(found["unix"]), float(found["speed"])
        except ValueError:
            pass  # said below, as for any other text that is no clock
    raise ClockError(
        f"{text!r} is not a clock; write SITE@UNIX*SPEED, such as "
        "2026-11-22T13:00:00Z@1763816400*60."
    )
