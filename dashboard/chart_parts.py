"""Pieces of charts as the plain dictionaries plotly takes; not plotly itself. Pure."""

import math
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from accounts.calendar import SLOTS
from dashboard import theme
from dashboard.markup import KeyItem
from dashboard.wall_clock import Moments, wall_clock
from reports.account_views import TypicalDay
from reports.load_curve import FloatArray, IntArray
from reports.texts import text
from reports.wording import sentence
from reports.writing import Reader, power

Part = dict[str, Any]  # Any: plotly's own loosely typed form
LEFT, RIGHT, TOP, BOTTOM = 60, 10, 8, 48
"""Of all charts [px]; the style sheet lays today's picture into the same frame."""
FONT = "Source Sans, Source Sans Pro, Segoe UI, Helvetica, Arial, sans-serif"


def layout(height: int, *, top: int = TOP) -> Part:
    """Return the frame all charts share; more `top` [px] leaves room for names.

    The margins are fixed: to measure its labels plotly would draw everything twice.
    There is no legend: plotly gives each name the width of the longest, which leaves no
    room for the load on a phone. The page says what is drawn from `key_of`.
    """
    axis = {
        "showgrid": False,
        "linecolor": theme.LINE,
        "tickcolor": theme.LINE,
        "tickfont": {"color": theme.MUTED, "size": 12},
        "automargin": False,
        "zeroline": False,
        "fixedrange": True,
    }
    grid = {"showgrid": True, "gridcolor": theme.GRID}
    return {
        "template": None,
        "height": height,
        "margin": {"l": LEFT, "r": RIGHT, "t": top, "b": BOTTOM},
        "paper_bgcolor": theme.PAPER,
        "plot_bgcolor": theme.PAPER,
        "font": {"family": FONT, "color": theme.INK, "size": 13},
        "hovermode": "x",
        "dragmode": False,
        "showlegend": False,
        "xaxis": axis,
        "yaxis": axis | grid | {"rangemode": "tozero", "tickformat": ","},
    }


def title(told: str) -> Part:
    """Return an axis title."""
    font = {"color": theme.MUTED, "size": 12}
    return {"text": told, "font": font, "standoff": 6}


def area(
    x: Moments | IntArray, edges: tuple[FloatArray, FloatArray], colour: str, name: str
) -> Part:
    """Shade between a lower and an upper line, each stretch without a hole by itself.

    Filling "to the next line" would join the stretches across their holes.
    """
    low, high = edges
    known = np.concatenate([[0], ~np.isnan(low + high), [0]]).astype(np.int8)
    stretches = np.flatnonzero(np.diff(known)).reshape(-1, 2).tolist()
    across: list[int] = []
    outline: list[float] = []
    for first, last in stretches:
        there = list(range(first, last))
        # Out along the upper edge, back along the lower, and a break.
        across += [*there, *there[::-1], first]
        outline += [*high[first:last], *low[first:last][::-1], math.nan]
    return {
        "type": "scatter",
        "x": x[across],
        "y": np.array(outline),
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": theme.rgba(colour, 0.2),
        "name": name,
        "hoverinfo": "skip",
    }


def span(first_us: int, last_us: int, colour: str, name: str, reader: Reader) -> Part:
    """Shade some time from top to bottom."""
    ends = texts(wall_clock(np.array([first_us, last_us]), reader.zone))
    return {
        "type": "rect",
        "xref": "x",
        "yref": "y domain",
        "x0": ends[0],
        "x1": ends[1],
        "y0": 0,
        "y1": 1,
        "fillcolor": colour,
        "line": {"width": 0},
        "layer": "below",
        "name": name,
    }


def contract_line(contract_kw: float, reader: Reader) -> Part:
    """Return the line of the contract demand.

    The key has its name and height: on the line they would stand on the load, wherever
    the load comes near.
    """
    line = {"color": theme.CONTRACT, "width": 1, "dash": "dash"}
    ends = {"x0": 0, "x1": 1, "y0": contract_kw, "y1": contract_kw}
    name = f"{text('legend-contract', reader.language)} {power(contract_kw)}"
    return {
        "type": "line",
        "xref": "x domain",
        "yref": "y",
        "line": line,
        "name": name,
    } | ends


def texts(times: Moments) -> list[str]:
    """Write times as shapes and ranges want them."""
    return [str(time) for time in times]


def zoned(code: str, reader: Reader) -> str:
    """Say a sentence that names the time zone."""
    zone = reader.zone
    name = zone.key if isinstance(zone, ZoneInfo) else str(zone)
    return sentence(code, {"zone": name}, reader)


def day_name(place: int, day: TypicalDay, reader: Reader) -> Part:
    """Name a typical day above its part of the chart, and how many it is made of."""
    code = "day-type-days" if day.days else "day-type-none"
    made_of = sentence(code, {"days": day.days}, reader)
    name = text(f"day-type-{day.day_type}", reader.language)
    small = f'<span style="font-size:11px;color:{theme.MUTED}">{made_of}</span>'
    return {
        "text": f"<b>{name}</b><br>{small}",
        "font": {"size": 12, "color": theme.INK},
        "align": "left",
        "x": place * SLOTS + 2,
        "xanchor": "left",
        "yref": "y domain",
        "y": 1,
        "yanchor": "bottom",
        "showarrow": False,
    }


def day_edge(place: int) -> Part:
    """Return the line between one typical day and the one before."""
    line = {"color": theme.LINE, "width": 1}
    ends = {"x0": place * SLOTS, "x1": place * SLOTS, "y0": 0, "y1": 1}
    return {"type": "line", "yref": "y domain", "line": line} | ends


def key_item(name: str, part: Part) -> KeyItem:
    """Return how a line or shape is to be explained."""
    if "fillcolor" in part:
        return KeyItem(name=name, colour=part["fillcolor"], how="area")
    if part.get("mode") == "markers":
        return KeyItem(name=name, colour=part["marker"]["color"], how="area")
    if "dash" in part["line"]:
        return KeyItem(name=name, colour=part["line"]["color"], how="dashed")
    return KeyItem(name=name, colour=part["line"]["color"], how="line")
