"""A day's load in a few hundred bytes: light enough for 150 rows at once."""

from collections.abc import Iterator
from urllib.parse import quote

import numpy as np

from dashboard.theme import ALERT, EDITED, ESTIMATED, EXPECTED, INK, MEASURED, MISSING
from reports.load_curve import BoolArray, FloatArray, LoadCurve

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
        SVG that fits any width, one unit a quarter-hour; 0 kW is its lower edge.

    """
    free, top = (_TOP, _highest(curve)) if top_kw is None else (0.0, top_kw)

    def down(kw: FloatArray) -> list[float]:
        heights: list[float] = (HEIGHT - 1 - (HEIGHT - 1 - free) * kw / top).tolist()
        return [round(height, 1) for height in heights]

    def line(chosen: BoolArray, values: FloatArray, colour: str, width: float) -> str:
        path = ""
        for first, last in _runs(chosen):
            heights = zip(
                range(first + 1, last + 1), down(values[first:last]), strict=True
            )
            steps = "".join(f"V{height:g}H{end}" for end, height in heights)
            path += f"M{first} {steps[1:]}"
        return _stroke(path, colour, width) if path else ""

    band = "".join(
        _area(first, down(curve.high_kw[first:last]), down(curve.low_kw[first:last]))
        for first, last in _runs(~np.isnan(curve.low_kw))
    )
    gaps = "".join(
        f'<rect x="{first}" y="0" width="{last - first}" '
        f'height="{HEIGHT}" fill="{MISSING}"/>'
        for first, last in _runs(curve.missing)
    )
    outside = curve.known & (
        (curve.load_kw > curve.high_kw) | (curve.load_kw < curve.low_kw)
    )
    parts = [
        gaps,
        _shade(band) if band else "",
        line(curve.known, curve.load_kw, MEASURED, 1.7),
        line(curve.known & curve.estimated, curve.load_kw, ESTIMATED, 1.9),
        line(curve.known & curve.edited, curve.load_kw, EDITED, 1.9),
        line(outside, curve.load_kw, ALERT, 2.2) if alert else "",
        (
            f'<path d="M0 {HEIGHT - 0.5}H{len(curve)}" stroke="{INK}" '
            'stroke-opacity=".18" vector-effect="non-scaling-stroke"/>'
        ),
    ]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="0 0 {max(1, len(curve))} {HEIGHT}" '
        f'preserveAspectRatio="none">{"".join(parts)}</svg>'
    )


def as_image(svg: str, alt: str, *, name: str = "kw-spark") -> str:
    """Wrap a drawing as an `img`: sanitisers of HTML let pictures pass, not SVG."""
    data = quote(svg, safe=" ='/:;,.()-")
    return f'<img class="{name}" alt="{alt}" src="data:image/svg+xml,{data}">'


def _highest(curve: LoadCurve) -> float:
    values = np.concatenate([curve.load_kw, curve.high_kw, curve.expected_kw])
    values = values[~np.isnan(values)]
    return max(float(values.max()) if values.size else 0.0, 1e-9)


def _runs(chosen: BoolArray) -> Iterator[tuple[int, int]]:
    """Give [first, last) of each unbroken stretch of what is chosen."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], chosen.astype(np.int8), [0]])))
    ends = edges.tolist()
    yield from zip(ends[::2], ends[1::2], strict=True)


def _area(first: int, high: list[float], low: list[float]) -> str:
    """Outline of the band; one corner a quarter-hour is enough at this size."""
    upper = [f"{first + i} {height:g}" for i, height in enumerate(high)]
    lower = [f"{first + i} {height:g}" for i, height in enumerate(low)]
    return f"M{' '.join([*upper, *lower[::-1]])}Z"


def _shade(outline: str) -> str:
    """Fill what is outlined; its corners lie in the middle of the quarter-hours."""
    return (
        f'<path d="{outline}" fill="{EXPECTED}" fill-opacity=".22" '
        'transform="translate(.5)"/>'
    )


def _stroke(path: str, colour: str, width: float) -> str:
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}" '
        'vector-effect="non-scaling-stroke"/>'
    )
