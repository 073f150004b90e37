"""What is known of a point around the intervals that were not measured. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

HOUR_US = 3_600_000_000
QUARTER_US = 900_000_000
FAR_US = 2**62
"""Of a meter that was not removed."""


def key_of(meter_id: IntArray, step: IntArray) -> IntArray:
    """Return one number for a meter and a step of time (hours, quarter-hours).

    Steps are counted from 1970: both stay below ten millions for two centuries.
    """
    return meter_id * 10_000_000 + step


@dataclass(frozen=True, kw_only=True, slots=True)
class Sitting:
    """A main meter's time at the point, [from_us, to_us)."""

    meter_id: int
    transport: str
    from_us: int
    to_us: int = FAR_US


@dataclass(frozen=True, kw_only=True, slots=True)
class NoSupply:
    """Time without supply, [start_us, stop_us)."""

    start_us: int
    stop_us: int
    planned: bool
    """Otherwise it was reported."""
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Doubt:
    """A rule said that what was counted in [start_us, stop_us) cannot be."""

    rule: str
    start_us: int
    stop_us: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MeterHours:
    """What became of the readings of some meters by hour; arrays have shape (n,).

    An hour in which a meter was neither asked nor heard is absent.
    """

    meter_id: IntArray
    hour_us: IntArray
    """[microseconds since 1970 UTC]"""
    answered: IntArray
    """Readings that came, whatever became of them."""
    failed: IntArray
    """Polls without an answer."""
    on_line: IntArray
    """Meters of the same line that were asked in that hour, this one too."""
    least_failed: FloatArray
    """Of all of them the smallest share of failed polls."""

    @classmethod
    def none(cls) -> "MeterHours":
        """Return those of nobody."""
        whole, share = np.zeros(0, np.int64), np.zeros(0)
        return cls(
            meter_id=whole,
            hour_us=whole,
            answered=whole,
            failed=whole,
            on_line=whole,
            least_failed=share,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """Of one point."""

    sittings: tuple[Sitting, ...]
    """By time."""
    outages: tuple[NoSupply, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    hours: MeterHours = field(default_factory=MeterHours.none)
    refused: Mapping[tuple[int, int], str] = field(default_factory=dict)
    """Why most was refused, by meter and start of the quarter-hour. [µs since 1970]"""
    idle: Mapping[str, IntArray] = field(default_factory=dict)
    """By transport, starts of the hours in which nothing came from any meter and none
    was asked. [microseconds since 1970 UTC]"""
    bare: Mapping[int, IntArray] = field(default_factory=dict)
    """By meter, starts of quarter-hours in which it was read without its register of
    import. [microseconds since 1970 UTC]"""

    def meters(self, start_us: IntArray) -> IntArray:
        """Return whose meter sat in each quarter-hour, shape (n,); 0 = none did.

        Of two that are swapped in it, the one that came.
        """
        found = np.zeros(start_us.shape, dtype=np.int64)
        for one in self.sittings:
            here = (start_us + QUARTER_US > one.from_us) & (start_us < one.to_us)
            found[here] = one.meter_id
        return found
