"""The walk of a SunSpec device, as a part of its first poll."""

from typing import Protocol

from collector.modbus.failure import Failure, MeterError
from collector.modbus.sunspec_walk import resolve_device
from collector.modbus.turns import Asking
from meters.blocks import Block
from meters.meter import Meter
from meters.sunspec import SunspecError, SunspecProfile


class Bus(Protocol):
    """What is needed of a bus."""

    async def read_block(
        self, unit: int, block: Block, asking: Asking | None = None
    ) -> list[int]:
        """Read one block of one unit; raise MeterError where that fails."""
        ...


async def walked(
    bus: Bus, meter: Meter, profile: SunspecProfile, asking: Asking
) -> SunspecProfile:
    """Return the profile of one device; raise MeterError where it has none."""
    try:
        return await resolve_device(_Poll(bus, asking), meter.unit or 0, profile)
    except _Unanswered as exc:
        raise exc.error from exc
    except SunspecError as exc:
        text = f"{meter.address}: {str(exc).removesuffix('.')}"
        raise MeterError(text, Failure.WRONG_ANSWER) from exc


class _Unanswered(Exception):  # noqa: N818 - no error of its own: it carries one
    """Not refused, so that a walk would go on, but not answered at all."""

    def __init__(self, error: MeterError) -> None:
        super().__init__(str(error))
        self.error = error


class _Poll:
    """A bus on which a walk asks as its poll does, and ends with the first time-out."""

    def __init__(self, bus: Bus, asking: Asking) -> None:
        self._bus, self._asking = bus, asking

    async def read_block(self, unit: int, block: Block) -> list[int]:
        """Read one block."""
        try:
            return await self._bus.read_block(unit, block, self._asking)
        except MeterError as exc:
            if exc.failure is Failure.EXCEPTION:
                raise
            raise _Unanswered(exc) from exc
