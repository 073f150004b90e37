"""The transformer ratios that a meter says were set in it, however it says so. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

RatioName = Literal[
    "ct", "ct-primary", "ct-secondary", "pt", "pt-primary", "pt-secondary"
]
"""A ratio itself, or one side of its transformers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ratios:
    """Transformer ratios as set in the meter; None where it does not say."""

    ct: float | None
    """Primary over secondary current. [unitless]"""
    pt: float | None
    """Primary over secondary voltage. [unitless]"""

    @property
    def multiplier(self) -> float | None:
        """CT x PT, one that is not told being 1; None where neither is told.

        Examples
        --------
        >>> Ratios(ct=80.0, pt=None).multiplier
        80.0

        """
        if self.ct is None and self.pt is None:
            return None
        told = (self.ct or 1.0) * (self.pt or 1.0)  # 0: never set
        return told if told > 0 else None

    def side(self, name: RatioName) -> float:
        """Return what a meter says where these were set; a secondary side is 1."""
        if name.endswith("secondary"):
            return 1.0
        return (self.ct if name.startswith("ct") else self.pt) or 1.0


def ratios_of(found: Mapping[RatioName, float]) -> Ratios:
    """Return the ratios, of what stands under each `RatioName`.

    Examples
    --------
    >>> ratios_of({"ct-primary": 400.0, "ct-secondary": 5.0})
    Ratios(ct=80.0, pt=None)

    """
    ct, pt = found.get("ct"), found.get("pt")
    if ct is None:
        ct = _quotient(found.get("ct-primary"), found.get("ct-secondary"))
    if pt is None:
        pt = _quotient(found.get("pt-primary"), found.get("pt-secondary"))
    return Ratios(ct=ct, pt=pt)


def _quotient(primary: float | None, secondary: float | None) -> float | None:
    return primary / secondary if primary and secondary else None


class Statement(NamedTuple):
    """The multiplier that a message states of its meter."""

    meter_id: int
    measured_at: datetime
    """By the meter: of two messages the later one counts."""
    multiplier: float
