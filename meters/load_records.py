"""Records of a meter's memory, and where those of a wanted time can stand. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from meters.blocks import Block
from meters.quantity import Quantity


@dataclass(frozen=True, kw_only=True, slots=True)
class LogRecord:
    """One record of a meter's memory."""

    measured_at: datetime
    """End of its interval, in UTC."""
    values: Mapping[Quantity, float]
    """In the quantity's unit: what registers showed at that time, or, where the profile
    says `holds = "intervals"`, the energy of the interval before it alone."""
    number: int | None = None
    """Counting up with time; None where the meter selects by time."""
    power_failure: bool = False
    """The meter marked that the supply was off for some of the interval."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LogRequest:
    """First the writes, in their order, then one block to read."""

    writes: tuple[tuple[int, tuple[int, ...]], ...]
    """Address and words of holding registers."""
    block: Block
    numbers: tuple[int, ...]
    """Of the records in the block, in order of their places; empty by time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LogState:
    """What is known of a meter's memory so far."""

    newest: int = 0
    """Number of the newest record."""
    count: int
    """How many records there are."""
    read: Mapping[int, datetime | None] = field(default_factory=dict)
    """Numbers that were read, with their times; None: nothing there."""
    reached: datetime | None = None
    """By time: newest that was read."""
    is_exhausted: bool = False
    """By time: the last answer brought nothing newer."""

    def after(self, request: LogRequest, records: Sequence[LogRecord]) -> "LogState":
        """Take note of an answer."""
        times = {record.number: record.measured_at for record in records}
        read = dict(self.read) | {
            number: times.get(number) for number in request.numbers
        }
        if request.numbers:
            return replace(self, read=read)
        last = max((record.measured_at for record in records), default=None)
        is_new = last is not None and (self.reached is None or last > self.reached)
        return replace(
            self, reached=last if is_new else self.reached, is_exhausted=not is_new
        )

    def read_to(self, since: datetime, interval: timedelta) -> datetime:
        """Return up to when everything after a time was read, without a hole.

        Numbers and places are those of one moment; this holds for ever.

        Parameters
        ----------
        since : datetime
        interval : timedelta
            Between two records.

        """
        if self.reached is not None:
            return max(since, self.reached)
        known = {n: at for n, at in self.read.items() if at is not None}
        begins = [n for n, at in known.items() if at <= since + interval]
        if not begins:
            return since
        number = max(begins)
        while number + 1 in known:
            number += 1
        return max(since, known[number])


def wanted_numbers(
    state: LogState, wanted_from: datetime, wanted_to: datetime, interval: timedelta
) -> list[int]:
    """Return the numbers that should be read next, ascending; none: all is read.

    Parameters
    ----------
    state : LogState
        In which the newest was read.
    wanted_from, wanted_to : datetime
        Both included.
    interval : timedelta
        Between two records; more where the meter was off.

    """
    known = sorted((n, at) for n, at in state.read.items() if at is not None)
    first = _first(state, known, wanted_from, interval)
    later = next(((n, at) for n, at in known if at > wanted_to), None)
    greatest = state.newest if later is None else later[0] - 1
    earlier = [(n, at) for n, at in known if at <= wanted_to]
    if earlier:
        number, at = earlier[-1]
        last = number + (wanted_to - at) // interval
    elif later is not None:
        # Nothing older is known: to begin with, as if the meter was never off.
        last = later[0] + (wanted_to - later[1]) // interval
    else:
        return []
    last = min(last, greatest)
    numbers = [n for n in range(first, last + 1) if n not in state.read]
    return numbers if numbers or earlier else _middle(state, first, greatest)


def _first(
    state: LogState,
    known: Sequence[tuple[int, datetime]],
    wanted: datetime,
    interval: timedelta,
) -> int:
    """Return the least number that a record from a time on can have."""
    oldest = state.newest - state.count + 1
    later = next(((n, at) for n, at in known if at >= wanted), None)
    if later is None:
        return state.newest + 1  # all that is known is older
    number, at = later
    # Where the meter was off, the number is greater than that.
    return max(oldest, number - (at - wanted) // interval)


def _middle(state: LogState, first: int, greatest: int) -> list[int]:
    """Halve what is left, where nothing stood in the places that were looked at."""
    empty = [n for n in state.read if n <= greatest]
    least = max([first, *(n + 1 for n in empty)])
    return [(least + greatest) // 2] if least <= greatest else []
