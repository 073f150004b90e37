"""Report in, picture out. The only file that imports plotly; nothing is computed here.

A picture is put together from plain dictionaries and handed to plotly once: changing a
figure step by step costs ten times as long.

Times are drawn as the account's wall clock shows them. In autumn the doubled hour is
drawn twice over itself, with a break between, rather than shifting half a year.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from plotly.graph_objects import Figure

from accounts.calendar import SLOTS
from dashboard import theme, thinning
from dashboard.chart_parts import (
    Part,
    area,
    contract_line,
    day_edge,
    day_name,
    key_item,
    layout,
    span,
    texts,
    title,
    zoned,
)
from dashboard.markup import KeyItem
from dashboard.wall_clock import runs_back, wall_clock
from meters.reading import from_utc_us, utc_us
from reports.account_views import DurationCurve, TypicalDay
from reports.alert_views import AlertView
from reports.load_curve import FloatArray, LoadCurve
from reports.texts import text
from reports.writing import Reader

__all__ = [
    "CONFIG",
    "Figure",
    "duration_figure",
    "key_of",
    "load_figure",
    "top_kw",
    "typical_figure",
    "warm_up",
]
CONFIG = {"displayModeBar": False, "scrollZoom": False, "responsive": True}
_QUARTER_US = 15 * 60 * 1_000_000
_ONE_DAY = 100
_TICKS = {"en": "%-d %b", "zh": "%-m/%-d"}
_LONG_TICKS = {"en": "%b %Y", "zh": "%Y-%m"}
_LONG = 180 * 96
_THREE_HOURS_MS = 3 * 3_600_000


def load_figure(
    curve: LoadCurve,
    reader: Reader,
    *,
    contract_kw: float | None = None,
    alerts: Sequence[AlertView] = (),
    until: datetime | None = None,
    height: int = 320,
) -> Figure:
    """Draw a load curve over its expected band.

    Parameters
    ----------
    curve : LoadCurve
        Any length; thinned to the chart's budget with every peak kept.
    reader : Reader
        Language, and the zone in which times are drawn.
    contract_kw : float or None
        Contract demand, drawn as a line.
    alerts : sequence of AlertView
        Their times are marked.
    until : datetime or None
        Where "now" is: the end of an alert that is still open.
    height : int
        [px]

    """
    shapes = _gaps(curve, reader) + _alert_times(curve, alerts, reader, until)
    frame = layout(height)
    if contract_kw is not None and _near(curve, contract_kw):
        shapes.append(contract_line(contract_kw, reader))
    frame["shapes"] = shapes
    frame["xaxis"] |= {"title": title(zoned("axis-local-time", reader))}
    frame["xaxis"] |= _time_axis(curve, reader)
    frame["yaxis"] |= {
        "title": title(text("axis-load", reader.language)),
        "range": [0, top_kw(curve, contract_kw)],
    }
    return Figure(data=_band(curve, reader) + _load(curve, reader), layout=frame)


def typical_figure(days: Sequence[TypicalDay], reader: Reader) -> Figure:
    """Draw the median day of each day type and where four days in five lie.

    The days stand side by side on one scale: one picture costs a browser a third of
    three, and they compare at a glance.
    """
    place = np.arange(SLOTS * len(days))
    edges = (
        np.concatenate([day.p10_kw for day in days]),
        np.concatenate([day.p90_kw for day in days]),
    )
    median = {
        "type": "scatter",
        "x": place,
        "y": np.concatenate([day.median_kw for day in days]),
        "text": [f"{i % 96 // 4:02d}:{i % 4 * 15:02d}" for i in place.tolist()],
        "mode": "lines",
        "line": {"color": theme.MEASURED, "width": 2, "shape": "hv"},
        "name": text("legend-median", reader.language),
        "hovertemplate": "%{text}  %{y:,.1f} kW<extra></extra>",
    }
    frame = layout(250, top=34)
    frame["annotations"] = [day_name(i, day, reader) for i, day in enumerate(days)]
    frame["shapes"] = [day_edge(i) for i in range(1, len(days))]
    frame["xaxis"] |= {
        "range": [0, place.size],
        "tickvals": list(range(0, place.size, SLOTS // 4)),
        "ticktext": ["00", "06", "12", "18"] * len(days),
        "title": title(zoned("axis-time-of-day", reader)),
    }
    frame["yaxis"] |= {"title": title(text("axis-load", reader.language))}
    shade = area(place, edges, theme.MEASURED, text("legend-range", reader.language))
    return Figure(data=[shade, median], layout=frame)


def duration_figure(curve: DurationCurve, reader: Reader) -> Figure:
    """Draw for how much of the time the load was at least so high."""
    line = {
        "type": "scatter",
        "x": curve.exceedance_percent,
        "y": curve.load_kw,
        "mode": "lines",
        "fill": "tozeroy",
        "fillcolor": theme.rgba(theme.MEASURED, 0.08),
        "line": {"color": theme.MEASURED, "width": 2},
        "hovertemplate": "%{x:.1f} %  ≥ %{y:,.1f} kW<extra></extra>",
    }
    frame = layout(250)
    frame["xaxis"] |= {
        "range": [0, 100],
        "title": title(text("axis-exceedance", reader.language)),
    }
    frame["yaxis"] |= {"title": title(text("axis-load", reader.language))}
    return Figure(data=[line], layout=frame)


def key_of(figure: Figure) -> tuple[KeyItem, ...]:
    """Say what of a picture means what, each meaning once."""
    found: dict[str, KeyItem] = {}
    for part in (*figure.data, *figure.layout.shapes):
        if part.name and part.name not in found:
            found[part.name] = key_item(part.name, part.to_plotly_json())
    return tuple(found.values())


def warm_up() -> None:
    """Draw once, so that the first visitor does not wait for plotly's own start."""
    none = DurationCurve(exceedance_percent=np.zeros(1), load_kw=np.zeros(1))
    duration_figure(none, Reader()).to_json()


def _time_axis(curve: LoadCurve, reader: Reader) -> Part:
    if not len(curve):
        return {}
    ends = np.array([curve.start_us[0], curve.start_us[-1] + _QUARTER_US])
    axis: Part = {"range": texts(wall_clock(ends, reader.zone)), "type": "date"}
    if len(curve) <= _ONE_DAY:
        return axis | {"tickformat": "%H:%M", "dtick": _THREE_HOURS_MS}
    ticks = _TICKS if len(curve) < _LONG else _LONG_TICKS
    return axis | {"tickformat": ticks[reader.language]}


def _load(curve: LoadCurve, reader: Reader) -> list[Part]:
    chosen = thinning.kept(curve.load_kw, thinning.LOAD_POINTS)
    times = wall_clock(curve.start_us[chosen], reader.zone)
    load_kw = np.where(runs_back(times), np.nan, curve.load_kw[chosen])
    step = thinning.step_of(len(curve), thinning.LOAD_POINTS)
    shape = "hv" if step == 1 else "linear"
    line = {
        "type": "scatter",
        "x": times,
        "y": load_kw,
        "mode": "lines",
        "line": {"color": theme.MEASURED, "width": 1.6, "shape": shape},
        "name": text("legend-measured", reader.language),
        "hovertemplate": "%{x|%Y-%m-%d %H:%M}  %{y:,.1f} kW<extra></extra>",
    }
    unmeasured = (
        (curve.estimated[chosen], theme.ESTIMATED, "legend-estimated"),
        (curve.edited[chosen], theme.EDITED, "legend-edited"),
    )
    over: list[Part] = [
        {
            "type": "scatter",
            "x": times[which],
            "y": load_kw[which],
            "mode": "markers",
            "marker": {"size": 5, "color": colour},
            "name": text(code, reader.language),
            "hoverinfo": "skip",
        }
        for which, colour, code in unmeasured
        if which.any()
    ]
    return [line, *over]


def _band(curve: LoadCurve, reader: Reader) -> list[Part]:
    if np.isnan(curve.expected_kw).all():
        return []
    is_long = len(curve) > thinning.LOAD_POINTS
    starts = thinning.band(
        curve.low_kw, curve.high_kw, thinning.band_places(len(curve))
    )
    middle_us = _QUARTER_US * -(-len(curve) // max(starts.size, 1)) // 2
    times = wall_clock(curve.start_us[starts] + middle_us, reader.zone)
    edges = (
        thinning.over_buckets(curve.low_kw, starts, np.fmin),
        thinning.over_buckets(curve.high_kw, starts, np.fmax),
    )
    shade = area(
        times, edges, theme.EXPECTED, text("legend-expected-band", reader.language)
    )
    if is_long:  # below so many lines one more would only hide the load
        return [shade]
    expected = {
        "type": "scatter",
        "x": times,
        "y": curve.expected_kw[starts],
        "mode": "lines",
        "line": {"color": theme.EXPECTED, "width": 1.2, "dash": "dot"},
        "name": text("legend-expected", reader.language),
        "hoverinfo": "skip",
    }
    return [shade, expected]


def _gaps(curve: LoadCurve, reader: Reader) -> list[Part]:
    closed = np.concatenate([[0], curve.missing.astype(np.int8), [0]])
    edges = np.flatnonzero(np.diff(closed)).reshape(-1, 2).tolist()
    longest = sorted(edges, key=lambda edge: edge[0] - edge[1])[: thinning.GAPS]
    name = text("legend-missing", reader.language)
    return [
        span(
            int(curve.start_us[first]),
            int(curve.start_us[last - 1]) + _QUARTER_US,
            theme.MISSING,
            name,
            reader,
        )
        for first, last in longest
    ]


def _alert_times(
    curve: LoadCurve,
    alerts: Sequence[AlertView],
    reader: Reader,
    until: datetime | None,
) -> list[Part]:
    if not len(curve):
        return []
    start_us, stop_us = int(curve.start_us[0]), int(curve.start_us[-1]) + _QUARTER_US
    name, colour = text("legend-alert", reader.language), theme.rgba(theme.ALERT, 0.1)
    spans = []
    for alert in alerts:
        end = alert.resolved_at or until or from_utc_us(stop_us)
        first, last = max(utc_us(alert.since_at), start_us), min(utc_us(end), stop_us)
        if first < last:
            spans.append(span(first, last, colour, name, reader))
    return spans


def top_kw(curve: LoadCurve, contract_kw: float | None) -> float:
    """Return the upper end of a load chart's scale.

    A very wide band is cut off rather than the load flat.
    """
    highest = _highest(curve.load_kw, curve.expected_kw)
    top = max(highest, min(_highest(curve.high_kw), 1.6 * highest))
    if contract_kw is not None and _near(curve, contract_kw):
        top = max(top, contract_kw)
    return 1.08 * top or 1.0


def _near(curve: LoadCurve, contract_kw: float) -> bool:
    """Whether the contract's line tells something without squashing the load."""
    return contract_kw <= 2 * _highest(curve.load_kw, curve.expected_kw)


def _highest(*values: FloatArray) -> float:
    return float(np.nanmax(np.concatenate([*values, [0.0]])))
