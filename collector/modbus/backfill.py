"""Reads a meter's own memory into the gaps that an outage left.

A gap is the time between two readings where polls were missed. Where the meter keeps
interval records, those of a gap are asked for after its polls, a few requests each
time, when nobody else wants the bus. Where they are what registers showed, they become
readings of the same meter, marked as `Source.LOAD_PROFILE`; where they are the energy
of each interval, they are stored as that. One that is there already changes nothing.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from collector.modbus.believed import checked
from collector.modbus.failure import MeterError
from collector.modbus.gap import Gap, gap_of
from collector.modbus.memory import PASSING, Bus, MeterMemory
from collector.modbus.recorded import NotStoredError, intervals_of
from collector.parcel import Parcel
from meters.encoding import DecodeError
from meters.load_profile import (
    LogRecord,
    LogState,
    decode_load_profile,
    plan_load_profile,
)
from meters.load_records import merged
from meters.load_search import channel_of, plan_channel
from meters.meter import Meter, Transport
from meters.modbus_profile import ModbusProfile
from meters.reading import Reading, Source
from storage.meter_intervals import MeterIntervals

log = logging.getLogger(__name__)

REQUESTS_A_POLL = 4
_MOST_GAPS = 1000
"""Of one meter: the oldest is forgotten, its memory would no longer have it."""
_MOST_REFUSALS = 3
"""In a row; then a gap is left as it is."""
_A_PARCEL = 500
"""Records that are handed on at once."""
_REST_S = 30.0
"""Where the database takes no intervals."""

Store = Callable[[MeterIntervals, datetime], Awaitable[int]]
"""Commits intervals and when they were received; raises NotStoredError."""


class Backfill:
    """The gaps of one meter."""

    def __init__(
        self,
        meter: Meter,
        profile: ModbusProfile,
        bus: Bus,
        now: Callable[[], datetime],
        put: Callable[[Parcel], Awaitable[None]],
        *,
        store: Store | None = None,
    ) -> None:
        self._meter, self._profile, self._now = meter, profile, now
        self._memory = MeterMemory(meter, profile, bus)
        self._put, self._store = put, store
        self._gaps: deque[Gap] = deque(maxlen=_MOST_GAPS)
        self._state: LogState | None = None
        self._state_is_good_until = 0.0
        self._read_to: datetime | None = None
        """Of the gap in hand: what was read before the state was asked for anew."""
        self._filled = 0
        self._kept: list[LogRecord] = []
        """Of single channels, until all of the gap's are read: they are merged then."""
        self._refusals = 0
        self._rests_until = float("-inf")

    @property
    def waits(self) -> bool:
        """Whether there is something left to ask for."""
        return bool(self._gaps)

    def want(self, since: datetime, until: datetime) -> None:
        """Have the time between two readings filled, if the meter recorded any of it.

        Parameters
        ----------
        since, until : datetime
            Of the readings, by the clock that the meter's readings go by.

        """
        memory = self._profile.load_profile
        if memory is None or (memory.holds == "intervals" and self._store is None):
            return
        gap = gap_of(memory, since, until)
        if gap is not None:
            self._gaps.append(gap)

    def forget(self) -> None:
        """Ask for nothing more."""
        self._gaps.clear()

    async def some(self, latest: float) -> None:
        """Make a few requests, and hand on what they brought.

        Parameters
        ----------
        latest : float
            By then, in loop time, the last of them begins. [s]

        """
        loop = asyncio.get_running_loop()
        for _ in range(REQUESTS_A_POLL):
            if not self._can_go_on or loop.time() >= latest:
                return
            try:
                await self._step(self._gaps[0], latest)
            except NotStoredError as exc:
                self._is_not_stored(str(exc))
                return
            except (MeterError, DecodeError) as exc:
                is_no_fault = isinstance(exc, MeterError) and exc.failure in PASSING
                if not is_no_fault:
                    self._is_refused(str(exc))
                return
            self._refusals = 0

    @property
    def _can_go_on(self) -> bool:
        """Whether there is a gap all of whose records are made."""
        if not self._gaps or asyncio.get_running_loop().time() < self._rests_until:
            return False
        return self._gaps[0].is_recorded(self._now())

    def _is_not_stored(self, text: str) -> None:
        """Leave the gap for a while; what was read of it is read again."""
        self._rests_until = asyncio.get_running_loop().time() + _REST_S
        self._begin_anew()
        log.debug("Intervals of meter %s wait: %s", self._meter.serial, text)

    def _is_refused(self, text: str) -> None:
        """Leave a gap that the meter will not fill."""
        self._refusals += 1
        memory, state = self._profile.load_profile, self._state
        is_searched = memory is not None and memory.is_searched
        self._state = state.interrupted() if state and is_searched else None
        if self._refusals < _MOST_REFUSALS:
            return
        log.warning(
            "The gap %s of meter %s stays: its memory cannot be read: %s.",
            self._gaps.popleft(),
            self._meter.serial,
            text,
        )
        self._begin_anew()

    async def _step(self, gap: Gap, latest: float) -> None:
        """Ask once for what is left of a gap."""
        state = await self._known(latest)
        if (about := plan_channel(self._profile, state)) is not None:
            told = await self._memory.ask(about, latest)
            self._state = state.knowing(channel_of(self._profile, state, told))
            return
        since = self._read_to or gap.since
        requests = plan_load_profile(self._profile, state, since, gap.wanted_to)
        if not requests:
            whole = merged(self._kept)
            for first in range(0, len(whole), _A_PARCEL):
                await self._hand_on(whole[first : first + _A_PARCEL])
            self._has_filled(self._gaps.popleft())
            return
        request = requests[0]
        words = await self._memory.ask(request, latest)
        records = decode_load_profile(self._profile, request, words)
        within = [
            record
            for record in records
            if gap.holds(record.measured_at) and state.is_news(request, record)
        ]
        if request.channel is not None and request.channel.number:
            self._kept += within
        else:
            await self._hand_on(within)
        self._state = state.after(request, records)

    async def _hand_on(self, records: Sequence[LogRecord]) -> None:
        """Pass on what is believed, and what is refused."""
        if not records:
            return
        memory = self._profile.load_profile
        self._note_clock(records)
        if memory is None or memory.holds == "registers":
            await self._put(self._judged(records))
            return
        length = timedelta(seconds=memory.interval_s)
        at = self._now()
        believed, refusals = checked(self._meter, records, at, began=length)
        if refusals:
            await self._put(Parcel.of(Transport.MODBUS, refusals=refusals))
        if believed and self._store is not None:
            intervals = intervals_of(self._meter.meter_id, memory, believed)
            self._filled += await self._store(intervals, at)

    def _note_clock(self, records: Sequence[LogRecord]) -> None:
        """Say where times are of a clock that was set meanwhile."""
        times = [record.measured_at for record in records if record.clock_set]
        if times:
            log.warning(
                "Meter %s marks %d of its records, the first of %s, as recorded while "
                "its clock was set: the times around them may be wrong.",
                self._meter.serial,
                len(times),
                f"{min(times):%Y-%m-%d %H:%M} UTC",
            )

    async def _known(self, latest: float) -> LogState:
        """Return what is known of the memory, which goes on recording.

        Times, which a search goes by, stay as they are.
        """
        memory, loop = self._profile.load_profile, asyncio.get_running_loop()
        if self._state is None or loop.time() > self._state_is_good_until:
            interval_s = 0 if memory is None else memory.interval_s
            if self._state is not None:  # else polls far apart would begin again
                since = self._read_to or self._gaps[0].since
                interval = timedelta(seconds=interval_s)
                self._read_to = self._state.read_to(since, interval)
            self._state = await self._memory.state(latest)
            self._state_is_good_until = loop.time() + interval_s / 2
            if memory is not None and memory.is_searched:
                self._state_is_good_until = float("inf")
        return self._state

    def _has_filled(self, gap: Gap) -> None:
        log.info(
            "The memory of meter %s had %d %s for the gap %s.",
            self._meter.serial,
            self._filled,
            self._what,
            gap,
        )
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Know nothing of the next gap."""
        self._state, self._read_to, self._refusals, self._filled = None, None, 0, 0
        self._kept.clear()

    @property
    def _what(self) -> str:
        memory = self._profile.load_profile
        is_readings = memory is None or memory.holds == "registers"
        return "readings" if is_readings else "intervals"

    def _judged(self, records: Sequence[LogRecord]) -> Parcel:
        """Make a parcel of what registers showed."""
        at = self._now()
        believed, refusals = checked(self._meter, records, at)
        readings = [
            Reading(
                meter_id=self._meter.meter_id,
                measured_at=record.measured_at,
                received_at=at,
                values=record.values,
            )
            for record in believed
        ]
        self._filled += len(readings)
        source = Source.LOAD_PROFILE
        return Parcel.of(Transport.MODBUS, readings, refusals, source=source)
