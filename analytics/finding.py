"""Something about data or load that a reader must know. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A stable code and its figures, named with their units; reports say it in words.

    implausible-register : a register went back or ran faster than it can; the energy
        between two readings (`from_us`, `to_us`) is not known. `quantity` says whose.
    too-few-like-days : no expected band; there are `days` of `least_days`.
    """

    code: str
    figures: Mapping[str, float | str] = field(default_factory=dict)
