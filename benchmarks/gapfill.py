"""How well gaps are filled: mean error of each method by the gap's length.

For every building of a folder in the form of `ucsd_campus_us` (`meters_15min.parquet`
with meter_id, ts_local, p_kw), gaps are cut at random places (seeded) out of what was
measured, estimated by each method, and compared. The error is the mean absolute error
as a share of the building's mean load; the figure of a method is the mean over the
buildings.

    python -m benchmarks.gapfill --data DIR --json

`--first` and `--last` bound the days, `--meter` names buildings: for choosing on some
and confirming on others.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq

from accounts.calendar import SLOTS, SiteCalendar
from analytics.settlement.estimate import (
    Estimate,
    Gap,
    by_like_days,
    by_line,
    by_three_days,
)
from analytics.settlement.reference import (
    HOLIDAY,
    SUNDAY,
    THREE,
    LoadHistory,
    kind_of,
    mean_day,
)
from benchmarks.report import machine

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LENGTHS = (1, 4, 8, 16, 32, 96)
AROUND = 8
"""Intervals kept on either side of a gap."""
_EDGE_DAYS = 21
_LEAST_DAYS = 120
_EVER_NEGATIVE = 0.001
TABLE = {
    "linear": (1.93, 2.92, 3.57, 5.21, 7.95, 17.37),
    "three_same_weekday": (5.62, 5.34, 5.52, 5.54, 5.66, 5.55),
    "three_like_days": (4.83, 4.60, 4.74, 4.76, 4.73, 4.86),
    "like_days_register": (0.0, 1.72, 2.12, 2.66, 3.25, 4.15),
}
"""docs/methods.md, Validation: five buildings."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Building:
    """One building's load by local day and slot, shape (d, 96)."""

    name: str
    history: LoadHistory


Methods = Mapping[str, Callable[[Gap, LoadHistory, float], Estimate | None]]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--gaps", type=int, default=1_900, help="of each length")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=date.fromisoformat, default=date(2018, 1, 1))
    parser.add_argument("--last", type=date.fromisoformat, default=date(2020, 2, 29))
    parser.add_argument("--meter", action="append", help="only these; all unless said")
    parser.add_argument("--zone", default="America/Los_Angeles")
    parser.add_argument("--country", default="US")
    given = parser.parse_args()
    calendar = SiteCalendar(ZoneInfo(given.zone), given.country)
    found = buildings(given.data, calendar, given.first, given.last, given.meter)
    errors = {
        one.name: errors_of(one, gaps=given.gaps, seed=given.seed) for one in found
    }
    mean = {
        method: [
            round(float(np.mean([each[method][i] for each in errors.values()])), 2)
            for i in range(len(LENGTHS))
        ]
        for method in next(iter(errors.values()))
    }
    if not given.json:
        show(mean)
    line = {
        "name": "gapfill",
        "unit": "% of mean load",
        "gap_lengths": LENGTHS,
        "error_pct": by_length(mean),
        "error_pct_by_building": {name: by_length(e) for name, e in errors.items()},
        "table": by_length(TABLE),
        "worst_above_table": {
            method: round(float(np.max(np.subtract(mean[method], TABLE[method]))), 2)
            for method in TABLE
        },
        "settings": {key: str(value) for key, value in vars(given).items()},
        "machine": machine(),
    }
    print(json.dumps(line))


def show(mean: Mapping[str, Sequence[float]]) -> None:
    """Print a table."""
    print(f"{'quarter-hours':26}", *(f"{length:6d}" for length in LENGTHS))
    for method, row in mean.items():
        print(f"{method:26}", *(f"{error:6.2f}" for error in row))


def by_length(rows: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Name each error by the gap's length in quarter-hours."""
    return {
        method: {str(n): round(e, 2) for n, e in zip(LENGTHS, row, strict=True)}
        for method, row in rows.items()
    }


def buildings(
    folder: Path,
    calendar: SiteCalendar,
    first: date,
    last: date,
    names: Sequence[str] | None,
) -> list[Building]:
    """Return the meters that only draw and have days enough, as the file calls them."""
    table = pq.read_table(folder / "meters_15min.parquet")
    found = []
    for name in sorted(pc.unique(table["meter_id"]).to_pylist()):
        if names and name not in names:
            continue
        part = table.filter(pc.equal(table["meter_id"], name))
        local = part["ts_local"].to_numpy().astype("datetime64[us]")
        power_kw = part["p_kw"].to_numpy().astype(np.float64)
        grid = laid_out(local, power_kw / 4, first, last)
        whole = np.asarray(~np.isnan(grid).any(axis=1), dtype=np.bool_)
        negative = (power_kw < 0).mean()
        if whole.sum() < _LEAST_DAYS or negative > _EVER_NEGATIVE:
            continue
        days = np.arange(np.datetime64(first), np.datetime64(last) + 1)
        kind = [kind_of(calendar, day) for day in days.astype(object)]
        history = LoadHistory(
            days=days, kwh=grid, kind=np.array(kind, dtype=np.int64), usable=whole
        )
        found.append(Building(name=name, history=history))
    if not found:
        raise SystemExit(
            f"{folder} has no meter that only draws and has {_LEAST_DAYS} whole days "
            f"from {first} to {last}; give another folder, --first, --last or --meter."
        )
    return found


def laid_out(
    local: npt.NDArray[np.datetime64], kwh: FloatArray, first: date, last: date
) -> FloatArray:
    """Lay energy out by local day and slot; the last of a repeated hour stands."""
    day = local.astype("datetime64[D]")
    slot = (local - day).astype("timedelta64[m]").astype(np.int64) // 15
    row = (day - np.datetime64(first)).astype(np.int64)
    days = (last - first).days + 1
    inside = (row >= 0) & (row < days)
    grid = np.full((days, SLOTS), np.nan)
    grid[row[inside], slot[inside]] = kwh[inside]
    return grid


METHODS: Methods = {
    "linear": lambda gap, _history, _total: by_line(gap, float("inf")),
    "three_same_weekday": lambda gap, history, _total: same_weekday(gap, history),
    "three_like_days": lambda gap, history, _total: by_three_days(gap, history, None),
    "like_days_register": by_three_days,
    "ours": lambda gap, history, _total: by_like_days(gap, history, None),
    "ours_register": by_like_days,
}


def same_weekday(gap: Gap, history: LoadHistory) -> Estimate | None:
    """Take the mean of the three nearest days of the same weekday."""
    only = LoadHistory(
        days=history.days,
        kwh=history.kwh,
        kind=history.kind,
        usable=history.usable,
    )
    kwh = np.full(gap.size, np.nan)
    rows = np.flatnonzero(gap.asked)
    found: Estimate | None = by_three_days(gap, history, None)
    for day in np.unique(gap.local_day[rows]):
        of_day = gap.local_day[rows] == day
        kind = int(gap.kind[rows][of_day][0])
        kinds = (HOLIDAY, SUNDAY) if kind == HOLIDAY else (kind,)
        row = history.row(day)
        days = np.flatnonzero(only.usable & np.isin(only.kind, kinds))
        days = days[days != row]
        days = days[np.argsort(np.abs(days - row), kind="stable")][:THREE]
        kwh[of_day] = mean_day(only, days)[gap.slot[rows][of_day]]
    return found and Estimate(kwh=kwh, method=found.method, confidence=found.confidence)


def errors_of(building: Building, *, gaps: int, seed: int) -> dict[str, list[float]]:
    """Return the mean error of each method by gap length, in % of the mean load."""
    errors: dict[str, list[float]] = {method: [] for method in METHODS}
    flat = building.history.kwh.ravel()
    level = float(np.nanmean(flat))
    for length in LENGTHS:
        found: dict[str, list[float]] = {method: [] for method in METHODS}
        rng = np.random.default_rng([seed, length])
        for start in places(flat, length, gaps, rng).tolist():
            for method, error in errors_at(building.history, start, length).items():
                found[method].append(error)
        for method, each in found.items():
            errors[method].append(100 * float(np.mean(each)) / level)
    return errors


def places(
    flat: FloatArray, length: int, gaps: int, rng: np.random.Generator
) -> IntArray:
    """Choose where gaps begin: where all is measured, and so are both sides."""
    unknown = np.concatenate([[0], np.cumsum(np.isnan(flat))])
    edge = _EDGE_DAYS * SLOTS
    first = np.arange(edge, flat.size - length - edge)
    whole = unknown[first + length + AROUND] == unknown[first - AROUND]
    return rng.choice(first[whole], size=gaps)


def errors_at(history: LoadHistory, start: int, length: int) -> dict[str, float]:
    """Return the mean absolute error of each method in one gap. [kWh]."""
    flat = history.kwh.ravel()
    place = np.arange(start - AROUND, start + length + AROUND)
    asked = (place >= start) & (place < start + length)
    truth = flat[start : start + length]
    rows = place // SLOTS
    gap = Gap(
        asked=asked,
        kwh=np.where(asked, np.nan, flat[place]),
        end_point=~asked,
        local_day=history.days[rows],
        slot=place % SLOTS,
        kind=history.kind[rows],
    )
    usable = history.usable.copy()
    usable[np.unique(rows[asked])] = False  # a day with a gap never serves
    known = LoadHistory(
        days=history.days, kwh=history.kwh, kind=history.kind, usable=usable
    )
    errors = {}
    for method, fill in METHODS.items():
        found = fill(gap, known, float(truth.sum()))
        filled = truth * 0 if found is None else found.kwh
        errors[method] = float(np.abs(filled - truth).mean())
    return errors


if __name__ == "__main__":
    main()
