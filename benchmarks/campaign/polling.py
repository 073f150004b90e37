"""The meters that are asked: the collector's own pollers, in simulated time.

Gateways of the fleet and the collector's buses run in one event loop whose time passes
as fast as the work is done, so that time-outs, back-offs and reads of a meter's memory
happen as they would in months.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from benchmarks.campaign.collected import Collected
from collector.counting.counts import TransportCounts
from collector.modbus.polls import Polls
from meters.meter import Meter, Transport
from meters.reading import from_utc_us
from simulators.meter_fleet.ledger import Ledger
from simulators.meter_fleet.meter import LightMeter
from simulators.meter_fleet.plan import FleetPlan
from simulators.meter_fleet.running import fleet_ports
from simulators.simulated_time import run_in_simulated_time

_STEP_S = 6 * 3600
_TIMEOUT_S = 2.0
"""As the collector has it where nothing else is entered."""


def poll_all(
    plan: FleetPlan,
    fleet: Sequence[LightMeter],
    meters: Sequence[Meter],
    length_s: int,
    on_progress: Callable[[float], None],
) -> Collected:
    """Ask all meters for a time, and return what came of it.

    Parameters
    ----------
    plan : FleetPlan
    fleet : sequence of LightMeter
        As they are.
    meters : sequence of Meter
        As the collector knows them.
    length_s : int
        [s]
    on_progress
        Told which share is done.

    """
    asked = [meter for meter in meters if meter.transport is Transport.MODBUS]
    if not asked:
        on_progress(1.0)
        return Collected()
    return run_in_simulated_time(_poll(plan, fleet, asked, length_s, on_progress))


async def _poll(
    plan: FleetPlan,
    fleet: Sequence[LightMeter],
    meters: Sequence[Meter],
    length_s: int,
    on_progress: Callable[[float], None],
) -> Collected:
    loop = asyncio.get_running_loop()

    def now_ms() -> int:
        return plan.start_ms + round(loop.time() * 1000)

    collected, counts = Collected(), TransportCounts()
    async with AsyncExitStack() as open_ports, asyncio.TaskGroup() as group:
        with Ledger(fleet) as ledger:
            for port in fleet_ports(plan, fleet, now_ms, ledger):
                await open_ports.enter_async_context(port)
        polls = Polls(
            group,
            collected,
            counts,
            lambda: from_utc_us(now_ms() * 1000),
            timeout_s=_TIMEOUT_S,
            on_drift=lambda _: None,
            on_events=lambda _: None,
            on_stated=lambda _: None,
        )
        await polls.follow([], meters, {}, {})
        while loop.time() < length_s:
            await asyncio.sleep(_STEP_S)
            on_progress(min(loop.time() / length_s, 1.0))
        await polls.follow(meters, [], {}, {})
        polls.close()
    collected.failed = {key: its.failed for key, its in counts.meters.items()}
    return collected
