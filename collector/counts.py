"""What became of every reading, counted while the collector runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from meters.meter import Transport


@dataclass(kw_only=True, slots=True)
class Counts:
    """Readings of one transport.

    asked = stored + repeated + refused + waiting + failed, but for polls under way.
    A message that the broker sends again counts again, as a repeat.
    """

    asked: int = 0
    """Polls begun, or readings that a message brought."""
    answered: int = 0
    """Of these, what came to be judged."""
    stored: int = 0
    repeated: int = 0
    refused: int = 0
    failed: int = 0
    """Polls without an answer."""

    @property
    def waiting(self) -> int:
        """Answered, and not yet committed."""
        return self.answered - self.stored - self.repeated - self.refused


Counters = Mapping[Transport, Counts]


def new_counters() -> Counters:
    """Start from zero for every transport."""
    return {transport: Counts() for transport in Transport}
