"""When to try again what failed: later each time.

A breaker opens at the first failure. While it is open nobody asks; then one request
goes through, and its outcome closes it, or opens it for twice as long.
"""

from dataclasses import dataclass, field
from random import Random

_FIRST_S, _MOST_S = 2.0, 300.0
_JITTER = 0.2
"""Each wait is up to this part shorter or longer, so that many do not come at once."""


@dataclass(slots=True)
class Breaker:
    """The breaker of one meter or one gateway. Times are those of a steady clock."""

    first_s: float = _FIRST_S
    most_s: float = _MOST_S
    random: Random = field(default_factory=Random)
    failures: int = 0
    """In a row."""
    opens_until: float = float("-inf")

    def is_open(self, at: float) -> bool:
        """Whether nobody should ask now."""
        return at < self.opens_until

    def failed(self, at: float) -> None:
        """Open, for twice as long as the last time."""
        # Beyond 2**32 the power would outgrow any float, after months of failures.
        wait_s = min(self.first_s * 2.0 ** min(self.failures, 32), self.most_s)
        wait_s *= 1 + _JITTER * (2 * self.random.random() - 1)
        self.failures += 1
        self.opens_until = at + wait_s

    def succeeded(self) -> None:
        """Close."""
        self.failures, self.opens_until = 0, float("-inf")
