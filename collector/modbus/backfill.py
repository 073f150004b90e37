"""Reads a meter's own memory into the gaps that an outage left.

A gap is the time between two readings where polls were missed. Where the meter keeps
interval records, those of a gap are asked for after its polls, a few requests each
time, when nobody else wants the bus. They become readings of the same meter, marked as
`Source.LOAD_PROFILE`; one that is there already changes nothing.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from collector.modbus.failure import Failure, MeterError
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
from meters.reading import Reading, Source, utc_us
from meters.refusal import Refusal

log = logging.getLogger(__name__)

REQUESTS_A_POLL = 4
_MOST_GAPS = 1000
"""Of one meter: the oldest is forgotten, its memory would no longer have it."""
_MOST_REFUSALS = 3
"""In a row; then a gap is left as it is."""
_PASSING = {Failure.NO_TIME, Failure.NO_CONNECTION}
"""What says nothing of the meter's memory."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without readings, by the clock that the meter's readings go by."""

    since: datetime
    """Of the last reading before it."""
    until: datetime
    """Of the first reading after it."""

    def holds(self, moment: datetime) -> bool:
        """Whether a moment lies within."""
        return self.since < moment < self.until

    def __str__(self) -> str:
        """Say it to people."""
        return f"from {self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC"


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


class Backfill:
    """The gaps of one meter."""

    def __init__(
        self,
        meter: Meter,
        profile: ModbusProfile,
        bus: Bus,
        now: Callable[[], datetime],
        put: Callable[[Parcel], Awaitable[None]],
    ) -> None:
        self._meter, self._profile, self._bus, self._now = meter, profile, bus, now
        self._put = put
        self._gaps: deque[Gap] = deque(maxlen=_MOST_GAPS)
        self._state: LogState | None = None
        self._state_is_good_until = 0.0
        self._read_to: datetime | None = None
        """Of the gap in hand: what was read before the state was asked for anew."""
        self._filled = 0
        self._refusals = 0

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
        # Energy of intervals alone is no reading of a register.
        if memory is None or memory.holds != "registers":
            return
        interval_us = memory.interval_s * 1_000_000
        first_us = (utc_us(since) // interval_us + 1) * interval_us
        if first_us < utc_us(until):
            self._gaps.append(Gap(since, until))

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
            if not self._gaps or loop.time() >= latest:
                return
            try:
                await self._step(self._gaps[0], latest)
            except (MeterError, DecodeError) as exc:
                is_no_fault = isinstance(exc, MeterError) and exc.failure in _PASSING
                if not is_no_fault:
                    self._is_refused(str(exc))
                return
            self._refusals = 0

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
        requests = plan_load_profile(self._profile, state, since, gap.until)
        if not requests:
            self._has_filled(self._gaps.popleft())
            return
        records = await self._ask(requests[0], latest)
        self._state = state.after(requests[0], records)
        within = [record for record in records if gap.holds(record.measured_at)]
        if within:
            await self._put(self._judged(within))

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
            "The memory of meter %s had %d readings for the gap %s.",
            self._meter.serial,
            self._filled,
            gap,
        )
        self._filled, self._state, self._read_to = 0, None, None

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
        """Make a parcel of records."""
        readings: list[Reading] = []
        refusals: list[Refusal] = []
        at = self._now()
        for record in records:
            fault = check(self._meter, record.measured_at, record.values, at)
            if fault is None:
                readings.append(
                    Reading(
                        meter_id=self._meter.meter_id,
                        measured_at=record.measured_at,
                        received_at=at,
                        values=record.values,
                    )
                )
            else:
                refusals.append(self._refusal(record, fault, at))
        self._filled += len(readings)
        source = Source.LOAD_PROFILE
        return Parcel.of(Transport.MODBUS, readings, refusals, source=source)

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
