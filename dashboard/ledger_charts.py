"""The completeness ledger as pictures: a calendar of days, a day's quarter-hours.

Both are bars: of all that plotly draws, a browser lets a finger choose a bar, however
narrow the window is.
"""

from collections.abc import Sequence
from itertools import groupby

from analytics.completeness.ledger import Category, Unsettled
from analytics.settlement.verdict import Status
from dashboard import theme
from dashboard.chart_parts import Part, layout, title, zoned
from dashboard.charts import Figure
from reports.completeness_views import Counted, DayLedger
from reports.day_ledger import DayDetail, IntervalLine
from reports.ledger_wording import kind_told
from reports.texts import text
from reports.wording import sentence
from reports.writing import Reader, clock, day, energy

_STEPS = (0.05, 0.5)
"""Shares at which a day's colour turns darker."""
_CELL, _ROW_PX, _EDGE_PX = 0.9, 25, 34
_MONTHS = {"en": "%b %Y", "zh": "%Y-%m"}
FAILED_MARK = "<b>!</b>"
"""Stands on a day on which a rule failed."""
_NAMED_DAYS = (1, 5, 10, 15, 20, 25, 30)
QUALITY_COLOUR = {
    Category.MEASURED: theme.MEASURED,
    Category.ESTIMATED: theme.ESTIMATED,
    Category.EDITED: theme.EDITED,
    Category.MISSING: theme.MISSING,
    Category.NOT_SETTLED: theme.WAITING,
}


def colour_of_day(of: Counted) -> str:
    """Return the colour of a day: after the worst of it, darker the more it is."""
    if of.gone:
        return theme.MISSING_DAY[_step(of.gone / of.due)]
    if of.guessed:
        return theme.ESTIMATED_DAY[_step(of.guessed / of.due)]
    if of.waiting:
        return theme.WAITING
    known = (Category.MEASURED, Category.EDITED, Category.ESTIMATED)
    if any(of.of(each) for each in known):
        return theme.COMPLETE_DAY
    return theme.NOTHING_DAY


def _step(share: float) -> int:
    return sum(share >= step for step in _STEPS)


def calendar_figure(days: Sequence[DayLedger], reader: Reader) -> Figure:
    """Draw a row a month, a cell a day; each cell bears its day, for choosing it."""
    form = _MONTHS[reader.language]
    months = [
        month for month, _ in groupby(days, lambda one: one.local_day.strftime(form))
    ]
    cells = {
        "type": "bar",
        "orientation": "h",
        "y": [one.local_day.strftime(form) for one in days],
        "base": [one.local_day.day - _CELL / 2 for one in days],
        "x": [_CELL] * len(days),
        "width": _CELL,
        "marker": {"color": [colour_of_day(one) for one in days], "line": {"width": 0}},
        "customdata": [one.local_day.isoformat() for one in days],
        "text": [_mark_of(one) for one in days],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "constraintext": "none",
        "textangle": 0,
        "insidetextfont": {"color": [_ink_on(one) for one in days], "size": 13},
        "hovertext": [day_told(one, reader) for one in days],
        "hovertemplate": "%{hovertext}<extra></extra>",
        **_unchanged_by_choosing(),
    }
    frame = layout(_EDGE_PX + _ROW_PX * len(months), top=4) | {
        "barmode": "overlay",
        "hovermode": "closest",
    }
    frame["margin"] |= {"l": 74, "b": 28}
    frame["xaxis"] |= {
        "range": [0.4, 31.6],
        "tickvals": list(_NAMED_DAYS),
        "ticks": "",
        "showline": False,
    }
    frame["yaxis"] |= {
        "type": "category",
        "categoryarray": months[::-1],
        "showgrid": False,
        "showline": False,
        "ticks": "",
    }
    del frame["yaxis"]["rangemode"], frame["yaxis"]["tickformat"]
    return Figure(data=[cells], layout=frame)


def _mark_of(one: DayLedger) -> str:
    return FAILED_MARK if one.worst is Status.FAIL else ""


def _ink_on(one: DayLedger) -> str:
    dark = (theme.ESTIMATED_DAY[-1], *theme.MISSING_DAY[1:])
    return theme.PAPER if colour_of_day(one) in dark else theme.INK


def day_told(one: DayLedger, reader: Reader) -> str:
    """Say in a few lines what became of a day."""
    lines = [f"<b>{day(one.local_day, reader)}</b>"]
    for category in Category:
        intervals = one.of(category)
        if intervals:
            name = text(f"category-{category}", reader.language)
            because = _mostly(one, category, reader)
            lines.append(f"{name}: {intervals} / {one.expected}{because}")
    if one.worst is Status.FAIL:
        lines.append(text("day-failed", reader.language))
    return "<br>".join(lines)


def _mostly(one: DayLedger, category: Category, reader: Reader) -> str:
    """Name the cause of most of a category, in brackets."""
    causes = [kind for kind, _ in one.causes(category) if kind.cause]
    if not causes:
        return ""
    return sentence("in-brackets", {"what": kind_told(causes[0], reader)}, reader)


def day_figure(detail: DayDetail, reader: Reader, *, chosen: int | None) -> Figure:
    """Draw a bar a quarter-hour: as high as its energy, coloured by how it is known.

    What is not known stands as a pale bar from top to bottom. Each bar bears its place
    in the day, for choosing it.
    """
    lines = detail.lines
    top_kwh = max((one.import_kwh or 0.0 for one in lines), default=0.0) * 1.06 or 1.0
    bars = [
        _bars(category, rows, (lines, top_kwh), reader)
        for category in Category
        if (rows := _rows_of(lines, category))
    ]
    frame = layout(230, top=8) | {
        "barmode": "overlay",
        "bargap": 0.12,
        "hovermode": "closest",
    }
    frame["xaxis"] |= _clock_axis(lines, reader)
    frame["yaxis"] |= {
        "title": title(text("axis-energy", reader.language)),
        "range": [0, top_kwh],
    }
    frame["shapes"] = [] if chosen is None else [_mark(chosen)]
    return Figure(data=bars, layout=frame)


def _rows_of(lines: Sequence[IntervalLine], category: Category) -> list[int]:
    return [i for i, one in enumerate(lines) if one.kind.category is category]


def _bars(
    category: Category,
    rows: Sequence[int],
    of: tuple[Sequence[IntervalLine], float],
    reader: Reader,
) -> Part:
    lines, top_kwh = of
    colours = [_colour(lines[i]) for i in rows]
    heights = (lines[i].import_kwh for i in rows)
    return {
        "type": "bar",
        "x": list(rows),
        "y": [top_kwh if kwh is None else max(kwh, top_kwh / 80) for kwh in heights],
        "name": text(f"category-{category}", reader.language),
        "marker": {"color": colours, "line": {"width": 0}},
        "customdata": list(rows),
        "text": [_line_told(lines[i], reader) for i in rows],
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
        **_unchanged_by_choosing(),
    }


def _colour(line: IntervalLine) -> str:
    if line.kind.cause == Unsettled.NOT_DUE:
        return theme.NOTHING_DAY
    return QUALITY_COLOUR[line.kind.category]


def _line_told(line: IntervalLine, reader: Reader) -> str:
    known = "" if line.import_kwh is None else f"  {energy(line.import_kwh)}"
    told = kind_told(line.kind, reader)
    return f"<b>{clock(line.start, reader)}</b>{known}<br>{told}"


def _clock_axis(lines: Sequence[IntervalLine], reader: Reader) -> Part:
    """Name every third full hour on the wall; autumn's doubled one comes twice."""
    named = [
        (i, told)
        for i, told in enumerate(clock(one.start, reader) for one in lines)
        if told.endswith(":00") and int(told[:2]) % 3 == 0
    ]
    return {
        "range": [-0.6, len(lines) - 0.4],
        "tickvals": [i for i, _ in named],
        "ticktext": [told for _, told in named],
        "title": title(zoned("axis-local-time", reader)),
    }


def _mark(place: int) -> Part:
    """Frame the quarter-hour that is open."""
    return {
        "type": "rect",
        "xref": "x",
        "yref": "y domain",
        "x0": place - 0.5,
        "x1": place + 0.5,
        "y0": 0,
        "y1": 1,
        "line": {"color": theme.INK, "width": 1.5},
        "fillcolor": "rgba(0, 0, 0, 0)",
    }


def _unchanged_by_choosing() -> Part:
    """Keep plotly from paling all others when one is chosen: the page follows it."""
    return {
        "selected": {"marker": {"opacity": 1}},
        "unselected": {"marker": {"opacity": 1}},
    }
