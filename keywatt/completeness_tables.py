"""The completeness ledger on a terminal: a calendar, and tables of what lacks."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from analytics.completeness.ledger import Category, Kind
from reports.completeness_views import (
    AllCompleteness,
    Completeness,
    Counted,
    DayLedger,
    PointLedger,
)
from reports.ledger_wording import cause_told, share_told
from reports.writing import Reader

_MOST_DAYS = 15
_MOST_ACCOUNTS = 40
_MOST_CAUSES = 3
_CATEGORIES = tuple(Category)
# What a day is called after, from the worst on; also to be told apart without colours.
_MARKS = {
    "lost": ("x", "red"),
    "guessed": ("o", "yellow"),
    "waiting": ("~", "cyan"),
    "known": ("#", "blue"),
    "nothing": ("·", "bright_black"),
}


def portfolio_tables(found: AllCompleteness) -> Group:
    """Lay out all accounts, those that lack most first."""
    table = _table("account")
    for one in found.accounts[:_MOST_ACCOUNTS]:
        table.add_row(one.account.code, *_cells(one))
    more = len(found.accounts) - _MOST_ACCOUNTS
    parts: list[RenderableType] = [_period(found), table]
    if more > 0:
        parts.append(f"and {more} more, which lack less; --json and --csv have all")
    return Group(*parts)


def account_tables(found: Completeness) -> Group:
    """Lay out one account: its points, a calendar of each, and the worst days."""
    table = _table("point")
    for point in found.points:
        table.add_row(point.point.name, *_cells(point))
    parts: list[RenderableType] = [_period(found), table]
    parts += [_calendar(point) for point in found.points]
    parts.append(_key())
    worst = _worst_days(found)
    if worst is not None:
        parts.append(worst)
    return Group(*parts)


def _period(found: AllCompleteness | Completeness) -> str:
    return (
        f"{found.first_day} to {found.last_day}: {found.expected:,} quarter-hours, "
        f"{found.due:,} of them due."
    )


def _table(first: str) -> Table:
    table = Table(header_style="bold")
    table.add_column(first, overflow="fold")
    table.add_column("due", justify="right")
    for category in _CATEGORIES:
        table.add_column(category.value.replace("-", " "), justify="right")
    table.add_column("mostly because", overflow="fold")
    return table


def _cells(of: Counted) -> tuple[str, ...]:
    shares = (of.percent(category) for category in _CATEGORIES)
    return (
        f"{of.due:,}",
        *(share_told(share) for share in shares),
        _listed(of.main_causes),
    )


def _listed(causes: Sequence[tuple[Kind, int]]) -> str:
    told = (f"{cause_told(kind, Reader())} {n:,}" for kind, n in causes[:_MOST_CAUSES])
    return ", ".join(told)


def _calendar(point: PointLedger) -> Table:
    """Draw a line a month, a mark a day."""
    table = Table(title=point.point.name, title_justify="left", box=None, padding=0)
    table.add_column("", style="dim")
    table.add_column("1      8      15     22     29", no_wrap=True, style="dim")
    for month, days in groupby(point.days, key=lambda day: f"{day.local_day:%Y-%m} "):
        table.add_row(month, _marks(list(days)))
    return table


def _marks(days: Sequence[DayLedger]) -> Text:
    line = Text(" " * (days[0].local_day.day - 1))
    for day in days:
        line.append(*_MARKS[_worst_of(day)])
    return line


def _worst_of(day: DayLedger) -> str:
    if day.gone:
        return "lost"
    if day.guessed:
        return "guessed"
    if day.waiting:
        return "waiting"
    known = (Category.MEASURED, Category.EDITED, Category.ESTIMATED)
    return "known" if any(day.of(each) for each in known) else "nothing"


def _key() -> Text:
    told = {
        "known": "complete",
        "guessed": "some estimated for want of readings",
        "lost": "some missing",
        "waiting": "some still to be settled",
        "nothing": "not due, or no meter there",
    }
    key = Text("\n")
    for name, meaning in told.items():
        key.append(*_MARKS[name])
        key.append(f" {meaning}   ", "dim")
    return key


def _worst_days(found: Completeness) -> Table | None:
    days = [
        (day.lost, day.guessed, day.local_day, point.point.name, day)
        for point in found.points
        for day in point.days
        if day.lost or day.guessed
    ]
    if not days:
        return None
    worst = sorted(days, key=lambda each: each[:2], reverse=True)[:_MOST_DAYS]
    title = f"The {len(worst)} days that lack most, of {len(days)}"
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in ("day", "point"):
        table.add_column(column)
    for column in ("expected", "missing", "waiting", "estimated"):
        table.add_column(column, justify="right")
    table.add_column("because", overflow="fold")
    for row in worst:
        table.add_row(*_day_row(row[3], row[4]))
    return table


def _day_row(point_name: str, day: DayLedger) -> Iterable[str]:
    numbers = (
        day.expected,
        day.of(Category.MISSING),
        day.waiting,
        day.of(Category.ESTIMATED),
    )
    causes = day.main_causes
    if day.lost:
        causes += day.causes(Category.ESTIMATED)
    return (str(day.local_day), point_name, *map(str, numbers), _listed(causes))
