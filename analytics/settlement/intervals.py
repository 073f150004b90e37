"""Settled energy of one point by the column: what is stored, shown and judged. Pure."""

from dataclasses import dataclass, field, fields, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
StatusArray = npt.NDArray[np.uint8]
TextArray = npt.NDArray[np.str_]


class Quality(StrEnum):
    """How an interval's import energy is known."""

    MEASURED = "measured"
    ESTIMATED = "estimated"
    EDITED = "edited"
    MISSING = "missing"


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
    """`Quality` of the import energy, which the others share unless they are NaN."""
    method: TextArray
    """`Method.text` of what is estimated or edited, `Missing` of what is missing."""
    confidence: FloatArray = field(default_factory=lambda: np.zeros(0))
    """1 where measured, 0 where missing: what both are unless said."""
    status: StatusArray = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))
    """Worst `Status` of any rule; passed unless said."""
    firm: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """May serve as an example; what is measured, unless said."""

    def __post_init__(self) -> None:
        """Fill in what was not said."""
        count = self.start_us.size
        if self.confidence.size != count:
            known = (self.quality != Quality.MISSING).astype(np.float64)
            object.__setattr__(self, "confidence", known)
        if self.status.size != count:
            object.__setattr__(self, "status", np.zeros(count, dtype=np.uint8))
        if self.firm.size != count:
            object.__setattr__(self, "firm", self.quality == Quality.MEASURED)

    def __len__(self) -> int:
        """Count the intervals."""
        return int(self.start_us.size)

    def __getitem__(self, rows: slice | BoolArray) -> "Intervals":
        """Take some of them: a slice or a mask."""
        columns = (one.name for one in fields(self) if one.name != "length_min")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    @property
    def power_kw(self) -> FloatArray:
        """Mean import power, in kW."""
        return self.import_kwh * (60 / self.length_min)
