"""What settlement finds of the fleet's faults, and what they cost before and after.

Points of five kinds draw a load that is known to the minute. Half of the meters of the
fleet simulator publish, half are asked, every quarter of an hour, over a change of the
clocks (PEERS 16). Each has a few of the simulator's faults, in simulated time: what it
says goes in its wire form through the collector's intake or pollers, from there into a
database, and is settled there month by month. Then what is settled is held against
what was drawn.

Before: the stored register differenced as it came, negative steps as nothing, by the
ratio of the beginning. A fault is found if a rule says so where it is, or its messages
stand in quarantine; faults that only need to be handled (a rollover, an entered swap,
messages out of order) are found if the energy of their window is right within a tenth
of an interval. A false alarm is a verdict outside of every fault's window.

    python -m benchmarks.fault_campaign --json
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from benchmarks.campaign.collected import Collected
from benchmarks.campaign.plants import CALENDAR, FIRST_DAY, Plant, make_plant
from benchmarks.campaign.polling import poll_all
from benchmarks.campaign.publishing import Publishing
from benchmarks.campaign.schedule import schedule
from benchmarks.campaign.scores import Outcome, differenced, scores
from benchmarks.campaign.site import Place, enter, enter_changes, point_ids_of
from benchmarks.campaign.stored import Known, Span, load_known, write_and_settle
from benchmarks.report import machine
from benchmarks.servers import CARELESS, temporary_postgres
from meters.meter import Meter, Transport
from meters.quantity import QUANTITIES, Quantity
from meters.reading import utc_us
from simulators.meter_fleet.meter import BRIEF, LightMeter
from simulators.meter_fleet.plan import FleetPlan, make_fleet
from storage.database import connect
from storage.master import load_meters
from storage.migrate import migrate

EVERY_S = 900
FAULTS_A_POINT = 5
_BEYOND_S = 3600
"""Read for so long after the last day."""
_RATIOS = (1, 2, 5, 10, 20, 40, 60, 100, 200)
_LEAST_COUNTS = 200
"""A quarter-hour's mean is at least so many counts of the register, where possible."""
OnStep = Callable[[str, float], None]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--faults", type=int, default=FAULTS_A_POINT, help="of each meter"
    )
    given = parser.parse_args()
    # Every fault is a warning of the collector's; here they are wanted.
    logging.getLogger("collector").setLevel(logging.CRITICAL)
    begun_s = time.perf_counter()
    with temporary_postgres(*CARELESS) as url, _progress(given.json) as on_step:
        outcomes = run(
            url, given.points, given.days, given.seed, on_step, faults=given.faults
        )
    found = scores(outcomes)
    if not given.json:
        show(found)
    line = {
        "name": "fault_campaign",
        **found,
        "seconds": round(time.perf_counter() - begun_s, 1),
        "settings": vars(given),
        "machine": machine(),
    }
    print(json.dumps(line))


def run(
    url: str,
    points: int,
    days: int,
    seed: int,
    on_step: OnStep = lambda _what, _share: None,
    *,
    faults: int = FAULTS_A_POINT,
) -> list[Outcome]:
    """Run a campaign through an empty database; return what became of each point."""
    span = Span.of(days)
    plants = [
        make_plant(number, days, np.random.default_rng([seed, number]))
        for number in range(points)
    ]
    plan = _plan(points, span, seed)
    places = _places(plan, plants, days, faults)
    with connect(url) as conn:
        migrate(conn)
        enter(conn, places, EVERY_S)
        meters = load_meters(conn, span.start)
        point_ids = point_ids_of(conn)
    collected = list(_collect(plan, places, meters, days * 86_400, on_step))
    with connect(url) as conn:
        enter_changes(conn, places, EVERY_S, plan.start_ms)
    ids = [point_ids[place.meter.serial] for place in places]
    repeated = write_and_settle(url, collected, ids, span, on_step)
    meter_ids = {meter.serial: meter.meter_id for meter in meters}
    outcomes = []
    for place, plant, point_id in zip(places, plants, ids, strict=True):
        meter_id = meter_ids[place.meter.serial]
        known = load_known(url, point_id, meter_id, span)
        refused_us = [
            utc_us(refusal.received_at)
            for each in collected
            for refusals in each.refusals.values()
            for refusal in refusals
            if refusal.meter_id == meter_id
        ]
        hours = [hour for its, hour in repeated if its == meter_id]
        outcomes.append(_outcome(place, plant, known, refused_us, hours))
    return outcomes


def _plan(points: int, span: Span, seed: int) -> FleetPlan:
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


def _places(
    plan: FleetPlan, plants: Sequence[Plant], days: int, faults: int
) -> list[Place]:
    """Make the fleet: each meter at its plant, with its faults."""
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


def _collect(
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


def _outcome(
    place: Place,
    plant: Plant,
    known: Known,
    refused_us: Sequence[int],
    repeated_hours: Sequence[int],
) -> Outcome:
    """Lay what is stored beside what was drawn."""
    start_us, settled = plant.start_us, known.intervals
    after_kwh = np.full(start_us.size, np.nan)
    estimated = np.zeros(start_us.size, dtype=np.bool_)
    row = np.searchsorted(start_us, settled.start_us)
    after_kwh[row] = settled.import_kwh
    estimated[row] = settled.quality == "estimated"
    return Outcome(
        serial=place.meter.serial,
        plant=plant,
        injected=place.injected,
        start_us=int(start_us[0]),
        before_kwh=differenced(known.readings, place.meter.ratio, start_us),
        after_kwh=after_kwh,
        is_absent=~np.isin(start_us, settled.start_us),
        estimated=estimated,
        verdicts=known.verdicts,
        refused_us=refused_us,
        repeated_hours=repeated_hours,
        readings=len(known.readings),
    )


@contextmanager
def _progress(is_quiet: bool) -> Iterator[OnStep]:  # noqa: FBT001 - alone
    """Show on standard error how far it is."""
    console = Console(stderr=True)
    tasks: dict[str, TaskID] = {}
    with Progress(console=console, disable=is_quiet, transient=True) as progress:

        def on_step(what: str, share: float) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=1.0)
            progress.update(tasks[what], completed=share)

        yield on_step


def show(found: Mapping[str, object]) -> None:
    """Print a table."""
    table = Table("fault", *_COLUMNS, title="Energy of the faults' windows, in %")
    faults = found["faults"]
    if isinstance(faults, dict):
        for fault, line in faults.items():
            table.add_row(fault, *(f"{line[key]:,}" for key in _COLUMNS.values()))
    console = Console(file=sys.stdout, width=120)
    console.print(table)
    for key, value in found.items():
        if key != "faults":
            console.print(f"{key:26} {value}")


_COLUMNS = {
    "injected": "injected",
    "found": "found_share",
    "alarms": "false_alarms",
    "before": "energy_error_before_pct",
    "after": "energy_error_after_pct",
    "worst": "worst_window_pct",
    "by interval": "interval_error_after_pct",
}


if __name__ == "__main__":
    main()
