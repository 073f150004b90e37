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
from typing import Protocol

from collector.modbus.failure import Failure, MeterError
from collector.modbus.gap import Gap, gap_of
from collector.modbus.recorded import NotStoredError, intervals_of
from collector.modbus.turns import Asking, Rank
from collector.parcel import Parcel
from meters.blocks import Block
from meters.bounds import Objection, check
from meters.encoding import DecodeError
from meters.load_profile import (
    LogRecord,
    LogRequest,
    LogState,
    decode_load_profile,
    plan_load_profile,
    plan_pointers,
    state_of,
)
from meters.meter import Meter, Transport
from meters.modbus_profile import ModbusProfile
from meters.reading import Reading, Source
from meters.refusal import Refusal
from storage.meter_intervals import MeterIntervals

log = logging.getLogger(__name__)

REQUESTS_A_POLL = 4
_MOST_GAPS = 1000
"""Of one meter: the oldest is forgotten, its memory would no longer have it."""
_MOST_REFUSALS = 3
"""In a row; then a gap is left as it is."""
_REST_S = 30.0
"""Where the database takes no intervals."""
_PASSING = {Failure.NO_TIME, Failure.NO_CONNECTION}
"""What says nothing of the meter's memory."""


class Bus(Protocol):
    """What is needed of a bus."""

    async def read_block(
        self, unit: int, block: Block, asking: Asking | None = None
    ) -> list[int]:
        """Read one block of one unit; raise MeterError where that fails."""
        ...

    async def write_registers(
        self,
        unit: int,
        address: int,
        words: Sequence[int],
        asking: Asking | None = None,
    ) -> None:
        """Write holding registers; raise MeterError where that fails."""
        ...


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
        self._meter, self._profile, self._bus, self._now = meter, profile, bus, now
        self._put, self._store = put, store
        self._gaps: deque[Gap] = deque(maxlen=_MOST_GAPS)
        self._state: LogState | None = None
        self._state_is_good_until = 0.0
        self._read_to: datetime | None = None
        """Of the gap in hand: what was read before the state was asked for anew."""
        self._filled = 0
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
                is_no_fault = isinstance(exc, MeterError) and exc.failure in _PASSING
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
        self._state, self._filled = None, 0
        log.debug("Intervals of meter %s wait: %s", self._meter.serial, text)

    def _is_refused(self, text: str) -> None:
        """Leave a gap that the meter will not fill."""
        self._state = None
        self._refusals += 1
        if self._refusals < _MOST_REFUSALS:
            return
        log.warning(
            "The gap %s of meter %s stays: its memory cannot be read: %s.",
            self._gaps.popleft(),
            self._meter.serial,
            text,
        )
        self._refusals, self._filled, self._read_to = 0, 0, None

    async def _step(self, gap: Gap, latest: float) -> None:
        """Ask once for what is left of a gap."""
        state = await self._known(latest)
        since = self._read_to or gap.since
        requests = plan_load_profile(self._profile, state, since, gap.wanted_to)
        if not requests:
            self._has_filled(self._gaps.popleft())
            return
        records = await self._ask(requests[0], latest)
        within = [record for record in records if gap.holds(record.measured_at)]
        if within:
            await self._hand_on(within)
        self._state = state.after(requests[0], records)

    async def _hand_on(self, records: Sequence[LogRecord]) -> None:
        """Pass on what is believed, and what is refused."""
        memory = self._profile.load_profile
        if memory is None or memory.holds == "registers":
            await self._put(self._judged(records))
            return
        length = timedelta(seconds=memory.interval_s)
        at = self._now()
        believed, refusals = self._checked(records, at, began=length)
        if refusals:
            await self._put(Parcel.of(Transport.MODBUS, refusals=refusals))
        if believed and self._store is not None:
            intervals = intervals_of(self._meter.meter_id, memory, believed)
            self._filled += await self._store(intervals, at)

    async def _known(self, latest: float) -> LogState:
        """Return what is known of the memory, which goes on recording."""
        memory, loop = self._profile.load_profile, asyncio.get_running_loop()
        if self._state is None or loop.time() > self._state_is_good_until:
            blocks = plan_pointers(self._profile)
            words = {block: await self._read(block, latest) for block in blocks}
            interval_s = 0 if memory is None else memory.interval_s
            if self._state is not None:  # else polls far apart would begin again
                since = self._read_to or self._gaps[0].since
                interval = timedelta(seconds=interval_s)
                self._read_to = self._state.read_to(since, interval)
            self._state = state_of(self._profile, words)
            self._state_is_good_until = loop.time() + interval_s / 2
        return self._state

    def _has_filled(self, gap: Gap) -> None:
        log.info(
            "The memory of meter %s had %d %s for the gap %s.",
            self._meter.serial,
            self._filled,
            self._what,
            gap,
        )
        self._filled, self._state, self._read_to = 0, None, None

    @property
    def _what(self) -> str:
        memory = self._profile.load_profile
        is_readings = memory is None or memory.holds == "registers"
        return "readings" if is_readings else "intervals"

    async def _ask(self, request: LogRequest, latest: float) -> Sequence[LogRecord]:
        """Select, where the meter wants that, and read."""
        for address, written in request.writes:
            await self._bus.write_registers(
                self._meter.unit or 0, address, written, self._asking(latest)
            )
        words = await self._read(request.block, latest)
        return decode_load_profile(self._profile, request, words)

    async def _read(self, block: Block, latest: float) -> list[int]:
        return await self._bus.read_block(
            self._meter.unit or 0, block, self._asking(latest)
        )

    def _asking(self, latest: float) -> Asking:
        timeout_ms = self._profile.timeout_ms
        return Asking(
            rank=Rank.BACKFILL,
            latest=latest,
            timeout_s=None if timeout_ms is None else timeout_ms / 1000,
            pause_s=self._profile.pause_ms / 1000,
        )

    def _judged(self, records: Sequence[LogRecord]) -> Parcel:
        """Make a parcel of what registers showed."""
        at = self._now()
        believed, refusals = self._checked(records, at)
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

    def _checked(
        self,
        records: Sequence[LogRecord],
        at: datetime,
        began: timedelta = timedelta(0),
    ) -> tuple[list[LogRecord], list[Refusal]]:
        """Tell believable records from others; `began` so long before their time."""
        believed: list[LogRecord] = []
        refusals: list[Refusal] = []
        for record in records:
            fault = check(self._meter, record.measured_at - began, record.values, at)
            if fault is None:
                believed.append(record)
            else:
                refusals.append(self._refusal(record, fault, at))
        return believed, refusals

    def _refusal(self, record: LogRecord, fault: Objection, at: datetime) -> Refusal:
        return Refusal(
            reason=fault.reason,
            text=fault.text,
            source=self._meter.address,
            transport=Transport.MODBUS,
            received_at=at,
            raw=repr(record).encode(),
            meter_id=self._meter.meter_id,
        )
