"""Faults that are of no single message: each done once, at its time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import NamedTuple

from simulators.meter_fleet.faults import FOR_EVER_MS, Fault
from simulators.meter_fleet.meter import LightMeter
from simulators.meter_fleet.mqtt_line import MqttLine
from simulators.meter_fleet.report import FleetRun

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.02


class Strike(NamedTuple):
    """One thing to do."""

    at_ms: int
    """Milliseconds since 1970 UTC, by the fleet's clock."""
    act: Callable[[], Awaitable[None]]


async def strike_all(
    run: FleetRun, wills: Mapping[int, LightMeter], line_of: Mapping[int, MqttLine]
) -> None:
    """Do each at its time, then return."""
    strikes = [*_vanishings(wills, line_of), *_restarts(run)]
    for strike in sorted(strikes, key=lambda strike: strike.at_ms):
        while run.now_ms() < strike.at_ms:  # noqa: ASYNC110 - by the fleet's clock
            await asyncio.sleep(_LOOK_EVERY_S)
        await strike.act()


def _vanishings(
    wills: Mapping[int, LightMeter], line_of: Mapping[int, MqttLine]
) -> Iterator[Strike]:
    for index, meter in wills.items():
        line = line_of[index]
        for spell in meter.spells:
            if spell.fault is Fault.LAST_WILL:
                yield Strike(spell.from_ms, line.vanish)
                if spell.until_ms < FOR_EVER_MS:
                    yield Strike(spell.until_ms, line.come_back)


def _restarts(run: FleetRun) -> Iterator[Strike]:
    command = run.restart_broker
    for request in run.faults:
        if request.fault is Fault.BROKER_RESTART and command is not None:
            at_ms = run.plan.start_ms + round(request.from_s * 1000)
            yield Strike(at_ms, lambda: _call(command))


async def _call(command: str) -> None:
    # A shell's line on purpose: whoever starts the simulator typed it.
    process = await asyncio.create_subprocess_shell(command)
    code = await process.wait()
    if code:
        log.warning("The broker's restart ended with exit code %d: %s", code, command)
