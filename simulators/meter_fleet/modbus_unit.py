"""One Modbus meter's registers, and what became of the passes over them. Pure.

A pass is one reading of every register of the profile over one connection, in any
number of requests. All of a pass comes from one display, as in meters that latch their
values. Once the last register of a pass was answered, the reading was given.
"""

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

from meters.blocks import Block, plan_blocks
from meters.decode import DecodeError, decode_blocks, encode_registers
from meters.modbus_profile import Register
from meters.profile import ModbusProfile
from meters.quantity import REGISTERS
from meters.reading import from_utc_us
from simulators.meter_fleet.faults import Fault
from simulators.meter_fleet.ledger import NO_TIME, Given, Ledger, Standing
from simulators.meter_fleet.meter import LightMeter, Shown, registers_of
from simulators.meter_fleet.modbus_frames import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    MOST_REGISTERS,
    READ_HOLDING,
    READ_INPUT,
    Request,
)

_FUNCTION = {"input": READ_INPUT, "holding": READ_HOLDING}


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Which registers a type of meter has; sets of them are the bits of a number."""

    first: int
    """Address of bit 0."""
    count: int
    wanted: int
    """What a profile names: all of it makes a pass."""
    readable: dict[int, int]
    """By function; gaps that the profile lets a request run over are in it."""
    hole: int
    """What the fault `hole` takes away."""
    blocks: tuple[Block, ...]
    """How a collector reads it."""


@cache
def layout_of(profile: ModbusProfile) -> Layout:
    """Lay out a profile, once."""
    parts = profile.placed
    first = min(part.address for part in parts)
    count = max(part.address + part.words for part in parts) - first

    def bits(address: int, words: int) -> int:
        return (1 << words) - 1 << address - first

    wanted = 0
    readable: dict[int, int] = {}
    for part in parts:
        function = _FUNCTION[profile.function_of(part)]
        wanted |= bits(part.address, part.words)
        readable[function] = readable.get(function, 0) | bits(part.address, part.words)
    gaps = list(_gaps(profile))
    for function, address, words in gaps:
        readable[function] |= bits(address, words)
    return Layout(
        first=first,
        count=count,
        wanted=wanted,
        readable=readable,
        hole=bits(gaps[0][1], 1) if gaps else _a_momentary_one(profile, first),
        blocks=plan_blocks(profile),
    )


def _gaps(profile: ModbusProfile) -> Iterator[tuple[int, int, int]]:
    """Yield function, address and words of what requests may run over."""
    for part, following in pairwise(profile.placed):
        end = part.address + part.words
        words = following.address - end
        function = profile.function_of(part)
        if function == profile.function_of(following) and 0 < words <= profile.max_gap:
            yield _FUNCTION[function], end, words


def _a_momentary_one(profile: ModbusProfile, first: int) -> int:
    """Return the bits of a register that is no energy: a type without gaps has none."""
    for part in reversed(profile.placed):
        if isinstance(part, Register) and not part.quantity.is_register:
            return (1 << part.words) - 1 << part.address - first
    return 0


@dataclass(slots=True)
class _Client:
    """What one connection has read of a meter: another's reads are no part of it."""

    memory: bytes = b""
    unread: int = 0
    given: Given | None = None
    """Of the pass under way; given once nothing is unread."""
    waits: Given | None = None
    """Given, but not known to have arrived."""


@dataclass(slots=True)
class FleetUnit:
    """One meter at one unit id."""

    meter: LightMeter
    profile: ModbusProfile
    ledger: Ledger
    layout: Layout = field(init=False)
    _clients: dict[object, _Client] = field(default_factory=dict)
    answered_at_s: float = -math.inf
    """When its last answer went out, on the event loop's clock."""

    def __post_init__(self) -> None:
        """Lay out the registers."""
        self.layout = layout_of(self.profile)

    def was_asked(self, connection: object) -> None:
        """Take note: who asks again over the same connection has the last answer."""
        client = self._clients.get(connection)
        if client is not None and client.waits is not None:
            self.ledger.enter(client.waits, Standing.CERTAIN)
            client.waits = None

    def forget(self, connection: object) -> None:
        """Leave in doubt what was given last over a connection that ended."""
        client = self._clients.pop(connection, None)
        if client is not None and client.waits is not None:
            self.ledger.enter(client.waits, Standing.DOUBTFUL)

    def read(self, connection: object, request: Request, at_ms: int) -> bytes | int:
        """Return the bytes of the registers asked for, or an exception's code."""
        span, layout = request.span, self.layout
        readable = layout.readable.get(request.function)
        if span is None or readable is None:
            return ILLEGAL_FUNCTION
        address, count = span
        if not 1 <= count <= MOST_REGISTERS:
            return ILLEGAL_VALUE
        start = address - layout.first
        asked = (1 << count) - 1 << start if start >= 0 else -1
        if self.meter.spells and self.meter.spell(Fault.HOLE, at_ms):
            readable &= ~layout.hole
        if asked < 0 or asked & ~readable:
            return ILLEGAL_ADDRESS
        client = self._clients.setdefault(connection, _Client())
        wanted = asked & layout.wanted
        if wanted & ~client.unread:
            self._begin_pass(client, at_ms)
        client.unread &= ~wanted
        return client.memory[2 * start : 2 * (start + count)]

    def was_answered(self, connection: object, at_ms: int, *, sure: bool) -> None:
        """Take note of an answer that went out; the last of a pass gives the reading.

        `sure` unless the one who asked had moved on before.
        """
        client = self._clients.get(connection)
        if client is None or client.unread or client.given is None:
            return
        given = client.given._replace(given_ms=at_ms)
        client.given = None
        if sure:
            client.waits = given
        else:
            self.ledger.enter(given, Standing.DOUBTFUL)

    def peek(self, at_ms: int) -> bytes:
        """Return the bytes of all registers without reading them."""
        return self._encoded(self.meter.show(at_ms))

    def _begin_pass(self, client: _Client, at_ms: int) -> None:
        """Latch what the meter shows now."""
        shown, layout = self.meter.show(at_ms), self.layout
        client.memory = self._encoded(shown)
        client.unread = layout.wanted
        if Fault.HOLE in shown.faults:
            client.unread &= ~layout.hole
        has_clock = self.profile.clock is not None
        client.given = Given(
            meter=self.meter,
            measured_ms=shown.measured_ms if has_clock else NO_TIME,
            given_ms=at_ms,
            registers=_decoded(self.profile, layout, client.memory),
            faults=shown.faults,
        )

    def _encoded(self, shown: Shown) -> bytes:
        """Return all registers as big-endian bytes."""
        profile, first = self.profile, self.layout.first
        if Fault.WORD_ORDER in shown.faults:
            profile = _turned(profile)
        measured_at = from_utc_us(shown.measured_ms * 1000)
        memory = [0] * self.layout.count
        for address, word in encode_registers(
            profile, shown.values, measured_at
        ).items():
            memory[address - first] = word
        return struct.pack(f">{len(memory)}H", *memory)


def _decoded(profile: ModbusProfile, layout: Layout, memory: bytes) -> Sequence[float]:
    """Return the four registers as a collector decodes these bytes."""
    words = struct.unpack(f">{layout.count}H", memory)
    blocks = {
        block: words[block.address - layout.first :][: block.count]
        for block in layout.blocks
    }
    try:
        return registers_of(decode_blocks(profile, blocks).values)
    except DecodeError:  # a fault made it so: there is nothing to store
        return (math.nan,) * len(REGISTERS)


@cache
def _turned(profile: ModbusProfile) -> ModbusProfile:
    """Return the profile of a meter with its words the other way round."""
    other = "little" if profile.word_order == "big" else "big"
    return profile.model_copy(update={"word_order": other})
