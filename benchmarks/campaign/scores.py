"""What was found of each fault, and how far energy is off before and after. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from analytics.settlement.verdict import Status, Verdict
from benchmarks.campaign.plants import CALENDAR, Plant
from benchmarks.campaign.schedule import Injected
from meters.quantity import COLUMN, Quantity
from meters.reading import ReadingBatch, from_utc_us
from simulators.meter_fleet.faults import Fault

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_IMPORT = COLUMN[Quantity.ENERGY_IMPORT_KWH]
_QUARTER_US, _S_US = 900_000_000, 1_000_000
_BESIDE_US = 2 * _QUARTER_US
"""A fault touches the intervals that it begins and ends in, and their neighbours."""
_CLOCK_BESIDE_US = 5 * _QUARTER_US
"""A clock that is an hour ahead touches more."""
_CLOCKS = frozenset({Fault.CLOCK_DRIFT, Fault.SUMMER_CLOCK})
_SILENT = ("gap", "zero_run", "stalled")
TELLS: Mapping[Fault, tuple[str, ...]] = {
    Fault.DEAD: _SILENT,
    Fault.LAST_WILL: _SILENT,
    Fault.LATE_REPLY: _SILENT,
    Fault.GARBAGE: _SILENT,
    Fault.ENDLESS: _SILENT,
    Fault.OVERSIZE: _SILENT,
    Fault.EXCEPTION: _SILENT,
    Fault.WRONG_UNIT_ECHO: _SILENT,
    Fault.STUCK: ("plausible", "stalled", "zero_run"),
    Fault.COUNTER_GLITCH: ("plausible",),
    Fault.ZERO: ("plausible",),
    Fault.WORD_ORDER: ("plausible", "gap"),
    Fault.LEAP: ("plausible",),
    Fault.STALLED: ("stalled", "zero_run"),
    Fault.REVERSED: ("reverse",),
    Fault.CLOCK_DRIFT: ("clock",),
    Fault.SUMMER_CLOCK: ("clock",),
}
"""Rules that find each fault. The rest need only be handled: what they do to the
readings is to leave the energy as it is."""
_UNENTERED_SWAP = ("plausible",)
_REFUSED = frozenset(
    {
        Fault.GARBAGE,
        Fault.OVERSIZE,
        Fault.WRONG_UNIT_ECHO,
        Fault.ZERO,
        Fault.WORD_ORDER,
        Fault.SUMMER_CLOCK,
    }
)
"""Of these, something may be refused: then it stands in quarantine."""
_RIGHT_SHARE = 0.1
"""Of an average interval: within so much the energy of a fault's window is right."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Outcome:
    """One point after the campaign; arrays have the plant's n intervals."""

    serial: str
    plant: Plant
    injected: Sequence[Injected]
    start_us: int
    before_kwh: FloatArray
    """The register differenced, by the ratio of the beginning."""
    by_ratio_kwh: FloatArray
    """The same by the ratio that held."""
    after_kwh: FloatArray
    """NaN = missing"""
    fed_kwh: FloatArray
    """shape (m,), of all that is settled; nothing was fed"""
    is_absent: BoolArray
    """Whether nothing was stored of an interval."""
    estimated: BoolArray
    verdicts: Sequence[Verdict]
    refused_us: Sequence[int]
    """When something was refused. [microseconds since 1970 UTC]"""
    readings: int

    def window_us(self, one: Injected) -> tuple[int, int]:
        """Return the time that a fault touches."""
        beside_us = _CLOCK_BESIDE_US if one.fault in _CLOCKS else _BESIDE_US
        return (
            self.start_us + one.from_s * _S_US - beside_us,
            self.start_us + one.until_s * _S_US + beside_us,
        )

    def rows(self, one: Injected) -> BoolArray:
        """Return the intervals that a fault touches."""
        first_us, stop_us = self.window_us(one)
        start_us = self.plant.start_us
        return (start_us < stop_us) & (start_us + _QUARTER_US > first_us)


def differenced(readings: ReadingBatch, start_us: npt.NDArray[np.int64]) -> FloatArray:
    """Difference the register as it came: what settlement is measured against.

    Negative steps are nothing. In the register's own kWh.
    """
    edges = np.append(start_us, start_us[-1] + _QUARTER_US)
    shown = readings.values[:, _IMPORT]
    given = ~np.isnan(shown)
    register = np.interp(edges, readings.measured_us[given], shown[given])
    kwh: FloatArray = np.maximum(np.diff(register), 0.0)
    return kwh


def scores(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """Return the table, and the totals."""
    true_kwh = np.array([one.plant.kwh.sum() for one in outcomes])
    before = np.array([one.before_kwh.sum() for one in outcomes])
    after = np.array([np.nansum(one.after_kwh) for one in outcomes])
    by_point = 100 * np.abs(after / true_kwh - 1)
    worst = int(by_point.argmax())
    fed_kwh = sum(float(np.nansum(one.fed_kwh)) for one in outcomes)
    off_kwh = sum(float(np.abs(_off(one)).sum()) for one in outcomes)
    return {
        "faults": _by_fault(outcomes),
        "error_before_pct": _pct(before.sum(), true_kwh.sum()),
        "error_after_pct": _pct(after.sum(), true_kwh.sum()),
        "worst_point_pct": round(float(by_point[worst]), 4),
        "worst_point": outcomes[worst].serial,
        "worst_point_faults": [one.name for one in outcomes[worst].injected],
        "fed_pct": round(100 * fed_kwh / float(true_kwh.sum()), 4),
        "mean_point_pct": round(float(by_point.mean()), 4),
        "mean_interval_error_pct": round(100 * off_kwh / float(true_kwh.sum()), 4),
        "missing_intervals": sum(int(np.isnan(o.after_kwh).sum()) for o in outcomes),
        "absent_intervals": sum(int(o.is_absent.sum()) for o in outcomes),
        "estimated_intervals": sum(int(o.estimated.sum()) for o in outcomes),
        "false_alarms": false_alarms(outcomes),
        "point_days": sum(o.plant.start_us.size for o in outcomes) // 96,
        "readings": sum(o.readings for o in outcomes),
        "refused": sum(len(o.refused_us) for o in outcomes),
    }


def _by_fault(outcomes: Sequence[Outcome]) -> dict[str, dict[str, object]]:
    """Return a line for each fault, by its name."""
    every = [(one, outcome) for outcome in outcomes for one in outcome.injected]
    every.sort(key=lambda pair: (list(Fault).index(pair[0].fault), pair[0].name))
    alarms = false_alarms(outcomes)
    return {
        name: _line(list(group), alarms)
        for name, group in groupby(every, key=lambda pair: pair[0].name)
    }


def _line(
    cases: Sequence[tuple[Injected, Outcome]], alarms: Mapping[str, int]
) -> dict[str, object]:
    """Return how often a fault was put in and found, and what it cost."""
    true, before, after, by_interval = np.array(
        [_window(one, outcome) for one, outcome in cases]
    ).T
    rules = rules_of(cases[0][0])
    is_told = bool(rules) or cases[0][0].fault in _REFUSED
    return {
        "injected": len(cases),
        "found_share": _share(is_found(*case) for case in cases) if is_told else None,
        "right_share": _share(is_right(*case) for case in cases),
        "false_alarms": sum(alarms.get(rule, 0) for rule in rules) if rules else None,
        "energy_error_before_pct": round(float(100 * before.sum() / true.sum()), 3),
        "energy_error_after_pct": round(float(100 * after.sum() / true.sum()), 3),
        "worst_window_pct": round(float(100 * (after / true).max()), 3),
        "interval_error_after_pct": round(
            float(100 * by_interval.sum() / true.sum()), 3
        ),
    }


def _window(one: Injected, outcome: Outcome) -> tuple[float, float, float, float]:
    """Return true energy of a fault's window, and how far it is off. [kWh]."""
    rows, true_kwh = outcome.rows(one), outcome.plant.kwh
    # What a ratio costs that nobody entered is told in its own line alone.
    is_ratio = one.fault is Fault.RATIO_CHANGE
    before_kwh = outcome.before_kwh if is_ratio else outcome.by_ratio_kwh
    off_kwh = _off(outcome)[rows]
    return (
        float(true_kwh[rows].sum()),
        abs(float((before_kwh - true_kwh)[rows].sum())),
        abs(float(off_kwh.sum())),
        float(np.abs(off_kwh).sum()),
    )


def _share(cases: Iterable[bool]) -> float:
    return round(float(np.mean(list(cases))), 3)


def rules_of(one: Injected) -> tuple[str, ...]:
    """Return the rules that are to find a fault; none: it is to be handled."""
    if one.fault is Fault.SWAP and not one.is_told:
        return _UNENTERED_SWAP
    return TELLS.get(one.fault, ())


def is_found(one: Injected, outcome: Outcome) -> bool:
    """Tell whether a rule says so there, or quarantine holds what was sent."""
    first_us, stop_us = outcome.window_us(one)
    if one.fault in _REFUSED and any(
        first_us <= at_us < stop_us for at_us in outcome.refused_us
    ):
        return True
    rules = rules_of(one)
    return any(
        _is_broken(verdict, rules) and _touches(verdict, one, outcome)
        for verdict in outcome.verdicts
    )


def is_right(one: Injected, outcome: Outcome) -> bool:
    """Tell whether the energy of a fault's window is right."""
    off_kwh = float(_off(outcome)[outcome.rows(one)].sum())
    return abs(off_kwh) <= _RIGHT_SHARE * float(outcome.plant.kwh.mean())


def false_alarms(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Count the days of points with a verdict that no fault explains, by rule."""
    counted: Counter[str] = Counter()
    for one in outcomes:
        days = {
            (verdict.rule, CALENDAR.local_day(from_utc_us(verdict.start_us)))
            for verdict in one.verdicts
            if verdict.status >= Status.WARN
            and not any(_touches(verdict, each, one) for each in one.injected)
        }
        counted.update(rule for rule, _ in days)
    return dict(counted)


def _is_broken(verdict: Verdict, rules: Sequence[str]) -> bool:
    return verdict.rule in rules and verdict.status >= Status.WARN


def _touches(verdict: Verdict, one: Injected, outcome: Outcome) -> bool:
    first_us, stop_us = outcome.window_us(one)
    return verdict.start_us < stop_us and verdict.stop_us > first_us


def _off(outcome: Outcome) -> FloatArray:
    """Return how far each interval is off; missing is off by all of it. [kWh]."""
    return np.nan_to_num(outcome.after_kwh, nan=0.0) - outcome.plant.kwh


def _pct(energy: float, true_energy: float) -> float:
    """Return an error in percent."""
    return round(100 * abs(float(energy) / float(true_energy) - 1), 4)
