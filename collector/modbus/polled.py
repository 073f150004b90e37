"""A meter under polling: its requests, and what is made of its answers."""

import asyncio
import logging
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from collector.modbus.backfill import Store
from collector.modbus.breaker import Breaker
from collector.modbus.drift import ClockDrift
from collector.modbus.events import told_events
from collector.modbus.failure import Failure, MeterError
from collector.modbus.health import Health
from collector.modbus.holes import Plan, Words, may_have_holes
from collector.modbus.identity import Roll, serial_blocks
from collector.modbus.stated import Stated
from collector.modbus.sunspec_poll import walked
from collector.modbus.turns import Asking, Turns
from collector.parcel import Parcel
from meters.blocks import Block
from meters.bounds import after_removal, check
from meters.decode import Decoded, DecodeError, decode_blocks
from meters.identity import decode_identity
from meters.meter import Meter, Transport
from meters.modbus_parts import Status
from meters.profile import ModbusProfile, SunspecProfile
from meters.reading import Reading, Source
from meters.refusal import Reason, Refusal
from storage.meter_events import ToldEvents
from storage.stated_multipliers import ToldMultiplier

log = logging.getLogger(__name__)

Now = Callable[[], datetime]
SLOW_EVERY = 6
"""Slow quantities come with one poll of so many."""


class Bus(Protocol):
    """Whatever reads blocks of registers."""

    @property
    def turns(self) -> Turns:
        """Who asks next on it."""
        ...

    @property
    def roll(self) -> Roll:
        """Who answered at which of its units."""
        ...

    @property
    def breaker(self) -> Breaker:
        """Open while nobody can be reached over it."""
        ...

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


def _nobody(_told: object) -> None:
    """Nobody wants to know."""


@dataclass(kw_only=True, slots=True)
class PolledMeter:
    """A meter, the requests that read it, and the bus they go over."""

    meter: Meter
    profile: ModbusProfile
    bus: Bus
    plan: Plan
    stated: Stated
    slow_every: int = SLOW_EVERY
    on_drift: Callable[[ClockDrift], None] = _nobody
    """Told at every read of a meter that has a clock."""
    on_events: Callable[[ToldEvents], None] = _nobody
    """Told whenever what the meter says of itself is new."""
    on_stated: Callable[[ToldMultiplier], None] = _nobody
    """Told whenever the meter states another multiplier."""
    store: Store | None = None
    """Takes what a memory says of intervals."""
    newest: datetime | None = None
    """When the newest reading was measured; at first, of those that are committed."""
    gaps: Sequence[tuple[datetime, datetime]] = ()
    """Between which committed readings some are missing, at the start."""
    health: Health = field(default_factory=Health)
    _polls: int = 0
    """Complete ones."""
    _who: tuple[Block, ...] = ()
    _serial: str = ""
    """What the meter says of itself."""
    _is_walked: bool = False
    """SunSpec only: whether its models were found."""
    _missing: str = ""
    """As it was said."""

    @classmethod
    def of(cls, meter: Meter, profile: ModbusProfile, bus: Bus) -> "PolledMeter":
        """Plan the requests of a meter."""
        return cls(
            meter=meter,
            profile=profile,
            bus=bus,
            plan=Plan(profile),
            stated=Stated.of(profile),
            _who=serial_blocks(profile),
        )

    async def read(self, now: Now, asking: Asking | None = None) -> Parcel:
        """Read the meter once; raise MeterError without a complete answer."""
        asking = Asking() if asking is None else asking
        at_s = asyncio.get_running_loop().time()
        if isinstance(self.profile, SunspecProfile) and not self._is_walked:
            await self._walk(self.profile, asking)
        is_slow = self._polls % self.slow_every == 0
        words: Words = {}
        clock, told_at = self.profile.clock, None
        for block in self.plan.blocks(at_s, slow=is_slow):
            words |= await self._read(block, asking, at_s)
            if clock is not None and clock in block.registers:
                told_at = now()
        if is_slow and self._who:
            await self._ask_who(asking)
        if self.stated.is_due(at_s):
            await self._ask_multiplier(asking, now, at_s)
        parcel = self._judged(words, now(), told_at)
        self._polls += 1
        return parcel

    async def _walk(self, profile: SunspecProfile, asking: Asking) -> None:
        """Find where this device has what its type promises."""
        found = await walked(self.bus, self.meter, profile, asking)
        self.profile, self.plan = found, Plan(found)
        self._who, self._is_walked = serial_blocks(found), True

    async def _ask(self, block: Block, asking: Asking) -> list[int]:
        return await self.bus.read_block(self.meter.unit or 0, block, asking)

    async def _read(self, block: Block, asking: Asking, at_s: float) -> Words:
        """Read one block, or what the meter has of it."""
        try:
            return {block: await self._ask(block, asking)}
        except MeterError as exc:
            if not may_have_holes(exc):
                raise
            self._is_walked = False  # its models may have moved: an update does that
            words = await self.plan.mended(
                block, exc, lambda part: self._ask(part, asking), at_s
            )
            self._is_walked = True
            self._say_what_is_missing(exc)
            return words

    def _say_what_is_missing(self, exc: MeterError) -> None:
        """Say it once."""
        parts = self.plan.missing
        self.health.missing = tuple(part.label for part in parts)
        text = ", ".join(f"{part.label} (register {part.address})" for part in parts)
        if text and text != self._missing:
            log.warning(
                "Meter %s does not have %s: %s. The rest is read, and they are tried "
                "again in a day.",
                self.meter.serial,
                text,
                exc,
            )
        self._missing = text

    async def _ask_who(self, asking: Asking) -> None:
        """Have the meter say who it is; MeterError if it is another."""
        try:
            words = {b: await self._ask(b, asking) for b in self._who}
            said = decode_identity(self.profile, words).serial or ""
        except DecodeError:
            return
        except MeterError as exc:
            if not may_have_holes(exc):
                raise
            self._who = ()  # this one does not tell
            return
        said = said if said.strip("0") else ""
        unit = self.meter.unit or 0
        if said and (wrong := self.bus.roll.objection(unit, self._serial, said)):
            raise MeterError(
                f"{self.meter.address}: an answer with {wrong}: its gateway mixes up "
                "units, or the meter was swapped; see to it, or enter the new one",
                Failure.WRONG_ANSWER,
            )
        self._serial = said

    async def _ask_multiplier(self, asking: Asking, now: Now, at_s: float) -> None:
        """Have the meter say what ratio was set in it."""
        try:
            words = {b: await self._ask(b, asking) for b in self.stated.blocks}
            told = self.stated.take(words, at_s)
        except DecodeError:
            return
        except MeterError as exc:
            if not may_have_holes(exc):
                raise
            self.stated.blocks = ()  # this one does not tell
            return
        if told is not None:
            meter_id = self.meter.meter_id
            self.on_stated(ToldMultiplier(meter_id=meter_id, at=now(), multiplier=told))

    def _judged(self, words: Words, at: datetime, told_at: datetime | None) -> Parcel:
        """Decode an answer, and keep it as a reading or as a refusal."""
        try:
            decoded = decode_blocks(self.profile, words)
        except DecodeError as exc:
            return self._refused(words, at, Reason.UNDECODABLE, f"{exc}.")
        self._note_events(words, decoded, at)
        self._note_clock(decoded, told_at)
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
        self.newest = measured_at
        return Parcel.of(Transport.MODBUS, [reading], source=Source.POLLED)

    def _note_events(self, words: Words, decoded: Decoded, at: datetime) -> None:
        """Keep what the meter says of itself, as far as it was asked, and tell it."""
        if not self.profile.events:
            return
        read = [
            (part, words[block][part.address - block.address :][: part.words])
            for block in words
            for part in block.registers
            if isinstance(part, Status)
        ]
        asked = {event.code for status, _ in read for event in status.events}
        if not asked:
            return
        before = self.health.events
        self.health.events = frozenset(
            ((before or frozenset()) - asked) | decoded.events
        )
        if self.health.events != before:
            self.on_events(
                told_events(self.meter.meter_id, at, self.health.events, read)
            )

    def _note_clock(self, decoded: Decoded, told_at: datetime | None) -> None:
        """Compare the meter's clock with ours."""
        if told_at is None or decoded.measured_at is None:
            return
        drift = ClockDrift(
            meter_id=self.meter.meter_id,
            measured_at=told_at,
            drift_s=(decoded.measured_at - told_at).total_seconds(),
        )
        was_wrong = self.health.drift is not None and self.health.drift.is_wrong
        self.health.drift = drift
        serial = self.meter.serial
        if drift.is_wrong and not was_wrong:
            log.warning("The clock of meter %s is %s: set it.", serial, drift)
        elif was_wrong and not drift.is_wrong:
            log.info("The clock of meter %s is right again.", serial)
        self.on_drift(drift)

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
        return Parcel.of(Transport.MODBUS, refusals=[refusal], source=Source.POLLED)
