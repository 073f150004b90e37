"""What a faulty Modbus meter sends instead of its answer. Pure."""

import random
from collections.abc import Callable
from typing import NamedTuple

from simulators.meter_fleet.faults import Fault, Spell
from simulators.meter_fleet.modbus_frames import (
    EXCEPTIONS,
    Framing,
    Request,
    exception_answer,
    read_answer,
)

_NO_READ = 0x2A
"""A function that nobody asks for."""


class Scene(NamedTuple):
    """What a lie is made of."""

    request: Request
    framing: Framing
    chance: random.Random
    since_answer_s: float
    """Since the meter answered last."""
    other_unit: int
    """Id of another meter behind the same gateway."""
    other_data: Callable[[], bytes]
    """What that one holds."""


def lie(spell: Spell, scene: Scene) -> bytes | None:
    """Return what is sent instead of an answer, b"" for silence; None if it answers."""
    request, fault = scene.request, spell.fault
    if fault is Fault.DEAD:
        return b""
    if fault is Fault.HASTE:
        return b"" if scene.since_answer_s < spell.size else None
    if fault is Fault.EXCEPTION:
        code = int(spell.size) or scene.chance.choice(EXCEPTIONS)
        return scene.framing.frame(request, exception_answer(request.function, code))
    if fault is Fault.WRONG_UNIT_ECHO:
        size = 2 * _count(request)
        data = scene.other_data()[:size].ljust(size, b"\0")
        answer = read_answer(request.function, data)
        return scene.framing.frame(request, answer, scene.other_unit)
    return _garbage(scene) if fault is Fault.GARBAGE else None


def _garbage(scene: Scene) -> bytes:
    """Return one of several things that are no answer."""
    request, frame, count = scene.request, scene.framing.frame, _count(scene.request)
    whole = frame(request, read_answer(request.function, bytes(2 * count)))
    kind = scene.chance.randrange(4)
    if kind == 0:
        return scene.chance.randbytes(len(whole))
    if kind == 1:  # cut off: the rest never comes
        return whole[: scene.chance.randrange(1, len(whole))]
    if kind == 2:  # noqa: PLR2004 - whole, but with one register too many
        return frame(request, read_answer(request.function, bytes(2 * count + 2)))
    return frame(request, read_answer(_NO_READ, bytes(2 * count)))


def _count(request: Request) -> int:
    return min(request.span[1], 124) if request.span else 1
