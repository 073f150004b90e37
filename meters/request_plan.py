"""What a profile's polls ask, and how long they take. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from meters.blocks import Block, Placeable, plan_blocks, plan_parts
from meters.identity import plan_identity, plan_ratios
from meters.load_profile import plan_pointers
from meters.modbus_profile import Function, ModbusProfile, Pace

_BITS_A_BYTE = 11
"""On a serial line: start bit, eight bits, parity or a second stop bit, stop bit."""
_ASKING_BYTES, _ANSWERING_BYTES = 8, 5
"""Of RTU frames: unit, function, address, count and checksum; and, around an answer's
registers, unit, function, length and checksum."""
_SILENT_BYTES = 3.5
"""Between two frames."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedRequest:
    """One request of a poll."""

    function: Function
    address: int
    """First register, from zero."""
    count: int
    """How many registers it asks for."""
    holds: tuple[str, ...]
    """What stands in them."""
    wasted: int
    """How many of them nobody wants."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Polls:
    """Every kind of round in which a meter is asked."""

    whole: tuple[PlannedRequest, ...]
    """Both paces at once."""
    fast: tuple[PlannedRequest, ...]
    """Empty where no register is slow: then every poll is whole."""
    identity: tuple[PlannedRequest, ...]
    """Who the meter is; asked once."""
    ratios: tuple[PlannedRequest, ...]
    pointers: tuple[PlannedRequest, ...]
    """Where the newest record of the load profile is; asked to fill a gap."""


def polls_of(profile: ModbusProfile) -> Polls:
    """Plan every kind of round."""
    has_slow = any(register.pace == "slow" for register in profile.registers)
    pointers = plan_pointers(profile) if profile.load_profile is not None else ()
    return Polls(
        whole=_told(plan_blocks(profile)),
        fast=_told(plan_blocks(profile, "fast")) if has_slow else (),
        identity=_told(plan_identity(profile)),
        ratios=_told(plan_ratios(profile)),
        pointers=_told(pointers),
    )


def requests_with(
    profile: ModbusProfile, max_gap: int, pace: Pace | None = None
) -> int:
    """Count the requests of a poll that may run over so many unused registers."""
    wider = profile.model_copy(update={"max_gap": max_gap})
    return len(plan_parts(wider, profile.parts(pace)))


def poll_s(
    requests: Sequence[PlannedRequest],
    *,
    pause_ms: float,
    answer_ms: float,
    baud: int | None = None,
) -> float:
    """Return how many seconds a round takes.

    Parameters
    ----------
    requests : sequence of PlannedRequest
        Of the round.
    pause_ms : float
        Between an answer and the next request. [ms]
    answer_ms : float
        From the end of a request to the beginning of its answer. [ms]
    baud : int, optional
        Of a serial line, RTU; without it, what the wire takes is not counted.

    """
    waiting_s = len(requests) * (answer_ms + pause_ms) / 1000
    if baud is None:
        return waiting_s
    frames = _ASKING_BYTES + _ANSWERING_BYTES + 2 * _SILENT_BYTES
    sent = sum(frames + 2 * request.count for request in requests)
    return waiting_s + sent * _BITS_A_BYTE / baud


def _told(blocks: Sequence[Block]) -> tuple[PlannedRequest, ...]:
    return tuple(
        PlannedRequest(
            function=block.function,
            address=block.address,
            count=block.count,
            holds=tuple(part.label for part in block.registers),
            wasted=block.count - _wanted(block.registers),
        )
        for block in blocks
    )


def _wanted(parts: Sequence[Placeable]) -> int:
    return len({part.address + i for part in parts for i in range(part.words)})
