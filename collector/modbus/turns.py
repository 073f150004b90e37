"""Who asks next on a bus, and how long one may take.

A bus carries one request at a time; its round is the shortest period of its meters. A
meter is quick as long as a poll of it takes no more than its share of half a round, so
that all quick ones together take at most half a round. They come first, in the order
in which they were due. A single request takes at most half a round. Hence a quick
meter waits for one request of another and for the quick ones: a round at the most,
however many dead, slow or lying meters hang on the same bus.

Those have at least the other half. Whoever was left over comes first among them the
next time. What is read into gaps of the past comes last.
"""

import asyncio
import contextlib
import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import count

from collector.modbus.failure import Failure, MeterError

LEAST_ROUND_S = 0.5
"""Meters asked more often than this are asked as often as they can answer."""


class Rank(IntEnum):
    """Who comes first."""

    QUICK = 0
    COSTLY = 1
    BACKFILL = 2


@dataclass(slots=True)
class Asking:
    """How one poll asks: its place among others, and what it costs the bus."""

    rank: Rank = Rank.QUICK
    missed: int = 0
    """How many times in a row it was left over."""
    due: float = -math.inf
    """When it was to be made, in loop time. [s]"""
    latest: float | None = None
    """Its first request begins by then or not at all, in loop time. [s]"""
    timeout_s: float | None = None
    """Where the meter's type needs less or more than the bus gives. [s]"""
    pause_s: float = 0.0
    """What the line has to rest after each of its requests. [s]"""
    requests: int = 0
    """Made so far."""
    spent_s: float = 0.0
    """Time that its requests took, waiting not counted. [s]"""

    @property
    def place(self) -> tuple[int, int, float]:
        """What it is ordered by."""
        return (self.rank, -self.missed, self.due)


@dataclass(slots=True, order=True)
class _Waiting:
    place: tuple[int, int, float]
    number: int
    turn: asyncio.Future[None] = field(compare=False)


class Turns:
    """The turns of one bus."""

    def __init__(self) -> None:
        self._periods: dict[int, float] = {}
        self._waiting: list[_Waiting] = []
        self._numbers = count()
        self._is_taken = False
        self.round_s = math.inf
        """Shortest period of its meters, and no less than `LEAST_ROUND_S`. [s]"""
        self.share_s = math.inf
        """So much may a poll take for its meter to be quick. [s]"""
        self.most_s = math.inf
        """So much may a request take. [s]"""

    @contextlib.contextmanager
    def member(self, every_s: float) -> Iterator[None]:
        """Have a meter among those that are asked at their pace.

        A meter that comes again while it is still leaving has two places for so long.
        """
        place = next(self._numbers)
        self._periods[place] = every_s
        self._divide()
        try:
            yield
        finally:
            del self._periods[place]
            self._divide()

    def _divide(self) -> None:
        meters = len(self._periods)
        shortest = min(self._periods.values(), default=math.inf)
        self.round_s = max(shortest, LEAST_ROUND_S)
        alone = meters <= 1
        self.share_s = math.inf if alone else self.round_s / 2 / meters
        self.most_s = math.inf if alone else self.round_s / 2

    async def take(self, asking: Asking) -> None:
        """Wait for a turn; whoever took it gives it back.

        Raises
        ------
        MeterError
            With `Failure.NO_TIME`, where a first request had no turn in time.

        """
        if not self._is_taken:
            self._is_taken = True
            return
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        heapq.heappush(self._waiting, _Waiting(asking.place, next(self._numbers), turn))
        late = None
        if asking.latest is not None and not asking.requests:
            late = loop.call_at(asking.latest, _have_no_time, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.give()
            raise
        finally:
            if late is not None:
                late.cancel()

    def give(self) -> None:
        """Let the next one ask."""
        while self._waiting:
            turn = heapq.heappop(self._waiting).turn
            if not turn.done():
                turn.set_result(None)
                return
        self._is_taken = False


def _have_no_time(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(
            MeterError("its bus was busy with other meters", Failure.NO_TIME)
        )
