"""Find out what answers behind a bus: ask each unit as every profile would.

Of each profile the one request is asked first that brings a voltage. Only profiles
that this speaks for, in any order of words and bytes, are asked further. An answer
serves all profiles that ask the same; a unit that keeps silent to a request of either
function is taken for dead; and no unit is given more than its time. Where a SunSpec
device has its registers is asked of the device, as a poll would.

Errors
------
ProbeError
    The bus itself cannot be reached; one sentence.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from collector.modbus.failure import Failure, MeterError
from collector.modbus.sunspec_walk import walk_chain
from meters.blocks import Block
from meters.candidates import (
    Candidate,
    Heard,
    first_request,
    may_be,
    other_orders,
    ranked,
    requests_of,
)
from meters.modbus_profile import ModbusProfile
from meters.sunspec import Chain, SunspecError, SunspecProfile, resolve

_GATEWAY_SILENT = (0x0A, 0x0B)
"""Exceptions with which a gateway says that nothing answers behind it."""
_BUSY = (0x05, 0x06)
MOST_SILENT = 2
"""Requests without any answer after which a unit is taken for dead."""
_BUSY_PAUSE_S = 0.2


class ProbeError(Exception):
    """The bus cannot be asked at all."""


class Bus(Protocol):
    """Whatever reads blocks of registers."""

    @property
    def address(self) -> str:
        """Where it is, for people."""
        ...

    async def read_block(self, unit: int, block: Block) -> list[int]:
        """Read one block of one unit; raise MeterError where that fails."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What one unit was found to be."""

    unit: int
    answers: bool
    """Whether it answered at all, be it with an exception."""
    candidates: tuple[Candidate, ...] = ()
    """The best first; also those that do not fit."""
    turned: tuple[Candidate, ...] = ()
    """Where none fits: layouts that do, in another order of words or bytes."""
    requests: int = 0
    unasked: int = 0
    """Requests for which there was no time left."""
    objections: tuple[str, ...] = ()
    """What it answered with exceptions, each kind once."""

    @property
    def fits(self) -> tuple[Candidate, ...]:
        """The profiles that it may well be of, the best first."""
        return tuple(one for one in self.candidates if one.fits)


async def probe_unit(
    bus: Bus,
    unit: int,
    profiles: Sequence[ModbusProfile],
    *,
    budget_s: float = 30.0,
    most_silent: int = MOST_SILENT,
    on_request: Callable[[], None] = lambda: None,
) -> Found:
    """Ask one unit and rank the profiles by what it answers.

    Parameters
    ----------
    bus : Bus
        To ask over.
    unit : int
        Its id.
    profiles : sequence of ModbusProfile
        Those in question.
    budget_s : float
        How long this may take; what is not asked by then stays unasked. [s]
    most_silent : int
        After how many requests without any answer to give it up; some meters keep
        silent to what they do not have.
    on_request : callable
        Told of every request.

    Raises
    ------
    ProbeError
        If the bus cannot be reached.

    """
    asker = _Asker(bus, unit, budget_s, most_silent, on_request)
    await asker.ask_all(_alternating(first_request(profile) for profile in profiles))
    if not asker.is_alive:
        return Found(unit=unit, answers=False, requests=asker.requests)
    profiles = await asker.own(profiles)
    await asker.ask_all(map(first_request, profiles))
    likely = [profile for profile in profiles if may_be(profile, asker.heard)]
    await asker.ask_all(block for p in likely for block in requests_of(p))
    candidates = tuple(ranked(profiles, asker.heard))
    turned: tuple[Candidate, ...] = ()
    if not any(one.fits for one in candidates):
        turned = tuple(other_orders(likely, asker.heard))
    return Found(
        unit=unit,
        answers=True,
        candidates=candidates,
        turned=turned,
        requests=asker.requests,
        unasked=len(asker.unasked),
        objections=tuple(sorted(asker.objections)),
    )


def _alternating(blocks: Iterable[Block]) -> Iterator[Block]:
    """Order requests so that the first two are of either function."""
    distinct = list(dict.fromkeys(blocks))
    first = distinct[:1]
    other = [b for b in distinct if b.function != first[0].function][:1]
    yield from dict.fromkeys((*first, *other, *distinct))


def _of_device(profile: ModbusProfile, chain: Chain | None) -> ModbusProfile | None:
    """Return a profile with the addresses of the device; None if it has no such."""
    if not isinstance(profile, SunspecProfile):
        return profile
    try:
        return None if chain is None else resolve(profile.form, chain)
    except SunspecError:
        return None


class _Asker:
    """Asks one unit, each request once, while there is time."""

    def __init__(
        self,
        bus: Bus,
        unit: int,
        budget_s: float,
        most_silent: int,
        on_request: Callable[[], None],
    ) -> None:
        self._bus, self._unit, self._on_request = bus, unit, on_request
        self._until = asyncio.get_running_loop().time() + budget_s
        self._most_silent = most_silent
        self.heard = Heard()
        self.is_alive = False
        self.requests = 0
        self.unasked: set[Block] = set()
        self.objections: set[str] = set()

    async def ask_all(self, blocks: Iterable[Block]) -> None:
        """Ask what was not asked yet, until the unit is dead or its time is over."""
        for block in blocks:
            if block in self.heard.words or block in self.heard.refused:
                continue
            if not self.is_alive and self.requests >= self._most_silent:
                return
            if self._is_over():
                self.unasked.add(block)
                continue
            await self._ask(block)

    async def own(self, profiles: Sequence[ModbusProfile]) -> list[ModbusProfile]:
        """Replace SunSpec profiles by what the device's chain of models makes of them.

        Those of which it has nothing are left out.
        """
        if any(isinstance(profile, SunspecProfile) for profile in profiles):
            self.heard.chain = await self._walked()
        made = (_of_device(profile, self.heard.chain) for profile in profiles)
        return [profile for profile in made if profile is not None]

    async def _walked(self) -> Chain | None:
        if self._is_over():
            return None
        try:
            return await walk_chain(self, self._unit)
        except (MeterError, SunspecError):
            return None

    def _is_over(self) -> bool:
        return asyncio.get_running_loop().time() > self._until

    async def _ask(self, block: Block) -> None:
        try:
            self.heard.words[block] = await self.read_block(self._unit, block)
            self.is_alive = True
        except MeterError as exc:
            if exc.failure is Failure.NO_CONNECTION:
                raise ProbeError(
                    f"There is no connection to {self._bus.address}: see that the "
                    "address is right and that nothing else holds the line."
                ) from exc
            self._note(block, exc)

    async def read_block(self, unit: int, block: Block) -> list[int]:
        """Read a block; a unit that is busy is asked again, once."""
        self.requests += 1
        self._on_request()
        try:
            return await self._bus.read_block(unit, block)
        except MeterError as exc:
            if exc.exception_code not in _BUSY:
                raise
            await asyncio.sleep(_BUSY_PAUSE_S)
            return await self._bus.read_block(unit, block)

    def _note(self, block: Block, exc: MeterError) -> None:
        """Keep in mind what was refused, or not answered at all."""
        code = exc.exception_code
        is_silent = exc.failure is Failure.NO_ANSWER or code in _GATEWAY_SILENT
        self.is_alive = self.is_alive or not is_silent
        last = block.address + block.count - 1
        where = f"{block.function} registers {block.address} to {last}"
        what = "does not answer" if is_silent else "refuses"
        self.heard.refused[block] = f"it {what} {where}"
        if not is_silent:
            self.objections.add(str(exc).partition(": ")[2].partition(" to reading")[0])
