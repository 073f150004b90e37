"""One Modbus meter's registers, and what became of the passes over them. Pure.

A pass is one reading of every register of the profile over one connection, in any
number of requests. All of a pass comes from one display, as in meters that latch their
values. Once all that is asked at every poll was answered, the reading was given; what
is asked less often may come in the same pass.

Who begins the next pass over the same connection has taken the one before.
"""

import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise

from meters.blocks import Block, Placeable, plan_blocks
from meters.decode import DecodeError, decode_blocks, encode_registers
from meters.modbus_parts import Register
from meters.profile import ModbusProfile
from meters.quantity import REGISTERS
from meters.reading import from_utc_us, utc_us
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
from simulators.meter_fleet.modbus_memory import log_words, records_in, told_words
from simulators.meter_fleet.searched_memory import SearchedMemory

_FUNCTION = {"input": READ_INPUT, "holding": READ_HOLDING}


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Which registers a type of meter has; sets of them are the bits of a number."""

    first: int
    """Address of bit 0."""
    count: int
    wanted: int
    """What a profile names: all of it makes a whole pass."""
    fast: int
    """What every poll asks for: without the rest it is a reading all the same."""
    registers: tuple[int, ...]
    """Where each of `REGISTERS` stands; 0 = the type has none."""
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

    def all_bits(parts: Iterable[Placeable]) -> int:
        return sum(bits(part.address, part.words) for part in parts)

    readable: dict[int, int] = {}
    for part in parts:
        function = _FUNCTION[profile.function_of(part)]
        readable[function] = readable.get(function, 0) | bits(part.address, part.words)
    gaps = list(_gaps(profile))
    for function, address, words in gaps:
        readable[function] |= bits(address, words)
    by_quantity = {register.quantity: [register] for register in profile.registers}
    return Layout(
        first=first,
        count=count,
        wanted=all_bits(parts),
        fast=all_bits(profile.parts("fast")),
        registers=tuple(all_bits(by_quantity.get(q, [])) for q in REGISTERS),
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
    """Of the pass under way."""
    answered_ms: int | None = None
    """When the last answer of the pass went out, once it makes a reading."""
    is_troubled: bool = False
    """Whether something in the pass went wrong: the reading may not have been taken."""


@dataclass(slots=True)
class FleetUnit:
    """One meter at one unit id."""

    meter: LightMeter
    profile: ModbusProfile
    ledger: Ledger
    layout: Layout = field(init=False)
    answered_at_s: float = -math.inf
    """When its last answer went out, on the event loop's clock."""
    busy_until_s: float = -math.inf
    """While it searches its memory it answers nothing; on the event loop's clock."""
    _search: SearchedMemory = field(init=False)
    _told: dict[int, int] = field(init=False)
    _opener: int | None = None
    """The first address ever asked for: each pass begins there."""
    _newest: _Client | None = None
    """Whose pass is under way: it goes on where its connection is renewed."""
    _clients: dict[object, _Client] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Lay out the registers."""
        self.layout = layout_of(self.profile)
        self._told = told_words(self.meter, self.profile)
        self._search = SearchedMemory(self.meter, self.profile)

    def write(self, request: Request, at_ms: int) -> float | int:
        """Return how long a write takes, in seconds, or an exception's code."""
        if request.written is None:
            return ILLEGAL_FUNCTION
        took_s = self._search.write(*request.written, at_ms)
        return ILLEGAL_ADDRESS if took_s is None else took_s

    def forget(self, connection: object) -> None:
        """Leave in doubt what was given last over a connection that ended."""
        client = self._clients.pop(connection, None)
        if client is not None and client.answered_ms is not None:
            self._end_pass(client, is_followed=False)

    def trouble(self, connection: object) -> None:
        """Take note that a request was refused, spoilt or not answered."""
        client = self._clients.get(connection)
        if client is not None:
            client.is_troubled = True

    def read(self, connection: object, request: Request, at_ms: int) -> bytes | int:
        """Return the bytes of the registers asked for, or an exception's code."""
        span, layout = request.span, self.layout
        if span is None:
            return ILLEGAL_FUNCTION
        address, count = span
        if not 1 <= count <= MOST_REGISTERS:
            return ILLEGAL_VALUE
        start = address - layout.first
        asked = (1 << count) - 1 << start if start >= 0 else -1
        readable = layout.readable.get(request.function, 0)
        if self.meter.spells and self.meter.spell(Fault.HOLE, at_ms):
            readable &= ~layout.hole
        if asked < 0 or asked & ~readable:
            return self._beside(address, count, at_ms)
        if self._opener is None:
            self._opener = address
        client = self._client(connection, address)
        wanted = asked & layout.wanted
        if wanted & ~client.unread or address == self._opener:
            self._end_pass(client, is_followed=True)
            self._begin_pass(client, at_ms)
        client.unread &= ~wanted
        return client.memory[2 * start : 2 * (start + count)]

    def _client(self, connection: object, address: int) -> _Client:
        """Return who asks; over a new connection an earlier one may go on."""
        client = self._clients.get(connection)
        if client is None:
            client, before = _Client(), self._newest
            if before is not None and address != self._opener:
                client, before.given = replace(before), None
            self._clients[connection] = client
        self._newest = client
        return client

    def was_answered(self, connection: object, at_ms: int, *, sure: bool) -> None:
        """Take note of an answer that went out.

        `sure` unless the one who asked had moved on before.
        """
        client = self._clients.get(connection)
        if client is None:
            return
        client.is_troubled |= not sure
        hole = self.layout.hole if self._has_hole(client) else 0
        if client.given is not None and not client.unread & self.layout.fast & ~hole:
            client.answered_ms = at_ms

    def peek(self, at_ms: int) -> bytes:
        """Return the bytes of all registers without reading them."""
        return self._encoded(self.meter.show(at_ms))

    def _begin_pass(self, client: _Client, at_ms: int) -> None:
        """Latch what the meter shows now."""
        shown, layout = self.meter.show(at_ms), self.layout
        client.memory = self._encoded(shown)
        client.unread = layout.wanted
        client.answered_ms, client.is_troubled = None, False
        has_clock = self.profile.clock is not None
        client.given = Given(
            meter=self.meter,
            measured_ms=shown.measured_ms if has_clock else NO_TIME,
            given_ms=at_ms,
            registers=_decoded(self.profile, layout, client.memory),
            faults=shown.faults,
        )

    def _end_pass(self, client: _Client, *, is_followed: bool) -> None:
        """Enter what the pass gave: who asks again has taken it, if all went well."""
        given, layout = client.given, self.layout
        client.given = None
        if given is None or client.answered_ms is None:
            return
        slow = layout.wanted & ~layout.fast
        is_whole = client.unread & slow in (0, slow)
        is_taken = is_followed and is_whole and not client.is_troubled
        registers = [
            math.nan if client.unread & bits else value
            for bits, value in zip(layout.registers, given.registers, strict=True)
        ]
        given = given._replace(given_ms=client.answered_ms, registers=registers)
        standing = Standing.CERTAIN if is_taken else Standing.DOUBTFUL
        self.ledger.enter(given, standing)

    def _has_hole(self, client: _Client) -> bool:
        return client.given is not None and Fault.HOLE in client.given.faults

    def _beside(self, address: int, count: int, at_ms: int) -> bytes | int:
        """Return what stands beside the readings, or an exception's code."""
        held: Mapping[int, int] = self._told
        addresses = range(address, address + count)
        if not all(each in held for each in addresses):
            held = log_words(self.meter, self.profile, at_ms)
            held = held or self._search.words(at_ms)
            if not all(each in held for each in addresses):
                return ILLEGAL_ADDRESS
            self._give_records(address, count, at_ms)
        return struct.pack(f">{count}H", *(held[each] for each in addresses))

    def _give_records(self, address: int, count: int, at_ms: int) -> None:
        """Enter records of the load profile: who reads them may store them."""
        ring = records_in(self.meter, self.profile, at_ms, address, count)
        for record in (*ring, *self._search.given_in(at_ms, address, count)):
            given = Given(
                meter=self.meter,
                measured_ms=utc_us(record.measured_at) // 1000,
                given_ms=at_ms,
                registers=registers_of(record.values),
                faults=(),
            )
            self.ledger.enter(given, Standing.DOUBTFUL)

    def _encoded(self, shown: Shown) -> bytes:
        """Return all registers as big-endian bytes."""
        profile, first = self.profile, self.layout.first
        if Fault.WORD_ORDER in shown.faults:
            profile = _turned(profile)
        measured_at = from_utc_us(shown.measured_ms * 1000)
        memory = [0] * self.layout.count
        words = encode_registers(profile, shown.values, measured_at)
        for address, word in (self._told | words).items():
            if 0 <= address - first < len(memory):
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
