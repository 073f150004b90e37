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
    is_doubtful: bool = False
    """The meter marked that the values are not to be believed."""
    clock_set: bool = False
    """The meter marked that its clock was set during the interval."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """What a channel of a memory holds, as the meter told."""

    number: int
    """From 1 on; 0 = the memory has no channels, and its records hold all."""
    quantity: Quantity | None = None
    """None: nothing that is wanted, or all where there are no channels."""
    exponent: int = 0
    """Its values are to be multiplied with ten to the power of it."""
    interval: timedelta
    """From one record to the next."""
    words: tuple[int, ...] = ()
    """As it told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LogRequest:
    """First the writes, in their order, then one block to read."""

    writes: tuple[tuple[int, tuple[int, ...]], ...]
    """Address and words of holding registers."""
    block: Block
    numbers: tuple[int, ...]
    """Of the records in the block, in order of their places; empty by time."""
    channel: Channel | None = None
    """Of a search towards older records: what it reads."""
    is_next: bool = False
    """Of a search: it is not begun, but goes on."""


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
    """By time: newest that was read; towards older records, the oldest."""
    is_exhausted: bool = False
    """By time: the last answer brought nothing new."""
    channels: tuple[Channel, ...] = ()
    """Those that told what they hold."""
    channel: Channel | None = None
    """The one that was read last."""
    is_open: bool = False
    """Of a search: the meter shows what `reached` says, and can go on from there."""

    def knowing(self, channel: Channel) -> "LogState":
        """Take note of what a channel holds."""
        return replace(self, channels=(*self.channels, channel))

    def interrupted(self) -> "LogState":
        """Begin the search anew from where it came to."""
        return replace(self, is_open=False)

    def is_news(self, request: LogRequest, record: LogRecord) -> bool:
        """Whether a record of an answer was not in another one before."""
        if request.channel is None or request.channel != self.channel:
            return True
        return self.reached is None or record.measured_at < self.reached

    def after(self, request: LogRequest, records: Sequence[LogRecord]) -> "LogState":
        """Take note of an answer."""
        if request.channel is not None:
            return self._searched(request, request.channel, records)
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

    def _searched(
        self, request: LogRequest, channel: Channel, records: Sequence[LogRecord]
    ) -> "LogState":
        """Take note of an answer to a search."""
        before = self.reached if channel == self.channel else None
        times = [record.measured_at for record in records]
        follows = before is None or max(times, default=before) >= (
            before - channel.interval
        )
        if request.is_next and not follows:
            # A command that was heard twice passes over a window. Where the meter was
            # off, too, a new search tells.
            return self.interrupted()
        first = min(times, default=None)
        is_new = first is not None and (before is None or first < before)
        return replace(
            self,
            channel=channel,
            reached=first if is_new else before,
            is_open=is_new,
            is_exhausted=not is_new,
        )


def merged(records: Sequence[LogRecord]) -> list[LogRecord]:
    """Join what single channels held of the same time, oldest first.

    What a meter doubts stays by itself: it speaks against one quantity alone. Of two
    values at one time, as when a clock of local time is set back, the first one given
    counts: it is the newer one.
    """
    joined: dict[datetime, LogRecord] = {}
    doubtful = [record for record in records if record.is_doubtful and record.values]
    for record in records:
        before = joined.get(record.measured_at)
        if record.is_doubtful or not record.values:
            continue
        if before is not None:
            record = replace(  # noqa: PLW2901 - joined with what was there
                record,
                values={**record.values, **before.values},
                clock_set=before.clock_set or record.clock_set,
            )
        joined[record.measured_at] = record
    return sorted([*joined.values(), *doubtful], key=lambda r: r.measured_at)


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
