"""Settled intervals as a settlement leaves them: for benchmarks of storage.

Energy comes in whole counts of the register times the ratio, as settlement gives it: a
day's shape by kind of site, weekdays and noise; lagging kvarh that follows; what the
site feeds, and leading kvarh, where it has any. A few intervals are estimated, edited
by nobody, or missing; some were settled again when a late reading came.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
TextArray = npt.NDArray[np.str_]

QUARTER_US = 900_000_000
DAY_US = 96 * QUARTER_US
RATIOS = (20, 30, 40, 60, 80, 120, 200, 1500, 6000)
RESOLUTIONS = ("0.01", "0.001")
LATE, ESTIMATED, MISSING = 0.01, 0.03, 0.003
"""Shares: of days settled again, of intervals estimated and missing."""
WORKDAYS = 5
METHODS = ("interpolated", "scaled", "average-like-day", "linear")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Columns:
    """One point's rows of energy_interval, shape (n,)."""

    start_us: IntArray
    import_kwh: FloatArray
    export_kwh: FloatArray
    lagging_kvarh: FloatArray
    leading_kvarh: FloatArray
    quality: TextArray
    method: TextArray
    version: IntArray
    settled_us: IntArray
    confidence: FloatArray
    status: IntArray
    firm: npt.NDArray[np.bool_]


def settled_columns(number: int, start_us: int, days: int) -> Columns:
    """Return what is settled of the point of a number, over so many days."""
    rng = np.random.default_rng(number)
    n = days * 96
    at_us = start_us + QUARTER_US * np.arange(n, dtype=np.int64)
    energy = _energy(rng, at_us)
    state = _state(rng, n)
    missing = state == 2
    settled_us, version = _settled(rng, at_us)
    methods = np.array(METHODS)[np.arange(n) // 7 % len(METHODS)]
    confidence = np.where(state == 1, np.round(rng.uniform(0.6, 0.98, n), 2), 1.0)
    return Columns(
        start_us=at_us,
        **{name: np.where(missing, np.nan, each) for name, each in energy.items()},
        quality=np.array(["measured", "estimated", "missing"])[state],
        method=np.where(state == 1, methods, np.where(missing, "no-reading", "")),
        version=version,
        settled_us=settled_us,
        confidence=np.where(missing, 0.0, confidence),
        status=np.where(rng.random(n) < 0.004, 1, 0) + np.where(missing, 2, 0),
        firm=state == 0,
    )


def _energy(rng: np.random.Generator, at_us: IntArray) -> dict[str, FloatArray]:
    """Return energy by column: whole counts of a register, times its multiplier."""
    # Half of the meters count what flows behind their transformers, and half know
    # their ratio and count what the site draws.
    ratio = int(rng.choice(RATIOS))
    counted = ratio if rng.random() < 0.5 else 1
    quantum = counted * Fraction(rng.choice(RESOLUTIONS))
    # A CT fits its load: between a tenth and all of 5 A x 400 V on the meter's side.
    most_kw = ratio * 3.46 * rng.uniform(0.1, 1.0)
    hour = at_us / 3.6e9 % 24
    work = at_us // DAY_US % 7 < WORKDAYS
    day = np.exp(-(((hour - 13) / 5) ** 2)) * np.where(work, 1.0, 0.4)
    noise = rng.normal(1, 0.04, at_us.size)
    load = most_kw * (0.25 + 0.7 * day) * noise
    feeds, leads, tells = rng.random(3) < (0.2, 0.2, 0.5)
    fed = most_kw * np.clip(day - 0.7, 0, None) * noise
    nothing = np.zeros(at_us.size)
    power = {
        "import_kwh": load,
        "export_kwh": fed if feeds else nothing if tells else nothing * np.nan,
        "lagging_kvarh": load * rng.normal(0.4, 0.02, at_us.size),
        "leading_kvarh": load * 0.02 if leads else nothing,
    }
    numerator, denominator = quantum.as_integer_ratio()
    return {
        name: np.diff(np.rint(kw.cumsum() / 4 * denominator / numerator), prepend=0.0)
        * numerator
        / denominator
        for name, kw in power.items()
    }


def _state(rng: np.random.Generator, n: int) -> IntArray:
    """Return 0 measured, 1 estimated, 2 missing: in runs, as meters fail."""
    state = np.zeros(n, dtype=np.int64)
    for share, kind, longest in ((ESTIMATED, 1, 16), (MISSING, 2, 48)):
        for begin in rng.integers(0, n, max(1, int(2 * n * share / longest))):
            state[begin : begin + rng.integers(1, longest)] = kind
    return state


def _settled(rng: np.random.Generator, at_us: IntArray) -> tuple[IntArray, IntArray]:
    """Return when each was settled, some seconds after its end or much later."""
    after = at_us + QUARTER_US + rng.integers(1_000_000, 30_000_000, at_us.size)
    again = np.repeat(rng.random(at_us.size // 96) < LATE, 96)
    settled_us = np.where(again, at_us // DAY_US * DAY_US + 3 * DAY_US, after)
    return settled_us, np.where(again, 2, 1)
