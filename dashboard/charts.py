"""Report in, picture out. The only file that imports plotly; nothing is computed here.

Times are drawn as the account's wall clock shows them. In autumn the doubled hour is
drawn twice over itself, with a break between, rather than shifting half a year.
"""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import plotly.graph_objects as go

from dashboard import theme, thinning
from dashboard.wall_clock import Moments, runs_back, wall_clock
from meters.reading import from_utc_us, utc_us
from reports.account_views import DurationCurve, TypicalDay
from reports.alert_views import AlertView
from reports.load_curve import FloatArray, LoadCurve
from reports.texts import text
from reports.wording import sentence
from reports.writing import Reader, power

Figure = go.Figure
CONFIG = {"displayModeBar": False, "scrollZoom": False, "responsive": True}
_QUARTER_US = 15 * 60 * 1_000_000
_FONT = "Source Sans, Source Sans Pro, Segoe UI, Helvetica, Arial, sans-serif"
_TICKS = {"en": "%-d %b", "zh": "%-m/%-d"}


def load_figure(
    curve: LoadCurve,
    reader: Reader,
    *,
    contract_kw: float | None = None,
    alerts: Sequence[AlertView] = (),
    until: datetime | None = None,
    height: int = 320,
) -> go.Figure:
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
    figure = _canvas(height)
    _draw_gaps(figure, curve, reader)
    _draw_band(figure, curve, reader)
    _draw_load(figure, curve, reader)
    if contract_kw is not None and _near(curve, contract_kw):
        _draw_contract(figure, contract_kw, reader)
    for alert in alerts:
        _draw_alert(figure, curve, alert, reader, until)
    if len(curve):
        edges = wall_clock(
            np.array([curve.start_us[0], curve.start_us[-1] + _QUARTER_US]), reader.zone
        )
        figure.update_xaxes(range=[str(edges[0]), str(edges[1])])
    day_us = 100 * _QUARTER_US
    one_day = len(curve) and curve.start_us[-1] - curve.start_us[0] < day_us
    figure.update_xaxes(
        title_text=_zoned("axis-local-time", reader),
        tickformat="%H:%M" if one_day else _TICKS[reader.language],
        dtick=3 * 3_600_000 if one_day else None,
    )
    figure.update_yaxes(
        title_text=text("axis-load", reader.language),
        range=[0, _top(curve, contract_kw)],
    )
    return figure


def typical_figure(typical: TypicalDay, top_kw: float, reader: Reader) -> go.Figure:
    """Draw the median day of one day type and where four days in five lie."""
    figure = _canvas(200, top=8)
    clock = [f"{slot // 4:02d}:{slot % 4 * 15:02d}" for slot in range(96)]
    _area(
        figure,
        clock,
        (typical.p10_kw, typical.p90_kw),
        theme.MEASURED,
        ("legend-range", reader),
    )
    figure.add_scatter(
        x=clock,
        y=typical.median_kw,
        mode="lines",
        line={"color": theme.MEASURED, "width": 2, "shape": "hv"},
        name=text("legend-median", reader.language),
        hovertemplate="%{x}  %{y:,.1f} kW<extra></extra>",
    )
    figure.update_layout(showlegend=False)
    figure.update_xaxes(
        type="category",
        tickvals=["00:00", "06:00", "12:00", "18:00"],
        title_text=_zoned("axis-time-of-day", reader),
    )
    figure.update_yaxes(
        title_text=text("axis-load", reader.language), range=[0, top_kw * 1.05]
    )
    return figure


def duration_figure(curve: DurationCurve, reader: Reader) -> go.Figure:
    """Draw for how much of the time the load was at least so high."""
    figure = _canvas(250, top=8)
    figure.add_scatter(
        x=curve.exceedance_percent,
        y=curve.load_kw,
        mode="lines",
        fill="tozeroy",
        fillcolor=theme.rgba(theme.MEASURED, 0.08),
        line={"color": theme.MEASURED, "width": 2},
        hovertemplate="%{x:.1f} %  ≥ %{y:,.1f} kW<extra></extra>",
    )
    figure.update_layout(showlegend=False)
    figure.update_xaxes(
        range=[0, 100], title_text=text("axis-exceedance", reader.language)
    )
    figure.update_yaxes(title_text=text("axis-load", reader.language))
    return figure


def _canvas(height: int, *, top: int = 30) -> go.Figure:
    figure = go.Figure()
    axis = {
        "showgrid": False,
        "linecolor": theme.LINE,
        "tickcolor": theme.LINE,
        "tickfont": {"color": theme.MUTED, "size": 12},
        "title": {"font": {"color": theme.MUTED, "size": 12}, "standoff": 8},
        "automargin": True,
        "zeroline": False,
    }
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": top, "b": 8},
        paper_bgcolor=theme.PAPER,
        plot_bgcolor=theme.PAPER,
        font={"family": _FONT, "color": theme.INK, "size": 13},
        hoverlabel={"font": {"family": _FONT}},
        hovermode="x",
        legend={
            "orientation": "h",
            "y": 1.0,
            "yanchor": "bottom",
            "x": 0,
            "font": {"size": 12, "color": theme.MUTED},
            "traceorder": "normal",
            "itemclick": False,
            "itemdoubleclick": False,
        },
        dragmode=False,
    )
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis, rangemode="tozero", tickformat=",")
    figure.update_yaxes(showgrid=True, gridcolor=theme.GRID, fixedrange=True)
    return figure


def _draw_load(figure: go.Figure, curve: LoadCurve, reader: Reader) -> None:
    chosen = thinning.kept(curve.load_kw, thinning.LOAD_POINTS)
    times = wall_clock(curve.start_us[chosen], reader.zone)
    load = np.where(runs_back(times), np.nan, curve.load_kw[chosen])
    estimated = curve.estimated[chosen]
    step = thinning.step_of(len(curve), thinning.LOAD_POINTS)
    shape = "hv" if step == 1 else "linear"
    figure.add_scatter(
        x=times,
        y=load,
        mode="lines",
        line={"color": theme.MEASURED, "width": 1.6, "shape": shape},
        name=text("legend-measured", reader.language),
        hovertemplate="%{x|%Y-%m-%d %H:%M}  %{y:,.1f} kW<extra></extra>",
    )
    if estimated.any():
        figure.add_scatter(
            x=times,
            y=np.where(estimated, load, np.nan),
            mode="lines+markers",
            marker={"size": 3, "color": theme.ESTIMATED},
            line={"color": theme.ESTIMATED, "width": 2.4, "shape": shape},
            name=text("legend-estimated", reader.language),
            hoverinfo="skip",
        )


def _draw_band(figure: go.Figure, curve: LoadCurve, reader: Reader) -> None:
    if np.isnan(curve.expected_kw).all():
        return
    starts = thinning.band(curve.low_kw, curve.high_kw, thinning.BAND_POINTS)
    times = wall_clock(curve.start_us[starts], reader.zone)
    low = thinning.over_buckets(curve.low_kw, starts, np.fmin)
    high = thinning.over_buckets(curve.high_kw, starts, np.fmax)
    _area(figure, times, (low, high), theme.EXPECTED, ("legend-expected-band", reader))
    figure.add_scatter(
        x=times,
        y=curve.expected_kw[starts],
        mode="lines",
        line={"color": theme.EXPECTED, "width": 1.2, "dash": "dot", "shape": "hv"},
        name=text("legend-expected", reader.language),
        hoverinfo="skip",
    )


def _area(
    figure: go.Figure,
    x: Sequence[str] | Moments,
    edges: tuple[FloatArray, FloatArray],
    colour: str,
    legend: tuple[str, Reader],
) -> None:
    """Shade between two lines; where either is missing the shade is broken."""
    line = {"width": 0, "shape": "hv"}
    low, high = edges
    figure.add_scatter(
        x=x, y=low, mode="lines", line=line, showlegend=False, hoverinfo="skip"
    )
    figure.add_scatter(
        x=x,
        y=high,
        mode="lines",
        line=line,
        fill="tonexty",
        fillcolor=theme.rgba(colour, 0.2),
        name=text(legend[0], legend[1].language),
        hoverinfo="skip",
    )


def _draw_gaps(figure: go.Figure, curve: LoadCurve, reader: Reader) -> None:
    edges = np.flatnonzero(
        np.diff(np.concatenate([[0], curve.missing.astype(np.int8), [0]]))
    ).reshape(-1, 2)
    longest = sorted(edges.tolist(), key=lambda e: e[0] - e[1])[: thinning.GAPS]
    for shown, (first, last) in enumerate(longest):
        stop_us = curve.start_us[last - 1] + _QUARTER_US
        ends = wall_clock(np.array([curve.start_us[first], stop_us]), reader.zone)
        figure.add_vrect(
            x0=str(ends[0]),
            x1=str(ends[1]),
            fillcolor=theme.MISSING,
            line_width=0,
            layer="below",
            name=text("legend-missing", reader.language),
            showlegend=shown == 0,
        )


def _draw_contract(figure: go.Figure, contract_kw: float, reader: Reader) -> None:
    name = text("legend-contract", reader.language)
    figure.add_hline(
        y=contract_kw,
        line={"color": theme.CONTRACT, "width": 1, "dash": "dash"},
        annotation={
            "text": f"{name} {power(contract_kw)}",
            "font": {"size": 12, "color": theme.CONTRACT},
            "yanchor": "bottom",
            "yshift": 2,
        },
        annotation_position="top right",
    )


def _draw_alert(
    figure: go.Figure,
    curve: LoadCurve,
    alert: AlertView,
    reader: Reader,
    until: datetime | None,
) -> None:
    if not len(curve):
        return
    end = alert.resolved_at or until or from_utc_us(int(curve.start_us[-1]))
    first = max(utc_us(alert.opened_at), int(curve.start_us[0]))
    last = min(utc_us(end), int(curve.start_us[-1]) + _QUARTER_US)
    if last <= first:
        return
    name = text("legend-alert", reader.language)
    ends = wall_clock(np.array([first, last]), reader.zone)
    figure.add_vrect(
        x0=str(ends[0]),
        x1=str(ends[1]),
        fillcolor=theme.rgba(theme.ALERT, 0.1),
        line={"width": 0},
        layer="below",
        name=name,
        showlegend=not any(
            s.name == text("legend-alert", reader.language)
            for s in figure.layout.shapes
        ),
    )


def _top(curve: LoadCurve, contract_kw: float | None) -> float:
    """Upper end of the scale: a very wide band is cut off rather than the load flat."""
    load = np.concatenate([curve.load_kw, curve.expected_kw, [0.0]])
    highest = float(np.nanmax(load))
    band = float(np.nanmax(np.concatenate([curve.high_kw, [0.0]])))
    top = max(highest, min(band, 1.6 * highest))
    if contract_kw is not None and _near(curve, contract_kw):
        top = max(top, contract_kw)
    return 1.08 * top or 1.0


def _near(curve: LoadCurve, contract_kw: float) -> bool:
    """Whether the contract's line tells something without squashing the load."""
    highest = np.nanmax(np.concatenate([curve.load_kw, curve.expected_kw, [0.0]]))
    return bool(contract_kw <= 2 * highest)


def _zoned(code: str, reader: Reader) -> str:
    return sentence(code, {"zone": zone_name(reader)}, reader)


def zone_name(reader: Reader) -> str:
    """Name the zone for people: its key, such as Asia/Shanghai."""
    return reader.zone.key if isinstance(reader.zone, ZoneInfo) else str(reader.zone)
