"""The worker's pace."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How often the worker looks and how long it waits, in seconds of the machine."""

    look_every_s: float = 1.0
    meters_every_s: float = 10.0
    """How often all meters are judged: whether they speak and keep time."""
    heartbeat_every_s: float = 5.0
    stalled_after_s: float = 20.0
    """A worker without a heartbeat for so long is dead; its jobs are freed."""
    first_back_off_s: float = 5.0
    """After a failure; doubled with each further one."""
    longest_back_off_s: float = 600.0
    finish_within_s: float = 1.5
    """What jobs in progress are given when the worker is stopped."""
    concurrency: int = 4

    def back_off_s(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row.

        Examples
        --------
        >>> [Pace().back_off_s(n) for n in (1, 2, 3, 20)]
        [5.0, 10.0, 20.0, 600.0]

        """
        doublings = min(failures - 1, 30)
        return min(self.first_back_off_s * 2.0**doublings, self.longest_back_off_s)
