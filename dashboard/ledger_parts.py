"""What the views of the ledger are made of: values in, escaped HTML out. Pure."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from html import escape
from urllib.parse import urlencode

from analytics.completeness.ledger import Category
from dashboard.ledger_charts import QUALITY_COLOUR
from dashboard.phrase import said
from reports.completeness_views import Counted
from reports.writing import Reader


def link(account: str, point: str = "", on: date | None = None, **more: str) -> str:
    """Address of the page, relative to the others, for one account, point and day."""
    asked = {"account": account, "point": point, "day": "" if on is None else str(on)}
    given = {name: value for name, value in (asked | more).items() if value}
    return f"completeness?{urlencode(given)}"


def interval_name(start: datetime) -> str:
    """Name an interval in an address: in UTC, for an hour may come twice."""
    return start.strftime("%Y-%m-%dT%H:%MZ")


def head(title: str, sub: str, back: tuple[str, str] | None) -> str:
    """Title of a view, what it is, and the way back."""
    way = ""
    if back is not None:
        address, told = back
        way = f'<a class="kw-back" href="{escape(address)}" target="_self">‹ {told}</a>'
    return f'{way}<h1>{title}</h1><div class="kw-sub">{sub}</div>'


def anchor(address: str, told: str) -> str:
    """Link within the pages."""
    return f'<a href="{escape(address)}" target="_self">{escape(told)}</a>'


def way(address: str, told: str) -> str:
    """Link back, or to what stands beside."""
    return f'<a class="kw-back" href="{escape(address)}" target="_self">{told}</a>'


def bar(of: Counted) -> str:
    """Show shares side by side, as wide as they are."""
    parts = "".join(
        f'<span style="width:{of.percent(category):.3f}%;'
        f'background:{QUALITY_COLOUR[category]}"></span>'
        for category in Category
        if of.due and of.percent(category)
    )
    return f'<div class="kw-bar kw-thin">{parts}</div>'


def swatch(colour: str) -> str:
    """Show a colour in a key."""
    return f'<i class="kw-area" style="color:{colour}"></i>'


def dot(colour: str) -> str:
    """Show a colour beside a cell."""
    return f'<i class="kw-dot" style="background:{colour}"></i>'


def status_tag(status: str, reader: Reader) -> str:
    """Name how a rule was met in a small coloured label."""
    told = said(f"status-{status}", reader)
    return f'<span class="kw-tag kw-status-{status}">{told}</span>'


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    reader: Reader,
    *,
    numbers: Sequence[int] = (),
    wide: Sequence[int] = (),
) -> str:
    """Lay out a table of cells that are HTML already.

    Parameters
    ----------
    heads
        Codes of the texts above its columns.
    rows
    reader : Reader
    numbers
        Columns that stand to the right.
    wide
        Columns of sentences, which a narrow window must not squeeze.

    """
    kinds = dict.fromkeys(numbers, "kw-n") | dict.fromkeys(wide, "kw-w")

    def cells(tag: str, row: Iterable[str]) -> str:
        return "".join(
            f'<{tag} class="{kinds.get(i, "")}">{cell}</{tag}>'
            for i, cell in enumerate(row)
        )

    head_row = cells("th", (said(code, reader) if code else "" for code in heads))
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return (
        '<div class="kw-scroll"><table class="kw-table">'
        f"<tr>{head_row}</tr>{body}</table></div>"
    )


def whole(told: str) -> str:
    """Keep a cell's text in one line."""
    return f'<span class="kw-whole">{escape(told)}</span>'
