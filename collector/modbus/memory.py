"""Asks a meter for records of its own memory, one request after another.

Each request, and each write before it, is a turn of its own on the bus, after all that
polls want. A meter that searches answers the write by which the search begins only once
it has found what it looks for, which may be long after our time-out: that is no fault.
The next time it is asked, what was written is read back: if all of it has arrived the
search is done, and what it found is there to be read.
"""

from collections.abc import Sequence
from typing import Protocol

from collector.modbus.failure import Failure, MeterError
from collector.modbus.turns import Asking, Rank
from meters.blocks import Block
from meters.load_profile import LogState, plan_pointers, state_of
from meters.load_records import LogRequest
from meters.load_search import (
    asked_back,
    check_proof,
    plan_proof,
    still_to_write,
)
from meters.meter import Meter
from meters.modbus_profile import ModbusProfile

PASSING = {Failure.NO_TIME, Failure.NO_CONNECTION}
"""What says nothing of the meter's memory: nothing was asked."""
_Writes = Sequence[tuple[int, tuple[int, ...]]]


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


class MeterMemory:
    """The memory of one meter."""

    def __init__(self, meter: Meter, profile: ModbusProfile, bus: Bus) -> None:
        self._unit, self._profile, self._bus = meter.unit or 0, profile, bus
        self._asked: LogRequest | None = None
        """What could not be asked to its end."""
        self._left: _Writes = ()
        """What is still to be written for it."""
        self._is_unsure = False
        """Whether the first of them may have arrived."""

    async def state(self, latest: float) -> LogState:
        """Ask where the newest record is; nothing where the meter does not say."""
        self._asked = None
        blocks = plan_pointers(self._profile)
        words = {block: await self._read(block, latest) for block in blocks}
        return state_of(self._profile, words)

    async def ask(self, request: LogRequest, latest: float) -> list[int]:
        """Select, where the meter wants that, and read.

        What was done of the same request before is not done again.

        Parameters
        ----------
        request : LogRequest
        latest : float
            By then, in loop time, each of its parts begins. [s]

        Raises
        ------
        MeterError
            It was not answered; ask again.
        DecodeError
            What was read belongs to another request.

        """
        await self._select(request, latest)
        words = await self._read(request.block, latest)
        proof = plan_proof(self._profile, request)
        told = None if proof is None else await self._read(proof, latest)
        self._asked = None
        if proof is not None and told is not None:
            check_proof(self._profile, request, proof, told)
        return words

    async def _select(self, request: LogRequest, latest: float) -> None:
        """Write what is left to be written."""
        if request != self._asked or request.channel is None:
            self._asked, self._left, self._is_unsure = request, request.writes, False
        if self._is_unsure:
            block = asked_back(self._profile, request)
            words = await self._read(block, latest)
            self._left = still_to_write(request, block, words)
            self._is_unsure = False
        while self._left:
            (address, written), *later = self._left
            try:
                await self._bus.write_registers(
                    self._unit, address, written, self._asking(latest)
                )
            except MeterError as exc:
                self._is_unsure = exc.failure not in PASSING
                raise
            self._left = later

    async def _read(self, block: Block, latest: float) -> list[int]:
        return await self._bus.read_block(self._unit, block, self._asking(latest))

    def _asking(self, latest: float) -> Asking:
        timeout_ms = self._profile.timeout_ms
        return Asking(
            rank=Rank.BACKFILL,
            latest=latest,
            timeout_s=None if timeout_ms is None else timeout_ms / 1000,
            pause_s=self._profile.pause_ms / 1000,
        )
