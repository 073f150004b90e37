"""Collect from the whole fleet: those that publish, then those that are asked."""

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.campaign.collected import Collected
from benchmarks.campaign.polling import poll_all
from benchmarks.campaign.publishing import Publishing
from benchmarks.campaign.site import Place
from meters.meter import Meter, Transport
from simulators.meter_fleet.plan import FleetPlan

OnStep = Callable[[str, float], None]
"""Told what is done, and which share of it."""
_BEYOND_S = 3600
"""Read for so long after the last day."""


def collect(
    plan: FleetPlan,
    places: Sequence[Place],
    meters: Sequence[Meter],
    length_s: int,
    on_step: OnStep,
) -> Sequence[Collected]:
    """Collect from all meters: those that publish, then those that are asked."""
    fleet = [place.meter for place in places]
    pushing = [meter for meter in fleet if meter.transport is Transport.MQTT]
    rng = np.random.default_rng([plan.seed, 1, 5])
    # Half read themselves on the quarter-hour, half beside it.
    offsets = {m.serial: int(rng.choice([0, 0, 240_000, 427_000])) for m in pushing}
    publishing = Publishing(
        plan=plan,
        meters=meters,
        offset_ms=offsets,
        length_s=length_s + _BEYOND_S,
    )
    collected = []
    for number, each in enumerate(publishing.of(pushing), start=1):
        collected.append(each)
        on_step("published", number / len(pushing))
    asked = [meter for meter in fleet if meter.transport is Transport.MODBUS]
    collected.append(
        poll_all(
            plan,
            asked,
            meters,
            length_s + _BEYOND_S,
            lambda share: on_step("polled", share),
        )
    )
    return collected
