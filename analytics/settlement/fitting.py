"""One meter's time at a point: its register's form, its multipliers, its bounds. Pure.

Errors: `FittingError`, one sentence with the meter and the remedy.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from itertools import pairwise

import numpy as np

from accounts.account import Installation
from meters.reading import from_utc_us, utc_us

FOREVER_US = int(np.iinfo(np.int64).max)
MARGIN = Fraction(6, 5)
"""A register may run this much faster than the most that is expected
(docs/methods.md, Registers)."""
_MOST_DIGITS = 18
_HOUR_US = 3_600_000_000


class FittingError(ValueError):
    """The master data of a point contradict themselves; the message names the meter."""


@dataclass(frozen=True, slots=True)
class Multiplier:
    """CT x PT x meter constant, from some moment on."""

    since_us: int
    value: Fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitting:
    """A meter at a point, over [from_us, to_us]; one register of it.

    At a swap the closing reading of the old and the opening reading of the new meter
    are of one instant: `to_us` of the one, `from_us` of the other.
    """

    meter_id: int
    from_us: int
    to_us: int = FOREVER_US
    digits: int
    """The register runs modulo ``10**digits`` counts."""
    resolution: Fraction
    """One count. [kWh or kvarh]"""
    multipliers: tuple[Multiplier, ...]
    """By time; the first holds from the beginning."""
    opening: int | None = None
    """What the register showed at `from_us`. [counts]"""
    closing: int | None = None
    """What it showed at `to_us`. [counts]"""
    most_kw: float | None = None
    """The most that can flow here, of contract and transformers. [kW or kvar]"""
    energies: tuple[Fraction, ...] = field(init=False, compare=False)
    """Energy of a count at the point, by multiplier. [kWh or kvarh]"""

    def __post_init__(self) -> None:
        """Refuse what no meter can be."""
        complaint = _complaint(self)
        if complaint:
            raise FittingError(f"Meter {self.meter_id} {complaint}.")
        # Asked often, and fractions are slow.
        energies = tuple(self.energy_of_count(m.value) for m in self.multipliers)
        object.__setattr__(self, "energies", energies)

    @property
    def turn(self) -> int:
        """Counts of one full turn of the register."""
        return int(10**self.digits)

    def energy_of_count(self, multiplier: Fraction) -> Fraction:
        """Return the energy of one count at the point. [kWh or kvarh]."""
        return self.resolution * multiplier

    @property
    def most_counts_an_hour(self) -> float | None:
        """The most counts an hour that are believed, margin included."""
        if self.most_kw is None:
            return None
        return self.most_kw * float(MARGIN / min(self.energies))

    @classmethod
    def of(
        cls,
        installation: Installation,
        *,
        most_kw: float | None = None,
        opening: int | None = None,
        closing: int | None = None,
        changes: Iterable[tuple[datetime, Fraction]] = (),
    ) -> "Fitting":
        """Take what is known of an installation.

        Parameters
        ----------
        installation : Installation
        most_kw : float, optional
            [kW or kvar]
        opening, closing : int, optional
            Register at its beginning and end. [counts]
        changes
            Later multipliers, each with the moment from which it holds.

        """
        removed_at = installation.removed_at
        from_us = utc_us(installation.installed_at)
        first = Multiplier(from_us, Fraction(installation.ratio))
        later = (Multiplier(utc_us(at), value) for at, value in changes)
        return cls(
            meter_id=installation.meter_id,
            from_us=from_us,
            to_us=FOREVER_US if removed_at is None else utc_us(removed_at),
            digits=installation.register_digits,
            resolution=Fraction(repr(installation.register_resolution)),
            multipliers=(first, *later),
            opening=opening,
            closing=closing,
            most_kw=most_kw,
        )


def refuse_overlaps(fittings: Sequence[Fitting]) -> None:
    """Let one meter be at a point at a time.

    Raises
    ------
    FittingError
        Naming both meters and when the later one came.

    """
    for earlier, later in pairwise(sorted(fittings, key=lambda one: one.from_us)):
        if earlier.to_us > later.from_us:
            came = from_utc_us(later.from_us).isoformat()
            raise FittingError(
                f"Meter {earlier.meter_id} is still there when meter {later.meter_id} "
                f"comes at {came}; give it an earlier removal."
            )


def _complaint(fitting: Fitting) -> str | None:
    """Say what is wrong with a fitting."""
    since = [m.since_us for m in fitting.multipliers]
    wrong = {
        "has no multiplier; give its CT x PT x constant, or 1": not since,
        "has a multiplier of 0 or less; give its CT x PT x constant, or 1": any(
            m.value <= 0 for m in fitting.multipliers
        ),
        "has two multipliers from one moment on; give each its own": since
        != sorted(set(since)),
        f"has {fitting.digits} register digits; give 1 to {_MOST_DIGITS}": not (
            1 <= fitting.digits <= _MOST_DIGITS
        ),
        "has a register resolution of 0 or less; give the kWh of one count": (
            fitting.resolution <= 0
        ),
        "is removed before it comes; give it a later removal": (
            fitting.to_us <= fitting.from_us
        ),
    }
    found = next((complaint for complaint, is_so in wrong.items() if is_so), None)
    return found or _unshowable(fitting)


def _unshowable(fitting: Fitting) -> str | None:
    for name, counts in (
        ("an opening", fitting.opening),
        ("a closing", fitting.closing),
    ):
        if counts is not None and not 0 <= counts < fitting.turn:
            return (
                f"has {name} reading of {counts} counts, which its register of "
                f"{fitting.digits} digits cannot show; correct one of them"
            )
    return None
