"""The campaign's fleet: simulated meters at the plants, each with its faults."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.campaign.plants import Plant
from benchmarks.campaign.schedule import schedule
from benchmarks.campaign.site import Place
from benchmarks.campaign.stored import Span
from meters.meter import Transport
from meters.quantity import QUANTITIES, Quantity
from meters.reading import utc_us
from simulators.meter_fleet.faults import Fault
from simulators.meter_fleet.meter import BRIEF, LightMeter
from simulators.meter_fleet.plan import FleetPlan, make_fleet

EVERY_S = 900
_RATIOS = (1, 2, 5, 10, 20, 40, 60, 100, 200)
_LEAST_COUNTS = 200
"""A quarter-hour's mean is at least so many counts of the register, where possible."""


def campaign_plan(points: int, span: Span, seed: int) -> FleetPlan:
    """Half publish, half are asked, five behind a gateway."""
    start_ms = utc_us(span.start) // 1000
    modbus = points // 2
    return FleetPlan(
        mqtt=points - modbus,
        modbus=modbus,
        start_ms=start_ms,
        installed_ms=start_ms,
        every_ms=EVERY_S * 1000,
        units_per_port=5,
        prefix="C",
        seed=seed,
    )


def places_of(
    plan: FleetPlan, plants: Sequence[Plant], days: int, faults: int
) -> list[Place]:
    """Return the fleet: each meter at its plant, with its faults."""
    fleet = make_fleet(plan)
    contracts = {}
    for number, (meter, plant) in enumerate(zip(fleet, plants, strict=True)):
        meter.load = plant.load
        meter.ratio = _ratio(meter, float(plant.kwh.mean()))
        if meter.transport is Transport.MQTT:
            # Half of them say their momentary power too.
            left_out = {Quantity.ACTIVE_POWER_KW} if number % 2 else set()
            wanted = (BRIEF | {Quantity.ENERGY_EXPORT_KWH}) - left_out
            meter.gives = tuple(q for q in QUANTITIES if q in wanted)
        contracts[meter.serial] = plant.contract_kw
    injected = schedule(
        fleet, contracts, length_s=days * 86_400, each=faults, seed=plan.seed
    )
    spoilt = make_fleet(
        plan,
        [one.request(serial) for serial, every in injected.items() for one in every],
    )
    for meter, its in zip(fleet, spoilt, strict=True):
        meter.spells = its.spells
    return [
        Place(
            meter=meter,
            injected=injected[meter.serial],
            contract_kw=plant.contract_kw,
        )
        for meter, plant in zip(fleet, plants, strict=True)
    ]


def _ratio(meter: LightMeter, mean_kwh: float) -> int:
    """Choose transformers as one would: the register neither crawls nor races."""
    counts = mean_kwh / meter.profile.register_resolution
    fitting = [ratio for ratio in _RATIOS if counts / ratio >= _LEAST_COUNTS]
    return max(fitting, default=1)


def ratios_of(place: Place, start_us: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the ratio at the end of each interval, shape (n,)."""
    ratios = np.full(start_us.size, float(place.meter.ratio))
    for one in place.injected:
        if one.fault is Fault.RATIO_CHANGE:
            from_us = int(start_us[0]) + one.from_s * 1_000_000
            ratios[start_us + EVERY_S * 1_000_000 > from_us] *= one.size
    return ratios
