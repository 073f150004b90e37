"""Ask Modbus meters, each at its own pace.

A meter's poll reads all its blocks, one after another, and becomes one parcel. The
first block without an answer ends it: a dead meter costs its bus one time-out a poll.
A failed poll leaves a gap; it is said when a meter stops and when it answers again.
What is asked after the meter's removal, the next one at its address may answer.
"""

import asyncio
import logging
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from collector.counts import Counts
from collector.modbus.bus import MeterError
from collector.parcel import Parcel, ParcelQueue
from meters.blocks import Block, plan_blocks
from meters.bounds import after_removal, check
from meters.decode import DecodeError, decode_blocks
from meters.meter import Meter, Transport
from meters.profile import ModbusProfile
from meters.reading import Reading
from meters.refusal import Reason, Refusal

log = logging.getLogger(__name__)

Now = Callable[[], datetime]
_GOLDEN = 0.6180339887498949
"""Multiples of it, modulo 1, spread evenly however many there are."""


class Bus(Protocol):
    """Whatever reads blocks of registers: Modbus TCP now, serial lines later."""

    async def read_block(self, unit: int, block: Block) -> list[int]:
        """Read one block of one unit; raise MeterError where that fails."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class PolledMeter:
    """A meter, the requests that read it, and the bus they go over."""

    meter: Meter
    profile: ModbusProfile
    blocks: tuple[Block, ...]
    bus: Bus

    @classmethod
    def of(cls, meter: Meter, profile: ModbusProfile, bus: Bus) -> "PolledMeter":
        """Plan the requests of a meter."""
        blocks = plan_blocks(profile)
        return cls(meter=meter, profile=profile, blocks=blocks, bus=bus)

    async def read(self, now: Now) -> Parcel:
        """Read the meter once; raise MeterError without a complete answer."""
        words: dict[Block, Sequence[int]] = {}
        for block in self.blocks:
            words[block] = await self.bus.read_block(self.meter.unit or 0, block)
        return self._judged(words, now())

    def _judged(self, words: Mapping[Block, Sequence[int]], at: datetime) -> Parcel:
        """Decode an answer, and keep it as a reading or as a refusal."""
        try:
            decoded = decode_blocks(self.profile, words)
        except DecodeError as exc:
            return self._refused(words, at, Reason.UNDECODABLE, f"{exc}.")
        measured_at = decoded.measured_at or at
        fault = after_removal(self.meter, at, "present")
        fault = fault or check(self.meter, measured_at, decoded.values, at)
        if fault is not None:
            return self._refused(words, at, *fault)
        reading = Reading(
            meter_id=self.meter.meter_id,
            measured_at=measured_at,
            received_at=at,
            values=decoded.values,
        )
        return Parcel.of(Transport.MODBUS, [reading])

    def _refused(
        self,
        words: Mapping[Block, Sequence[int]],
        at: datetime,
        reason: Reason,
        text: str,
    ) -> Parcel:
        refusal = Refusal(
            reason=reason,
            text=text,
            source=self.meter.address,
            transport=Transport.MODBUS,
            received_at=at,
            raw=b"".join(struct.pack(f">{len(w)}H", *w) for w in words.values()),
            meter_id=self.meter.meter_id,
        )
        return Parcel(transport=Transport.MODBUS, refusals=[refusal])


async def poll(polled: PolledMeter, out: ParcelQueue, counts: Counts, now: Now) -> None:
    """Read one meter at its pace until cancelled, or until it is removed.

    What is late is not made up for. Whatever goes wrong, the next poll is tried: one
    meter must not end the collecting of all.
    """
    meter, loop = polled.meter, asyncio.get_running_loop()
    every_s = meter.poll_every_s
    due = loop.time() + meter.meter_id * _GOLDEN % 1.0 * every_s
    task, trouble = asyncio.current_task(), ""
    while True:
        await asyncio.sleep(due - loop.time())
        if meter.removed_at is not None and now() >= meter.removed_at:
            return
        counts.asked += 1
        try:
            parcel = await polled.read(now)
        except MeterError as exc:
            counts.failed += 1
            if not trouble:
                log.warning("Meter %s stopped answering: %s.", meter.serial, exc)
            trouble = str(exc)
        except Exception:  # at the outermost: it says so, and others go on
            counts.failed += 1
            if not trouble:
                log.exception("Meter %s cannot be read.", meter.serial)
            trouble = "a fault of our own"
        else:
            counts.answered += 1
            if trouble:
                log.info("Meter %s answers again.", meter.serial)
            trouble = ""
            await out.put(parcel)
        # Python 3.11's wait_for, of which pymodbus is made, forgets a cancellation that
        # comes at the same moment as the answer.
        if task is not None and task.cancelling():
            raise asyncio.CancelledError
        missed = max(0.0, loop.time() - due) // every_s
        due += (missed + 1) * every_s
