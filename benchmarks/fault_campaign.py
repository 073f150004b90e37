"""What settlement finds of the fleet's faults, and what they cost before and after.

Points of five kinds draw a load that is known to the minute. Half of the meters of the
fleet simulator publish, half are asked, every quarter of an hour, over a change of the
clocks. Each has a few of the simulator's faults, in simulated time: what it
says goes in its wire form through the collector's intake or pollers, from there into a
database, and is settled there month by month. Then what is settled is held against
what was drawn.

Before: the stored register differenced as it came, negative steps as nothing, by the
ratio of the beginning. A fault is found if a rule says so where it is, or its messages
stand in quarantine, or were counted as repeats; faults that only need to be handled
(a rollover, an entered swap, messages out of order) need not be. Their windows are
right if their energy is, within a tenth of an interval. A false alarm is a day of a
point with a verdict outside of every fault's window.

    python -m benchmarks.fault_campaign --json
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from benchmarks.campaign.collected import Collected
from benchmarks.campaign.collecting import OnStep, collect
from benchmarks.campaign.fleet import EVERY_S, campaign_plan, places_of, ratios_of
from benchmarks.campaign.plants import Plant, make_plant
from benchmarks.campaign.scores import Outcome, differenced, scores
from benchmarks.campaign.site import Place, enter, enter_changes, point_ids_of
from benchmarks.campaign.stored import Known, Span, load_known, write_and_settle
from benchmarks.report import machine
from benchmarks.servers import CARELESS, temporary_postgres
from meters.meter import Meter
from meters.reading import utc_us
from storage.database import connect
from storage.master import load_meters
from storage.migrate import migrate

FAULTS_A_POINT = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Campaign:
    """What became of each point, and how many readings came twice."""

    outcomes: Sequence[Outcome]
    repeated: int


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
    needed = 2 * given.faults + 2
    if given.points < 1 or given.days < needed:
        parser.error(f"at least 1 point, and {needed} days for so many faults of each")
    # Every fault is a warning of the collector's; here they are wanted.
    logging.getLogger("collector").setLevel(logging.CRITICAL)
    begun_s = time.perf_counter()
    with temporary_postgres(*CARELESS) as url, _progress(given.json) as on_step:
        done = run(
            url, given.points, given.days, given.seed, on_step, faults=given.faults
        )
    found = scores(done.outcomes) | {"repeated": done.repeated}
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
) -> Campaign:
    """Run a campaign through an empty database."""
    span = Span.of(days)
    plants = [
        make_plant(number, days, np.random.default_rng([seed, number]))
        for number in range(points)
    ]
    plan = campaign_plan(points, span, seed)
    places = places_of(plan, plants, days, faults)
    with connect(url) as conn:
        migrate(conn)
        enter(conn, places, EVERY_S)
        meters = load_meters(conn, span.start)
        point_ids = point_ids_of(conn)
    collected = list(collect(plan, places, meters, days * 86_400, on_step))
    with connect(url) as conn:
        enter_changes(conn, places, EVERY_S, plan.start_ms)
    ids = [point_ids[place.meter.serial] for place in places]
    repeated = write_and_settle(url, collected, ids, span, on_step)
    point_of = dict(zip((place.meter.serial for place in places), ids, strict=True))
    outcomes = [
        _outcome(
            place,
            plant,
            load_known(url, point_of[meter.serial], meter.meter_id, span),
            _refused_us(collected, meter.meter_id),
        )
        for place, plant, meter in _matched(places, plants, meters)
    ]
    return Campaign(outcomes=outcomes, repeated=repeated)


def _matched(
    places: Sequence[Place], plants: Sequence[Plant], meters: Sequence[Meter]
) -> Iterator[tuple[Place, Plant, Meter]]:
    """Yield each point with its meter as the collector knows it."""
    by_serial = {meter.serial: meter for meter in meters}
    for place, plant in zip(places, plants, strict=True):
        yield place, plant, by_serial[place.meter.serial]


def _refused_us(collected: Sequence[Collected], meter_id: int) -> list[int]:
    """Return when something of a meter was refused. [microseconds since 1970 UTC]."""
    return [
        utc_us(refusal.received_at)
        for each in collected
        for refusals in each.refusals.values()
        for refusal in refusals
        if refusal.meter_id == meter_id
    ]


def _outcome(
    place: Place,
    plant: Plant,
    known: Known,
    refused_us: Sequence[int],
) -> Outcome:
    """Lay what is stored beside what was drawn."""
    start_us, settled = plant.start_us, known.intervals
    after_kwh = np.full(start_us.size, np.nan)
    estimated = np.zeros(start_us.size, dtype=np.bool_)
    register_kwh = differenced(known.readings, start_us)
    row = np.searchsorted(start_us, settled.start_us)
    after_kwh[row] = settled.import_kwh
    estimated[row] = settled.quality == "estimated"
    return Outcome(
        serial=place.meter.serial,
        plant=plant,
        injected=place.injected,
        start_us=int(start_us[0]),
        before_kwh=register_kwh * place.meter.ratio,
        by_ratio_kwh=register_kwh * ratios_of(place, start_us),
        after_kwh=after_kwh,
        fed_kwh=settled.export_kwh,
        is_absent=~np.isin(start_us, settled.start_us),
        estimated=estimated,
        verdicts=known.verdicts,
        refused_us=refused_us,
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
            table.add_row(fault, *(_cell(line[key]) for key in _COLUMNS.values()))
    console = Console(file=sys.stdout, width=120)
    console.print(table)
    for key, value in found.items():
        if key != "faults":
            console.print(f"{key:26} {value}")


def _cell(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:,}"


_COLUMNS = {
    "injected": "injected",
    "found": "found_share",
    "right": "right_share",
    "alarms": "false_alarms",
    "before": "energy_error_before_pct",
    "after": "energy_error_after_pct",
    "worst": "worst_window_pct",
    "by interval": "interval_error_after_pct",
}


if __name__ == "__main__":
    main()
