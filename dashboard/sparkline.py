"""A day's load in a few hundred bytes: light enough for 150 rows at once."""

from base64 import b64encode
from collections.abc import Callable, Iterator

import numpy as np

from dashboard.theme import ALERT, ESTIMATED, EXPECTED, INK, MEASURED, MISSING
from reports.load_curve import BoolArray, FloatArray, LoadCurve

WIDTH = 300
HEIGHT = 56
_TOP = 4.0


def sparkline(
    curve: LoadCurve, *, alert: bool = False, top_kw: float | None = None
) -> str:
    """Draw today's load against its expected band.

    Parameters
    ----------
    curve : LoadCurve
        One local day: 92, 96 or 100 quarter-hours.
    alert : bool
        Whether to draw the load outside its band in the alert's colour.
    top_kw : float or None
        What its upper edge stands for; None = a little above all that is drawn.

    Returns
    -------
    str
        SVG that fits any width; 0 kW is its lower edge.

    """
    count = max(1, len(curve))
    free, top = (_TOP, _highest(curve)) if top_kw is None else (0.0, top_kw)

    def across(index: float) -> float:
        return WIDTH * index / count

    def down(kw: float) -> float:
        return HEIGHT - 1 - (HEIGHT - 1 - free) * kw / top

    def line(chosen: BoolArray, values: FloatArray, colour: str, width: float) -> str:
        path = ""
        for first, last in _runs(chosen):
            steps = "".join(
                f"{'L' if i > first else 'M'}{across(i):.1f} {down(values[i]):.1f}"
                f"H{across(i + 1):.1f}"
                for i in range(first, last)
            )
            path += steps
        return _stroke(path, colour, width) if path else ""

    band = "".join(
        _area(curve, first, last, across, down)
        for first, last in _runs(~np.isnan(curve.low_kw))
    )
    gaps = "".join(
        f'<rect x="{across(first):.1f}" y="0" width="{across(last - first):.1f}" '
        f'height="{HEIGHT}" fill="{MISSING}"/>'
        for first, last in _runs(curve.missing)
    )
    outside = curve.known & (
        (curve.load_kw > curve.high_kw) | (curve.load_kw < curve.low_kw)
    )
    parts = [
        gaps,
        f'<path d="{band}" fill="{EXPECTED}" fill-opacity=".22"/>' if band else "",
        line(curve.known, curve.load_kw, MEASURED, 1.7),
        line(curve.known & curve.estimated, curve.load_kw, ESTIMATED, 1.9),
        line(outside, curve.load_kw, ALERT, 2.2) if alert else "",
        (
            f'<path d="M0 {HEIGHT - 0.5}H{WIDTH}" stroke="{INK}" stroke-opacity=".18" '
            'vector-effect="non-scaling-stroke"/>'
        ),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'preserveAspectRatio="none">{"".join(parts)}</svg>'
    )


def as_image(svg: str, alt: str, *, name: str = "kw-spark") -> str:
    """Wrap a drawing as an `img`: sanitisers of HTML let pictures pass, not SVG."""
    data = b64encode(svg.encode()).decode()
    return f'<img class="{name}" alt="{alt}" src="data:image/svg+xml;base64,{data}">'


def _highest(curve: LoadCurve) -> float:
    values = np.concatenate([curve.load_kw, curve.high_kw, curve.expected_kw])
    values = values[~np.isnan(values)]
    return max(float(values.max()) if values.size else 0.0, 1e-9)


def _runs(chosen: BoolArray) -> Iterator[tuple[int, int]]:
    """Give [first, last) of each unbroken stretch of what is chosen."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], chosen.astype(np.int8), [0]])))
    ends = edges.tolist()
    yield from zip(ends[::2], ends[1::2], strict=True)


def _area(
    curve: LoadCurve,
    first: int,
    last: int,
    across: Callable[[float], float],
    down: Callable[[float], float],
) -> str:
    """Outline of the band; one corner a quarter-hour is enough at this size."""
    upper = [(across(i + 0.5), down(curve.high_kw[i])) for i in range(first, last)]
    lower = [(across(i + 0.5), down(curve.low_kw[i])) for i in range(first, last)]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in [*upper, *lower[::-1]]) + "Z"


def _stroke(path: str, colour: str, width: float) -> str:
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}" '
        'vector-effect="non-scaling-stroke"/>'
    )
