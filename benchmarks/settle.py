"""Point-days settled a second on one core, against the same arithmetic in bare numpy.

Measured is what a worker does: `settle_point` over points of a month each, reading from
and writing to an embedded PostgreSQL, all with their versions, verdicts and dirty days.
`pure` is the part without the database: readings are in memory, and so is the outcome.
The baseline does the same sums in bare numpy on arrays in memory: whole counts, turns,
boundaries, differences, and of each rule whether it holds. Ours also follows the
meters and says how each interval is known, where a rule broke and by which figures.
`bare_through_database` is that arithmetic between a plain SELECT and a plain INSERT.
Medians; readings of four registers every quarter of an hour. Seconds are of processor
time, ours and the server's together: what one core does.

    python -m benchmarks.settle --json
    python -m benchmarks.settle --grow 10000 --json

`growth` is the time of a point with many points over that with a hundredth of them;
`day` is one day of many points; `next` is points a second when one further quarter-hour
of a running day is settled, as happens every quarter of an hour.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from accounts.account import Installation
from accounts.calendar import SiteCalendar
from analytics.settlement.evidence import Evidence, fittings_of
from analytics.settlement.settling import settle_span
from benchmarks.report import Result, report
from benchmarks.servers import CARELESS, temporary_postgres
from benchmarks.settle_database import (
    Rate,
    set_up,
    settle_all,
    settle_bare,
    settle_next,
)
from meters.quantity import COLUMN, QUANTITIES, REGISTERS, Quantity
from meters.reading import ReadingBatch

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

DAYS = 31
NEXT_POINTS = 1000
"""Of how many points, at most, a further quarter-hour is timed."""
FIRST = date(2026, 5, 1)
CALENDAR = SiteCalendar(ZoneInfo("Asia/Shanghai"), "CN")
QUARTER_US = 900_000_000
DIGITS, PER_COUNT = 8, 100
MOST_KW = 2000.0
RATIO = 60


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--grow", type=int, default=0, help="also settle a day of so many points"
    )
    given = parser.parse_args()
    start_us = CALENDAR.quarter_hours_us(FIRST, FIRST + timedelta(days=DAYS - 1))
    points = [make_point(n, start_us) for n in range(given.points)]
    check(points[0], start_us)
    barest, ours = [], []
    for _ in range(given.rounds):
        barest.append(timed(lambda one: bare(one, start_us), points))
        ours.append(timed(lambda one: settle_span(one, start_us), points))
    few = timed(lambda one: settle_span(one, start_us), points[: given.points // 10])
    pure, bare_rate = statistics.median(ours), statistics.median(barest)
    month, daily, further, barely = stored(given.points)
    rate = month.by_core
    more: dict[str, object] = {
        "pure": round(pure),
        "pure_ratio": round(pure / bare_rate, 3),
        "pure_growth": round(few / pure, 2) if few else None,
        "bare_through_database": round(barely.by_core),
        "ratio_to_bare_through_database": round(rate / barely.by_core, 3),
        "by_clock": round(month.by_clock),
        "day_point_days_a_second": round(daily.by_core, 1),
        "next_points_a_second": round(further.by_core, 1),
    }
    if given.grow:
        more |= growth(given.grow)
    if not given.json:
        print(f"bare   {bare_rate:10.0f} point-days/s in memory")
        print(f"bare   {barely.by_core:10.0f} point-days/s through the database")
        print(f"pure   {pure:10.0f} point-days/s in memory")
        print(f"stored {rate:10.0f} point-days/s, a month a point at once")
        print(f"stored {daily.by_core:10.0f} point-days/s, one day a point")
        print(f"stored {further.by_core:10.0f} points/s, a further quarter-hour each")
    report(
        Result(
            name="settle",
            value=rate,
            unit="point-days/s",
            baseline=bare_rate,
            settings=vars(given) | {"days": DAYS, "registers": len(REGISTERS)},
            server="embedded PostgreSQL, fsync off",
            more=more,
        )
    )


def stored(points: int) -> tuple[Rate, Rate, Rate, Rate]:
    """Return rates through a database: a month, a day, a quarter-hour, and bare."""
    with temporary_postgres(*CARELESS) as url:
        stage = set_up(url, CALENDAR, points, FIRST, DAYS)
        month = settle_all(stage)
        barely = settle_bare(stage, lambda batch: in_bare_numpy(batch, _starts(batch)))
    daily, further = one_day(points * 10)
    return month, daily, further, barely


def one_day(points: int) -> tuple[Rate, Rate]:
    """Return rates of settling one day, then further quarter-hours, of many points."""
    with temporary_postgres(*CARELESS) as url:
        stage = set_up(url, CALENDAR, points, FIRST, 1)
        return settle_all(stage), settle_next(stage, min(points, NEXT_POINTS))


def growth(points: int) -> dict[str, object]:
    """Return how much longer a point takes among many than among a hundredth."""
    small, next_small = one_day(points // 100)
    large, next_large = one_day(points)
    return {
        "growth": round(small.by_core / large.by_core, 2),
        "growth_of_next": round(next_small.by_core / next_large.by_core, 2),
        "grown_point_days_a_second": round(large.by_core, 1),
        "grown_next_points_a_second": round(next_large.by_core, 1),
    }


def _starts(batch: ReadingBatch) -> IntArray:
    return batch.measured_us[:-1]


def make_point(number: int, start_us: IntArray) -> Evidence:
    """Make a point of one meter with four registers, read on every boundary."""
    rng = np.random.default_rng(number)
    at_us = np.append(start_us, start_us[-1] + QUARTER_US)
    values = np.full((at_us.size, len(QUANTITIES)), np.nan)
    for quantity in REGISTERS:
        fed = quantity is Quantity.ENERGY_EXPORT_KWH
        counts = np.cumsum(rng.integers(0, 3 if fed else 400, at_us.size))
        turned = (counts + 99_000_000 - number) % 10**DIGITS
        values[:, COLUMN[quantity]] = turned / PER_COUNT
    values[:, COLUMN[Quantity.ACTIVE_POWER_KW]] = rng.uniform(0, 900, at_us.size)
    sat = Installation(
        installation_id=number,
        point_id=number,
        meter_id=number,
        installed_at=datetime(2020, 1, 1, tzinfo=UTC),
        removed_at=None,
        ratio=RATIO,
        register_digits=DIGITS,
        register_resolution=1 / PER_COUNT,
    )
    return Evidence(
        calendar=CALENDAR,
        readings=ReadingBatch(
            meter_id=np.full(at_us.size, number, dtype=np.int32),
            measured_us=at_us,
            received_us=at_us + 200_000,
            values=values,
        ),
        fittings=fittings_of([sat], most_kw=MOST_KW),
        most_kw=MOST_KW,
    )


def in_bare_numpy(readings: ReadingBatch, start_us: IntArray) -> FloatArray:
    """Return interval energy of the four registers by the barest means, (4, n)."""
    edges = np.append(start_us, start_us[-1] + QUARTER_US)
    energy = np.empty((len(REGISTERS), start_us.size))
    for row, quantity in enumerate(REGISTERS):
        column = readings.values[:, COLUMN[quantity]]
        counts = np.rint(column * PER_COUNT).astype(np.int64)
        step = np.diff(counts)
        step = np.where(step < 0, step + 10**DIGITS, step)
        total = np.concatenate([[0], np.cumsum(step)])
        after = np.searchsorted(readings.measured_us, edges)
        after = np.minimum(after, total.size - 1)
        before = np.maximum(after - 1, 0)
        part = edges - readings.measured_us[before]
        whole = readings.measured_us[after] - readings.measured_us[before]
        ran = (total[after] - total[before]) * part // np.maximum(whole, 1)
        energy[row] = np.diff(total[before] + ran) * (RATIO / PER_COUNT)
    return energy


def rules_in_bare_numpy(readings: ReadingBatch, energy: FloatArray) -> list[object]:
    """Ask what the rules ask, without saying where, why and by which figures."""
    drawn, fed, lagging, leading = energy
    by_day = drawn.reshape(DAYS, -1)
    ordered = np.sort(by_day, axis=1)
    late_us = readings.received_us - readings.measured_us
    return [
        np.isnan(drawn).any(),
        (np.diff(readings.measured_us) <= 0).any(),
        np.abs(late_us).reshape(-1)[1:].reshape(DAYS, -1).max(axis=1) > 180_000_000,
        (drawn < 0).any(),
        (drawn * 4 > 1.2 * MOST_KW).any(),
        longest(drawn == 0) >= 16,
        longest(drawn[1:] == drawn[:-1]) >= 11,
        (fed > 0).any(),
        (lagging + leading).reshape(DAYS, -1).sum(axis=1) == 0,
        (ordered[:, -1] - ordered[:, -3]) / ordered[:, -3] > 1.8,
        drawn.mean() * 96,
        drawn.max() * 4,
    ]


def longest(of: npt.NDArray[np.bool_]) -> int:
    """Return the length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], of.view(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def bare(one: Evidence, start_us: IntArray) -> None:
    """Do all of the arithmetic, and nothing else."""
    rules_in_bare_numpy(one.readings, in_bare_numpy(one.readings, start_us))


def check(point: Evidence, start_us: IntArray) -> None:
    """Refuse to compare what does not come to the same."""
    ours = settle_span(point, start_us)
    for row, energy in zip(
        REGISTERS, in_bare_numpy(point.readings, start_us), strict=True
    ):
        np.testing.assert_allclose(ours.energy(row), energy, rtol=0, atol=1e-6)


def timed(work: Callable[[Evidence], object], points: list[Evidence]) -> float:
    """Do the work at each point and return point-days a second."""
    begin = time.process_time()
    for one in points:
        work(one)
    return len(points) * DAYS / (time.process_time() - begin)


if __name__ == "__main__":
    main()
