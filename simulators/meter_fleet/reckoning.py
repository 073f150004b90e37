"""What meters gave, held against what is stored: each once, and nothing else. Pure.

A reading of a meter with a clock is known by its measured time. One without a clock is
stored under the collector's time, so it is known by what its registers showed; where
they showed the same twice, so many may be stored, and no more.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meters.reading import FloatArray, IntArray, from_utc_us
from simulators.meter_fleet.ledger import Standing
from simulators.meter_fleet.ledger_file import GivenTable
from storage.stored import StoredTable

BoolArray = npt.NDArray[np.bool_]
SLACK_US = 5_000_000
"""A collector's stamp may be so far from the meter's answer."""
_EXAMPLES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Reckoning:
    """How the two sides agree, in readings."""

    given: int
    """Different ones: what a meter with a clock sent twice counts once."""
    stored: int
    certain: int
    """Known to have arrived: each must be stored."""
    missing: int
    """Of these, what is not stored."""
    invented: int
    """Stored, though no meter gave it, or more often than one did."""
    altered: int
    """Stored under a time at which the meter gave something else."""
    misdated: int
    """Stored far from when a meter without a clock gave it."""
    doubtful: int
    """Given, but perhaps not received."""
    doubtful_stored: int
    refusable: int
    """Said under a fault for which it may be refused."""
    refusable_stored: int
    examples: tuple[str, ...] = ()
    """What is wrong, for people."""

    @property
    def holds(self) -> bool:
        """Whether every reading that a meter gave is stored once, and nothing else."""
        return not (self.missing or self.invented or self.altered or self.misdated)


def reckon(
    given: GivenTable, stored: StoredTable, *, slack_us: int | None = SLACK_US
) -> Reckoning:
    """Hold what was given against what is stored.

    Parameters
    ----------
    given : GivenTable
        Of one fleet.
    stored : StoredTable
        Of that fleet's serials, in their order.
    slack_us : int, optional
        How far the collector's stamp may be from the meter's; None where its clock was
        tampered with. [us]

    """
    rows = _Rows.of(given, stored)
    groups = _Groups.of(rows)
    altered, misdated = rows.altered(), rows.misdated(slack_us)
    wrong = {
        "was given, but is not stored": (groups.missing > 0)[rows.group],
        "is stored, but was not given": (groups.invented > 0)[rows.group],
        "is stored with other registers than were given": altered,
        "is stored at another time than it was given": misdated,
    }
    return Reckoning(
        given=int(groups.allowed.sum()),
        stored=len(stored),
        certain=int(groups.certain.sum()),
        missing=int(groups.missing.sum()),
        invented=int(groups.invented.sum()),
        altered=int(altered.sum()),
        misdated=int(misdated.sum()),
        doubtful=int(groups.doubtful.sum()),
        doubtful_stored=int(groups.doubtful_stored.sum()),
        refusable=int(groups.refusable.sum()),
        refusable_stored=int(groups.refusable_stored.sum()),
        examples=tuple(
            rows.told(given, int(row), text)
            for text, which in wrong.items()
            for row in np.flatnonzero(which)[:_EXAMPLES]
        )[:_EXAMPLES],
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rows:
    """Both sides end to end, what was given first; arrays have their length n."""

    split: int
    """How many were given."""
    meter: npt.NDArray[np.int32]
    time_us: IntArray
    """When measured; of what a meter without a clock gave, when given."""
    registers: FloatArray
    has_clock: BoolArray
    standing: npt.NDArray[np.int8]
    """shape (split,)"""
    group: IntArray
    """What is one and the same reading has one number."""
    said: IntArray
    """As `group`, and with the same registers."""

    @classmethod
    def of(cls, given: GivenTable, stored: StoredTable) -> "_Rows":
        """Lay them end to end."""
        meter = np.concatenate([given.meter, stored.meter])
        has_clock = given.has_clock[meter]
        told_us = np.where(
            given.has_clock[given.meter], given.measured_us, given.given_us
        )
        time_us = np.concatenate([told_us, stored.measured_us])
        registers = np.concatenate([given.registers, stored.registers])
        shown = _ranked(_bits(registers))
        told_by = np.where(has_clock, _ranked(time_us), shown)
        group = _ranked(meter * (told_by.max(initial=0) + 1) + told_by)
        return cls(
            split=len(given),
            meter=meter,
            time_us=time_us,
            registers=registers,
            has_clock=has_clock,
            standing=given.standing,
            group=group,
            said=_ranked(group * (shown.max(initial=0) + 1) + shown),
        )

    def altered(self) -> BoolArray:
        """Whether a row is stored for a reading that was given with other registers."""
        known = np.isin(self.group, self.group[: self.split])
        same = np.isin(self.said, self.said[: self.split])
        return known & ~same & self._is_stored()

    def misdated(self, slack_us: int | None) -> BoolArray:
        """Whether a row of a meter without a clock is stored out of its time."""
        if slack_us is None or not self.group.size:
            return np.zeros(self.group.size, dtype=np.bool_)
        size, of_given = int(self.group.max()) + 1, self.group[: self.split]
        first = np.full(size, np.iinfo(np.int64).max)
        last = np.full(size, np.iinfo(np.int64).min)
        np.minimum.at(first, of_given, self.time_us[: self.split])
        np.maximum.at(last, of_given, self.time_us[: self.split])
        known = (last > np.iinfo(np.int64).min)[self.group]
        first, last = first[self.group], last[self.group]
        # Apart: the bounds of a group that was never given must not overflow.
        early = np.zeros(self.group.size, dtype=np.bool_)
        early[known] = self.time_us[known] < first[known] - slack_us
        early[known] |= self.time_us[known] > last[known] + slack_us
        return early & ~self.has_clock & self._is_stored()

    def told(self, given: GivenTable, row: int, text: str) -> str:
        """Say what is wrong with a row."""
        at = from_utc_us(int(self.time_us[row])).isoformat(timespec="milliseconds")
        shown = ", ".join(f"{value:g}" for value in self.registers[row])
        return f"{given.serials[self.meter[row]]} at {at} ({shown}) {text}"

    def _is_stored(self) -> BoolArray:
        is_stored: BoolArray = np.arange(self.group.size) >= self.split
        return is_stored


@dataclass(frozen=True, kw_only=True, slots=True)
class _Groups:
    """Readings by the group; arrays have the number of groups as length."""

    allowed: IntArray
    certain: IntArray
    refusable: IntArray
    doubtful: IntArray
    missing: IntArray
    invented: IntArray
    refusable_stored: IntArray
    doubtful_stored: IntArray

    @classmethod
    def of(cls, rows: _Rows) -> "_Groups":
        """Count them."""
        size = int(rows.group.max(initial=-1)) + 1
        of_given, of_stored = rows.group[: rows.split], rows.group[rows.split :]
        has_clock = np.zeros(size, dtype=np.bool_)
        has_clock[rows.group] = rows.has_clock
        certain, refusable, doubtful = (
            np.bincount(of_given[rows.standing == standing], minlength=size)
            for standing in (Standing.CERTAIN, Standing.REFUSABLE, Standing.DOUBTFUL)
        )
        # One instant is one reading, as sure as the surest time it was sent.
        certain = np.where(has_clock, np.minimum(certain, 1), certain)
        refusable = np.where(has_clock, np.minimum(refusable, 1 - certain), refusable)
        doubtful = np.where(
            has_clock, np.minimum(doubtful, 1 - certain - refusable), doubtful
        )
        stored = np.bincount(of_stored, minlength=size)
        beyond = np.maximum(stored - certain, 0)
        refusable_stored = np.minimum(beyond, refusable)
        allowed = certain + refusable + doubtful
        return cls(
            allowed=allowed,
            certain=certain,
            refusable=refusable,
            doubtful=doubtful,
            missing=np.maximum(certain - stored, 0),
            invented=np.maximum(stored - allowed, 0),
            refusable_stored=refusable_stored,
            doubtful_stored=np.minimum(beyond - refusable_stored, doubtful),
        )


def _bits(registers: FloatArray) -> npt.NDArray[np.void]:
    """Return each row as one thing that can be compared; NaN equals NaN, -0 is 0."""
    plain = np.where(np.isnan(registers), np.nan, registers) + 0.0
    rows: npt.NDArray[np.void] = (
        np.ascontiguousarray(plain).view(f"V{plain.shape[1] * 8}").reshape(-1)
    )
    return rows


def _ranked(values: npt.NDArray[np.generic]) -> IntArray:
    """Give what is different numbers of its own, from 0 on."""
    if not values.size:
        return np.zeros(0, dtype=np.int64)
    ranks: IntArray = np.unique(values, return_inverse=True)[1].astype(np.int64)
    return ranks.reshape(-1)
