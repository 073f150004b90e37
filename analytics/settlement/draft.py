"""The import energy of a span while it is being settled: filled step by step."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from analytics.settlement.boundary import Boundaries, at_boundaries
from analytics.settlement.method import Method, State
from analytics.settlement.quanta import as_energy, as_quanta, shared_out
from analytics.settlement.span import Span
from analytics.settlement.track import EnergyTrack

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MAX_GAP = 1.5
"""Between readings further apart than this many intervals a register is not taken to
have run evenly."""
MEASURED_GAP = 0.2
"""Up to this share of an interval between the readings around a boundary the interval
counts as measured, beyond as estimated."""
_EVEN_CONFIDENCE = 0.98
"""Nothing is missing, and a line over 15 minutes misses by 2 %."""


_STATE = np.array([State.MISSING, State.MEASURED], dtype=np.uint8)
"""By whether it is known."""


@dataclass(kw_only=True, slots=True, eq=False)
class Draft:
    """n intervals; mutable, and only inside of settling."""

    span: Span
    track: EnergyTrack
    bounds: Boundaries
    quantum: Fraction
    quanta: IntArray
    known: BoolArray
    state: npt.NDArray[np.uint8]
    method: npt.NDArray[np.uint8]
    confidence: FloatArray
    distrusted: BoolArray
    """Counted, but not believed: to be estimated."""

    @property
    def counted(self) -> BoolArray:
        """Whether a meter counted it and it is believed: may serve as an example."""
        by_meter = (self.state == State.MEASURED) | (self.method == Method.INTERPOLATED)
        counted: BoolArray = by_meter & self.known & ~self.distrusted
        return counted

    @property
    def counted_kwh(self) -> FloatArray:
        """Energy as counted, believed or not; meaningless where not `known`."""
        return as_energy(self.quanta, self.quantum)

    @property
    def kwh(self) -> FloatArray:
        """Energy, NaN = not known or not believed."""
        believed = self.known & ~self.distrusted
        return np.where(believed, self.counted_kwh, np.nan)

    def put(
        self, rows: IntArray, kwh: FloatArray, method: Method, confidence: float
    ) -> None:
        """Take an estimate."""
        self.quanta[rows] = as_quanta(kwh, self.quantum)
        self._estimated(rows, method, confidence)

    def put_shared(
        self, rows: IntArray, kwh: FloatArray, total: int, how: tuple[Method, float]
    ) -> None:
        """Take an estimate whose sum is known in quanta: rounded cumulatively."""
        self.quanta[rows] = shared_out(total, kwh, np.ones(rows.size, dtype=np.int64))
        self._estimated(rows, *how)

    def _estimated(self, rows: IntArray, method: Method, confidence: float) -> None:
        self.known[rows] = True
        self.distrusted[rows] = False
        self.state[rows] = State.ESTIMATED
        self.method[rows] = method
        self.confidence[rows] = confidence

    def from_bounds(self) -> None:
        """Difference the boundaries again, where both are known."""
        quanta, known = differences(self.bounds)
        new = known & ~self.known
        self.quanta[new] = quanta[new]
        self.known |= known


def draft(track: EnergyTrack, span: Span, quantum: Fraction) -> Draft:
    """Difference a track at the boundaries of a span."""
    bounds = at_boundaries(track, span.edges_us, round(MAX_GAP * span.length_us))
    quanta, known = differences(bounds)
    state = _STATE[known.view(np.uint8)]
    method = np.zeros(known.shape, dtype=np.uint8)
    confidence = known.astype(np.float64)
    far = bounds.gap_us > MEASURED_GAP * span.length_us
    if far.any():
        even = known & (far[:-1] | far[1:])
        state[even] = State.ESTIMATED
        method[even] = Method.INTERPOLATED
        confidence[even] = _EVEN_CONFIDENCE
    return Draft(
        span=span,
        track=track,
        bounds=bounds,
        quantum=quantum,
        quanta=quanta,
        known=known,
        state=state,
        method=method,
        confidence=confidence,
        distrusted=np.zeros(known.shape, dtype=np.bool_),
    )


def differences(bounds: Boundaries) -> tuple[IntArray, BoolArray]:
    """Return the quanta between each two boundaries, and whether they are known."""
    known = bounds.known[:-1] & bounds.known[1:]
    known &= bounds.stretch[:-1] == bounds.stretch[1:]
    return (bounds.quanta[1:] - bounds.quanta[:-1]) * known, known
