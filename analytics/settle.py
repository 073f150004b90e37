"""Turns cumulative registers into interval energy. Pure.

Energy is conserved: the register at each boundary is one whole number of counts, used
for the interval before and the one after, so intervals sum to the register's own
difference. What is not known is missing with a finding, never guessed (METHODS §1).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from accounts.account import Installation
from analytics.finding import Finding
from analytics.track import Track
from meters.quantity import COLUMN, REGISTERS, Quantity
from meters.reading import ReadingBatch, utc_us
from meters.registers import exact

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
TextArray = npt.NDArray[np.str_]

MAX_GAP = 1.5
"""Between readings further apart than this many intervals, nothing is known."""
MEASURED_GAP = 0.2
"""Up to this share of an interval between the readings around a boundary (3 of 15
minutes) the interval counts as measured, beyond as estimated."""
INTERPOLATED = "interpolated"
"""Method of an interval with a boundary between two readings far apart."""
_MINUTE_US = 60_000_000


class Quality(StrEnum):
    """How an interval's import energy is known."""

    MEASURED = "measured"
    ESTIMATED = "estimated"
    EDITED = "edited"
    MISSING = "missing"


class Cause(StrEnum):
    """Why an interval is missing."""

    IMPLAUSIBLE_REGISTER = "implausible-register"
    """The register did what none does between two readings in it or at its ends."""
    NO_READING = "no-reading"
    """No readings close enough to its start or its end."""
    NOT_INSTALLED = "not-installed"
    """No meter sat there all the time: installed, removed or swapped meanwhile."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Intervals:
    """Settled energy of one point; arrays have shape (n,), NaN = not known.

    Each interval is [start, start + length).
    """

    start_us: IntArray
    """[microseconds since 1970 UTC]"""
    length_min: int
    import_kwh: FloatArray
    export_kwh: FloatArray
    lagging_kvarh: FloatArray
    leading_kvarh: FloatArray
    quality: TextArray
    """Values of `Quality`, of the import energy: missing exactly where that is NaN."""
    method: TextArray
    """How an estimate was made; `Cause` of what is missing; empty otherwise."""
    findings: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        """Count the intervals."""
        return int(self.start_us.size)

    @property
    def power_kw(self) -> FloatArray:
        """Mean import power, in kW."""
        return self.import_kwh * (60 / self.length_min)


def settle(
    readings: ReadingBatch,
    starts_us: IntArray,
    installation: Installation,
    *,
    length_min: int = 15,
    max_gap_min: float | None = None,
    limit_kw: float | None = None,
) -> Intervals:
    """Settle the readings of one installation.

    Parameters
    ----------
    readings : ReadingBatch
        Of any meters, in any order; only those of the installation's meter during its
        time at the point count. Should reach one reading beyond the first and the last
        boundary.
    starts_us : array, shape (n,)
        Interval starts. [microseconds since 1970 UTC]
    installation : Installation
    length_min : int
        Of each interval. [min]
    max_gap_min : float, optional
        Readings further apart than this do not give a boundary between them; one and a
        half intervals unless said. [min]
    limit_kw : float, optional
        The most the point can draw: a register that goes back or runs faster than 1.2
        times this is not believed, but for that of the energy it feeds. Readings closer
        than an interval may differ by what it can draw in one. [kW or kvar]

    Returns
    -------
    Intervals
        An interval that reaches beyond the installation is missing.

    """
    mine = _of_installation(readings, installation)
    order = mine[np.argsort(readings.measured_us[mine], kind="stable")]
    measured_us = readings.measured_us[order]
    energy: dict[Quantity, FloatArray] = {}
    estimated = np.zeros(starts_us.shape, dtype=np.bool_)
    cause = np.full(starts_us.shape, Cause.NO_READING.value)
    findings: list[Finding] = []
    gap_min = MAX_GAP * length_min if max_gap_min is None else max_gap_min
    for quantity in REGISTERS:
        bound_kw = None if quantity is Quantity.ENERGY_EXPORT_KWH else limit_kw
        track = Track.of(
            measured_us,
            readings.values[order, COLUMN[quantity]],
            digits=installation.register_digits,
            resolution=installation.register_resolution,
            most_counts_an_hour=_counts_an_hour(bound_kw, installation),
            leap_us=length_min * _MINUTE_US,
        )
        findings += _breaks(track, quantity)
        counts, gap_us = _differences(track, starts_us, length_min, gap_min)
        energy[quantity] = counts * _energy_of_count(installation)
        if quantity is Quantity.ENERGY_IMPORT_KWH:
            estimated = gap_us > MEASURED_GAP * length_min * _MINUTE_US
            cause = _causes(track, starts_us, length_min, installation)
    how = _method(energy, estimated, cause)
    return _intervals(starts_us, length_min, energy, how, findings)


def settle_point(
    readings: ReadingBatch,
    starts_us: IntArray,
    installations: Sequence[Installation],
    *,
    length_min: int = 15,
    max_gap_min: float | None = None,
    limit_kw: float | None = None,
) -> Intervals:
    """Settle a point over all its installations; parameters as of `settle`.

    An interval in which the meter was swapped is missing: its two parts need the
    closing and the opening register.
    """
    parts = [
        settle(
            readings,
            starts_us,
            installation,
            length_min=length_min,
            max_gap_min=max_gap_min,
            limit_kw=limit_kw,
        )
        for installation in installations
    ]
    return laid_together(parts, starts_us, length_min)


def laid_together(
    parts: Sequence[Intervals], starts_us: IntArray, length_min: int = 15
) -> Intervals:
    """Lay the installations of a point together: the first that knows an interval.

    Parameters
    ----------
    parts
        Each over the same `starts_us`, shape (n,).

    """
    unknown = np.full(starts_us.shape, math.nan)
    energy = dict.fromkeys(REGISTERS, unknown)
    estimated = np.zeros(starts_us.shape, dtype=np.bool_)
    cause = np.full(starts_us.shape, Cause.NOT_INSTALLED.value)
    findings: list[Finding] = []
    for part in parts:
        free = np.isnan(energy[Quantity.ENERGY_IMPORT_KWH])
        estimated |= free & (part.quality == Quality.ESTIMATED)
        for quantity, more in zip(REGISTERS, _columns(part), strict=True):
            so_far = energy[quantity]
            energy[quantity] = np.where(np.isnan(so_far), more, so_far)
        # Who sat there says more than who did not.
        says = (part.quality == Quality.MISSING) & (part.method != Cause.NOT_INSTALLED)
        cause = np.where(says, part.method, cause)
        findings += part.findings
    how = _method(energy, estimated, cause)
    return _intervals(starts_us, length_min, energy, how, findings)


def _columns(part: Intervals) -> tuple[FloatArray, ...]:
    """Return the energies in the order of `REGISTERS`."""
    return part.import_kwh, part.export_kwh, part.lagging_kvarh, part.leading_kvarh


def _of_installation(readings: ReadingBatch, installation: Installation) -> IntArray:
    """Return the rows of its meter during its time, its end included."""

    def us(moment: datetime | None, otherwise: int) -> int:
        return otherwise if moment is None else utc_us(moment)

    first_us = us(installation.installed_at, 0)
    last_us = us(installation.removed_at, np.iinfo(np.int64).max)
    return np.flatnonzero(
        (readings.meter_id == installation.meter_id)
        & (readings.measured_us >= first_us)
        & (readings.measured_us <= last_us)
    )


def _energy_of_count(installation: Installation) -> float:
    """Energy of one register count at the point, in kWh or kvarh."""
    numerator, denominator = exact(installation.register_resolution)
    return installation.ratio * numerator / denominator


def _counts_an_hour(limit_kw: float | None, installation: Installation) -> float:
    if limit_kw is None:
        return math.inf
    return limit_kw / _energy_of_count(installation)


def _differences(
    track: Track, starts_us: IntArray, length_min: int, max_gap_min: float
) -> tuple[FloatArray, IntArray]:
    """Return counts of each interval, NaN if not known, and the wider boundary gap."""
    max_gap_us = round(max_gap_min * _MINUTE_US)
    start = track.at(starts_us, max_gap_us)
    stop = track.at(starts_us + length_min * _MINUTE_US, max_gap_us)
    known = start.known & stop.known & (start.stretch == stop.stretch)
    counts = np.where(known, stop.counts - start.counts, math.nan)
    return counts, np.maximum(start.gap_us, stop.gap_us)


def _causes(
    track: Track, starts_us: IntArray, length_min: int, installation: Installation
) -> TextArray:
    """Return why each interval would be missing."""
    stops_us = starts_us + length_min * _MINUTE_US
    cause = np.full(starts_us.shape, Cause.NO_READING.value, dtype="<U24")
    if track.measured_us.size:
        last = track.measured_us.size - 1
        before = np.searchsorted(track.measured_us, starts_us, side="right") - 1
        after = np.searchsorted(track.measured_us, stops_us).clip(max=last)
        broken = track.stretch[before.clip(min=0)] != track.stretch[after]
        cause[broken] = Cause.IMPLAUSIBLE_REGISTER.value
    outside = starts_us < utc_us(installation.installed_at)
    if installation.removed_at is not None:
        outside |= stops_us > utc_us(installation.removed_at)
    cause[outside] = Cause.NOT_INSTALLED.value
    return cause


def _breaks(track: Track, quantity: Quantity) -> list[Finding]:
    """Name the readings between which a register did what no register does."""
    after = np.flatnonzero(np.diff(track.stretch)) + 1
    return [
        Finding(
            code="implausible-register",
            figures={
                "quantity": quantity.value,
                "from_us": int(track.measured_us[i - 1]),
                "to_us": int(track.measured_us[i]),
            },
        )
        for i in after.tolist()
    ]


def _method(
    energy: dict[Quantity, FloatArray], estimated: BoolArray, cause: TextArray
) -> TextArray:
    """Return how each interval is estimated, or why it is missing."""
    missing = np.isnan(energy[Quantity.ENERGY_IMPORT_KWH])
    return np.where(missing, cause, np.where(estimated, INTERPOLATED, ""))


def _intervals(
    starts_us: IntArray,
    length_min: int,
    energy: dict[Quantity, FloatArray],
    method: TextArray,
    findings: Sequence[Finding],
) -> Intervals:
    import_kwh = energy[Quantity.ENERGY_IMPORT_KWH]
    known = np.where(method == "", Quality.MEASURED.value, Quality.ESTIMATED.value)
    return Intervals(
        start_us=starts_us,
        length_min=length_min,
        import_kwh=import_kwh,
        export_kwh=energy[Quantity.ENERGY_EXPORT_KWH],
        lagging_kvarh=energy[Quantity.ENERGY_LAGGING_KVARH],
        leading_kvarh=energy[Quantity.ENERGY_LEADING_KVARH],
        quality=np.where(np.isnan(import_kwh), Quality.MISSING.value, known),
        method=method,
        findings=tuple(findings),
    )
