"""How far a meter's clock is from ours. Pure."""

from dataclasses import dataclass
from datetime import datetime

MOST_DRIFT_S = 180.0
"""A clock that is further off than this is wrong: its quarter-hours are not ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockDrift:
    """A meter's clock compared with ours, as its answer came."""

    meter_id: int
    measured_at: datetime
    """By our clock."""
    drift_s: float
    """How far the meter's clock is ahead of ours; negative where it is behind. [s]"""

    @property
    def is_wrong(self) -> bool:
        """Whether it is further off than `MOST_DRIFT_S`."""
        return abs(self.drift_s) > MOST_DRIFT_S

    def __str__(self) -> str:
        """Say it to people.

        Examples
        --------
        >>> from datetime import UTC
        >>> at = datetime(2026, 3, 1, tzinfo=UTC)
        >>> str(ClockDrift(meter_id=1, measured_at=at, drift_s=-252.4))
        '4 min 12 s behind'

        """
        minutes, seconds = divmod(round(abs(self.drift_s)), 60)
        return f"{minutes} min {seconds} s {'ahead' if self.drift_s > 0 else 'behind'}"
