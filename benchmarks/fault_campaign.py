"""What settlement finds of faults in readings, and what they cost before and after.

Points of five kinds draw a load that is known to the minute. Their meters are read
every quarter of an hour, on the boundaries or beside them; all that goes wrong with
registers and clocks in the field (docs/methods.md) is put into them by a seed, over a
change from or to summer time. Half of the meters say their momentary power too. Before:
the register differenced as it came, negative steps as nothing, by the multiplier of the
beginning. After: settled month by month.

    python -m benchmarks.fault_campaign --json

A fault is found if a rule says so where it is; faults that only need to be handled
(rollover, swap, ratio change, out of order) are found if the energy of their window is
right. A false alarm is a verdict outside of every fault's window.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from analytics.settlement.evidence import Evidence, Series
from analytics.settlement.settlement import Settlement
from analytics.settlement.settling import settle_span
from analytics.settlement.verdict import Status, Verdict
from benchmarks.campaign_faults import (
    DAY_MIN,
    Fault,
    Injected,
    Told,
    make_meters,
    place,
    tell,
)
from benchmarks.campaign_plant import (
    CALENDAR,
    FIRST_DAY,
    MINUTE_US,
    Plant,
    make_plant,
)
from benchmarks.report import machine
from meters.quantity import Quantity

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_IMPORT = Quantity.ENERGY_IMPORT_KWH
_QUARTER_US = 15 * MINUTE_US
_PASS_DAYS = 30
_FAULTS_A_POINT = 4
TELLS: Mapping[Fault, tuple[str, ...]] = {
    Fault.GLITCH: ("plausible",),
    Fault.SPIKE: ("plausible",),
    Fault.GAP: ("gap",),
    Fault.STALE: ("plausible",),
    Fault.STALLED: ("stalled", "zero_run"),
    Fault.REVERSED: ("reverse",),
    Fault.DRIFT: ("clock",),
}
"""Rules that find each fault; the rest need only be handled."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Outcome:
    """One point after the campaign; arrays have shape (n,)."""

    plant: Plant
    injected: list[Injected]
    before_kwh: FloatArray
    after_kwh: FloatArray
    state: npt.NDArray[np.uint8]
    verdicts: tuple[Verdict, ...]
    repeats: int
    late: int


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    outcomes = run(given.points, given.days, given.seed)
    found = scores(outcomes)
    if not given.json:
        show(found)
    line = {
        "name": "fault_campaign",
        **found,
        "settings": vars(given),
        "machine": machine(),
    }
    print(json.dumps(line))


def run(points: int, days: int, seed: int) -> list[Outcome]:
    """Settle every point with its faults."""
    every = list(Fault)
    outcomes = []
    for number in range(points):
        rng = np.random.default_rng([seed, number])
        plant = make_plant(number, days, rng)
        # Each fault as often as any other, and no two alike at one point.
        first = number * _FAULTS_A_POINT
        faults = [every[(first + n) % len(every)] for n in range(_FAULTS_A_POINT)]
        injected = place(
            [faults[i] for i in rng.permutation(len(faults))],
            days * DAY_MIN,
            rng,
        )
        meters = make_meters(plant, injected, rng)
        told = tell(meters, injected, int(rng.choice([0, 0, 4, 7])), rng)
        outcomes.append(settled(plant, injected, told, days))
    return outcomes


def settled(plant: Plant, injected: list[Injected], told: Told, days: int) -> Outcome:
    """Settle a point month by month, each with what was settled before."""
    history = Series.none()
    parts: list[Settlement] = []
    for first in range(0, days, _PASS_DAYS):
        begin = FIRST_DAY + timedelta(days=first)
        last = FIRST_DAY + timedelta(days=min(first + _PASS_DAYS, days) - 1)
        known = Evidence(
            calendar=CALENDAR,
            readings=told.readings,
            fittings=told.fittings,
            most_kw=3 * plant.contract_kw,
            feeds=False,
            history=history,
        )
        part = settle_span(known, CALENDAR.quarter_hours_us(begin, last))
        parts.append(part)
        history = Series(
            start_us=np.concatenate([history.start_us, part.start_us]),
            kwh=np.concatenate([history.kwh, part.import_kwh]),
            firm=np.concatenate([history.firm, part.firm]),
        )
    verdicts = tuple(one for part in parts for one in part.verdicts)
    told_again = [v.figures for v in verdicts if v.rule == "repeats"]
    return Outcome(
        plant=plant,
        injected=injected,
        before_kwh=differenced(told, plant.start_us),
        after_kwh=history.kwh,
        state=np.concatenate([part.state for part in parts]),
        verdicts=verdicts,
        repeats=max(int(f.get("repeats", 0)) for f in told_again),
        late=max(int(f.get("late", 0)) for f in told_again),
    )


def differenced(told: Told, start_us: IntArray) -> FloatArray:
    """Difference the register as it came: what settlement is measured against."""
    edges = np.append(start_us, start_us[-1] + _QUARTER_US)
    readings = told.readings
    register = np.interp(edges, readings.measured_us, readings.values[:, 0])
    factor = float(told.fittings[_IMPORT][0].multipliers[0].value)
    kwh: FloatArray = np.maximum(np.diff(register), 0.0) * factor
    return kwh


def scores(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """Return the table, and the totals."""
    true_kwh = np.array([one.plant.kwh.sum() for one in outcomes])
    before = np.array([one.before_kwh.sum() for one in outcomes])
    after = np.array([np.nansum(one.after_kwh) for one in outcomes])
    by_point = 100 * np.abs(after / true_kwh - 1)
    worst = int(by_point.argmax())
    return {
        "faults": {fault.value: row(fault, outcomes) for fault in Fault},
        "error_before_pct": pct(before.sum(), true_kwh.sum()),
        "error_after_pct": pct(after.sum(), true_kwh.sum()),
        "worst_point_pct": round(float(by_point.max()), 4),
        "worst_point_faults": [one.fault.value for one in outcomes[worst].injected],
        "mean_point_pct": round(float(by_point.mean()), 4),
        "mean_interval_error_pct": round(
            100
            * sum(float(np.nansum(interval_error(one))) for one in outcomes)
            / float(true_kwh.sum()),
            4,
        ),
        "missing_intervals": sum(int(np.isnan(o.after_kwh).sum()) for o in outcomes),
        "false_alarms": false_alarms(outcomes),
        "point_days": sum(o.plant.start_us.size for o in outcomes) // 96,
    }


def row(fault: Fault, outcomes: Sequence[Outcome]) -> dict[str, object]:
    """Return one fault's line: how many, found, false alarms, energy error."""
    found, true_kwh, before, after = [], 0.0, 0.0, 0.0
    for one in outcomes:
        for injected in one.injected:
            if injected.fault is not fault:
                continue
            rows = window(injected, one.plant)
            found.append(is_found(injected, one, rows))
            true_kwh += float(one.plant.kwh[rows].sum())
            before += float(np.abs(one.before_kwh - one.plant.kwh)[rows].sum())
            after += abs(float(np.nansum((one.after_kwh - one.plant.kwh)[rows])))
    alarms = false_alarms(outcomes)
    return {
        "injected": len(found),
        "false_alarms": sum(alarms.get(rule, 0) for rule in TELLS.get(fault, ())),
        "found_share": round(float(np.mean(found)), 3) if found else None,
        "energy_error_before_pct": round(100 * before / true_kwh, 3) if found else None,
        "energy_error_after_pct": round(100 * after / true_kwh, 3) if found else None,
    }


def window(injected: Injected, plant: Plant) -> slice:
    """Intervals that a fault touches, with an interval on either side."""
    return slice(
        max(injected.first_min // 15 - 2, 0),
        min(injected.stop_min // 15 + 2, plant.start_us.size),
    )


def is_found(injected: Injected, outcome: Outcome, rows: slice) -> bool:
    """Tell whether a rule found a fault, or its energy is right."""
    if injected.fault is Fault.DUPLICATE:
        return outcome.repeats > 0
    if injected.fault in TELLS:
        rules = TELLS[injected.fault]
        return any(
            v.rule in rules
            and v.status >= Status.WARN
            and touches(v, injected, outcome)
            for v in outcome.verdicts
        )
    off = np.nansum((outcome.after_kwh - outcome.plant.kwh)[rows])
    unit = float(outcome.plant.kwh.mean()) / 10
    return bool(abs(off) <= unit)


def touches(verdict: Verdict, injected: Injected, outcome: Outcome) -> bool:
    """Tell whether a verdict is about the time of a fault, or its edges."""
    start_us = int(outcome.plant.start_us[0])
    first_us = start_us + (injected.first_min - 30) * MINUTE_US
    stop_us = start_us + (injected.stop_min + 30) * MINUTE_US
    return verdict.start_us < stop_us and verdict.stop_us > first_us


def false_alarms(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Count verdicts that no fault explains, by rule."""
    counted: dict[str, int] = {}
    for one in outcomes:
        for verdict in one.verdicts:
            if verdict.status < Status.WARN:
                continue
            counted.setdefault(verdict.rule, 0)
            if not any(touches(verdict, fault, one) for fault in one.injected):
                counted[verdict.rule] += 1
    return counted


def interval_error(outcome: Outcome) -> FloatArray:
    """Return how far each interval is off. [kWh]."""
    return np.abs(outcome.after_kwh - outcome.plant.kwh)


def pct(energy: float, true_energy: float) -> float:
    """Return an error in percent."""
    return round(100 * abs(float(energy) / float(true_energy) - 1), 4)


def show(found: Mapping[str, object]) -> None:
    """Print a table."""
    titles = f"{'injected':>8} {'found':>6} {'alarms':>6} {'before %':>15}"
    print(f"{'fault':14} {titles} {'after %':>9}")
    faults = found["faults"]
    if isinstance(faults, dict):
        for fault, line in faults.items():
            print(
                f"{fault:14} {line['injected']:8} {line['found_share']!s:>6}"
                f" {line['false_alarms']:6} {line['energy_error_before_pct']!s:>15}"
                f" {line['energy_error_after_pct']!s:>9}"
            )
    print("alarms: verdicts of the rules that tell this fault, where no fault is")
    for key in ("error_before_pct", "error_after_pct", "worst_point_pct"):
        print(f"{key:24} {found[key]}")


if __name__ == "__main__":
    main()
